"""The transactions of the journal's file: a group of submissions, or a claim, each all or nothing.

What may live here: the SQL that writes, and the fence checked inside it. No threads, no queue: those are the
committer's.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

from adapters.journal.fence import Fence
from adapters.journal.schema import Row, explain, named_errors, open_writer, row_of
from adapters.journal.submission import Outcome, Submission
from domain.ports import JournalError, OwnershipLost

_SMALL = 32
_SIZES = (256, 128, 64, *range(_SMALL, 0, -1))
"""Rows that one statement inserts; few enough for all statements to stay prepared."""
_PURGE_EVERY_S = 60.0
_TAKEN = "another writer was here: a sequence number of a stream is taken"


def _statements(head: str, columns: int, tail: str = "") -> dict[int, str]:
    """A statement for each size: one call to SQLite, one release of the GIL, for many rows."""
    row = f"({','.join('?' * columns)})"
    return {size: f"{head} VALUES {','.join([row] * size)} {tail}" for size in _SIZES}


_INSERT = _statements("INSERT INTO records", 11)
_HOLD = _statements(
    "INSERT INTO live",
    3,
    "ON CONFLICT (shard, stream) DO UPDATE SET live_until = excluded.live_until "
    "WHERE live_until IS NOT excluded.live_until",
)


def _chunks(rows: Sequence[tuple[Any, ...]]) -> Iterator[Sequence[tuple[Any, ...]]]:
    start = 0
    for size in _SIZES:
        while size <= len(rows) - start:
            yield rows[start : start + size]
            start += size


class Writer:
    """Not thread-safe: the committer's thread alone uses it. `clock` gives Unix seconds.

    `committed` is told how many records each transaction added, once they are durable.
    """

    def __init__(
        self, path: Path, clock: Callable[[], float], busy_timeout_s: float, committed: Callable[[int], None]
    ) -> None:
        self._path, self._clock, self._busy_timeout_s, self._committed = path, clock, busy_timeout_s, committed
        self._connection = open_writer(path, busy_timeout_s)
        self._fence = Fence()
        self._data_version = -1
        self._last = 0
        self._purge_at = 0.0
        self._open: set[bytes] = set()
        """streams that the table `live` holds until further notice: their next such record need not say so again"""
        self._opening: set[bytes] = set()
        """those that the transaction going on adds to them"""

    def append(self, group: Sequence[Submission]) -> list[Outcome]:
        """One transaction and one fsync for the whole group; outcomes in the order of the group.

        A submission of a lost epoch, or with a sequence number that is taken, is left out; a failing disk
        fails the group. Nothing of what failed is in the file, and the writer stays usable. A group without
        records only asks the fence, and waits for no disk.
        """
        try:
            if not any(submission.records for submission in group):
                self._learn()
                return [self._place(submission) for submission in group]
            try:
                return self._commit(group, self._append_together)
            except sqlite3.IntegrityError:
                self._rollback()
                return self._commit(group, self._append_apart)
        except sqlite3.Error as error:
            outcomes = self._fail(group, explain(error))
            self._rollback()
            return outcomes
        except (ArithmeticError, TypeError, ValueError) as error:
            outcomes = self._fail(group, f"a record cannot be stored: {error}")
            self._rollback()
            return outcomes

    def claim(self, shards: Sequence[int], node: str) -> dict[int, int]:
        """The next epoch of each shard, in one transaction. Raises JournalError."""
        try:
            with named_errors(self._path):
                self._begin()
                epochs = self._fence.next_epochs(shards)
                time_us = round(self._clock() * 1_000_000)
                self._connection.executemany(
                    "INSERT INTO claims VALUES (?, ?, ?, ?) ON CONFLICT (shard) DO UPDATE "
                    "SET epoch = excluded.epoch, node = excluded.node, time = excluded.time",
                    [(shard, epoch, node, time_us) for shard, epoch in epochs.items()],
                )
                self._connection.execute("COMMIT")
        except JournalError:
            self._rollback()
            raise
        self._fence.learn(epochs)
        return epochs

    def release(self, shards: Sequence[int]) -> None:
        """Their epochs are over."""
        for shard in shards:
            self._fence.release(shard)

    def close(self) -> None:
        """Release the file, whole: what stands beside it in the `-wal` is moved into it, unless somebody reads it."""
        with suppress(sqlite3.Error):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._connection.close()

    def _commit(
        self, group: Sequence[Submission], append: Callable[[Sequence[Submission]], list[Outcome]]
    ) -> list[Outcome]:
        self._opening.clear()
        self._begin()
        before = self._last
        try:
            outcomes = append(group)
            if self._last > before:
                self._purge()
            self._connection.execute("COMMIT")
        except BaseException:
            self._last = before
            raise
        self._open |= self._opening
        self._committed(self._last - before)
        return outcomes

    def _begin(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        self._learn()

    def _learn(self) -> None:
        """When someone else wrote the file since, learn its claims and its end."""
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        if version != self._data_version:
            self._fence.learn(dict(self._connection.execute("SELECT shard, epoch FROM claims")))
            (self._last,) = self._connection.execute("SELECT ifnull(max(position), 0) FROM records").fetchone()
            self._open.clear()
            self._data_version = version

    def _place(self, submission: Submission) -> Outcome:
        """The outcome of a submission without records: it keeps its place, if its owner is still the owner."""
        refusal = self._fence.refusal(submission.shard, submission.epoch)
        return OwnershipLost(refusal) if refusal is not None else 0

    def _append_together(self, group: Sequence[Submission]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        rows: list[Row] = []
        for submission in group:
            refusal = self._fence.refusal(submission.shard, submission.epoch)
            if refusal is not None:
                outcomes.append(OwnershipLost(refusal))
                continue
            shard, epoch, records = submission.shard, submission.epoch, submission.records
            rows.extend([row_of(shard, epoch, record) for record in records])
            outcomes.append(self._last + len(rows) if records else 0)
        self._insert(rows)
        return outcomes

    def _append_apart(self, group: Sequence[Submission]) -> list[Outcome]:
        """The slow way, when some sequence number of the group is taken: find whose."""
        outcomes: list[Outcome] = []
        for submission in group:
            self._connection.execute("SAVEPOINT one")
            last, opening = self._last, self._opening.copy()
            try:
                outcomes += self._append_together((submission,))
            except sqlite3.IntegrityError:
                self._last, self._opening = last, opening
                self._connection.execute("ROLLBACK TO one")
                self._fence.lose(submission.shard, submission.epoch, _TAKEN)
                outcomes.append(OwnershipLost(_TAKEN))
            self._connection.execute("RELEASE one")
        return outcomes

    def _insert(self, rows: Sequence[Row]) -> None:
        position = self._last
        placed = [(position := position + 1, *row) for row in rows]
        self._execute(_INSERT, placed)
        held = {row[0]: (row[2], row[0], row[9]) for row in rows}
        self._execute(_HOLD, [one for one in held.values() if self._to_be_said(one[1], one[2])])
        self._last = position

    def _to_be_said(self, stream: bytes, until: float | None) -> bool:
        """Whether `live` must be told how long a stream is held: not, if it says "until further notice" already."""
        if until is not None:
            self._open.discard(stream)
            self._opening.discard(stream)
            return True
        if stream in self._open:
            return False
        self._opening.add(stream)
        return True

    def _execute(self, statements: dict[int, str], rows: Sequence[tuple[Any, ...]]) -> None:
        for chunk in (rows,) if 0 < len(rows) <= _SMALL else _chunks(rows):
            self._connection.execute(statements[len(chunk)], tuple(chain.from_iterable(chunk)))

    def _purge(self) -> None:
        """Forget, now and then, the streams that nobody needs to hold any more: none of those that are open."""
        now = self._clock()
        if now >= self._purge_at:
            self._connection.execute("DELETE FROM live WHERE live_until <= ?", (now - _PURGE_EVERY_S,))
            self._purge_at = now + _PURGE_EVERY_S

    def _fail(self, group: Iterable[Submission], reason: str) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for submission in group:
            refusal = self._fence.refusal(submission.shard, submission.epoch)
            if refusal is None:
                self._fence.lose(submission.shard, submission.epoch, reason)
            outcomes.append(OwnershipLost(refusal or reason))
        return outcomes

    def _rollback(self) -> None:
        """End the transaction, if need be with the connection; when not even a new one opens, the next use tries.

        Whatever came of a commit that failed, its end and its claims are read from the file again.
        """
        self._data_version = -1
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:
            self._connection.close()
            with suppress(JournalError):
                self._connection = open_writer(self._path, self._busy_timeout_s)
