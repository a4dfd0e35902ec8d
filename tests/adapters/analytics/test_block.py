"""Blocks as an INSERT sends them: what the engine reads is what was given."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.analytics import block, native, tables
from adapters.analytics.client import Warehouse

SPAN = datetime(1970, 1, 1), datetime(2200, 1, 1)  # noqa: DTZ001 - Hypothesis wants naive bounds
KINDS: dict[str, st.SearchStrategy[Any]] = {
    "String": st.text(max_size=200),
    "LowCardinality(String)": st.sampled_from(("", "acme", "globex", "übung")),
    "UUID": st.uuids(),
    "Nullable(UUID)": st.none() | st.uuids(),
    "Bool": st.booleans(),
    "UInt8": st.integers(0, 0xFF),
    "Nullable(UInt8)": st.none() | st.integers(0, 0xFF),
    "Nullable(UInt16)": st.none() | st.integers(0, 0xFFFF),
    "UInt16": st.integers(0, 0xFFFF),
    "UInt32": st.integers(0, 0xFFFF_FFFF),
    "UInt64": st.integers(0, 0xFFFF_FFFF_FFFF_FFFF),
    "Nullable(String)": st.none() | st.text(max_size=5),
    "DateTime64(6, 'UTC')": st.datetimes(*SPAN, timezones=st.just(UTC)),
    "Nullable(DateTime64(6, 'UTC'))": st.none() | st.datetimes(*SPAN, timezones=st.just(UTC)),
}
COLUMNS = [(f"c{number}", kind) for number, kind in enumerate(KINDS)]
ROWS = st.lists(st.tuples(*KINDS.values()), min_size=1, max_size=30)


@pytest.mark.usefixtures("warehouse")
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ROWS)
def test_the_engine_reads_what_was_given(warehouse: Warehouse, rows: list[tuple[Any, ...]]) -> None:
    names = tuple(name for name, _ in COLUMNS)
    fields = ", ".join(f"{name} {kind}" for name, kind in COLUMNS)
    warehouse.execute("DROP TABLE IF EXISTS kinds SYNC")
    warehouse.execute(f"CREATE TABLE kinds (n UInt32, {fields}) ENGINE = MergeTree ORDER BY n")
    warehouse.insert("kinds", ("n", *names), [(number, *row) for number, row in enumerate(rows)])
    assert warehouse.execute(f"SELECT {', '.join(names)} FROM kinds ORDER BY n") == rows


@given(ROWS)
def test_a_block_is_as_long_as_its_types_say(rows: list[tuple[Any, ...]]) -> None:
    encoded = block.encode(COLUMNS, list(zip(*rows, strict=True)), marked=False)
    assert native.columns_of(encoded) == COLUMNS
    assert native.split(encoded * 2) == [encoded, encoded]


def test_long_strings_and_many_words() -> None:
    words = [str(number) for number in range(70_000)]
    columns = [("w", "LowCardinality(String)"), ("s", "String")]
    encoded = block.encode(columns, [words, ["x" * (number % 5000) for number in range(70_000)]], marked=False)
    assert native.split(encoded) == [encoded]


def test_every_type_of_our_tables_can_be_written() -> None:
    kinds = {column.kind for table in (*tables.TABLES, *tables.BOOKS) for column in table.columns}
    for kind in kinds:
        assert block.encode([("c", kind)], [[]], marked=False)


def test_a_marked_block_has_a_byte_more_a_column() -> None:
    values: list[list[Any]] = [[UUID(int=1)], ["x"]]
    columns = [("a", "UUID"), ("b", "String")]
    plain, marked = (block.encode(columns, values, marked=marked) for marked in (False, True))
    assert len(marked) == len(plain) + 2


@pytest.mark.parametrize("kind", ["Array(String)", "Map(String, String)", "Float64", "Nullable(Float64)"])
def test_other_types_are_left_to_the_driver(kind: str) -> None:
    with pytest.raises(block.Unsuited, match="of the type"):
        block.encode([("c", kind)], [[1]], marked=False)


def test_a_float_is_inserted_by_the_driver(warehouse: Warehouse) -> None:
    warehouse.execute("CREATE TABLE floats (a UInt8, b Float64) ENGINE = MergeTree ORDER BY a")
    assert warehouse.insert("floats", ("a", "b"), [(1, 0.5), (2, 1.5)]) == 2
    assert warehouse.execute("SELECT * FROM floats ORDER BY a") == [(1, 0.5), (2, 1.5)]


@pytest.mark.parametrize("wrong", list(itertools.chain(([[1], [2, 3]], [[1]]))))
def test_columns_of_other_lengths_are_refused(wrong: list[list[int]]) -> None:
    with pytest.raises(ValueError, match="one length"):
        block.encode([("a", "UInt8"), ("b", "UInt8")], wrong, marked=False)
