"""A writer on brokers in memory, and what is in their log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

from adapters.journal.kafka.claim import Book, read_books
from adapters.journal.kafka.producer import Transactor
from adapters.journal.kafka.topic import CALLS, place
from adapters.journal.kafka.transactions import KafkaTransactions
from adapters.journal.submission import Outcome, Submission
from domain.ids import CONFIG_SHARD
from domain.ports import Note, Record
from tests.adapters.journal.kafka.fakes import Brokers, Commit, Log
from tests.conformance.record import stream

SHARD = 1
A, B = stream("a"), stream("b")
IN_TWO = stream("c", 2)
PLACE = place(CALLS, SHARD)
START_S = 1_800_000_000.0
DOUBTS = [Commit.UNHEARD, Commit.LOST, Commit.REFUSED, Commit.ABORTED]


class Node:
    """A process that writes as `name`. Its clock goes on when it sleeps."""

    def __init__(self, brokers: Brokers, name: str, patience_s: float = 5.0) -> None:
        self.brokers, self.name = brokers, name
        self.now_s = 0.0
        self.while_asleep: Callable[[], None] = lambda: None
        self.transactor = Transactor(brokers.opening, name)
        self.transactions = KafkaTransactions(
            self.transactor, brokers.opening, Log(brokers),
            patience_s=patience_s, wall=lambda: START_S + self.now_s, clock=lambda: self.now_s, sleep=self._sleep,
        )  # fmt: skip

    def _sleep(self, duration_s: float) -> None:
        self.now_s += duration_s
        self.while_asleep()

    def claim(self, *shards: int) -> dict[int, int]:
        return self.transactions.claim(shards or (SHARD,), f"node-{self.name}")

    def append(self, epoch: int, *batch: Record, shard: int = SHARD) -> Outcome:
        return self.group((shard, epoch, batch))[0]

    def tell(self, epoch: int, batch: Sequence[Record], *notes: Note, shard: int = CONFIG_SHARD) -> Outcome:
        (outcome,) = self.transactions.append([Submission(shard, epoch, batch, lambda outcome: None, notes)])
        return outcome

    def group(self, *submissions: tuple[int, int, Sequence[Record]]) -> list[Outcome]:
        return self.transactions.append([Submission(*one, lambda outcome: None) for one in submissions])


def read(brokers: Brokers, shard: int = SHARD) -> Book:
    book = Book(shard)
    read_books(Log(brokers), [book])
    return book


def log(brokers: Brokers, shard: int = SHARD) -> list[tuple[UUID, int]]:
    """Streams and sequences of the shard, in the order of the log."""
    stored = sorted(read(brokers, shard).snapshot.tail(), key=lambda its: its.position)
    return [(its.record.stream, its.record.sequence) for its in stored]
