"""One client of the gateway, from Hello to the end. asyncio plumbing: packets are `protocol`'s, SQL the engine's."""

from __future__ import annotations

import asyncio
import hmac
import itertools
import logging
import re
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from typing import TypeVar

import msgspec

from adapters.analytics import protocol
from adapters.analytics.engine import (
    DATABASE,
    QUERY_WAS_CANCELLED,
    READONLY,
    TOO_MANY_SIMULTANEOUS_QUERIES,
    UNKNOWN_DATABASE,
    Cancelled,
    Engine,
    EngineError,
    Insert,
    columnar_insert,
)
from adapters.analytics.native import Malformed, columns_of
from adapters.analytics.protocol import (
    Cancel,
    Data,
    Decoder,
    Hello,
    Packet,
    Ping,
    Query,
)

log = logging.getLogger(__name__)

AUTHENTICATION_FAILED = 516
UNKNOWN_PACKET = 99
CLIENT_TOO_OLD = 532
SUPPORT_IS_DISABLED = 344
TOO_LARGE = 131
READ_BYTES = 262_144

Result = TypeVar("Result")


class Account(msgspec.Struct, frozen=True):
    """Who may come in. `reader` = may not write."""

    name: str
    password: str
    reader: bool


class ConnectionLimits(msgspec.Struct, frozen=True):
    """Bounds of the gateway. `pending_queries` counts those at work and those that wait, over all connections."""

    connections: int = 64
    handshake_s: float = 5.0
    send_s: float = 30.0
    insert_idle_s: float = 60.0
    pending_queries: int = 32
    packet_bytes: int = 128 << 20
    insert_bytes: int = 512 << 20


class _Refusal(Exception):
    """Answered with an exception packet; `final` = and the connection ends."""

    def __init__(self, code: int, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.final = final


class Gone(Exception):
    """The client left or was too slow."""


class Desk:
    """What all connections share: the engine, its threads, and the count of queries that wait for them."""

    def __init__(self, engine: Engine, threads: Executor, limits: ConnectionLimits) -> None:
        self.engine = engine
        self.limits = limits
        self._threads = threads
        self._pending = 0
        self._marks = itertools.count(1)

    def mark(self) -> str:
        """A word that no other query of this process has."""
        return f"q{next(self._marks)}."

    async def call(self, work: Callable[[], Result]) -> Result:
        """Run `work` in one of the engine's threads."""
        if self._pending >= self.limits.pending_queries:
            raise _Refusal(
                TOO_MANY_SIMULTANEOUS_QUERIES,
                "Too many simultaneous queries: ask again later",
            )
        self._pending += 1
        future = asyncio.get_running_loop().run_in_executor(self._threads, work)
        future.add_done_callback(self._done)
        return await future

    def _done(self, future: asyncio.Future[Result]) -> None:
        self._pending -= 1
        if not future.cancelled():
            future.exception()


class Connection:
    """Serves one client until it leaves, errs in the protocol, or is cancelled."""

    def __init__(
        self,
        desk: Desk,
        accounts: Mapping[str, Account],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._desk = desk
        self._accounts = accounts
        self._reader = reader
        self._writer = writer
        self._decoder = Decoder(desk.limits.packet_bytes)
        self._account: Account | None = None
        self._database = DATABASE

    async def serve(self) -> None:
        """Returns when the client is gone; never raises what the client caused."""
        try:
            async with asyncio.timeout(self._desk.limits.handshake_s):
                await self._guarded(self._greet)
            while await self._guarded(self._next_request):
                pass
        except (Gone, TimeoutError, ConnectionError):
            return

    async def _guarded(self, step: Callable[[], object]) -> bool:
        """One step; refusals are told to the client. False = the connection is over."""
        try:
            await step()  # type: ignore[misc]
        except Malformed as error:
            await self._send(protocol.exception(UNKNOWN_PACKET, "DB::NetException", f"Malformed input: {error}"))
            raise Gone from error
        except _Refusal as refusal:
            await self._send(protocol.exception(refusal.code, "DB::Exception", str(refusal)))
            if refusal.final:
                raise Gone from refusal
        except EngineError as error:
            await self._send(protocol.exception(error.code, "DB::Exception", str(error)))
        return True

    async def _greet(self) -> None:
        hello = await self._packet()
        if not isinstance(hello, Hello):
            raise Malformed("no Hello")
        account = self._accounts.get(hello.user)
        known = account.password if account else ""
        same = hmac.compare_digest(known.encode(), hello.password.encode())
        if account is None or not same:
            name = hello.user[:64]
            raise _Refusal(
                AUTHENTICATION_FAILED,
                f"{name}: Authentication failed: wrong name or password",
                final=True,
            )
        if hello.revision < protocol.REVISION:
            raise _Refusal(
                CLIENT_TOO_OLD,
                f"Revision {protocol.REVISION} or newer is needed",
                final=True,
            )
        self._database = self._chosen(hello.database)
        self._account = account
        await self._send(protocol.hello(self._desk.engine.version))

    def _chosen(self, database: str) -> str:
        if database in ("", "default"):
            return DATABASE
        if not re.fullmatch(r"[A-Za-z_]\w{0,63}", database) or database.lower() == "system":
            raise _Refusal(UNKNOWN_DATABASE, f"Database {database[:64]} does not exist", final=True)
        return database

    async def _next_request(self) -> None:
        packet = await self._packet()
        match packet:
            case Ping():
                await self._send(protocol.pong())
            case Query():
                await self._answer(packet)
            case Cancel() | Data(columns=0):
                pass
            case _:
                raise Malformed(f"{type(packet).__name__} where a Query or a Ping was expected")

    async def _answer(self, query: Query) -> None:
        if query.compressed:
            text = "Compression is not supported here: connect without it (compression=False)"
            raise _Refusal(SUPPORT_IS_DISABLED, text, final=True)
        await self._end_of_external_tables()
        account = self._account
        reader = account is None or account.reader or query.settings.get("readonly", "0") != "0"
        insert = columnar_insert(query.text)
        if insert is not None and not reader:
            await self._take(insert)
        elif insert is not None:
            raise _Refusal(
                READONLY,
                "Cannot execute query in readonly mode: this account only reads",
            )
        else:
            await self._ask(query.text, reader)
        await self._send(protocol.end_of_stream())

    async def _end_of_external_tables(self) -> None:
        """After each Query the client sends its external tables, then an empty block."""
        packet = await self._packet()
        if not isinstance(packet, Data):
            raise Malformed(f"{type(packet).__name__} where the end of external tables was expected")
        if packet.columns:
            raise _Refusal(
                SUPPORT_IS_DISABLED,
                "External tables are not supported here",
                final=True,
            )

    async def _take(self, insert: Insert) -> None:
        """Collect all blocks, then insert them: a client that stalls holds no session of the engine."""
        engine, database = self._desk.engine, self._database
        columns = await self._desk.call(lambda: engine.columns(insert, database))
        await self._send(protocol.data(protocol.header(columns)))
        blocks: list[bytes] = []
        size = 0
        while True:
            async with asyncio.timeout(self._desk.limits.insert_idle_s):
                packet = await self._packet()
            if isinstance(packet, Cancel):
                raise _Refusal(QUERY_WAS_CANCELLED, "The insert was cancelled: nothing was written")
            if not isinstance(packet, Data):
                raise Malformed(f"{type(packet).__name__} among the blocks of an INSERT")
            if not packet.columns:
                break
            size += len(packet.payload)
            if size > self._desk.limits.insert_bytes:
                text = f"An insert of more than {self._desk.limits.insert_bytes} bytes: send less at once"
                raise _Refusal(TOO_LARGE, text, final=True)
            if packet.rows:
                blocks.append(packet.payload)
        await self._desk.call(lambda: engine.insert(insert, database, blocks))

    async def _ask(self, text: str, reader: bool) -> None:
        """Run a statement in a thread, pass its blocks on, and listen meanwhile for Cancel or the client's leaving."""
        stopped = _Stop()
        counted = _Counted()
        sink = self._sink(stopped, counted)
        engine, database = self._desk.engine, self._database
        mark = self._desk.mark()

        def work() -> None:
            if stopped.asked:
                raise Cancelled
            engine.run(text, database, sink, reader=reader, mark=mark)

        running = asyncio.ensure_future(self._desk.call(work))
        listening = asyncio.ensure_future(self._packet())
        try:
            await asyncio.wait({running, listening}, return_when=asyncio.FIRST_COMPLETED)
            if not running.done():
                stopped.asked = True
                await asyncio.to_thread(engine.kill, mark)
                if not isinstance(await listening, Cancel):
                    raise Malformed("a packet other than Cancel while a query runs")
            await running
        except Cancelled:
            log.debug("a query was cancelled by its client")
        except EngineError as error:
            if not (stopped.asked and error.code == QUERY_WAS_CANCELLED):
                raise
        finally:
            stopped.asked = True
            await self._settle(listening)
        await self._send(protocol.progress(counted.rows, counted.size) + protocol.profile(*counted.figures()))

    async def _settle(self, listening: asyncio.Future[Packet]) -> None:
        """Stop listening. What had arrived by then stays in the decoder or is only a late Cancel."""
        if listening.done():
            if not listening.cancelled():
                listening.exception()
            return
        listening.cancel()
        await asyncio.wait({listening})

    def _sink(self, stopped: _Stop, counted: _Counted) -> Callable[[bytes], None]:
        loop = asyncio.get_running_loop()

        def sink(block: bytes) -> None:
            """In the engine's thread: wait until the client has room for the block."""
            if stopped.asked:
                raise Cancelled
            wire = protocol.data(block)
            if not counted.blocks and protocol.rows_of(block):  # clients take names and types from a block without rows
                wire = protocol.data(protocol.header(columns_of(block))) + wire
            counted.add(block)
            sending = asyncio.run_coroutine_threadsafe(self._send(wire), loop)
            try:
                sending.result()
            except (Gone, ConnectionError) as error:
                raise Cancelled from error

        return sink

    async def _packet(self) -> Packet:
        while (packet := self._decoder.next_packet()) is None:
            received = await self._reader.read(READ_BYTES)
            if not received:
                raise Gone
            self._decoder.feed(received)
        return packet

    async def _send(self, data: bytes) -> None:
        self._writer.write(data)
        try:
            async with asyncio.timeout(self._desk.limits.send_s):
                await self._writer.drain()
        except TimeoutError as error:
            raise Gone from error


class _Stop:
    """Set in the loop, read in the engine's thread."""

    def __init__(self) -> None:
        self.asked = False


class _Counted:
    """What an answer held so far."""

    def __init__(self) -> None:
        self.rows = self.blocks = self.size = 0

    def add(self, block: bytes) -> None:
        self.blocks += 1
        self.size += len(block)
        self.rows += protocol.rows_of(block)

    def figures(self) -> tuple[int, int, int]:
        return self.rows, self.blocks, self.size
