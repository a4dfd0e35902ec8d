"""One stream out of partitions that hold many: where to begin looking for it, and when there is no more of it to come.

What may live here: the reasoning by times, which are arguments. A stream's id says when it began, and each of its
records says how long its owner will hold it: nothing can follow after that.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from adapters.journal.kafka.partitions import Raw, found_in
from adapters.journal.kafka.topic import CONFIG, Place, place, places_of
from domain.ids import SHARDS, shard_of, text_of
from domain.ports import Stored

MARGIN_MS = 10 * 60 * 1000
"""How far the clocks of nodes and brokers may be apart."""
_FIRST_MS = 1_735_689_600_000
"""2025-01-01: no stream began before. An id that was made of names has chance where others have their time."""
_V8 = 8


def homes(stream: UUID) -> tuple[Place, ...]:
    """The partitions that the stream may be in: its id says its shard, if it is one of ours."""
    shard = shard_of(stream)
    if stream.version == _V8 and shard < SHARDS:
        return places_of(shard)
    return (place(CONFIG, 0),)


def begin_ms(stream: UUID, now_ms: int) -> int | None:
    """From which time of the brokers (Unix ms) on the stream may be, None if its id does not say when it began."""
    born_ms = stream.int >> 80
    return born_ms - MARGIN_MS if _FIRST_MS <= born_ms <= now_ms + MARGIN_MS else None


class Lookup:
    """Gathers the records of `stream` with a sequence greater than `after` out of what it is shown, in order."""

    def __init__(self, stream: UUID, after: int) -> None:
        self._key = text_of(stream).encode()
        self._after = after
        self._until_ms: int | None = None
        self._first: int | None = None
        self.place: Place | None = None
        """where the stream was met"""
        self.found: list[Stored] = []

    @property
    def begins_late(self) -> bool:
        """Whether the first record that was met is not the first of its stream."""
        return self._first is not None and self._first > 1

    def take(self, its: Place, records: Sequence[Raw]) -> bool:
        """Look through the next records of one partition; True when no more of the stream can follow in it."""
        for record in records:
            if record.key == self._key:
                self._take(its, record)
            elif self._until_ms is not None and record.timestamp > self._until_ms and its == self.place:
                return True
        return False

    def _take(self, its: Place, record: Raw) -> None:
        found = found_in(its, record)
        if not isinstance(found, Stored):
            return
        self.place = its
        sequence, until = found.record.sequence, found.record.live_until
        if self._first is None:
            self._first = sequence
        if until is None:
            self._until_ms = None
        else:
            held_s = max(0.0, until - found.record.time.timestamp())
            self._until_ms = record.timestamp + round(held_s * 1000) + MARGIN_MS
        if sequence > self._after:
            self.found.append(found)
