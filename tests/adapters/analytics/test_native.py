"""Blocks are passed over by their types: the engine's own bytes are the reference, in any pieces."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.analytics.native import Input, Malformed, block, split
from adapters.analytics.protocol import string, varint


def column(name: str, kind: str, values: bytes) -> bytes:
    return string(name) + string(kind) + values


def whole(rows: int, *columns: bytes) -> bytes:
    return varint(len(columns)) + varint(rows) + b"".join(columns)


ARRAYS = column("d", "Array(Nullable(UInt16))", struct.pack("<2Q", 1, 3) + b"\0\1\0" + b"abcdef")
WORDS = column(
    "e",
    "LowCardinality(Nullable(String))",
    struct.pack("<4Q", 1, 0x600, 2, 0)[:24] + string("") + string("x") + struct.pack("<Q", 2) + b"\0\1",
)
TUPLES = column("f", "Tuple(a UInt8, b String)", b"\1\2" + string("p") + string("q" * 200))
MAPS = column("g", "Map(String, UInt8)", struct.pack("<2Q", 0, 1) + string("k") + b"\7")
ENUMS = column("h", "Enum8('a,(' = 1, 'b' = 2)", b"\1\2")
DECIMALS = column("i", "Decimal(18, 4)", bytes(16))
SAMPLE = whole(2, column("a", "UUID", bytes(32)), ARRAYS, WORDS, TUPLES, MAPS, ENUMS, DECIMALS)


def test_a_block_ends_where_its_last_column_ends() -> None:
    assert split(SAMPLE + SAMPLE) == [SAMPLE, SAMPLE]


@given(st.lists(st.integers(1, 40), max_size=12))
def test_a_block_may_come_in_any_pieces(sizes: list[int]) -> None:
    source = Input(1 << 20)
    parsing = block(source)
    rest = SAMPLE
    for size in sizes:
        source.data += rest[:size]
        rest = rest[size:]
        if rest:
            next(parsing)
    source.data += rest + b"following"
    with pytest.raises(StopIteration) as done:
        next(parsing)
    assert done.value.value == (7, 2)
    assert source.take() == SAMPLE
    assert source.data == b"following"


@given(st.lists(st.text(max_size=300), min_size=1, max_size=50))
def test_strings_of_any_length(texts: list[str]) -> None:
    one = whole(len(texts), column("s", "String", b"".join(map(string, texts))))
    assert split(one * 2) == [one, one]


@pytest.mark.parametrize(
    "bad",
    [
        SAMPLE[:-1],
        whole(1, column("a", "AggregateFunction(sum, UInt8)", b"x")),
        whole(1, column("a", "Array(" * 40 + "UInt8" + ")" * 40, b"x")),
        whole(1, column("a", "FixedString(-1)", b"x")),
        whole(1, column("a", "Nullable(UInt8", b"xx")),
        whole(1, column("a", "Array(UInt8)", struct.pack("<Q", 1 << 62))),
        varint(1 << 40) + varint(1),
        varint(1) + varint(1 << 60),
        b"\xff" * 20,
    ],
)
def test_what_is_not_a_block_is_refused(bad: bytes) -> None:
    with pytest.raises(Malformed):
        split(bad)


@given(st.binary(max_size=200))
def test_no_bytes_break_it(noise: bytes) -> None:
    try:
        assert b"".join(split(noise)) == noise
    except Malformed:
        pass
