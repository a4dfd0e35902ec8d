"""How a journal is driven by the append rows: one submission after another, or many in flight."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from queue import SimpleQueue
from threading import Semaphore

from domain.ids import SHARDS, shard_of
from domain.ports import Journal, OwnershipLost, Record

ROUNDS = 4
IN_FLIGHT = 1000


Epochs = Mapping[int, int]


def claimed(journal: Journal) -> Epochs:
    """Every shard, for one who writes alone."""
    return journal.claim(range(SHARDS), "bench")


class Groups:
    """A dispatch that counts the groups that were committed."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, answer: Callable[[], None]) -> None:
        self.count += 1
        answer()


def in_batches(records: Sequence[Record], size: int) -> list[Sequence[Record]]:
    return [records[start : start + size] for start in range(0, len(records), size)]


def rounds(records: Sequence[Record], count: int = ROUNDS) -> list[Sequence[Record]]:
    """Parts that figure and yardstick take in turns."""
    return in_batches(records, -(-len(records) // count))


def waiting(journal: Journal, epochs: Epochs, batches: Sequence[Sequence[Record]]) -> list[float]:
    """Seconds from each submission to the word that it is durable; the next one waits for it."""
    answers: SimpleQueue[int | OwnershipLost] = SimpleQueue()
    waits_s = []
    for batch in batches:
        shard = shard_of(batch[0].stream)
        begun = time.perf_counter()
        journal.submit(shard, epochs[shard], batch, answers.put)
        outcome = answers.get()
        waits_s.append(time.perf_counter() - begun)
        if isinstance(outcome, OwnershipLost):
            raise RuntimeError(outcome.reason)
    return waits_s


def flowing(journal: Journal, epochs: Epochs, records: Sequence[Record]) -> tuple[float, list[float]]:
    """A record a submission, many in flight: (seconds for all, seconds each waited)."""
    room = Semaphore(IN_FLIGHT)
    begun_at, ended_at, lost = list[float](), list[float](), list[OwnershipLost]()

    def done(outcome: int | OwnershipLost) -> None:
        ended_at.append(time.perf_counter())
        if isinstance(outcome, OwnershipLost):
            lost.append(outcome)
        room.release()

    for record in records:
        room.acquire()
        shard = shard_of(record.stream)
        begun_at.append(time.perf_counter())
        journal.submit(shard, epochs[shard], (record,), done)
    for _ in range(IN_FLIGHT):
        room.acquire()
    if lost:
        raise RuntimeError(lost[0].reason)
    return ended_at[-1] - begun_at[0], [end - start for start, end in zip(begun_at, ended_at, strict=True)]


def paced(journal: Journal, epochs: Epochs, records: Sequence[Record], rate: float) -> list[float]:
    """`rate` records come a second, one after another: seconds that each waited."""
    ended: SimpleQueue[tuple[int, float]] = SimpleQueue()
    begun_at = []
    start = time.perf_counter()
    for number, record in enumerate(records):
        wait_s = start + number / rate - time.perf_counter()
        if wait_s > 0:
            time.sleep(wait_s)
        shard = shard_of(record.stream)
        begun_at.append(time.perf_counter())

        def done(outcome: int | OwnershipLost, number: int = number) -> None:
            ended.put((number, time.perf_counter()))

        journal.submit(shard, epochs[shard], (record,), done)
    return [at - begun_at[number] for number, at in (ended.get() for _ in records)]
