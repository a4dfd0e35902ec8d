"""Generations: made, filled, compared, published; what analysts see of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from adapters.analytics import tables
from adapters.analytics.client import Warehouse
from tests.adapters.analytics import generation

START = datetime(2026, 1, 31, 23, 59, 59, 123456, UTC)
SAMPLES: dict[str, Any] = {
    "String": "text",
    tables.WORD: "word",
    "UUID": UUID(int=9),
    tables.TIME: START,
    tables.MAYBE_TIME: None,
    "Bool": True,
}


def row(table: tables.Table, **values: Any) -> tuple[Any, ...]:
    filled = {c.name: SAMPLES.get(c.kind, None if c.kind.startswith("Nullable") else 0) for c in table.columns}
    assert values.keys() <= filled.keys()
    return tuple((filled | values).values())


def call(number: int, **values: Any) -> tuple[Any, ...]:
    return row(tables.CDR, call_id=UUID(int=number), version=5, started_at=START + timedelta(days=number), **values)


def fill(warehouse: Warehouse, number: int, rows: list[tuple[Any, ...]]) -> None:
    generation.create_generation(warehouse, number)
    warehouse.insert(tables.CDR.at(number), tables.CDR.names(), rows)


def test_every_table_takes_a_row_and_every_view_shows_it(warehouse: Warehouse) -> None:
    generation.create_books(warehouse)
    generation.create_generation(warehouse, 1)
    generation.publish(warehouse, 1)
    for table in tables.TABLES:
        warehouse.insert(table.at(1), table.names(), [row(table)])
    for table in tables.BOOKS:
        warehouse.insert(table.name, table.names(), [row(table)])
        assert len(warehouse.execute(f"SELECT * FROM {table.name} FINAL")) == 1
    for view in tables.VIEWS:
        expected = [value for name, value in zip(view.table.names(), row(view.table), strict=True) if name != "deleted"]
        assert warehouse.execute(f"SELECT * FROM {view.name}") == [tuple(expected)]


def test_every_column_says_what_it_means(warehouse: Warehouse) -> None:
    generation.create_generation(warehouse, 1)
    generation.publish(warehouse, 1)
    silent = "SELECT table, name FROM system.columns WHERE database = currentDatabase() AND comment = ''"
    assert warehouse.execute(silent) == []
    assert warehouse.execute(silent.replace("= ''", "!= ''"))


def test_the_last_version_counts_and_the_deleted_and_merged_do_not(warehouse: Warehouse) -> None:
    generation.create_generation(warehouse, 1)
    generation.publish(warehouse, 1)
    rows = [
        call(1, reason="old"),
        call(2, merged_into=UUID(int=1)),
        (*call(3)[:-1], 1),
    ]
    newer = list(call(1, reason="new"))
    newer[tables.CDR.names().index("version")] = 6
    for one in (tuple(newer), *rows):
        warehouse.insert(tables.CDR.at(1), tables.CDR.names(), [one])
    assert warehouse.execute("SELECT call_id, reason FROM cdr") == [(UUID(int=1), "new")]
    assert warehouse.execute("SELECT call_id FROM cdr_all ORDER BY call_id") == [(UUID(int=1),), (UUID(int=2),)]


def test_hashes_do_not_see_order_or_repetition(warehouse: Warehouse) -> None:
    rows = [call(number) for number in range(20)]
    fill(warehouse, 1, rows)
    fill(warehouse, 2, rows[::-1])
    for one in rows[:5]:
        warehouse.insert(tables.CDR.at(2), tables.CDR.names(), [one])
    first, second = generation.hashes(warehouse, 1), generation.hashes(warehouse, 2)
    assert first == second
    assert {month for _, _, month in first} == {202601, 202602}
    assert sum(count for count, _ in first.values()) == 20


CHANGED = [c for c in tables.CDR.columns if c.name not in ("tenant", "started_at", "deleted")]
OTHER: dict[str, Any] = {"String": "other", tables.WORD: "other", "UUID": UUID(int=77), "Bool": False}


def test_hashes_see_any_column_that_differs(warehouse: Warehouse) -> None:
    digests = set()
    for number, column in enumerate([None, *CHANGED], start=1):
        changed = list(call(1))
        if column is not None:
            other = START if "DateTime" in column.kind else UUID(int=5) if column.kind == "Nullable(UUID)" else 7
            changed[tables.CDR.names().index(column.name)] = OTHER.get(column.kind, other)
        warehouse.execute(tables.create_table(tables.CDR, tables.CDR.at(number)))
        warehouse.insert(tables.CDR.at(number), tables.CDR.names(), [tuple(changed)])
        ((_, _, rows, digest),) = warehouse.execute(tables.hash_rows(tables.CDR, number))
        assert rows == 1
        assert digest not in digests, column
        digests.add(digest)


def test_a_generation_is_published_over_another_and_the_old_one_goes(warehouse: Warehouse) -> None:
    assert generation.published(warehouse) is None
    fill(warehouse, 1, [call(1, reason="first")])
    generation.publish(warehouse, 1)
    fill(warehouse, 2, [call(1, reason="second")])
    assert generation.existing(warehouse) == [1, 2]
    assert warehouse.execute("SELECT reason FROM cdr") == [("first",)]
    generation.publish(warehouse, 2)
    assert generation.published(warehouse) == 2
    assert warehouse.execute("SELECT reason FROM cdr") == [("second",)]
    with pytest.raises(ValueError, match="live"):
        generation.drop_generation(warehouse, 2)
    generation.drop_generation(warehouse, 1)
    assert generation.existing(warehouse) == [2]
