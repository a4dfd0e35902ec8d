"""An edge over real loopback sockets that notes what it hears, for the tests of the edge."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Self

import pytest
import uvloop

from adapters.sip.edge.edge import Edge, EdgeLimits
from adapters.sip.message.message import Request, Response
from adapters.sip.message.via import split_host_port
from domain.values import Flow
from tests.adapters.sip.pair import make_request, make_response

LIMIT_S = 15
Run = Callable[[Coroutine[Any, Any, None]], None]


@pytest.fixture(params=[uvloop.new_event_loop, asyncio.new_event_loop], ids=["uvloop", "asyncio"])
def run(request: pytest.FixtureRequest) -> Run:
    def runner(main: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=request.param) as loop:
            loop.run(asyncio.wait_for(main, LIMIT_S))

    return runner


class Station:
    """An edge that notes what it hears; answers requests with 200 if asked."""

    def __init__(self, limits: EdgeLimits | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.heard: asyncio.Queue[tuple[Request | Response, Flow]] = asyncio.Queue()
        self.lost: asyncio.Queue[Flow] = asyncio.Queue()
        self.answers = False
        self.edge = Edge(self._on_message, self.lost.put_nowait, limits, tls)

    def _on_message(self, message: Request | Response, flow: Flow) -> None:
        self.heard.put_nowait((message, flow))
        if self.answers and isinstance(message, Request):
            self.edge.send(flow, make_response(message, 200).serialise())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.edge.close()


OPTIONS = make_request("OPTIONS").serialise()


async def dial(flow: Flow) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(*split_host_port(flow.local))


async def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()
