"""What projections need of the world, as protocols and values. The composition root gives the concrete ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

import msgspec

from domain.base import Event
from domain.ports import Batch, Cursor, Stored

Decode = Callable[[str, bytes], Event]
"""(type, data) -> event; raises for bytes that are no event of that type."""


class Source(Protocol):
    """The journal, read from outside. Every method blocks and raises `domain.ports.JournalError`."""

    def read(self, stream: UUID, after: int = 0) -> Sequence[Stored]:
        """The stream's records with a sequence greater than `after`, in order."""

    def follow(self, cursor: Cursor, limit: int = 1000) -> Batch:
        """The next records after `cursor`, oldest first, at most `limit`; fewer are all that there are now."""


class LiveSource(Protocol):
    """Where the live view begins."""

    def live(self, shard: int, now: float) -> Iterator[Sequence[Stored]]:
        """Each stream of the shard that is held at `now` (Unix seconds), whole."""


class Warehouse(Protocol):
    """ClickHouse, as the analytics adapter speaks to it. Blocks; belongs to one thread."""

    def execute(self, sql: str, parameters: Mapping[str, object] | None = None) -> list[tuple[Any, ...]]: ...

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> int: ...


class TableSpec(msgspec.Struct, frozen=True):
    """A table as the analytics adapter defines it; each function gives the SQL for a generation.

    `views` are the statements that let the table's views show the generation; `hashes` selects
    (tenant, month as YYYYMM, rows, hash over all columns of the rows that count).
    """

    name: str
    columns: tuple[str, ...]
    create: Callable[[int], str]
    views: Callable[[int], tuple[str, ...]]
    hashes: Callable[[int], str]


class Schema(msgspec.Struct, frozen=True):
    """All tables, and the statements that make the bookkeeping tables `projection_state` and `projection_parked`."""

    tables: tuple[TableSpec, ...]
    books: tuple[str, ...]


class Unavailable(Exception):
    """The warehouse did not do it: wait and say it again. `retryable` False = a person must look first."""

    def __init__(self, message: str, *, retryable: bool = True) -> None:
        super().__init__(message)
        self.retryable = retryable


class Poison(Exception):
    """One record cannot be taken in, however often it is tried; the text says why."""
