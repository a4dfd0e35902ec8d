"""The library's recorder and application over our journal, for the cold aggregates (configuration).

Hot aggregates submit to the journal directly; these save, wait, and are told of conflicts the library's way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from threading import Event as Signal
from threading import Lock
from typing import Any, NoReturn
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    InfrastructureFactory,
    IntegrityError,
    ListenNotifySubscription,
    Mapper,
    Notification,
    OperationalError,
    ProcessRecorder,
    StoredEvent,
    Subscription,
    TrackingRecorder,
)
from eventsourcing.utils import Environment

from adapters.journal.codec import EventMapper, record_of
from domain.ids import CONFIG_SHARD
from domain.ports import PARTITION, Cursor, Journal, JournalError, Note, OwnershipLost, Record, SharedJournal, Stored

_WAIT_S = 60.0
_FROM_THE_FIRST = -1
"""Sequences start at 1, but the library's own suites write one at 0."""


class Term:
    """The epoch in which this process owns `shard`: claimed at first use, anew after a loss. Thread-safe."""

    def __init__(self, journal: Journal, node: str, shard: int = CONFIG_SHARD) -> None:
        self._journal, self._node, self._shard = journal, node, shard
        self._lock = Lock()
        self._epoch: int | None = None

    def __call__(self) -> int:
        """The epoch. Blocks when it must claim; raises JournalError."""
        with self._lock:
            if self._epoch is None:
                claimed = self._journal.claim((self._shard,), self._node)
                if self._shard not in claimed:
                    raise JournalError(f"shard {self._shard} was claimed by another node at the same moment")
                self._epoch = claimed[self._shard]
            return self._epoch

    def lost(self) -> None:
        """An append failed: the next use claims anew."""
        with self._lock:
            self._epoch = None


class JournalRecorder(ApplicationRecorder):
    """One shard of a journal as the library's application sequence; notification ids are journal positions.

    `epoch` gives the current term, `lost` is told when it ended, `describe` makes the journal's record of what
    the library stores. It must be the only writer of its shard, whose records are all in `partition`; others may write
    notes there. Thread-safe; insertion waits for durability.
    """

    def __init__(
        self,
        journal: Journal,
        epoch: Callable[[], int],
        *,
        lost: Callable[[], None] = lambda: None,
        shard: int = CONFIG_SHARD,
        partition: str = PARTITION,
        describe: Callable[[StoredEvent], Record] = record_of,
    ) -> None:
        self._journal, self._epoch, self._lost = journal, epoch, lost
        self._shard, self._partition, self._describe = shard, partition, describe
        self._lock = Lock()
        self._listeners: set[Signal] = set()
        self._newest = 0

    def insert_events(
        self, stored_events: Sequence[StoredEvent], *, notes: Sequence[Note] = (), **kwargs: Any
    ) -> Sequence[int] | None:
        """Append all, durably; returns their positions. Without events there may be `notes` (for a SharedJournal).

        The last one is exact, and so are the others unless the journal went away before they were looked up.
        Raises IntegrityError when a version is taken, OperationalError when they could not be appended.
        """
        records = [self._describe(stored) for stored in stored_events]
        if not records and not notes:
            return None
        with self._lock:
            self._check_free(records)
            last = self._append(records, notes)
            positions = [last] if len(records) == 1 else self._positions(records, last)
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener.set()
        return positions

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """The aggregate's events, as the library defines it."""
        assert isinstance(originator_id, UUID), "streams are named by UUIDs"
        found = [
            _event(stored.record)
            for stored in self._journal.read(originator_id, _FROM_THE_FIRST if gt is None else gt)
            if lte is None or stored.record.sequence <= lte
        ]
        return (found[::-1] if desc else found)[:limit]

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """The shard's events in order of position, as the library defines it."""
        after = (start or 0) - (1 if inclusive_of_start and start else 0)
        found: list[Notification] = []
        for stored in self._following(after, limit):
            if len(found) == limit or (stop is not None and stored.position > stop):
                break
            if not topics or stored.record.type in topics:
                found.append(_notification(stored))
        return found

    def max_notification_id(self) -> int | None:
        """The position of the shard's newest event, None if it has none."""
        with self._lock:
            for stored in self._following(self._newest):
                self._newest = stored.position
            return self._newest or None

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> Subscription[ApplicationRecorder]:
        """Notifications after `gt`, for ever; woken by this recorder's own insertions."""
        return JournalSubscription(self, gt, topics)

    def listen(self, signal: Signal) -> None:
        """Set `signal` after each insertion."""
        with self._lock:
            self._listeners.add(signal)

    def unlisten(self, signal: Signal) -> None:
        """Set `signal` no more."""
        with self._lock:
            self._listeners.discard(signal)

    def _check_free(self, records: Sequence[Record]) -> None:
        """Exact under the lock, as nobody else writes the shard; a conflict must not cost the whole term."""
        wanted = {_place(record) for record in records}
        if len(wanted) < len(records):
            raise IntegrityError("two events have the same version")
        for stored in self._from_first(records):
            if (place := _place(stored.record)) in wanted:
                raise IntegrityError("stream {} has a version {} already".format(*place))

    def _positions(self, records: Sequence[Record], last: int) -> list[int]:
        """Where the journal has what was appended; others may have written notes in between, and been sooner."""
        counted = {_place(record): position for position, record in enumerate(records, last - len(records) + 1)}
        try:
            found = {_place(stored.record): stored.position for stored in self._from_first(records)}
        except JournalError:  # they are durable all the same
            found = {}
        return [found.get(place, position) for place, position in counted.items()]

    def _from_first(self, records: Sequence[Record]) -> Iterator[Stored]:
        """What the journal has of the streams of `records`, each from the first of them on."""
        firsts: dict[UUID, int] = {}
        for record in records:
            firsts[record.stream] = min(record.sequence, firsts.get(record.stream, record.sequence))
        for stream, first in firsts.items():
            yield from self._journal.read(stream, first - 1)

    def _append(self, records: Sequence[Record], notes: Sequence[Note]) -> int:
        answer: Future[int | OwnershipLost] = Future()
        if not notes:
            self._journal.submit(self._shard, self._epoch(), records, answer.set_result)
        elif isinstance(self._journal, SharedJournal):
            self._journal.submit(self._shard, self._epoch(), records, answer.set_result, notes)
        else:
            raise TypeError("the journal of one node has nobody to tell notes")
        outcome = answer.result(_WAIT_S)
        if isinstance(outcome, OwnershipLost):
            self._lost()
            raise OperationalError(outcome.reason)
        return outcome

    def _following(self, after: int, page: int = 1000) -> Iterator[Stored]:
        cursor: Cursor = {**self._journal.end(), self._partition: after}  # of the others only what comes meanwhile
        while (batch := self._journal.follow(cursor, min(page, 1000))).records:
            cursor = batch.cursor
            yield from (stored for stored in batch.records if stored.shard == self._shard)


class JournalSubscription(ListenNotifySubscription[JournalRecorder]):
    """The library's subscription, woken by the recorder."""

    def __init__(self, recorder: JournalRecorder, gt: int | None, topics: Sequence[str]) -> None:
        super().__init__(recorder, gt, topics)
        recorder.listen(self._has_been_notified)

    def stop(self) -> None:
        super().stop()
        self._recorder.unlisten(self._has_been_notified)


class JournalApplication(Application[UUID]):
    """The library's application over our journal: `save(aggregate)`, `repository.get(id)`.

    Closing it leaves the journal open. Saving blocks: call it in a thread.
    """

    def __init__(
        self,
        journal: Journal,
        epoch: Callable[[], int],
        *,
        lost: Callable[[], None] = lambda: None,
        partition: str = PARTITION,
    ) -> None:
        self._parts = JournalRecorder(journal, epoch, lost=lost, partition=partition)
        super().__init__()

    def construct_factory(self, env: Environment) -> InfrastructureFactory[Any]:
        return _Factory(env, self._parts)

    def construct_mapper(self) -> Mapper[UUID]:
        return EventMapper()


class _Factory(InfrastructureFactory[Any]):
    """Hands the recorder over; the library's other recorders have no use here."""

    def __init__(self, env: Environment, recorder: JournalRecorder) -> None:
        super().__init__(env)
        self._recorder = recorder

    def application_recorder(self) -> ApplicationRecorder:
        return self._recorder

    def aggregate_recorder(self, purpose: str = "events") -> AggregateRecorder:
        _unused("snapshots")

    def tracking_recorder(self, tracking_recorder_class: type[TrackingRecorder] | None = None) -> TrackingRecorder:
        _unused("tracking records")

    def process_recorder(self) -> ProcessRecorder:
        _unused("process records")


def _unused(what: str) -> NoReturn:
    raise NotImplementedError(f"the journal keeps no {what}")


def _place(record: Record) -> tuple[UUID, int]:
    return record.stream, record.sequence


def _event(record: Record) -> StoredEvent:
    return StoredEvent(record.stream, record.sequence, record.type, record.data)


def _notification(stored: Stored) -> Notification:
    record = stored.record
    return Notification(record.stream, record.sequence, record.type, record.data, stored.position)
