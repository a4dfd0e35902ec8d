"""Brokers in memory: partitions, transactions and fences as Kafka has them, and a client that may be wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from kafka.errors import KafkaConnectionError, ProducerFencedError  # type: ignore[import-untyped]

from adapters.journal.kafka.log import Hear, Mend
from adapters.journal.kafka.message import Message
from adapters.journal.kafka.topic import Place
from domain.ports import JournalAway


class State(Enum):
    OPEN = "open"
    COMMITTED = "committed"
    ABORTED = "aborted"
    MARK = "mark"


@dataclass
class Entry:
    """A record of a partition, or the mark that the end of a transaction leaves (no message)."""

    message: Message | None
    producer: int
    state: State
    forgotten: bool = False
    """the coordinator knows nothing of its transaction any more: only the end of another one here ends it"""


@dataclass
class Producer:
    number: int
    epoch: int = -1


class Commit(Enum):
    """What comes of a commit."""

    GOOD = "good"
    UNHEARD = "it is done, and nobody hears of it"
    LOST = "it is not done, and nobody answers"
    REFUSED = "it is not done, and the client says so"
    ABORTED = "the broker has aborted it, and the client says that it is good"


@dataclass
class Brokers:
    """`away` = nobody answers. `commits` are what comes of the next commits; after those they are good.

    `reads` are called before the next questions to the log, one each: that is when somebody else gets a word in.
    """

    away: bool = False
    commits: list[Commit] = field(default_factory=list)
    reads: list[Callable[[], object]] = field(default_factory=list)
    before_begin: Callable[[], object] | None = None
    """called once, before the next transaction"""
    opened: list[str] = field(default_factory=list)
    transactions: list[list[Message]] = field(default_factory=list)
    """those that were committed"""
    logs: dict[Place, list[Entry]] = field(default_factory=dict)
    producers: dict[str, Producer] = field(default_factory=dict)
    delivered: int = 0
    """records that readers were given"""

    def opening(self, txn_id: str) -> Session:
        """What `init_transactions` does: the next epoch, and the end of what the one before left open."""
        self.check()
        self.opened.append(txn_id)
        producer = self.producers.setdefault(txn_id, Producer(len(self.producers)))
        producer.epoch += 1
        self.end(producer.number, State.ABORTED)
        return Session(self, producer)

    def check(self) -> None:
        if self.away:
            raise KafkaConnectionError("nobody answers")

    def end(self, number: int, state: State, places: Sequence[Place] = ()) -> None:
        """The transaction of a producer; with it what was forgotten of it in `places`."""
        for place, entries in self.logs.items():
            found = [
                entry
                for entry in entries
                if entry.producer == number and entry.state is State.OPEN and (not entry.forgotten or place in places)
            ]
            for entry in found:
                entry.state = State.ABORTED if entry.forgotten else state
            if found:
                entries.append(Entry(None, number, State.MARK))

    def put(self, message: Message, producer: int = -1, state: State = State.COMMITTED) -> int:
        """A record from outside, or of a session. Its offset."""
        entries = self.logs.setdefault(message.place, [])
        entries.append(Entry(message, producer, state))
        return len(entries) - 1

    def committed(self, place: Place) -> list[Message]:
        return [
            entry.message
            for entry in self.logs.get(place, [])
            if entry.message is not None and entry.state is State.COMMITTED
        ]


@dataclass
class Receipt:
    at: int | Exception

    def offset(self) -> int:
        if isinstance(self.at, Exception):
            raise self.at
        return self.at


class Session:
    """`adapters.journal.kafka.producer.Session`."""

    def __init__(self, brokers: Brokers, producer: Producer) -> None:
        self._brokers, self._producer = brokers, producer
        self._epoch = producer.epoch
        self._messages: list[Message] = []
        self.closed = False

    @property
    def identity(self) -> tuple[int, int]:
        return self._producer.number, self._epoch

    def begin(self, places: Sequence[Place]) -> None:
        self._check()
        meanwhile, self._brokers.before_begin = self._brokers.before_begin, None
        if meanwhile is not None:
            meanwhile()
        self._messages = []

    def send(self, message: Message) -> Receipt:
        try:
            self._check()
        except KafkaConnectionError as error:
            return Receipt(error)
        self._messages.append(message)
        return Receipt(self._brokers.put(message, self._producer.number, State.OPEN))

    def flush(self) -> None:
        """Every receipt is there at once."""

    def commit(self) -> bool:
        self._check()
        outcome = self._brokers.commits.pop(0) if self._brokers.commits else Commit.GOOD
        if outcome is Commit.REFUSED:
            raise KafkaConnectionError("not committed")
        if outcome in (Commit.GOOD, Commit.UNHEARD):
            self._end(State.COMMITTED)
            self._brokers.transactions.append(self._messages)
        elif outcome is Commit.ABORTED:
            self._end(State.ABORTED)
            self._producer.epoch += 1
            self._epoch = self._producer.epoch
        return outcome in (Commit.GOOD, Commit.ABORTED)

    def abort(self) -> bool:
        self._check()
        self._end(State.ABORTED)
        return True

    def close(self) -> None:
        self.closed = True

    def _end(self, state: State) -> None:
        self._brokers.end(self._producer.number, state, [message.place for message in self._messages])

    def _check(self) -> None:
        self._brokers.check()
        if self._epoch != self._producer.epoch:
            raise ProducerFencedError
        assert not self.closed


class Log:
    """`adapters.journal.kafka.tail.Log`."""

    def __init__(self, brokers: Brokers) -> None:
        self._brokers = brokers

    def ends(self, places: Iterable[Place], *, stable: bool) -> dict[Place, int]:
        self._check()
        written = {place: len(self._brokers.logs.get(place, [])) for place in places}
        return {place: self._stable(place, end) for place, end in written.items()} if stable else written

    def read(
        self, starts: Mapping[Place, int], ends: Mapping[Place, int], hear: Hear, mend: Mend | None = None
    ) -> dict[Place, int]:
        self._check()
        still = [place for place in starts if self._stable(place, ends[place]) < ends[place]]
        if mend is not None and still:
            mend(still)
            if any(self._stable(place, ends[place]) < ends[place] for place in still):
                raise JournalAway("a transaction has no end")
        return {
            place: self._deliver(place, start, self._stable(place, ends[place]), hear)
            for place, start in starts.items()
        }

    def close(self) -> None:
        """Nothing is held."""

    def _check(self) -> None:
        if self._brokers.away:
            raise JournalAway("nobody answers")
        if self._brokers.reads:
            self._brokers.reads.pop(0)()

    def _stable(self, place: Place, end: int) -> int:
        entries = self._brokers.logs.get(place, [])
        return next((at for at in range(end) if entries[at].state is State.OPEN), end)

    def _deliver(self, place: Place, start: int, end: int, hear: Hear) -> int:
        for offset in range(start, end):
            entry = self._brokers.logs[place][offset]
            if entry.message is not None and entry.state is State.COMMITTED:
                self._brokers.delivered += 1
                hear(place, offset, entry.message.key, entry.message.value, entry.message.headers)
        return max(start, end)
