"""The projections: which records each takes in, and the rows that they come to.

What may live here: the way from records to rows. Rows wait, one per key, until they are written: taking the same
record in twice, or records in other portions, gives the same rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol
from uuid import UUID

from domain.ports import Stored
from projections.cdr import CallFold
from projections.events import event_row
from projections.ports import Decode, Poison
from projections.registrations import BindingFold
from projections.row import CdrRow, EventRow, LegRow, RegistrationRow, Rows, SegmentRow
from projections.stream import Read, Streams

CALLS_HELD = 50_000
REGISTRATIONS_HELD = 200_000


class Projection(Protocol):
    """Turns records into rows."""

    @property
    def tables(self) -> tuple[str, ...]:
        """Those that it fills and nobody else does."""

    @property
    def category(self) -> str:
        """Of the records that it takes in; the others mean nothing to it."""

    def take(self, stored: Stored) -> None:
        """Take a record in. Raises Poison if it cannot be, JournalError if the journal cannot be read now."""

    @property
    def urgent(self) -> int:
        """How many calls there are whose rows somebody waits for."""

    def rows(self, *, urgent: bool = False) -> list[Rows]:
        """What is to be written for the records taken in since `written`, or the urgent part of it."""

    def written(self, *, urgent: bool = False) -> None:
        """The rows, or the urgent ones, are in the tables."""


class CallRecords:
    """`cdr`, `cdr_legs` and `segments`: each changed call folded as a whole. Rows of calls that are final are urgent: a
    short call is written once."""

    tables = ("cdr", "cdr_legs", "segments")
    category = "calls"

    def __init__(self, decode: Decode, read: Read, held: int = CALLS_HELD) -> None:
        self._streams = Streams(CallFold, decode, read, held)
        self._changed: dict[int, CallFold] = {}
        self._final: dict[int, CallFold] = {}
        """both by the number of the stream's id"""

    @property
    def urgent(self) -> int:
        return len(self._final)

    def take(self, stored: Stored) -> None:
        record = stored.record
        if record.category != self.category:
            return
        try:
            fold = self._streams.take(stored)
        except Poison:
            before = self._streams.held(record.stream)
            if before is not None:
                self._change(record.stream, before)
            raise
        self._change(record.stream, fold)

    def _change(self, stream: UUID, fold: CallFold) -> None:
        if not fold.final:
            self._changed[stream.int] = fold
        else:
            self._changed.pop(stream.int, None)
            self._final[stream.int] = fold

    def rows(self, *, urgent: bool = False) -> list[Rows]:
        folds = [*self._final.values(), *(() if urgent else self._changed.values())]
        records = [record for fold in folds if (record := fold.record())]
        return [  # whoever sees a call's record finds the rest of it
            Rows("cdr_legs", LegRow, [leg for record in records for leg in record.legs]),
            Rows("segments", SegmentRow, [segment for record in records for segment in record.segments]),
            Rows("cdr", CdrRow, [record.cdr for record in records]),
        ]

    def written(self, *, urgent: bool = False) -> None:
        for number in self._final:
            self._streams.forget(number)
        self._final = {}
        if not urgent:
            self._changed = {}
            self._streams.trim()


class CallEvents:
    """`events`: every event of every call, also of types that this version does not know."""

    tables = ("events",)
    category = "calls"
    urgent = 0

    def __init__(self) -> None:
        self._waiting: dict[tuple[UUID, int], EventRow] = {}

    def take(self, stored: Stored) -> None:
        record = stored.record
        if record.category == self.category:
            self._waiting[record.stream, record.sequence] = event_row(stored)

    def rows(self, *, urgent: bool = False) -> list[Rows]:
        return [] if urgent else [Rows("events", EventRow, list(self._waiting.values()))]

    def written(self, *, urgent: bool = False) -> None:
        if not urgent:
            self._waiting = {}


class Registrations:
    """`registrations`: each binding from its beginning to its end."""

    tables = ("registrations",)
    category = "registrations"
    urgent = 0

    def __init__(self, decode: Decode, read: Read, held: int = REGISTRATIONS_HELD) -> None:
        self._streams = Streams(BindingFold, decode, read, held)
        self._waiting: dict[tuple[object, ...], RegistrationRow] = {}

    def take(self, stored: Stored) -> None:
        if stored.record.category == self.category:
            for row in self._streams.take(stored).changed():
                self._waiting[row.tenant, row.aor, row.contact, row.bound_at] = row

    def rows(self, *, urgent: bool = False) -> list[Rows]:
        return [] if urgent else [Rows("registrations", RegistrationRow, list(self._waiting.values()))]

    def written(self, *, urgent: bool = False) -> None:
        if not urgent:
            self._waiting = {}
            self._streams.trim()


Make = Callable[[Decode, Read], Projection]

PROJECTIONS: Mapping[str, Make] = {
    "cdr": CallRecords,
    "events": lambda decode, read: CallEvents(),
    "registrations": Registrations,
}
"""Name -> how a fresh one is made."""

ALL = "all"


def named(name: str) -> tuple[str, ...]:
    """The projections that `name` means. Raises ValueError."""
    if name == ALL:
        return tuple(PROJECTIONS)
    if name not in PROJECTIONS:
        raise ValueError(f"there is no projection {name!r}: choose of {', '.join((*PROJECTIONS, ALL))}")
    return (name,)
