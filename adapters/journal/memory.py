"""The journal in memory: a fake for tests, under the same conformance suite as the real ones.

Appends happen at once, in the caller's thread; nothing outlives the process. Several owners may share one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import count
from threading import RLock
from uuid import UUID

from adapters.journal.committer import at_once
from adapters.journal.fence import Fence
from adapters.journal.schema import position_of
from domain.ports import (
    PARTITION,
    Batch,
    Cursor,
    Done,
    JournalError,
    JournalFull,
    Note,
    Noted,
    Notes,
    OwnershipLost,
    Record,
    Stored,
)


class MemoryJournal:
    """`dispatch` gets each answer as a callable, in the order of submission. Thread-safe."""

    def __init__(self, *, dispatch: Callable[[Callable[[], None]], None] = at_once, queue_limit: int = 10_000) -> None:
        self._dispatch, self._queue_limit = dispatch, queue_limit
        self._lock = RLock()
        self._fence = Fence()
        self._stored: list[Stored] = []
        self._streams: dict[UUID, dict[int, Stored]] = {}
        self._notes: list[Noted] = []
        self._unanswered = 0
        self._closed = False

    def claim(self, shards: Sequence[int], node: str) -> Mapping[int, int]:
        """See `domain.ports.Journal`; `node` is not kept."""
        with self._lock:
            self._check_open()
            epochs = self._fence.next_epochs(shards)
            self._fence.learn(epochs)
            return epochs

    def release(self, shards: Sequence[int]) -> None:
        """See `domain.ports.Journal`."""
        with self._lock:
            self._check_open()
            for shard in shards:
                self._fence.release(shard)

    def submit(self, shard: int, epoch: int, records: Sequence[Record], done: Done, notes: Sequence[Note] = ()) -> None:
        """See `domain.ports.SharedJournal`."""
        with self._lock:
            self._check_open()
            if self._unanswered >= self._queue_limit:
                raise JournalFull(f"{self._unanswered} appends wait for their answer; try again later")
            result = self._append(shard, epoch, records)
            if not isinstance(result, OwnershipLost):
                self._note(notes)
            self._unanswered += 1
            self._dispatch(lambda: self._answer(done, result))

    def read(self, stream: UUID, after: int = 0) -> Sequence[Stored]:
        """See `domain.ports.Journal`."""
        with self._lock:
            records = self._streams.get(stream, {})
            return [records[sequence] for sequence in sorted(records) if sequence > after]

    def live(self, shard: int, now: float) -> Iterator[Sequence[Stored]]:
        """See `domain.ports.Journal`."""
        with self._lock:
            last = [next(reversed(records.values())) for records in self._streams.values()]
        for stored in sorted(last, key=lambda one: one.record.stream.bytes):
            until = stored.record.live_until
            if stored.shard == shard and (until is None or until > now):
                yield self.read(stored.record.stream, -1)

    def live_of(self, shards: Iterable[int], now: float) -> Iterator[Sequence[Stored]]:
        """`live` of many shards."""
        for shard in shards:
            yield from self.live(shard, now)

    def follow(self, cursor: Cursor, limit: int = 1000, wait_s: float = 0.0) -> Batch:
        """See `domain.ports.Journal`; the one partition is `journal`. It waits for nothing."""
        start = position_of(cursor)
        with self._lock:
            records = tuple(self._stored[start : start + limit])
        return Batch(records, {PARTITION: records[-1].position} if records else dict(cursor))

    def end(self) -> Cursor:
        """See `domain.ports.Journal`."""
        return {PARTITION: len(self._stored)} if self._stored else {}

    def post(self, notes: Sequence[Note], node: str) -> None:
        """See `domain.ports.SharedJournal`; `node` is not kept."""
        with self._lock:
            self._check_open()
            self._note(notes)

    def notes(self, after: int, limit: int = 1000, wait_s: float = 0.0) -> Notes:
        """See `domain.ports.SharedJournal`, but that claims are not among them and nothing is waited for.

        Positions are counted apart from those of records.
        """
        with self._lock:
            found = tuple(self._notes[after : after + limit])
        return Notes(found, found[-1].position if found else after)

    def last_position(self) -> int:
        """The position of the newest record, 0 if there is none."""
        return len(self._stored)

    def close(self) -> None:
        """See `domain.ports.Journal`; what was written can still be read."""
        self._closed = True

    def _check_open(self) -> None:
        if self._closed:
            raise JournalError("the journal is closed")

    def _answer(self, done: Done, result: int | OwnershipLost) -> None:
        with self._lock:
            self._unanswered -= 1
        done(result)

    def _note(self, notes: Sequence[Note]) -> None:
        self._notes += [Noted(position, note) for position, note in zip(count(len(self._notes) + 1), notes)]

    def _append(self, shard: int, epoch: int, records: Sequence[Record]) -> int | OwnershipLost:
        refusal = self._fence.refusal(shard, epoch)
        if refusal is not None:
            return OwnershipLost(refusal)
        keys = {(record.stream, record.sequence) for record in records}
        if len(keys) < len(records) or any(sequence in self._streams.get(s, {}) for s, sequence in keys):
            reason = "another writer was here: a sequence number of a stream is taken"
            self._fence.lose(shard, epoch, reason)
            return OwnershipLost(reason)
        for position, record in zip(count(len(self._stored) + 1), records):
            stored = Stored(position, shard, epoch, record)
            self._stored.append(stored)
            self._streams.setdefault(record.stream, {})[record.sequence] = stored
        return len(self._stored) if records else 0
