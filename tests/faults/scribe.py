"""A writer that keeps the rules of a shard's owner, and remembers what it was told: what is lost, doubled or forked by
whatever is done to the brokers meanwhile shows in `check`.

It runs in a thread of its own, so that the test may kill what it likes in the main one.
"""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from threading import Condition, Event, Thread
from types import TracebackType
from typing import NamedTuple, Self, TypeVar
from uuid import UUID

from domain.ids import new_stream_id
from domain.ports import Cursor, Journal, JournalAway, JournalError, OwnershipLost, Record, Stored

PACE_S = 0.005
WINDOW = 64
RETRY_S = 0.1
STREAMS = 3
"""A shard's streams; each goes on for the whole test."""
WAIT_S = 60.0

_T = TypeVar("_T")


class Told(NamedTuple):
    """An append that was acknowledged, `at` monotonic seconds."""

    at: float
    record: Record


class _Submitted(NamedTuple):
    shard: int
    epoch: int
    record: Record
    result: int | OwnershipLost


class Scribe:
    """Owns `shards` of `journal` as `node`; a context manager that writes until it is left. It closes no journal.

    `rest_s` is how long it leaves shards that were taken from it to whoever has them.
    """

    def __init__(self, journal: Journal, node: str, shards: Sequence[int], rest_s: float = 0.0) -> None:
        self._journal, self._node, self._shards, self._rest_s = journal, node, tuple(shards), rest_s
        self.acknowledged: list[Told] = []
        self.lost: list[str] = []
        """The reasons of all appends that did not happen, in order."""
        self.errors: list[str] = []
        """What claims and their reading raised, in order."""
        self.claims = 0
        self._epochs: dict[int, int] = {}
        self._last: dict[int, dict[UUID, int]] = {shard: {} for shard in shards}
        self._answers: SimpleQueue[_Submitted] = SimpleQueue()
        self._unanswered = 0
        self._numbers = itertools.count()
        self._changed = Condition()
        self._stop = Event()
        self._thread = Thread(target=self._run, name=f"scribe-{node}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self.wait_more(1)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive(), "an append was never answered"

    def wait_more(self, count: int, timeout_s: float = WAIT_S) -> None:
        """Until `count` more appends are acknowledged than now."""
        wanted = len(self.acknowledged) + count
        self._wait(lambda: len(self.acknowledged) >= wanted, timeout_s, f"{count} more acknowledgements")

    def silence_s(self, since: float) -> float:
        """The longest time without an acknowledgement from `since` (monotonic seconds) on."""
        moments = [since, *(told.at for told in self.acknowledged if told.at > since)]
        return max((after - before for before, after in itertools.pairwise(moments)), default=float("inf"))

    def first_s(self, since: float) -> float:
        """How long after `since` the next acknowledgement came."""
        return next((told.at for told in self.acknowledged if told.at > since), float("inf")) - since

    # --- inside, all in its own thread

    def _run(self) -> None:
        while not self._stop.is_set():
            self._claim([shard for shard in self._shards if shard not in self._epochs])
            self._hear()
            self._write()
        while self._unanswered:
            self._hear()

    def _claim(self, shards: Sequence[int]) -> None:
        """Become the owner again and read what is true; as long as that fails, it is tried anew."""
        if not shards:
            return
        if self.lost:
            self._stop.wait(self._rest_s)
        try:
            epochs = self._journal.claim(shards, self._node)
            last = {shard: self._read(shard) for shard in epochs}
        except JournalError as error:
            self._tell(self.errors, str(error))
            self._stop.wait(RETRY_S)
            return
        self._epochs.update(epochs)
        self._last.update(last)
        self.claims += 1

    def _read(self, shard: int) -> dict[UUID, int]:
        live = self._journal.live(shard, time.time())
        return {held[0].record.stream: held[-1].record.sequence for held in live}

    def _hear(self) -> None:
        try:
            heard = self._answers.get(timeout=PACE_S)
        except Empty:
            return
        while True:
            self._take(heard)
            try:
                heard = self._answers.get_nowait()
            except Empty:
                return

    def _take(self, heard: _Submitted) -> None:
        self._unanswered -= 1
        if isinstance(heard.result, OwnershipLost):
            if self._epochs.get(heard.shard) == heard.epoch:
                del self._epochs[heard.shard]
            self._tell(self.lost, heard.result.reason)
        else:
            self._tell(self.acknowledged, Told(time.monotonic(), heard.record))

    def _write(self) -> None:
        if not self._epochs or self._unanswered >= WINDOW:
            return
        number = next(self._numbers)
        owned = sorted(self._epochs)
        shard = owned[number % len(owned)]
        epoch, streams = self._epochs[shard], self._last[shard]
        if len(streams) < STREAMS:
            streams[new_stream_id(time.time_ns() // 1_000_000, shard, secrets.token_bytes(8))] = 0
        stream = list(streams)[number // len(owned) % len(streams)]
        streams[stream] += 1
        record = self._record(stream, streams[stream], number)
        self._unanswered += 1
        self._journal.submit(
            shard, epoch, [record], lambda result: self._answers.put(_Submitted(shard, epoch, record, result))
        )

    def _record(self, stream: UUID, sequence: int, number: int) -> Record:
        """Its data is like no other's, so that a fork is seen."""
        return Record(
            stream=stream,
            sequence=sequence,
            type="call.tested.1",
            category="calls",
            tenant="acme",
            time=datetime.now(UTC),
            data=f'{{"by":"{self._node}","number":{number},"chance":"{secrets.token_hex(4)}"}}'.encode(),
        )

    def _wait(self, good: Callable[[], bool], timeout_s: float, what: str) -> None:
        with self._changed:
            assert self._changed.wait_for(good, timeout_s), (
                f"{what} did not come within {timeout_s:.0f} s: lost {self.lost[-3:]}, errors {self.errors[-3:]}"
            )

    def _tell(self, told: list[_T], one: _T) -> None:
        with self._changed:
            told.append(one)
            self._changed.notify_all()


def everything(journal: Journal) -> Mapping[UUID, list[Stored]]:
    """Each stream of the journal as a follower sees it, from the start to the end."""
    found: dict[UUID, list[Stored]] = {}
    cursor: Cursor = {}
    until = time.monotonic() + WAIT_S
    while True:
        try:
            batch = journal.follow(cursor, 5_000)
        except JournalAway:  # as followers do: brokers that came back a moment ago may not know each other yet
            assert time.monotonic() < until, "the journal cannot be read"
            continue
        cursor = batch.cursor
        for stored in batch.records:
            found.setdefault(stored.record.stream, []).append(stored)
        if not batch.records and not batch.unreadable:
            return found


def check(journal: Journal, scribes: Iterable[Scribe]) -> int:
    """Nothing acknowledged is lost, no stream has a gap or a fork, and an owner reads the same. How many records."""
    found = everything(journal)
    for stream, stored in found.items():
        sequences = [one.record.sequence for one in stored]
        assert sequences == list(range(1, len(stored) + 1)), f"{stream} has a gap or a fork: {sequences}"
        epochs = [one.epoch for one in stored]
        assert epochs == sorted(epochs), f"an older epoch wrote to {stream} after a newer one: {epochs}"
    for scribe in scribes:
        for told in scribe.acknowledged:
            record = told.record
            assert len(found.get(record.stream, ())) >= record.sequence, f"an acknowledged record is lost: {record}"
            assert found[record.stream][record.sequence - 1].record.data == record.data, f"another is there: {record}"
    for stream in list(found)[:3]:
        assert journal.read(stream) == found[stream]
    return sum(map(len, found.values()))
