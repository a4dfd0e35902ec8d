"""Reading the journal's file, from any thread of any process, while the writer runs."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from adapters.journal.schema import COLUMNS, JournalMissing, named_errors, open_reader, position_of, stored_of
from domain.ids import WHOLE, Part
from domain.ports import PARTITION, Batch, Cursor, JournalError, Stored

_STREAMS_AT_ONCE = 200
_POLL_S = 0.05


def _open(path: Path, wait_s: float) -> sqlite3.Connection:
    """`open_reader`, tried again while the file is missing or still without tables."""
    until = time.monotonic() + wait_s
    while True:
        try:
            return open_reader(path)
        except JournalMissing:
            if time.monotonic() >= until:
                raise
            time.sleep(_POLL_S)


class SqliteReader:
    """Sees what is committed and nothing else; follows the shards of `part`, the others are passed over. Thread-safe:
    threads that read at once get a connection each.

    Raises JournalError, also from the constructor, when there is no journal at `path` after waiting `wait_s` for one
    to be made, or when it is not ours.
    """

    def __init__(self, path: Path, wait_s: float = 0.0, part: Part = WHOLE) -> None:
        self._path, self._part = path, part
        self._lock = Lock()
        self._closed = False
        self._idle: list[sqlite3.Connection] = [_open(path, wait_s)]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def read(self, stream: UUID, after: int = 0) -> Sequence[Stored]:
        """The stream's records with a sequence greater than `after`, in order. Blocks."""
        sql = f"SELECT {COLUMNS} FROM records WHERE stream = ? AND sequence > ? ORDER BY sequence"
        return [stored_of(row) for row in self._rows(sql, (stream.bytes, after))]

    def live(self, shard: int, now: float) -> Iterator[Sequence[Stored]]:
        """Each stream of the shard that an owner must hold at `now` (Unix seconds), whole, by id. Blocks."""
        held = "live_until IS NULL OR live_until > ?"
        sql = f"SELECT stream FROM live WHERE shard = ? AND ({held}) ORDER BY stream"
        streams = [row[0] for row in self._rows(sql, (shard, now))]
        for start in range(0, len(streams), _STREAMS_AT_ONCE):
            yield from self._whole(streams[start : start + _STREAMS_AT_ONCE])

    def live_of(self, shards: Iterable[int], now: float) -> Iterator[Sequence[Stored]]:
        """`live` of many shards. Blocks."""
        for shard in shards:
            yield from self.live(shard, now)

    def follow(self, cursor: Cursor, limit: int = 1000, wait_s: float = 0.0) -> Batch:
        """The next records after `cursor`, oldest first, at most `limit`; none at the end: it does not wait. Blocks."""
        if self._part != WHOLE:
            return self._follow_part(position_of(cursor), limit)
        sql = f"SELECT {COLUMNS} FROM records WHERE position > ? ORDER BY position LIMIT ?"
        records = tuple(stored_of(row) for row in self._rows(sql, (position_of(cursor), limit)))
        return Batch(records, {PARTITION: records[-1].position} if records else dict(cursor))

    def _follow_part(self, position: int, limit: int) -> Batch:
        """What stands behind the last record of the part is passed, too."""
        end = max(position, self.last_position())
        sql = f"SELECT {COLUMNS} FROM records WHERE position > ? AND shard % ? = ? ORDER BY position LIMIT ?"
        rows = self._rows(sql, (position, self._part.of, self._part.number, limit))
        records = tuple(stored_of(row) for row in rows)
        reached = records[-1].position if len(records) == limit else end
        return Batch(records, {PARTITION: reached} if reached else {})

    def end(self) -> Cursor:
        """Where a follower stands that has seen everything there is now. Blocks."""
        last = self.last_position()
        return {PARTITION: last} if last else {}

    def last_position(self) -> int:
        """The position of the newest record, 0 if there is none. Blocks."""
        (row,) = self._rows("SELECT ifnull(max(position), 0) FROM records", ())
        return int(row[0])

    def claims(self) -> dict[int, tuple[int, str]]:
        """Each claimed shard's epoch and node. Blocks."""
        rows = self._rows("SELECT shard, epoch, node FROM claims ORDER BY shard", ())
        return {shard: (epoch, node) for shard, epoch, node in rows}

    def close(self) -> None:
        """Release every connection; a read that runs at this moment finishes first."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _whole(self, streams: Sequence[bytes]) -> Iterator[Sequence[Stored]]:
        marks = ",".join("?" * len(streams))
        sql = f"SELECT {COLUMNS} FROM records WHERE stream IN ({marks}) ORDER BY stream, sequence"
        held: dict[UUID, list[Stored]] = {}
        for stored in map(stored_of, self._rows(sql, streams)):
            held.setdefault(stored.record.stream, []).append(stored)
        yield from held.values()

    def _rows(self, sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        with self._connection() as connection, named_errors(self._path):
            return connection.execute(sql, parameters).fetchall()

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            if self._closed:
                raise JournalError(f"journal {self._path}: is closed")
            connection = self._idle.pop() if self._idle else None
        connection = connection or open_reader(self._path)
        try:
            yield connection
        finally:
            with self._lock:
                kept = not self._closed
                if kept:
                    self._idle.append(connection)
            if not kept:
                connection.close()
