"""Laws: however two owners of one shard interleave, every stream stays whole, and both journals say the same."""

from __future__ import annotations

import tempfile
from concurrent.futures import Future
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.journal.memory import MemoryJournal
from adapters.journal.sqlite import SqliteJournal
from domain.ports import Journal, OwnershipLost, Record
from tests.conformance.record import TIMEOUT_S, record, stream, submit

SHARDS = (1, 2)
STREAMS = tuple(stream(f"{shard} {number}", shard) for shard in SHARDS for number in range(2))


class Owner:
    """Like a real owner, its memory runs ahead of the journal: it never waits for an answer before the next append."""

    def __init__(self, name: str, journal: Journal) -> None:
        self._name, self._journal = name, journal
        self._epochs: dict[int, int] = {}
        self._next: dict[int, int] = {}

    def claim(self, shard: int) -> None:
        self._epochs |= self._journal.claim((shard,), self._name)
        for number, one in enumerate(STREAMS):
            if SHARDS[number // 2] == shard:
                self._next[number] = len(self._journal.read(one)) + 1

    def append(self, number: int, count: int, back: int) -> Future[int | OwnershipLost] | None:
        """`back` > 0 is an owner whose memory is wrong: it writes what is there already."""
        shard = SHARDS[number // 2]
        if shard not in self._epochs:
            return None
        first = max(1, self._next[number] - back)
        self._next[number] = first + count
        batch: list[Record] = [record(STREAMS[number], first + index) for index in range(count)]
        return submit(self._journal, shard, self._epochs[shard], batch)


claims = st.tuples(st.just("claim"), st.integers(0, 1), st.sampled_from(SHARDS), st.just(0), st.just(0))
appends = st.tuples(
    st.just("append"),
    st.integers(0, 1),
    st.integers(0, len(STREAMS) - 1),
    st.integers(0, 3),
    st.sampled_from((0, 0, 0, 0, 1)),
)


def _play(journal: Journal, script: list[tuple[str, int, int, int, int]]) -> list[str | int]:
    owners = (Owner("one", journal), Owner("two", journal))
    answers: list[Future[int | OwnershipLost]] = []
    for what, who, where, count, back in script:
        if what == "claim":
            owners[who].claim(where)
        elif (answer := owners[who].append(where, count, back)) is not None:
            answers.append(answer)
    outcomes = [answer.result(TIMEOUT_S) for answer in answers]
    return ["lost" if isinstance(outcome, OwnershipLost) else outcome for outcome in outcomes]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(appends, appends, appends, claims), max_size=60))
def test_streams_stay_whole_and_journals_agree(script: list[tuple[str, int, int, int, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        memory, sqlite = MemoryJournal(), SqliteJournal(Path(folder) / "journal.db")
        try:
            assert _play(memory, script) == _play(sqlite, script)
            assert memory.follow({}, 10_000) == sqlite.follow({}, 10_000)
            for shard in SHARDS:
                assert list(memory.live(shard, 0)) == list(sqlite.live(shard, 0))
            for one in STREAMS:
                found = [stored.record.sequence for stored in sqlite.read(one)]
                assert found == list(range(1, len(found) + 1))
                epochs = [stored.epoch for stored in sqlite.read(one)]
                assert epochs == sorted(epochs)
        finally:
            sqlite.close()
