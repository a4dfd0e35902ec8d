"""Following the journal into the tables: records in, rows first, cursor after.

What may live here: the order of those steps. A step that failed is said again from the same place, and whatever it
wrote already is written again with the same keys and versions; so nothing is lost and nothing counts twice.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from domain.ports import Batch, Cursor, Stored
from projections.generation import Generations, Parked, State
from projections.ports import Poison, Source
from projections.projection import Projection

BATCH = 2_000


class Target:
    """One generation of one projection, and how far it is filled; `set_aside` counts the records it could not take."""

    def __init__(self, projection: Projection, state: State) -> None:
        self.projection, self.state = projection, state
        self._parked: dict[int, Parked] = {}
        self._newest = state.updated_at
        self.set_aside = 0

    def take(self, batch: Batch) -> None:
        """Take records in; those that cannot be are set aside with the reason. Raises JournalError."""
        for stored in batch.records:
            try:
                self.projection.take(stored)
            except Poison as error:
                self._parked[stored.position] = self._unfit(stored, batch.cursor, str(error))
            self._newest = max(self._newest, stored.record.time)

    def write(self, generations: Generations) -> int:
        """Write the rows and the records set aside; returns how many rows. Raises Unavailable."""
        rows = sum(generations.insert(self.state.generation, rows) for rows in self.projection.rows())
        if self._parked:
            generations.park(list(self._parked.values()))
            self.set_aside = generations.parked(self.state.name, self.state.generation)
        return rows

    def next_state(self, cursor: Cursor, rows: int) -> State:
        """The state once `rows` are written and everything up to `cursor` was taken in."""
        return msgspec.structs.replace(
            self.state,
            cursor=dict(cursor),
            rows=self.state.rows + rows,
            updated_at=self._newest,
            revision=self.state.revision + 1,
        )

    def settle(self, state: State) -> None:
        """`state` is saved."""
        self.state = state
        self._parked = {}
        self.projection.written()

    def _unfit(self, stored: Stored, cursor: Cursor, reason: str) -> Parked:
        record = stored.record
        partition = next(iter(cursor)) if len(cursor) == 1 else f"{record.category}-{stored.shard}"
        return Parked(
            self.state.name,
            self.state.generation,
            partition,
            stored.position,
            record.stream,
            record.sequence,
            record.type,
            reason,
            record.time,
        )


class Follower:
    """Fills `targets` from one reading of the journal. One thread.

    It starts at the least of their cursors: taking a record in again changes nothing.
    """

    def __init__(self, source: Source, generations: Generations, targets: Sequence[Target]) -> None:
        self._source, self._generations = source, generations
        self.targets = list(targets)
        self.cursor: Cursor = least([target.state.cursor for target in targets])

    def step(self, limit: int = BATCH) -> int:
        """Take in and write the next records; returns how many they were. Raises JournalError or Unavailable.

        After an error the next step goes on where this one stood.
        """
        batch = self._source.follow(self.cursor, limit)
        if batch.records:
            for target in self.targets:
                target.take(batch)
            self._write(batch.cursor)
        return len(batch.records)

    def _write(self, cursor: Cursor) -> None:
        written = [target.write(self._generations) for target in self.targets]
        states = [target.next_state(cursor, rows) for target, rows in zip(self.targets, written, strict=True)]
        self._generations.save(states)
        for target, state in zip(self.targets, states, strict=True):
            target.settle(state)
        self.cursor = dict(cursor)


def least(cursors: Sequence[Cursor]) -> Cursor:
    """The place that none of `cursors` is before."""
    partitions = set[str]().union(*cursors)
    return {partition: min(cursor.get(partition, 0) for cursor in cursors) for partition in sorted(partitions)}


def covers(cursor: Cursor, other: Cursor) -> bool:
    """Has `cursor` seen everything that `other` has?"""
    return all(cursor.get(partition, 0) >= position for partition, position in other.items())
