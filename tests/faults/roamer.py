"""A phone by UDP that hears whoever writes to it, and may turn to another node: as phones do behind no NAT."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from typing import Self, cast

import pytest

from adapters.sip.message.message import Request
from tests.faults.caller import Caller, RawCall
from tests.fixtures.server import Server

ROAM_S = 40.0
"""They wait longer than a take-over takes."""


class _Towards:
    """A transport whose datagrams go to the roamer's node of now."""

    def __init__(self, inner: asyncio.DatagramTransport, roamer: Roamer) -> None:
        self._inner, self._roamer = inner, roamer

    def sendto(self, data: bytes) -> None:
        self._inner.sendto(data, self._roamer.there)

    def close(self) -> None:
        self._inner.close()


class Roamer(Caller):
    """`there` is where its requests go; an answer goes where the request's Via says."""

    there: tuple[str, int]

    @classmethod
    async def at(
        cls, server: Server, number: str, domain: str = "acme.example", port: int = 0, host: str = "127.0.0.1"
    ) -> Self:
        one = cls(server, number, domain)
        one.move(server)
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: one, local_addr=(host, port))
        return one

    def move(self, server: Server) -> None:
        """Turn to another node; it knows of that at the next REGISTER."""
        self.there = ("127.0.0.1", server.udp)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.transport = cast("asyncio.DatagramTransport", _Towards(self.transport, self))

    def respond(self, request: Request, status: int, body: str = "") -> None:
        there, via = self.there, request.via
        self.there = (via.host, via.port or 5060)
        super().respond(request, status, body)
        self.there = there


async def found(caller: Caller, callee: Caller) -> None:
    """Until the caller's node knows where the callee is: it follows what other nodes bind, moments later."""
    uri = f"sip:{callee.number}@{callee.domain}"
    while True:
        asked = asyncio.create_task(caller.ask("MESSAGE", uri, f"probe-{secrets.token_hex(8)}", f"<{uri}>"))
        heard = asyncio.create_task(callee.wait_request("MESSAGE"))
        await asyncio.wait((asked, heard), return_when=asyncio.FIRST_COMPLETED)
        if heard.done():
            callee.respond(heard.result(), 200)
            assert (await asked).status == 200
            return
        heard.cancel()
        await asyncio.gather(heard, return_exceptions=True)


class Roaming:
    """Opens phones that roam, and closes all of them."""

    def __init__(self) -> None:
        self._opened: list[Roamer] = []

    async def call(self, caller_at: Server, caller: str, callee_at: Server, callee: str) -> RawCall:
        """Two, registered at these nodes and connected."""
        one, other = [await self._at(node, number) for node, number in ((caller_at, caller), (callee_at, callee))]
        await found(one, other)
        return await RawCall(one, other).connect()

    def close(self) -> None:
        for one in self._opened:
            one.close()

    async def _at(self, node: Server, number: str) -> Roamer:
        one = await Roamer.at(node, number)
        one.wait_s = ROAM_S
        self._opened.append(one)
        registered = await one.register()
        assert registered.status == 200, registered
        return one


@pytest.fixture
def roaming() -> Iterator[Roaming]:
    one = Roaming()
    yield one
    one.close()
