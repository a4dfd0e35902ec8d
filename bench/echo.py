"""The yardstick of the SIP rows: a bare uvloop process that echoes datagrams."""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from typing import NamedTuple

from bench.measure import TreeCpu
from tests.fixtures.ports import free_ports

LABEL = "bare uvloop echo of as many datagrams"
_WINDOW = 8
_PAYLOAD = b"x" * 600
_SERVER = """
import asyncio, sys, uvloop
class Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport): self.transport = transport
    def datagram_received(self, data, address): self.transport.sendto(data, address)
async def main():
    await asyncio.get_running_loop().create_datagram_endpoint(Echo, ("127.0.0.1", int(sys.argv[1])))
    print("ready", flush=True)
    await asyncio.Event().wait()
with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
    runner.run(main())
"""


class Echo(NamedTuple):
    """`cpu_ms`: of the echoing process, for one datagram in and one out. `rate`: such pairs a second."""

    cpu_ms: float
    rate: float


async def measure(count: int) -> Echo:
    """Echo `count` datagrams of 600 bytes, a few on their way at a time."""
    (port,) = free_ports(1)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _SERVER, str(port), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        await process.stdout.readline()
        cpu = TreeCpu(process.pid)
        begun = time.perf_counter()
        await asyncio.to_thread(_ping, port, count)
        return Echo(cpu.seconds() * 1000 / count, count / (time.perf_counter() - begun))
    finally:
        process.kill()
        await process.wait()


def _ping(port: int, count: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.settimeout(2)
        peer.connect(("127.0.0.1", port))
        for number in range(count):
            peer.send(_PAYLOAD)
            if number >= _WINDOW:
                peer.recv(2048)
        for _ in range(min(count, _WINDOW)):
            peer.recv(2048)
