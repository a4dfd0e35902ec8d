"""Native blocks: how long a column is on the wire, by its type. No values are decoded, no I/O, no engine.

A block is `columns, rows` (varints), then for each column its name, its type and its values (ClickHouse docs,
"Native" format). Nothing on the wire says how many bytes the values take: the type does. Everything here is a
generator that yields whenever it needs more input, so that a block may arrive in pieces of any size.
"""

from __future__ import annotations

from collections.abc import Generator

Steps = Generator[None, None, None]

MAX_TYPE_DEPTH = 12
MAX_COLUMNS = 1_000
MAX_ROWS = 10_000_000
MAX_NAME_BYTES = 65_536

FIXED: dict[str, int] = {
    **dict.fromkeys(("UInt8", "Int8", "Bool", "Enum8", "Nothing"), 1),
    **dict.fromkeys(("UInt16", "Int16", "Enum16", "Date", "BFloat16"), 2),
    **dict.fromkeys(("UInt32", "Int32", "Float32", "DateTime", "Date32", "IPv4", "Decimal32", "Time"), 4),
    **dict.fromkeys(("UInt64", "Int64", "Float64", "DateTime64", "Decimal64", "Time64"), 8),
    **dict.fromkeys(("UInt128", "Int128", "UUID", "IPv6", "Decimal128"), 16),
    **dict.fromkeys(("UInt256", "Int256", "Decimal256"), 32),
}
"""Type name -> bytes of one value."""


class Malformed(Exception):
    """The peer sent what the protocol does not allow; the text says what."""


class Input:
    """What came in and is not consumed. `pos` may run ahead of the data: `filled()` waits until it has come."""

    def __init__(self, max_bytes: int) -> None:
        self.data = bytearray()
        self.pos = 0
        self.max_bytes = max_bytes

    def take(self) -> bytes:
        """The bytes up to `pos`, removed from the buffer."""
        taken = bytes(self.data[: self.pos])
        del self.data[: self.pos]
        self.pos = 0
        return taken

    def filled(self) -> Steps:
        """Wait until all bytes before `pos` are there."""
        if self.pos > self.max_bytes:
            raise Malformed(f"a packet of more than {self.max_bytes} bytes")
        while len(self.data) < self.pos:
            yield

    def skip(self, size: int) -> Steps:
        self.pos += size
        yield from self.filled()

    def fixed(self, size: int) -> Generator[None, None, int]:
        """A little-endian unsigned integer of `size` bytes."""
        yield from self.skip(size)
        return int.from_bytes(self.data[self.pos - size : self.pos], "little")

    def varint(self) -> Generator[None, None, int]:
        """LEB128, at most 64 bits."""
        value = shift = 0
        while True:
            yield from self.skip(1)
            octet = self.data[self.pos - 1]
            value |= (octet & 0x7F) << shift
            if octet < 0x80:
                return value
            shift += 7
            if shift > 63:
                raise Malformed("a number longer than 64 bits")

    def string(self, max_bytes: int) -> Generator[None, None, str]:
        size = yield from self.varint()
        if size > max_bytes:
            raise Malformed(f"a string of {size} bytes where at most {max_bytes} are allowed")
        yield from self.skip(size)
        try:
            return self.data[self.pos - size : self.pos].decode()
        except UnicodeDecodeError as error:
            raise Malformed("a text that is not UTF-8") from error


def block(source: Input, names: list[tuple[str, str]] | None = None) -> Generator[None, None, tuple[int, int]]:
    """Pass over one block; returns (columns, rows). `names` collects each column's name and type."""
    columns = yield from source.varint()
    rows = yield from source.varint()
    if columns > MAX_COLUMNS or rows > MAX_ROWS:
        raise Malformed(f"a block of {columns} columns and {rows} rows (at most {MAX_COLUMNS} and {MAX_ROWS})")
    for _ in range(columns):
        name = yield from source.string(MAX_NAME_BYTES)
        kind = yield from source.string(MAX_NAME_BYTES)
        if names is not None:
            names.append((name, kind))
        if rows:
            yield from _prefix(source, kind, 0)
            yield from _values(source, kind, rows, 0)
    return columns, rows


def columns_of(block_bytes: bytes) -> list[tuple[str, str]]:
    """Name and type of each column of a whole block. Raises Malformed."""
    source = Input(len(block_bytes))
    source.data = bytearray(block_bytes)
    names: list[tuple[str, str]] = []
    for _ in block(source, names):
        raise Malformed("a Native block that ends too early")
    return names


def split(stream: bytes) -> list[bytes]:
    """Cut a whole Native stream into its blocks. Raises Malformed if it ends inside one."""
    source = Input(len(stream))
    source.data = bytearray(stream)
    blocks = []
    while source.data:
        for _ in block(source):
            raise Malformed("a Native stream ends inside a block")
        blocks.append(source.take())
    return blocks


def _parse(kind: str) -> tuple[str, str]:
    """`Array(String)` -> (`Array`, `String`); no parentheses -> (`kind`, ``)."""
    name, bracket, rest = kind.partition("(")
    if bracket and not rest.endswith(")"):
        raise Malformed(f"an unreadable type: {kind[:100]!r}")
    return name.strip(), rest[:-1]


def _elements(inner: str) -> list[str]:
    """The types of a tuple, a map or Nested; names of elements (`a UInt8`) are dropped."""
    parts, depth, quote, start = [], 0, "", 0
    for at, char in enumerate(inner):
        if quote:
            quote = "" if char == quote and inner[at - 1] != "\\" else quote
        elif char in "'`":
            quote = char
        elif char in "()":
            depth += 1 if char == "(" else -1
        elif char == "," and depth == 0:
            parts.append(inner[start:at])
            start = at + 1
    parts.append(inner[start:])
    return [_unnamed(part.strip()) for part in parts]


def _unnamed(element: str) -> str:
    head = element.partition("(")[0]
    return element[head.rindex(" ") + 1 :] if " " in head.strip() else element


def _deeper(depth: int) -> int:
    if depth >= MAX_TYPE_DEPTH:
        raise Malformed(f"types nested deeper than {MAX_TYPE_DEPTH}")
    return depth + 1


def _children(name: str, inner: str) -> list[str]:
    if name in ("Nullable", "Array"):
        return [inner]
    return _elements(inner) if name in ("Tuple", "Map", "Nested") else []


def _prefix(source: Input, kind: str, depth: int) -> Steps:
    """What comes once, before all values of a column: the version of a LowCardinality's dictionary."""
    name, inner = _parse(kind)
    if name == "LowCardinality":
        yield from source.skip(8)
    for child in _children(name, inner):
        yield from _prefix(source, child, _deeper(depth))


def _values(source: Input, kind: str, rows: int, depth: int) -> Steps:
    name, inner = _parse(kind)
    if name == "String":
        yield from _strings(source, rows)
    elif name in FIXED:
        yield from source.skip(FIXED[name] * rows)
    elif name in _SIZED:
        yield from source.skip(_SIZED[name](inner) * rows)
    elif name in _COMPOSED:
        yield from _COMPOSED[name](source, inner, rows, _deeper(depth))
    else:
        raise Malformed(f"a column of the type {kind[:100]}, which this gateway does not carry")


def _strings(source: Input, rows: int) -> Steps:
    """The hot loop: one varint and as many bytes, `rows` times."""
    data, pos, limit = source.data, source.pos, source.max_bytes
    have = len(data)
    for _ in range(rows):
        if pos < have and (size := data[pos]) < 0x80:  # most strings are short
            pos += size + 1
            continue
        if pos > limit:
            raise Malformed(f"a packet of more than {limit} bytes")
        source.pos = pos
        size = yield from source.varint()
        pos, have = source.pos + size, len(data)
    source.pos = pos
    yield from source.filled()


def _fixed_string(inner: str) -> int:
    if not inner.isdecimal() or len(inner) > 8:
        raise Malformed(f"FixedString({inner[:20]})")
    return int(inner)


def _decimal(inner: str) -> int:
    precision = inner.partition(",")[0].strip()
    if not precision.isdecimal() or len(precision) > 2:
        raise Malformed(f"Decimal({inner[:20]})")
    return next(
        (size for most, size in ((9, 4), (18, 8), (38, 16), (76, 32)) if int(precision) <= most),
        32,
    )


def _interval(inner: str) -> int:
    return 8


_SIZED = {"FixedString": _fixed_string, "Decimal": _decimal} | {
    f"Interval{unit}": _interval
    for unit in (
        "Nanosecond",
        "Microsecond",
        "Millisecond",
        "Second",
        "Minute",
        "Hour",
        "Day",
        "Week",
        "Month",
        "Quarter",
        "Year",
    )
}


def _nullable(source: Input, inner: str, rows: int, depth: int) -> Steps:
    yield from source.skip(rows)
    yield from _values(source, inner, rows, depth)


def _array(source: Input, inner: str, rows: int, depth: int) -> Steps:
    yield from source.skip(8 * (rows - 1))
    total = yield from source.fixed(8)
    if total > source.max_bytes:
        raise Malformed(f"an array of {total} elements")
    if total:
        yield from _values(source, inner, total, depth)


def _nested(source: Input, inner: str, rows: int, depth: int) -> Steps:
    yield from _array(source, f"Tuple({inner})", rows, depth)


def _tuple(source: Input, inner: str, rows: int, depth: int) -> Steps:
    for element in _elements(inner):
        yield from _values(source, element, rows, depth)


def _low_cardinality(source: Input, inner: str, rows: int, depth: int) -> Steps:
    """Flags (low byte: width of an index), the dictionary, the indexes. The null of a Nullable is an entry of it."""
    name, nullable_inner = _parse(inner)
    entry = nullable_inner if name == "Nullable" else inner
    width = 1 << ((yield from source.fixed(8)) & 0xFF)
    if width > 8:
        raise Malformed("an unknown width of the indexes of a LowCardinality column")
    entries = yield from source.fixed(8)
    if entries > source.max_bytes:
        raise Malformed(f"a dictionary of {entries} entries")
    if entries:
        yield from _values(source, entry, entries, depth)
    indexes = yield from source.fixed(8)
    if indexes != rows:
        raise Malformed(f"a LowCardinality column of {indexes} values where {rows} were announced")
    yield from source.skip(width * rows)


_COMPOSED = {
    "Nullable": _nullable,
    "Array": _array,
    "Map": _nested,
    "Nested": _nested,
    "Tuple": _tuple,
    "LowCardinality": _low_cardinality,
}
