"""The relay of the tests: whenever it ends, it leaves no connection behind that is found in somebody else's test."""

from __future__ import annotations

import gc
import socket
import ssl
from pathlib import Path

from tests.fixtures.authority import Authority
from tests.fixtures.relay import Relay


def test_it_closes_whom_it_has_just_begun_to_serve() -> None:
    with socket.create_server(("127.0.0.1", 0)) as target:
        for _ in range(30):
            with Relay(target.getsockname()) as relay, socket.create_connection(("127.0.0.1", relay.port)):
                pass
    gc.collect()  # a socket that was not closed is a warning now, and so an error


def test_it_closes_whom_it_has_not_agreed_with_on_tls(tmp_path: Path) -> None:
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(*Authority(tmp_path).issue("localhost"))
    with socket.create_server(("127.0.0.1", 0)) as target:
        for _ in range(30):
            with (
                Relay(target.getsockname(), tls=served) as relay,
                socket.create_connection(("127.0.0.1", relay.port)) as client,
            ):
                client.sendall(b"\x16\x03\x01\x02\x00")
    gc.collect()


def test_it_passes_on_both_ways_until_one_side_ends() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as target,
        Relay(target.getsockname()) as relay,
        socket.create_connection(("127.0.0.1", relay.port)) as client,
    ):
        client.sendall(b"ask")
        server, _ = target.accept()
        with server:
            assert server.recv(3) == b"ask"
            server.sendall(b"answer")
            assert client.recv(6) == b"answer"
        assert client.recv(1) == b""
