"""A client of the native protocol in a few lines, for what a well-behaved client never sends."""

from __future__ import annotations

import socket

from adapters.analytics.protocol import REVISION, string, varint
from tests.fixtures.clickhouse import ClickHouse

ANSWER_S = 30.0


def hello(user: str, password: str, revision: int = REVISION, database: str = "") -> bytes:
    client = varint(0) + string("test") + varint(1) + varint(0) + varint(revision)
    return client + string(database) + string(user) + string(password)


def query(text: str, *, compressed: bool = False, settings: bytes = b"") -> bytes:
    info = b"\x01" + string("") * 3 + b"\x01" + string("") * 3 + varint(1) * 3 + string("") + varint(0)
    return varint(1) + string("") + info + settings + string("") + varint(2) + varint(compressed) + string(text)


EMPTY_BLOCK = varint(2) + string("") + b"\x01\x00\x02\xff\xff\xff\xff\x00" + b"\x00\x00"


def connect(clickhouse: ClickHouse) -> socket.socket:
    return socket.create_connection((clickhouse.host, clickhouse.port), ANSWER_S)


def talk(clickhouse: ClickHouse, *parts: bytes) -> bytes:
    """Send all, close the sending side, and return all that came back."""
    with connect(clickhouse) as sock:
        sock.settimeout(ANSWER_S)
        received = bytearray()
        try:
            for part in parts:
                sock.sendall(part)
            sock.shutdown(socket.SHUT_WR)
            while chunk := sock.recv(65536):
                received += chunk
        except (ConnectionResetError, BrokenPipeError):
            pass
        return bytes(received)
