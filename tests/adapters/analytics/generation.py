"""A whole generation of the analysts' tables at once, to test their definitions: made, filled, compared, shown."""

from __future__ import annotations

import re
from collections.abc import Mapping

from adapters.analytics import tables
from adapters.analytics.client import Warehouse

Hashes = Mapping[tuple[str, str, int], tuple[int, str]]
"""(table, tenant, month as YYYYMM) -> (rows, hash over all columns of the rows that count)."""


def create_books(warehouse: Warehouse) -> None:
    """The bookkeeping of projections; harmless if it is there."""
    for table in tables.BOOKS:
        warehouse.execute(tables.create_table(table, table.name, partitioned=False))


def create_generation(warehouse: Warehouse, generation: int) -> None:
    """Empty tables of `generation`; those that are there stay as they are."""
    for table in tables.TABLES:
        warehouse.execute(tables.create_table(table, table.at(generation)))


def publish(warehouse: Warehouse, generation: int) -> None:
    """Let all views show `generation`."""
    for view in tables.VIEWS:
        warehouse.execute(tables.create_view(view, generation))


def drop_generation(warehouse: Warehouse, generation: int) -> None:
    """Drop the tables of `generation` for good. Refuses, by ValueError, the one that is published."""
    if published(warehouse) == generation:
        raise ValueError(f"generation {generation} is the live one: publish another first")
    for table in tables.TABLES:
        warehouse.execute(f"DROP TABLE IF EXISTS {table.at(generation)} SYNC")


def hashes(warehouse: Warehouse, generation: int) -> Hashes:
    """What `generation` holds, in a form that two generations can be compared by."""
    found: dict[tuple[str, str, int], tuple[int, str]] = {}
    for table in tables.TABLES:
        for tenant, month, rows, digest in warehouse.execute(tables.hash_rows(table, generation)):
            found[table.name, tenant, month] = (rows, digest)
    return found


def existing(warehouse: Warehouse) -> list[int]:
    """Generations of which there is a table, in order."""
    rows = warehouse.execute("SELECT name FROM system.tables WHERE database = currentDatabase()")
    names = (re.fullmatch(r"\w+?_g(\d+)", name) for (name,) in rows)
    return sorted({int(match[1]) for match in names if match})


def published(warehouse: Warehouse) -> int | None:
    """The generation that the views show; None before the first `publish`."""
    rows = warehouse.execute(
        "SELECT as_select FROM system.tables WHERE database = currentDatabase() AND name = %(name)s",
        {"name": tables.VIEWS[-1].name},
    )
    match = re.search(r"_g(\d+)\b", rows[0][0]) if rows else None
    return int(match[1]) if match else None
