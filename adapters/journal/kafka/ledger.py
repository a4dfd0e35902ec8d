"""What the owner of a shard knows of it between two checkpoints.

What may live here: pure state of one shard, told by the owner what became durable. No broker and no clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from adapters.journal.kafka.checkpoint import Marker, Snapshot, Writing, checkpoint_place
from adapters.journal.kafka.message import Message
from adapters.journal.kafka.topic import Place
from domain.ports import Record, Stored

MARGIN_S = 10.0
"""So long after its time a stream is still held: another node's clock may be behind."""


class _Held:
    """A stream of an owner's: its last sequence, until when it is held, how many parts are written, and what is not.

    `tried` counts parts that may have been written as well.
    """

    __slots__ = ("fresh", "last", "parts", "tried", "until")

    def __init__(self, last: int, until: float | None, parts: int = 0) -> None:
        self.last, self.until, self.parts, self.tried = last, until, parts, parts
        self.fresh: list[Stored] = []


class Plan(NamedTuple):
    """A checkpoint to be written; `done` is called when it is durable, before anything else happens to the ledger."""

    messages: list[Message]
    done: Callable[[], None]


class Ledger:
    """What the owner of a shard knows of its streams: which sequence is taken, and what the next checkpoint holds."""

    def __init__(self, snapshot: Snapshot, offsets: Mapping[Place, int], now: float) -> None:
        self.shard = snapshot.shard
        self.offsets = dict(offsets)
        """where to read on: everything before is known here"""
        self.marked_at = now
        self.count = 0
        """records since the last checkpoint"""
        self._place = checkpoint_place(self.shard)
        self._streams: dict[UUID, _Held] = {}
        for stream, parts, last, fresh in snapshot.streams():
            if last is None:
                self._streams[stream] = _Held(-1, 0.0, parts)
            else:
                self._streams[stream] = _Held(last.record.sequence, last.record.live_until, parts)
            self._keep(self._streams[stream], fresh)

    def takes(self, records: Sequence[Record]) -> bool:
        """Whether no sequence of `records` is taken; if so they are from now on, and their streams are not over."""
        last: dict[UUID, int] = {}
        for record in records:
            stream = record.stream
            before = last.get(stream)
            if before is None:
                held = self._streams.get(stream)
                before = held.last if held is not None else -1
            if record.sequence <= before:
                return False
            last[stream] = record.sequence
        for stream, sequence in last.items():
            held = self._streams.get(stream)
            if held is None:
                self._streams[stream] = _Held(sequence, None)
            else:
                held.last, held.until = sequence, None
        return True

    def add(self, stored: Iterable[Stored]) -> None:
        """Durable now; where to read on goes with it."""
        for one in stored:
            record = one.record
            held = self._streams.get(record.stream)
            if held is None:
                held = self._streams[record.stream] = _Held(record.sequence, None)
            held.last, held.until = max(held.last, record.sequence), record.live_until
            self._keep(held, (one,))

    def plan(self, at: datetime, epoch: int, txn_id: str, node: str) -> Plan:
        """The next checkpoint; empty for the shard of configuration."""
        if self._place is None:
            return Plan([], lambda: None)
        writing = Writing(self._place, at, node)
        now = at.timestamp()
        over: list[UUID] = []
        written: list[tuple[_Held, int]] = []
        for stream, held in self._streams.items():
            if held.until is not None and held.until <= now - MARGIN_S:
                writing.forget(stream, held.tried)
                over.append(stream)
            elif held.fresh:
                parts = held.parts + writing.parts(stream, held.parts, held.fresh)
                held.tried = max(held.tried, parts)
                written.append((held, parts))
        writing.mark(self.shard, Marker({its.key: offset for its, offset in self.offsets.items()}, epoch, txn_id, node))

        def done() -> None:
            for stream in over:
                del self._streams[stream]
            for held, parts in written:
                held.parts, held.fresh = parts, []
            self.count, self.marked_at = 0, now

        return Plan(writing.messages, done)

    def _keep(self, held: _Held, stored: Sequence[Stored]) -> None:
        """For the next checkpoint, where there is one."""
        if self._place is not None:
            held.fresh += stored
            self.count += len(stored)
