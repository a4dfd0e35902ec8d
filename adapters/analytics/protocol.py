"""ClickHouse's native protocol as a server speaks it: bytes to packets and back. No sockets, no engine, no clock.

The revision announced is 54429: settings travel as strings, and nothing newer (per-column serialisation, addendum,
profile events) is asked of either side. Source: ClickHouse docs, "Native protocol" (basics, client, server).
"""

from __future__ import annotations

import struct
from collections.abc import Generator, Mapping

import msgspec

from adapters.analytics.native import Input, Malformed, block

REVISION = 54429
SERVER_NAME = "Switchlog"
MAX_QUERY_BYTES = 1 << 20
MAX_WORD_BYTES = 4096
MAX_VALUE_BYTES = 65_536
MAX_SETTINGS = 256
INTERFACE_TCP = 1

Packets = Generator[None, None, "Packet"]


class Hello(msgspec.Struct, frozen=True):
    """The first packet: who asks. `database` may be empty."""

    client: str
    revision: int
    database: str
    user: str
    password: str


class Query(msgspec.Struct, frozen=True):
    """A statement. `settings` are as the client wrote them; `compressed` = it wants compressed blocks."""

    query_id: str
    text: str
    settings: Mapping[str, str]
    compressed: bool


class Data(msgspec.Struct, frozen=True):
    """A block, `payload` being its Native bytes. One without columns and rows ends a sequence of blocks."""

    table: str
    columns: int
    rows: int
    payload: bytes


class Cancel(msgspec.Struct, frozen=True):
    """Stop the running query."""


class Ping(msgspec.Struct, frozen=True):
    """Are you there?"""


Packet = Hello | Query | Data | Cancel | Ping


class Decoder:
    """Feed bytes as they come, ask for packets. Raises Malformed, after which it is of no more use."""

    def __init__(self, max_packet_bytes: int) -> None:
        self._input = Input(max_packet_bytes)
        self._greeted = False
        self._parsing: Packets | None = None

    def feed(self, data: bytes) -> None:
        self._input.data += data

    def next_packet(self) -> Packet | None:
        """The next whole packet, None if more bytes are needed."""
        if self._parsing is None:
            self._parsing = self._packet()
        try:
            next(self._parsing)
        except StopIteration as done:
            self._parsing = None
            self._input.take()
            packet: Packet = done.value
            return packet
        return None

    def _packet(self) -> Packets:
        kind = yield from self._input.varint()
        if not self._greeted and kind != 0:
            raise Malformed("the first packet is not a Hello of ClickHouse's native protocol")
        if kind == 0 and self._greeted:
            raise Malformed("a second Hello")
        match kind:
            case 0:
                return (yield from self._hello())
            case 1:
                return (yield from self._query())
            case 2:
                return (yield from self._data())
            case 3:
                return Cancel()
            case 4:
                return Ping()
        raise Malformed(f"unknown packet {kind} from the client")

    def _word(self) -> Generator[None, None, str]:
        return (yield from self._input.string(MAX_WORD_BYTES))

    def _hello(self) -> Packets:
        client = yield from self._word()
        yield from self._input.varint()
        yield from self._input.varint()
        revision = yield from self._input.varint()
        database = yield from self._word()
        user = yield from self._word()
        password = yield from self._word()
        self._greeted = True
        return Hello(client, revision, database, user, password)

    def _query(self) -> Packets:
        query_id = yield from self._word()
        yield from self._client_info()
        settings = yield from self._settings()
        yield from self._input.varint()
        compressed = yield from self._input.varint()
        text = yield from self._input.string(MAX_QUERY_BYTES)
        return Query(query_id, text, settings, compressed != 0)

    def _client_info(self) -> Generator[None, None, None]:
        if (yield from self._input.fixed(1)) == 0:
            return
        for _ in range(3):
            yield from self._word()
        if (yield from self._input.fixed(1)) != INTERFACE_TCP:
            raise Malformed("client information of an interface other than TCP")
        for _ in range(3):
            yield from self._word()
        for _ in range(3):
            yield from self._input.varint()
        yield from self._word()
        yield from self._input.varint()

    def _settings(self) -> Generator[None, None, dict[str, str]]:
        settings: dict[str, str] = {}
        while name := (yield from self._word()):
            if len(settings) >= MAX_SETTINGS:
                raise Malformed(f"more than {MAX_SETTINGS} settings")
            yield from self._input.fixed(1)
            settings[name] = yield from self._input.string(MAX_VALUE_BYTES)
        return settings

    def _data(self) -> Packets:
        table = yield from self._word()
        while field := (yield from self._input.varint()):
            if field not in (1, 2):
                raise Malformed(f"unknown field {field} of a block's information")
            yield from self._input.skip(1 if field == 1 else 4)
        start = self._input.pos
        columns, rows = yield from block(self._input)
        return Data(table, columns, rows, bytes(self._input.data[start : self._input.pos]))


def varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append((value & 0x7F) | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def string(text: str) -> bytes:
    raw = text.encode()
    return varint(len(raw)) + raw


def hello(version: tuple[int, int, int]) -> bytes:
    major, minor, patch = version
    return b"".join(
        (
            varint(0),
            string(SERVER_NAME),
            varint(major),
            varint(minor),
            varint(REVISION),
            string("UTC"),
        )
        + (string(SERVER_NAME), varint(patch))
    )


def data(block_bytes: bytes) -> bytes:
    """A Data packet: no table name, the block's information (not overflown, no bucket), the block."""
    return _DATA_HEAD + block_bytes


_DATA_INFORMATION = string("") + varint(1) + b"\x00" + varint(2) + struct.pack("<i", -1) + varint(0)
_DATA_HEAD = varint(1) + _DATA_INFORMATION
_CLIENT_DATA_HEAD = varint(2) + _DATA_INFORMATION


def client_data(block_bytes: bytes) -> bytes:
    """A Data packet as clients send it."""
    return _CLIENT_DATA_HEAD + block_bytes


def header(columns: list[tuple[str, str]]) -> bytes:
    """A block without rows: names and types only."""
    return varint(len(columns)) + varint(0) + b"".join(string(name) + string(kind) for name, kind in columns)


def exception(code: int, name: str, message: str) -> bytes:
    """`code` and `name` are ClickHouse's (ErrorCodes)."""
    parts = (
        varint(2),
        struct.pack("<i", code),
        string(name),
        string(message),
        string(""),
        b"\x00",
    )
    return b"".join(parts)


def progress(rows: int, size: int) -> bytes:
    return b"".join(map(varint, (3, rows, size, 0, 0, 0)))


def pong() -> bytes:
    return varint(4)


def end_of_stream() -> bytes:
    return varint(5)


def profile(rows: int, blocks: int, size: int) -> bytes:
    return b"".join(map(varint, (6, rows, blocks, size))) + b"\x00" + varint(rows) + b"\x00"


def rows_of(block_bytes: bytes) -> int:
    """How many rows a Native block says that it has."""
    at = values = value = shift = 0
    while values < 2 and at < len(block_bytes):
        value |= (block_bytes[at] & 0x7F) << shift
        shift += 7
        if block_bytes[at] < 0x80:
            values += 1
            if values < 2:
                value = shift = 0
        at += 1
    return value
