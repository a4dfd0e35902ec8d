"""What projections need of the world, as protocols and values. The composition root gives the concrete ones."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
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

    def follow(self, cursor: Cursor, limit: int = 1000, wait_s: float = 0.0) -> Batch:
        """The next records after `cursor`, the oldest of each partition first, at most `limit` with the unreadable.

        None of either means that there are none now; the cursor may move on all the same. With `wait_s` a source may
        wait so long for the first one, and none means no more than that none came.
        """

    def end(self) -> Cursor:
        """Where a follower stands that has seen everything there is now."""


class Warehouse(Protocol):
    """ClickHouse, as the analytics adapter speaks to it. Blocks; belongs to one thread."""

    def execute(self, sql: str, parameters: Mapping[str, object] | None = None) -> list[tuple[Any, ...]]: ...

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> int: ...


class TableSpec(msgspec.Struct, frozen=True):
    """A table as the analytics adapter defines it; each function gives the SQL for a generation.

    `grow` adds the columns that a table of an earlier version lacks, given those that it has (none: no statement);
    `drop` is for one that may be gone; `views` are the statements that let the table's views show the generation;
    `hashes` selects (tenant, month as YYYYMM, rows, hash over all columns of the rows that count).
    """

    name: str
    columns: tuple[str, ...]
    create: Callable[[int], str]
    grow: Callable[[int, Collection[str]], tuple[str, ...]]
    drop: Callable[[int], str]
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
