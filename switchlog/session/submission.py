"""What a board submits to the journal, and what becomes of a shard whose submission fails.

What may live here: events into records, how many wait for the journal, and the loss of a shard. Memory may run ahead
of the journal, as nothing leaves before that has it; where it cannot follow, the whole shard is dropped and read anew.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from domain.base import Event
from domain.catalog import CATEGORIES, topic
from domain.ports import Journal, JournalFull, OwnershipLost, Record
from switchlog.session.shard import Shard

SUBMISSIONS_LIMIT = 5_000
"""Submissions that may wait for the journal before new calls and registrations are refused."""
DEADLINES_LIMIT = SUBMISSIONS_LIMIT // 2
"""And before what is due waits: after a long pause thousands of bindings have run out at once."""


def nothing() -> None:
    """For those who need not be told."""


class Owner(NamedTuple):
    """Whose shards they are. `owns` and `drop` get a number and an epoch; `drop` says whether that term went on."""

    owns: Callable[[int, int], bool]
    drop: Callable[[int, int], bool]
    lost: Callable[[int, str], None]
    settled: Callable[[], None]


class Submissions:
    """Of one board, in order."""

    def __init__(self, journal: Journal, encode: Callable[[Event], bytes], owner: Owner) -> None:
        self._journal, self._encode, self._owner = journal, encode, owner
        self.submitted = 0
        self.answered = 0
        """of what was submitted, by the journal: the difference waits"""

    @property
    def busy(self) -> bool:
        return self.submitted - self.answered >= DEADLINES_LIMIT

    def make_room(self) -> None:
        """Raises JournalFull."""
        waiting = self.submitted - self.answered
        if waiting >= SUBMISSIONS_LIMIT:
            raise JournalFull(f"{waiting} submissions wait for the journal")

    def submit(
        self,
        shard: Shard,
        events: tuple[Event, ...],
        until: float | None,
        durable: Callable[[], None],
        lost: Callable[[], None] = nothing,
    ) -> None:
        """`durable` is called once the journal has the events, `lost` if the shard was lost meanwhile."""
        number, epoch = shard.number, shard.epoch

        def done(result: int | OwnershipLost) -> None:
            self.answered += 1
            if isinstance(result, OwnershipLost):
                self._lose(shard, result.reason)
            if not self._owner.owns(number, epoch):
                lost()
                return
            durable()
            self._owner.settled()

        try:
            last = len(events) - 1
            records = [self._record(event, until if place == last else None) for place, event in enumerate(events)]
            self._journal.submit(number, epoch, records, done)
        except Exception as error:  # memory ran ahead of a journal that has not got it: read it anew, whatever it was
            self._lose(shard, str(error))
            raise
        self.submitted += 1

    def ahead(self, shard: Shard) -> _Ahead:
        """To be entered before memory changes. A fault inside leaves it ahead of the journal for good, and whatever
        followed would be journaled with a gap: so the shard is lost."""
        return _Ahead(self._lose, shard)

    def _lose(self, shard: Shard, reason: str) -> None:
        if self._owner.drop(shard.number, shard.epoch):
            self._owner.lost(shard.number, reason)

    def _record(self, event: Event, until: float | None) -> Record:
        name = topic(type(event))
        return Record(
            stream=event.originator_id,
            sequence=event.originator_version,
            type=name,
            category=CATEGORIES[name],
            tenant=event.context.tenant,
            time=event.timestamp,
            data=self._encode(event),
            live_until=until,
        )


class _Ahead:
    """A context manager; made once a turn, so it is no generator."""

    __slots__ = ("_lose", "_shard")

    def __init__(self, lose: Callable[[Shard, str], None], shard: Shard) -> None:
        self._lose, self._shard = lose, shard

    def __enter__(self) -> None:
        """Nothing is to be done before."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is not None:
            self._lose(self._shard, f"a fault of ours: {error!r}")
