"""One UDP socket of the edge: what it says about a queue that only the kernel sees."""

from __future__ import annotations

import asyncio
import socket
import time
from collections import deque

from adapters.sip.edge.udp import UdpSocket
from adapters.sip.message.via import split_host_port
from domain.values import Flow
from tests.adapters.sip.station import Run

READ = 300
"""Several bursts."""


def test_a_queue_is_as_old_as_what_was_read_last_and_not_as_its_own_beginning(run: Run) -> None:
    async def main() -> None:
        sent_at: deque[float] = deque()
        waits: list[tuple[float, float]] = []
        before = [0.0]
        """when the one that was read before this one had been sent"""
        done = asyncio.Event()

        def said() -> None:
            sent_at.append(time.time())
            phone.sendto(b"x", split_host_port(server.local))

        def heard(data: bytes, flow: Flow) -> None:
            waits.append((server.backlog_s, time.time() - before[0]))
            before[0] = sent_at.popleft()
            said()  # so that there is always more
            if len(waits) == READ:
                server.close()
                done.set()

        server = UdpSocket("127.0.0.1", 0, heard)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
            for _ in range(5):
                said()
            server.read()
            await done.wait()
        assert any(backlog_s > 0 for backlog_s, _ in waits)
        assert all(backlog_s <= waited_s for backlog_s, waited_s in waits[64:READ:64])

    run(main())


def test_nothing_waits_where_all_was_read(run: Run) -> None:
    async def main() -> None:
        heard = asyncio.Event()
        server = UdpSocket("127.0.0.1", 0, lambda data, flow: heard.set())
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
            phone.sendto(b"x", split_host_port(server.local))
            server.read()
            await heard.wait()
            assert server.backlog_s == 0.0
        server.close()

    run(main())
