"""Following the journal into the tables: records in, rows first, cursor after.

What may live here: the order of those steps, and their pace. A record that cannot be taken in is parked with the reason
and never stops the others. A step that failed is said again from the same place, and
whatever it wrote already is written again with the same keys and versions; so nothing is lost and nothing counts twice.
A cursor is saved when everything before it is written; rows that somebody waits for are written before that.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple
from uuid import UUID

import msgspec

from domain.cursor import least
from domain.ports import Batch, Cursor, Stored, Unreadable
from projections.generation import Generations, Parked, State
from projections.ports import Poison, Source
from projections.projection import Projection

log = logging.getLogger(__name__)

BATCH = 2_000


class Pace(NamedTuple):
    """How long rows may wait for others: an insert has a price by table and not by row.

    Urgent rows are written `urgent_s` after the last writing at the latest or, where more than `few` calls wait by
    then, after `busy_s`; all others after `patient_s`; and everything once `records` records are taken in.
    """

    urgent_s: float = 0.0
    busy_s: float = 0.0
    few: int = 25
    patient_s: float = 0.0
    records: int = 1


AT_ONCE = Pace()


class Target:
    """One generation of one projection, and how far it is filled; `set_aside` counts the records it could not take."""

    def __init__(self, projection: Projection, state: State) -> None:
        self.projection, self.state = projection, state
        self._parked: dict[tuple[str, int], Parked] = {}
        self._newest = state.updated_at
        self._rows = 0
        self.set_aside = 0

    def take(self, batch: Batch) -> None:
        """Take records in; those that cannot be are set aside with the reason. Raises JournalError."""
        for stored in batch.records:
            try:
                self.projection.take(stored)
            except Poison as error:
                self._park(_place_of(stored), str(error))
        self._newest = max([self._newest, *[stored.record.time for stored in batch.records]])
        for place in batch.unreadable:
            if concerns(place.partition, self.projection.category):
                self._park(place, place.reason)

    def write_urgent(self, generations: Generations) -> None:
        """Write the rows that somebody waits for. Raises Unavailable."""
        if self.projection.urgent:
            self._rows += self._insert(generations, urgent=True)
            self.projection.written(urgent=True)

    def write(self, generations: Generations) -> int:
        """Write all rows and the records set aside; returns how many rows since the last state. Raises Unavailable."""
        rows = self._rows + self._insert(generations, urgent=False)
        if self._parked:
            generations.park(list(self._parked.values()))
            self.set_aside = generations.parked(self.state.name, self.state.generation)
        return rows

    def next_state(self, cursor: Cursor, rows: int) -> State:
        """The state once `rows` are written and everything up to `cursor` was taken in."""
        return msgspec.structs.replace(
            self.state,
            cursor=dict(cursor),
            detail=self._detail(),
            rows=self.state.rows + rows,
            updated_at=self._newest,
            revision=self.state.revision + 1,
        )

    def settle(self, state: State) -> None:
        """`state` is saved."""
        self.state = state
        self._parked = {}
        self._rows = 0
        self.projection.written()

    def _detail(self) -> str:
        """Of the records set aside, the last one."""
        last = next(reversed(self._parked.values()), None)
        return f"{last.partition} {last.position}: {last.reason}" if last else self.state.detail

    def _insert(self, generations: Generations, *, urgent: bool) -> int:
        return sum(generations.insert(self.state.generation, rows) for rows in self.projection.rows(urgent=urgent))

    def _park(self, place: Unreadable, reason: str) -> None:
        self._parked[place.partition, place.position] = Parked(
            self.state.name,
            self.state.generation,
            place.partition,
            place.position,
            place.stream or NOBODY,
            place.sequence,
            place.type,
            reason,
            place.time,
        )


NOBODY = UUID(int=0)
"""The stream of what names none."""


def concerns(partition: str, category: str) -> bool:
    """Might a record that nobody can read have been of this category? The journal's one partition has all of them."""
    kind, dash, _ = partition.rpartition("-")
    return not dash or kind == category


def _place_of(stored: Stored) -> Unreadable:
    record = stored.record
    return Unreadable(stored.partition, stored.position, "", record.time, record.type, record.stream, record.sequence)


class Follower:
    """Fills `targets` from one reading of the journal. One thread.

    It starts at the least of their cursors: taking a record in again changes nothing. `cursor` is after what was taken
    in, which may not all be written yet: `flush` sees to that.
    """

    def __init__(
        self,
        source: Source,
        generations: Generations,
        targets: Sequence[Target],
        pace: Pace = AT_ONCE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source, self._generations, self._pace, self._clock = source, generations, pace, clock
        self.targets = list(targets)
        self.cursor: Cursor = least([target.state.cursor for target in targets])
        self.unreadable = 0
        """how much was met that is no record of ours"""
        self._waiting = 0
        """records taken in since a state was saved"""
        self._since = self._urgent_at = clock() - pace.urgent_s

    @property
    def waiting(self) -> bool:
        """Whether something was taken in and is not written yet."""
        return self._waiting > 0

    def step(self, limit: int = BATCH, wait_s: float = 0.0) -> int:
        """Take in the next records and write what is due; returns how many they were. Waits for them as `Source` does.

        Raises JournalError or Unavailable. After an error the next step goes on where this one stood: nothing more is
        read before what is due is written.
        """
        self._write_due()
        batch = self._source.follow(self.cursor, limit, wait_s)
        count = len(batch.records) + len(batch.unreadable)
        if count:
            for target in self.targets:
                target.take(batch)
            self._tell(batch.unreadable)
            if not self._waiting:
                self._since = self._clock()
            self._waiting += count
        self.cursor = dict(batch.cursor)
        if count:
            self._write_due()
        return count

    def written_to(self, target: Target) -> Cursor:
        """Up to where the target's tables hold everything."""
        return target.state.cursor if self._waiting else self.cursor

    def flush(self) -> None:
        """Write everything that was taken in, and how far that is. Raises Unavailable."""
        if not self._waiting:
            return
        written = [target.write(self._generations) for target in self.targets]
        states = [target.next_state(self.cursor, rows) for target, rows in zip(self.targets, written, strict=True)]
        self._generations.save(states)
        for target, state in zip(self.targets, states, strict=True):
            target.settle(state)
        self._waiting = 0
        self._urgent_at = self._clock()

    def _tell(self, places: Sequence[Unreadable]) -> None:
        self.unreadable += len(places)
        if places:  # one line a batch: whoever writes noise into a journal may write much of it
            first = places[0]
            log.warning(
                "%d records of the journal are none of ours, the first at %s %d: %s",
                *(len(places), first.partition, first.position, first.reason),
            )

    def _write_due(self) -> None:
        if not self._waiting:
            return
        now = self._clock()
        if self._waiting >= self._pace.records or now - self._since >= self._pace.patient_s:
            self.flush()
        elif urgent := sum(target.projection.urgent for target in self.targets):
            if now - self._urgent_at < (self._pace.busy_s if urgent > self._pace.few else self._pace.urgent_s):
                return
            for target in self.targets:
                target.write_urgent(self._generations)
            self._urgent_at = self._clock()
