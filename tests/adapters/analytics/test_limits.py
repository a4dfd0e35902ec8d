"""The gateway's bounds, before an engine that does what a test tells it to."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable

import pytest

from adapters.analytics.connection import ConnectionLimits
from adapters.analytics.engine import Engine, Limits, Sink
from adapters.analytics.gateway import Accounts, Gateway, GatewayRefused, check, is_loopback
from adapters.analytics.protocol import end_of_stream, header, profile, string, varint
from tests.adapters.analytics.wire import EMPTY_BLOCK, hello, query

HELLO = hello("analyst", "")
BLOCK = header([("a", "UInt8")])
END = profile(0, 1, len(BLOCK)) + end_of_stream()


class HeldEngine(Engine):
    """Holds every query until `free` is set."""

    def __init__(self) -> None:
        self.version = (26, 9, 2)
        self.free = threading.Event()
        self.started = threading.Semaphore(0)

    def run(self, text: str, database: str, sink: Sink, *, reader: bool, mark: str = "") -> None:
        self.started.release()
        self.free.wait(30)
        sink(BLOCK)

    def kill(self, mark: str = "") -> None:
        self.free.set()


class Caller:
    """A connection to the gateway under test."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def ask(self) -> None:
        self.writer.write(query("SELECT 1") + EMPTY_BLOCK)

    async def until(self, text: bytes) -> None:
        await self.reader.readuntil(text)


Call = Callable[[], Awaitable[Caller]]


def serve(limits: ConnectionLimits, scene: Callable[[HeldEngine, Call], Awaitable[None]]) -> None:
    """Play `scene` before a gateway with `limits`."""

    async def play() -> None:
        engine = HeldEngine()
        gateway = Gateway(engine, Accounts("secret"), limits, Limits(writers=1, readers=1))
        port = await gateway.start("127.0.0.1", 0)
        callers: list[Caller] = []

        async def call() -> Caller:
            caller = Caller(*await asyncio.open_connection("127.0.0.1", port))
            callers.append(caller)
            return caller

        try:
            async with asyncio.timeout(60):
                await scene(engine, call)
        finally:
            for caller in callers:
                caller.writer.close()
            await gateway.close()

    asyncio.run(play())


def test_who_says_nothing_is_dropped() -> None:
    async def scene(engine: HeldEngine, call: Call) -> None:
        silent, half = await call(), await call()
        half.writer.write(HELLO[:3])
        assert await silent.reader.read() == b""
        assert await half.reader.read() == b""

    serve(ConnectionLimits(handshake_s=0.05), scene)


def test_one_connection_too_many_is_told() -> None:
    async def scene(engine: HeldEngine, call: Call) -> None:
        first = await call()
        first.writer.write(HELLO)
        await first.until(string("UTC"))
        assert b"Too many connections: at most 1" in await (await call()).reader.read()

    serve(ConnectionLimits(connections=1), scene)


def test_one_query_too_many_is_told_and_may_ask_again() -> None:
    async def scene(engine: HeldEngine, call: Call) -> None:
        busy, late = await call(), await call()
        for caller in (busy, late):
            caller.writer.write(HELLO)
            await caller.until(string("UTC"))
        busy.ask()
        await asyncio.to_thread(engine.started.acquire)
        late.ask()
        await late.until(b"Too many simultaneous queries")
        engine.free.set()
        await busy.until(END)
        late.ask()
        await late.until(string("UInt8"))

    serve(ConnectionLimits(pending_queries=1), scene)


def test_a_packet_beyond_the_bound_is_refused() -> None:
    async def scene(engine: HeldEngine, call: Call) -> None:
        greedy = await call()
        block = b"\x00" + varint(1) + varint(100_000) + string("a") + string("UInt64")
        greedy.writer.write(HELLO + varint(2) + string("") + block)
        assert b"a packet of more than 4096 bytes" in await greedy.reader.read()

    serve(ConnectionLimits(packet_bytes=4096), scene)


def test_closing_stops_what_runs() -> None:
    async def scene(engine: HeldEngine, call: Call) -> None:
        caller = await call()
        caller.writer.write(HELLO)
        caller.ask()
        await asyncio.to_thread(engine.started.acquire)

    serve(ConnectionLimits(), scene)


def test_the_writer_needs_a_password() -> None:
    with pytest.raises(GatewayRefused, match="needs a password"):
        check(Accounts(""), "127.0.0.1")


def test_a_reader_without_a_password_stays_on_loopback() -> None:
    async def open_to_all(accounts: Accounts, host: str) -> None:
        gateway = Gateway(HeldEngine(), accounts)
        try:
            await gateway.start(host, 0)
        finally:
            await gateway.close()

    with pytest.raises(GatewayRefused, match="set one, or listen on loopback"):
        asyncio.run(open_to_all(Accounts("secret"), "0.0.0.0"))
    asyncio.run(open_to_all(Accounts("secret"), "localhost"))
    assert is_loopback("::1")
    assert is_loopback("127.0.0.2")
    assert not is_loopback("example.org")
