"""Generations of the tables: made, filled beside the live one, compared, published, dropped; and the books of it.

`projection_state` decides which generation of a projection is the live one; the views follow it, also after a crash
between the two. What may live here: statements to the warehouse. One thread.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec

from projections.ports import Schema, TableSpec, Unavailable, Warehouse
from projections.row import Rows

BUILDING, LIVE, RETIRED = "building", "live", "retired"
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)

Hashes = Mapping[tuple[str, str, int], tuple[int, str]]
"""(table, tenant, month as YYYYMM) -> (rows, hash over all columns of the rows that count)."""


class State(msgspec.Struct, frozen=True):
    """How far one generation of a projection is. `updated_at` is the time of the newest record taken in."""

    name: str
    generation: int
    cursor: Mapping[str, int]
    state: str
    detail: str = ""
    rows: int = 0
    updated_at: datetime = BEGINNING
    revision: int = 0


class Parked(msgspec.Struct, frozen=True):
    """A record that was set aside, and why."""

    name: str
    generation: int
    partition: str
    position: int
    stream: UUID
    sequence: int
    type: str
    reason: str
    time: datetime


class Generations:
    """All methods block and raise Unavailable.

    `failure` is what `warehouse` raises; its attribute `retryable` says whether the same again may succeed.
    """

    def __init__(self, warehouse: Warehouse, schema: Schema, failure: type[Exception]) -> None:
        self._warehouse, self._schema, self._failure = warehouse, schema, failure
        self._tables: Mapping[str, TableSpec] = {table.name: table for table in schema.tables}

    def prepare(self) -> None:
        """Make the books unless they are there."""
        for statement in self._schema.books:
            self._execute(statement)

    def states(self) -> list[State]:
        """Every generation that ever was, by projection and number."""
        names = ", ".join(f"`{name}`" for name in State.__struct_fields__)
        rows = self._execute(f"SELECT {names} FROM projection_state FINAL ORDER BY name, generation")
        return [State(name, number, msgspec.json.decode(cursor), *rest) for name, number, cursor, *rest in rows]

    def save(self, states: Sequence[State]) -> None:
        """Write states, all or none; each needs a higher `revision` than before."""
        values = [(s.name, s.generation, msgspec.json.encode(s.cursor).decode(), *_rest(s)) for s in states]
        with self._translated():
            self._warehouse.insert("projection_state", State.__struct_fields__, values)

    def park(self, parked: Sequence[Parked]) -> None:
        """Note records that were set aside; the same again is harmless."""
        with self._translated():
            values = [msgspec.structs.astuple(one) for one in parked]
            self._warehouse.insert("projection_parked", Parked.__struct_fields__, values)

    def parked(self, name: str, generation: int) -> int:
        """How many records a generation has set aside."""
        rows = self._execute(
            "SELECT count() FROM projection_parked FINAL WHERE name = %(name)s AND generation = %(generation)s",
            {"name": name, "generation": generation},
        )
        return int(rows[0][0])

    def create(self, tables: Sequence[str], generation: int) -> None:
        """Empty tables; those that are there keep their rows, and get the columns that they lack.

        What a fold gives for calls of before is what the database gives for a new column: null, nothing or 0.
        """
        for name in tables:
            self._execute(self._tables[name].create(generation))
            for statement in self._tables[name].grow(generation, self._columns(f"{name}_g{generation}")):
                self._execute(statement)

    def insert(self, generation: int, rows: Rows) -> int:
        """Write rows; returns how many."""
        if not rows.rows:
            return 0
        with self._translated():
            return self._warehouse.insert(f"{rows.table}_g{generation}", rows.columns(), rows.values())

    def publish(self, tables: Sequence[str], generation: int) -> None:
        """Let the views of `tables` show `generation`, at once for every reader."""
        for name in tables:
            for statement in self._tables[name].views(generation):
                self._execute(statement)

    def drop(self, tables: Sequence[str], generation: int) -> None:
        for name in tables:
            self._execute(self._tables[name].drop(generation))

    def hashes(self, tables: Sequence[str], generation: int) -> Hashes:
        """What `tables` hold, in a form by which two generations can be compared."""
        return {
            (name, tenant, month): (rows, digest)
            for name in tables
            for tenant, month, rows, digest in self._execute(self._tables[name].hashes(generation))
        }

    def existing(self) -> list[tuple[str, int]]:
        """(table, generation) of every table there is, in order."""
        rows = self._execute("SELECT name FROM system.tables WHERE database = currentDatabase()")
        matches = [re.fullmatch(r"(\w+?)_g(\d+)", name) for (name,) in rows]
        return sorted((match[1], int(match[2])) for match in matches if match and match[1] in self._tables)

    def _columns(self, table: str) -> frozenset[str]:
        rows = self._execute(
            "SELECT name FROM system.columns WHERE database = currentDatabase() AND table = %(table)s", {"table": table}
        )
        return frozenset(name for (name,) in rows)

    def _execute(self, sql: str, parameters: Mapping[str, object] | None = None) -> list[tuple[Any, ...]]:
        with self._translated():
            return self._warehouse.execute(sql, parameters)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except self._failure as error:
            raise Unavailable(str(error), retryable=bool(getattr(error, "retryable", True))) from error


def _rest(state: State) -> tuple[object, ...]:
    return tuple(getattr(state, name) for name in State.__struct_fields__[3:])
