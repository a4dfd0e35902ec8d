"""The SQLite journal in one thread's time, and a disk under it that fails when it is told to."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any
from uuid import UUID

from adapters.journal.sqlite import SqliteJournal
from domain.ids import SHARDS
from domain.ports import Batch, Cursor, Done, Record, Stored
from tests.faults.laboratory import Died

WAIT_S = 20.0


class Plan:
    """What fails: the `nth` of `kind`, counted from 1 over all processes of one story. `done` says that it came."""

    def __init__(self, kind: str = "", nth: int = 0) -> None:
        self.kind, self.nth, self.seen, self.done = kind, nth, 0, False

    def due(self, kind: str) -> bool:
        """Count one of `kind`; True if it is the one that fails."""
        if kind != self.kind or self.done:
            return False
        self.seen += 1
        self.done = self.seen == self.nth
        return self.done


class _Connection:
    """The writer's connection, with a disk that fails."""

    def __init__(self, inner: sqlite3.Connection, plan: Plan) -> None:
        self._inner, self._plan = inner, plan

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def execute(self, sql: str, *parameters: Any) -> Any:
        if sql.startswith("INSERT INTO records") and self._plan.due("append"):
            raise sqlite3.OperationalError("disk I/O error")
        if sql == "COMMIT":
            if self._plan.due("fsync"):
                raise sqlite3.OperationalError("disk I/O error")  # SQLite has rolled back or will
            if self._plan.due("fsync, though written"):
                self._inner.execute(sql)
                raise sqlite3.OperationalError("disk I/O error")
        return self._inner.execute(sql, *parameters)


class Disk:
    """`domain.ports.Journal`: each submission is answered before `submit` returns, or the process dies there."""

    def __init__(self, path: Path, plan: Plan, clock: Callable[[], float]) -> None:
        self._answers: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._plan = plan
        self._inner = SqliteJournal(path, dispatch=self._answers.put, clock=clock)
        self.epochs = self._inner.claim(range(SHARDS), "a")
        writer: Any = self._inner._committer._transactions
        writer._connection = _Connection(writer._connection, plan)

    def claim(self, shards: Sequence[int], node: str) -> Mapping[int, int]:
        return self._inner.claim(shards, node)

    def release(self, shards: Sequence[int]) -> None:
        self._inner.release(shards)

    def submit(self, shard: int, epoch: int, records: Sequence[Record], done: Done) -> None:
        if records and self._plan.due("death before an append"):
            raise Died
        self._inner.submit(shard, epoch, records, done)
        answer = self._answers.get(timeout=WAIT_S)
        if records and self._plan.due("death after an append"):
            raise Died
        answer()

    def read(self, stream: UUID, after: int = 0) -> Sequence[Stored]:
        return self._inner.read(stream, after)

    def live(self, shard: int, now: float) -> Iterator[Sequence[Stored]]:
        return self._inner.live(shard, now)

    def follow(self, cursor: Cursor, limit: int = 1000) -> Batch:
        return self._inner.follow(cursor, limit)

    def end(self) -> Cursor:
        return self._inner.end()

    def close(self) -> None:
        self._inner.close()
