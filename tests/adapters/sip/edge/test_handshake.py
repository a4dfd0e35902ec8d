"""TLS handshakes that nobody finishes: they are few, give back what they held, and hold up nobody else."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest

from adapters.sip.edge.edge import Edge, EdgeError, EdgeLimits
from adapters.sip.gate.gate import Gate, Policy
from adapters.sip.gate.source import SourceLimits
from adapters.sip.message.message import Request, Response
from domain.values import Flow
from switchlog.tls.certificate import client_context, server_context
from tests.adapters.sip.gate.test_gate import gate
from tests.adapters.sip.station import OPTIONS, Run, Station, dial, hang_up
from tests.fixtures.authority import Authority

LONG_S = 60.0


class Door:
    """A TLS listener behind a gate, and a phone that trusts it."""

    def __init__(self, folder: Path, limits: EdgeLimits, sources: SourceLimits | None = None) -> None:
        authority = Authority(folder)
        self.tls = server_context(*authority.issue("server"), authority.certificate)
        self.heard: asyncio.Queue[Flow] = asyncio.Queue()
        self.gate: Gate | None = gate(sources, Policy()) if sources else None
        self.edge = Edge(self._on_message, lambda flow: None, limits, gate=self.gate)
        self.phone = Station(tls=client_context(None, None, authority.certificate))

    def _on_message(self, message: Request | Response, flow: Flow) -> None:
        self.heard.put_nowait(flow)

    async def until_let_in(self, there: Flow) -> Flow:
        while True:
            with suppress(EdgeError):
                return await self.phone.edge.connect("tls", there.local)
            await asyncio.sleep(0.01)

    async def __aenter__(self) -> Door:
        self.there = await self.edge.listen("tls", "127.0.0.1", 0, self.tls)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.phone.edge.close()
        await self.edge.close()


async def closed_at_once(there: Flow) -> None:
    reader, writer = await dial(there)
    with suppress(ConnectionError):
        assert await reader.read() == b""
    await hang_up(writer)


@pytest.mark.parametrize(
    ("limits", "sources"),
    [
        (EdgeLimits(handshake_timeout_s=LONG_S, max_handshakes=2), None),
        (EdgeLimits(handshake_timeout_s=LONG_S), SourceLimits(connections=2)),
        (EdgeLimits(handshake_timeout_s=LONG_S), SourceLimits(handshakes=2)),
        (EdgeLimits(handshake_timeout_s=LONG_S, max_handshakes=4, kept_handshakes=0.5), SourceLimits()),
    ],
)
def test_handshakes_above_the_limit_are_refused_until_one_ends(
    run: Run, tmp_path: Path, limits: EdgeLimits, sources: SourceLimits | None
) -> None:
    async def main() -> None:
        async with Door(tmp_path, limits, sources) as door:
            silent = [(await dial(door.there))[1] for _ in range(2)]
            await closed_at_once(door.there)
            assert door.edge.counters.refused_connections == 1
            await hang_up(silent.pop())
            flow = await door.until_let_in(door.there)
            door.phone.edge.send(flow, OPTIONS)
            assert (await door.heard.get()).transport == "tls"
            for writer in silent:
                await hang_up(writer)

    run(main())


def test_strangers_leave_room_for_sources_where_a_device_is_known(run: Run, tmp_path: Path) -> None:
    limits = EdgeLimits(handshake_timeout_s=LONG_S, max_handshakes=4, kept_handshakes=0.5)

    async def main() -> None:
        async with Door(tmp_path, limits, SourceLimits()) as door:
            silent = [(await dial(door.there))[1] for _ in range(2)]
            await closed_at_once(door.there)
            assert door.gate is not None
            door.gate.proved("127.0.0.1:1", "acme", "1001", asyncio.get_running_loop().time())
            flow = await door.phone.edge.connect("tls", door.there.local)
            door.phone.edge.send(flow, OPTIONS)
            await door.heard.get()
            silent += [(await dial(door.there))[1] for _ in range(2)]
            await closed_at_once(door.there)
            for writer in silent:
                await hang_up(writer)

    run(main())


def test_whoever_is_through_holds_up_no_handshake(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        async with Door(tmp_path, EdgeLimits(max_handshakes=1)) as door:
            first = await door.phone.edge.connect("tls", door.there.local)
            door.phone.edge.send(first, OPTIONS)
            await door.heard.get()
            other = Station(tls=door.phone.edge._client_tls)
            async with other:
                second = await other.edge.connect("tls", door.there.local)
                other.edge.send(second, OPTIONS)
                await door.heard.get()
            assert door.edge.counters.refused_connections == 0

    run(main())


@pytest.mark.parametrize("end", ["times out", "speaks plainly", "is served", "comes when all is full"])
def test_what_a_source_held_is_given_back(run: Run, tmp_path: Path, end: str) -> None:
    """However its connection ends, so that a source is never locked out."""
    full = end == "comes when all is full"
    limits = EdgeLimits(handshake_timeout_s=0.1 if end == "times out" else LONG_S, max_connections=0 if full else 9)

    async def main() -> None:
        async with Door(tmp_path, limits, SourceLimits(connections=1, handshakes=1)) as door:
            assert door.gate is not None
            if end == "is served":
                door.phone.edge.send(await door.phone.edge.connect("tls", door.there.local), OPTIONS)
                await door.heard.get()
                assert not door.gate.connects("127.0.0.1:1", 0.0), "held as long as it is open"
                await door.phone.edge.close()
            else:
                reader, writer = await dial(door.there)
                if end == "speaks plainly":
                    writer.write(OPTIONS)
                with suppress(ConnectionError):
                    await reader.read()
                await hang_up(writer)
            while not door.gate.shakes("127.0.0.1:1", 0.0, crowded=False):
                await asyncio.sleep(0.01)

    run(main())


def test_an_edge_that_closes_waits_for_no_handshake(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        async with Door(tmp_path, EdgeLimits(handshake_timeout_s=LONG_S, max_handshakes=1)) as door:
            reader, writer = await dial(door.there)
            await closed_at_once(door.there)  # so the first one is under way
            await door.edge.close()
            with suppress(ConnectionError):
                assert await reader.read() == b""
            await hang_up(writer)

    run(main())
