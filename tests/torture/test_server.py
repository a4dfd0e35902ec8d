"""A real server under noise on every transport while a call is up: it goes on, and the journal says nothing."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from tests.faults.caller import RawCall, call
from tests.fixtures.server import Server
from tests.torture.case import ALL, wire
from tests.torture.generator import malformed

COUNT = 900
WAIT_S = 20.0
GROWTH_BYTES = 40_000_000
TLS_HELLO = bytes.fromhex("16030100fa010000f60303") + b"\x01" * 40  # the beginning of a ClientHello


@pytest.fixture
async def talking(server: Server) -> AsyncIterator[RawCall]:
    one = await call(server)
    yield one
    one.caller.close()
    one.callee.close()


def noise(seed: int) -> list[bytes]:
    return [spoilt.data for spoilt in malformed(seed, COUNT)] + [wire(*case) for case in ALL]


async def by_udp(server: Server, messages: list[bytes]) -> None:
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        asyncio.DatagramProtocol, remote_addr=("127.0.0.1", server.udp)
    )
    for number, data in enumerate(messages):
        transport.sendto(data[:65_000])
        if number % 20 == 0:
            await asyncio.sleep(0)
    transport.close()


async def by_stream(server: Server, port: int, messages: list[bytes], tls: ssl.SSLContext | None) -> None:
    """Each message on a connection of its own, as the framing of many is lost; some are left half open."""
    gate = asyncio.Semaphore(20)

    async def one(data: bytes) -> None:
        async with gate:
            try:
                async with asyncio.timeout(WAIT_S):
                    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
                    writer.write(data)
                    await writer.drain()
                    if len(data) % 3:
                        writer.write_eof() if tls is None else None
                        await asyncio.wait_for(reader.read(4_096), 0.2)
            except (OSError, TimeoutError, asyncio.IncompleteReadError):
                return
            finally:
                if "writer" in locals():
                    writer.transport.abort()

    await asyncio.gather(*(one(data) for data in messages))


async def half_open(server: Server) -> list[asyncio.StreamWriter]:
    """Connections that begin and never go on: TCP without a byte, half a header, half a handshake, noise on TLS."""
    writers = []
    for port, data in (
        (server.tcp, b""),
        (server.tcp, b"INVITE sip:1002@acme.example SIP/2.0\r\nVia: SIP/2"),
        (server.tcp, b"OPTIONS sip:x SIP/2.0\r\nContent-Length: 60000\r\n\r\n"),
        (server.tls, b""),
        (server.tls, TLS_HELLO),
        (server.tls, b"INVITE sip:1002@acme.example SIP/2.0\r\n\r\n"),
        (server.tls, bytes(range(256)) * 40),
    ) * 10:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(data)
        writers.append(writer)
    return writers


def sessions_bytes(server: Server) -> int:
    return int(psutil.Process(server.pid_of("sessions")).memory_info().rss)


async def records(server: Server) -> int:
    async with server.client() as client:
        count, after = 0, ""
        while True:
            page = (await client.get(f"/v1/events?limit=500{after}")).json()
            count += len([one for one in page["items"] if not one["type"].startswith("security.")])
            if not page["next"]:
                return count
            after = f"&after={page['cursor']}"


async def test_a_call_goes_on_under_noise_on_every_transport(server: Server, talking: RawCall) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    before = await records(server)
    pid = server.pid_of("sessions")
    held = await half_open(server)
    await by_udp(server, noise(1))
    resident = sessions_bytes(server)
    await asyncio.gather(
        by_udp(server, noise(2)),
        by_stream(server, server.tcp, noise(3)[:400], None),
        by_stream(server, server.tls, noise(4)[:100], tls),
    )
    await by_udp(server, noise(5))
    assert sessions_bytes(server) - resident < GROWTH_BYTES
    assert server.pid_of("sessions") == pid, "the same process all the time"
    assert await records(server) == before, "nothing of it is in the journal"
    assert "fault of ours" not in Path(server.data / "server.log").read_text(errors="replace")
    await talking.end()
    (cdr,) = await server.cdrs()
    assert (cdr["disposition"], cdr["hangup_by"], cdr["takeovers"]) == ("answered", "caller", 0)
    for writer in held:
        writer.transport.abort()
