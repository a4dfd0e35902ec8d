"""A journal of many partitions in memory, as Kafka is one: positions with gaps, markers at every end, noise.

What comes from one partition is in order; between partitions the order is another one at each reading.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from uuid import UUID

from domain.base import Event
from domain.ids import SHARDS, shard_of
from domain.ports import Batch, Cursor, ForeignCursor, Record, Stored, Unreadable
from tests.domain.world import START
from tests.projections.histories import record

NAMES = [f"{topic}-{shard}" for topic in ("calls", "registrations") for shard in range(SHARDS)] + ["config-0"]


class Partitioned:
    """Each record is an append of its own, and each append leaves a marker behind that is no record."""

    def __init__(self, records: Iterable[Record | Event] = ()) -> None:
        self._kept: dict[str, list[Stored | Unreadable | None]] = {name: [] for name in NAMES}
        self._turn = 0
        self.append(records)

    def append(self, records: Iterable[Record | Event]) -> None:
        for one in records:
            done = one if isinstance(one, Record) else record(one)
            shard = shard_of(done.stream)
            name = "config-0" if done.category == "config" else f"{done.category}-{shard}"
            self._kept[name] += [Stored(len(self._kept[name]) + 1, shard, 1, done, name), None]

    def spoil(self, partition: str, reason: str) -> None:
        """Somebody else writes what is no record."""
        kept = self._kept[partition]
        kept.append(Unreadable(partition, len(kept) + 1, reason, START))

    def read(self, stream: UUID, after: int = 0) -> Sequence[Stored]:
        return [
            one
            for kept in self._kept.values()
            for one in kept
            if isinstance(one, Stored) and one.record.stream == stream and one.record.sequence > after
        ]

    def live_of(self, shards: Iterable[int], now: float) -> Iterator[Sequence[Stored]]:
        streams = dict.fromkeys(
            one.record.stream for kept in self._kept.values() for one in kept if isinstance(one, Stored)
        )
        return iter([self.read(stream) for stream in streams if shard_of(stream) in set(shards)])

    def follow(self, cursor: Cursor, limit: int = 1000, wait_s: float = 0.0) -> Batch:
        if foreign := cursor.keys() - self._kept.keys():
            raise ForeignCursor(f"this is a place in another journal, which has a partition {min(foreign)}")
        self._turn += 1
        turn = self._turn % len(NAMES)
        places, found, noise = dict(cursor), list[Stored](), list[Unreadable]()
        for name in NAMES[turn:] + NAMES[:turn]:
            begin = places.get(name, 0)
            for one in self._kept[name][begin:]:
                last_marker = one is None and begin < places.get(name, 0) == len(self._kept[name]) - 1
                if len(found) + len(noise) == limit or last_marker:
                    break  # what is no record is passed when the next reading begins with it
                places[name] = places.get(name, 0) + 1
                if isinstance(one, Stored):
                    found.append(one)
                elif one is not None:
                    noise.append(one)
        return Batch(tuple(found), places, tuple(noise))

    def end(self) -> Cursor:
        return {name: len(kept) for name, kept in self._kept.items() if kept}
