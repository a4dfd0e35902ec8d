"""What every journal must do: inherit `JournalConformance` in a test module that has a fixture `opening`.

`opening(**options)` opens the one journal of the test, with `dispatch` and `queue_limit` as keywords.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Thread
from typing import Any

import pytest

from domain.ports import Cursor, Journal, JournalError, JournalFull, OwnershipLost, Stored
from tests.conformance.record import TIMEOUT_S, append, record, records, sequences, stream, submit

Opening = Callable[..., Journal]
A, B = stream("a"), stream("b")


class Deferred:
    """A dispatch that keeps what it gets until it is run."""

    def __init__(self) -> None:
        self.kept: list[Callable[[], None]] = []
        self.arrived = Event()

    def __call__(self, work: Callable[[], None]) -> None:
        self.kept.append(work)
        self.arrived.set()

    def run(self) -> None:
        assert self.arrived.wait(TIMEOUT_S)
        self.arrived.clear()
        kept, self.kept = self.kept, []
        for work in kept:
            work()


def _everything(journal: Journal, page: int) -> list[Stored]:
    cursor: Cursor = {}
    found: list[Stored] = []
    while (batch := journal.follow(cursor, page)).records:
        assert len(batch.records) <= page
        found += batch.records
        cursor = batch.cursor
    assert batch.cursor == cursor
    return found


class JournalConformance:
    @pytest.fixture
    def journal(self, opening: Opening) -> Journal:
        return opening()

    @pytest.fixture
    def epoch(self, journal: Journal) -> int:
        return journal.claim((1, 2), "node")[1]

    def test_a_record_comes_back_as_it_was(self, journal: Journal, epoch: int) -> None:
        wanted = record(A, 1, live_until=12.5)
        assert append(journal, 1, epoch, [wanted]) == 1
        (stored,) = journal.read(A)
        assert stored == Stored(1, 1, epoch, wanted)

    def test_positions_rise_by_one_over_all_streams(self, journal: Journal, epoch: int) -> None:
        assert append(journal, 1, epoch, records(A, 1, 3)) == 3
        assert append(journal, 2, epoch, records(stream("c", 2), 1, 2)) == 5
        assert append(journal, 1, epoch, records(A, 4, 4)) == 6
        assert [stored.position for stored in _everything(journal, 4)] == [1, 2, 3, 4, 5, 6]

    def test_read_begins_after_a_sequence(self, journal: Journal, epoch: int) -> None:
        append(journal, 1, epoch, records(A, 1, 5))
        assert [stored.record.sequence for stored in journal.read(A, 3)] == [4, 5]
        assert journal.read(A, 5) == []
        assert journal.read(B) == []

    def test_done_is_told_in_the_order_of_submission(self, journal: Journal, epoch: int) -> None:
        told: list[int] = []
        last = Event()
        for number in range(200):
            batch = [] if number % 3 == 0 else records(A, number, number)
            journal.submit(1, epoch, batch, lambda result, number=number: told.append(number))  # type: ignore[misc]
        journal.submit(1, epoch, [], lambda result: last.set())
        assert last.wait(TIMEOUT_S)
        assert told == list(range(200))

    def test_an_empty_batch_keeps_its_place(self, opening: Opening) -> None:
        told: list[int | OwnershipLost] = []
        journal = opening()
        epoch = journal.claim((1,), "node")[1]
        journal.submit(1, epoch, records(A, 1, 2), told.append)
        assert append(journal, 1, epoch, []) == 0
        assert told == [2]

    def test_epochs_rise_with_each_claim(self, journal: Journal) -> None:
        assert journal.claim((3, 4), "one") == {3: 1, 4: 1}
        assert journal.claim((4, 5), "two") == {4: 2, 5: 1}

    def test_an_unclaimed_shard_takes_nothing(self, journal: Journal) -> None:
        for epoch in (0, 1):
            assert isinstance(append(journal, 9, epoch, records(A, 1, 1)), OwnershipLost)
        assert sequences(journal, A) == []

    def test_a_zombie_is_refused_and_the_new_owner_is_not(self, journal: Journal, epoch: int) -> None:
        append(journal, 1, epoch, records(A, 1, 1))
        newer = journal.claim((1,), "other")[1]
        zombie = submit(journal, 1, epoch, records(A, 2, 2))
        owner = submit(journal, 1, newer, records(A, 2, 3))
        neighbour = submit(journal, 2, epoch, records(B, 1, 1))
        later = submit(journal, 1, epoch, [])
        assert isinstance(zombie.result(TIMEOUT_S), OwnershipLost)
        assert owner.result(TIMEOUT_S) == 3
        assert neighbour.result(TIMEOUT_S) == 4
        assert isinstance(later.result(TIMEOUT_S), OwnershipLost)
        assert [stored.epoch for stored in journal.read(A)] == [epoch, newer, newer]

    def test_a_refused_epoch_does_not_harm_a_later_one(self, journal: Journal, epoch: int) -> None:
        assert isinstance(append(journal, 1, epoch + 1, records(A, 1, 1)), OwnershipLost)
        newer = journal.claim((1,), "node")[1]
        assert append(journal, 1, newer, records(A, 1, 1)) == 1

    def test_a_claim_waits_for_what_was_submitted_before(self, journal: Journal, epoch: int) -> None:
        answers = [submit(journal, 1, epoch, records(A, number, number)) for number in range(1, 51)]
        journal.claim((1,), "other")
        assert [answer.result(TIMEOUT_S) for answer in answers] == list(range(1, 51))

    def test_a_taken_sequence_loses_the_epoch_and_nothing_else(self, journal: Journal, epoch: int) -> None:
        append(journal, 1, epoch, records(A, 1, 2))
        clash = submit(journal, 1, epoch, [record(B, 1), record(A, 2)])
        behind = submit(journal, 1, epoch, records(B, 1, 1))
        beside = submit(journal, 2, epoch, records(stream("c", 2), 1, 2))
        assert isinstance(clash.result(TIMEOUT_S), OwnershipLost)
        assert isinstance(behind.result(TIMEOUT_S), OwnershipLost)
        assert beside.result(TIMEOUT_S) == 4
        assert sequences(journal, B) == []
        newer = journal.claim((1,), "again")[1]
        assert append(journal, 1, newer, records(B, 1, 1)) == 5

    def test_a_sequence_twice_in_one_batch_is_a_clash(self, journal: Journal, epoch: int) -> None:
        assert isinstance(append(journal, 1, epoch, [record(A, 1), record(A, 1)]), OwnershipLost)
        assert sequences(journal, A) == []

    def test_a_clash_at_the_end_of_a_huge_batch_leaves_nothing(self, journal: Journal, epoch: int) -> None:
        append(journal, 1, epoch, records(A, 1, 1))
        assert isinstance(append(journal, 1, epoch, [*records(B, 1, 600), record(A, 1)]), OwnershipLost)
        assert sequences(journal, B) == []
        assert append(journal, 2, epoch, records(stream("c", 2), 1, 1)) == 2

    def test_live_holds_what_an_owner_must_hold(self, journal: Journal, epoch: int) -> None:
        append(journal, 1, epoch, [record(A, 1, live_until=None), record(A, 2, live_until=None)])
        append(journal, 1, epoch, [record(B, 1), record(B, 2, live_until=100.0)])
        append(journal, 2, epoch, [record(stream("c", 2), 1)])
        assert _live(journal, 1, 99.0) == {A: [1, 2], B: [1, 2]}
        assert _live(journal, 1, 100.0) == {A: [1, 2]}
        assert _live(journal, 2, 0.0) == {stream("c", 2): [1]}
        assert _live(journal, 3, 0.0) == {}

    def test_the_last_record_says_how_long_a_stream_lives(self, journal: Journal, epoch: int) -> None:
        append(journal, 1, epoch, [record(A, 1, live_until=100.0)])
        append(journal, 1, epoch, [record(A, 2, live_until=200.0)])
        assert _live(journal, 1, 150.0) == {A: [1, 2]}
        append(journal, 1, epoch, [record(A, 3, live_until=None)])
        assert _live(journal, 1, 1e12) == {A: [1, 2, 3]}
        append(journal, 1, epoch, [record(A, 4, live_until=50.0)])
        assert _live(journal, 1, 60.0) == {}

    def test_a_lost_append_leaves_live_as_it_was(self, journal: Journal, epoch: int) -> None:
        append(journal, 1, epoch, [record(A, 1, live_until=100.0)])
        assert isinstance(append(journal, 1, epoch, [record(B, 1), record(A, 1)]), OwnershipLost)
        assert _live(journal, 1, 0.0) == {A: [1]}
        assert _live(journal, 1, 100.0) == {}

    def test_follow_over_concurrent_appends_sees_each_record_once(self, journal: Journal, epoch: int) -> None:
        seen: list[int] = []
        wanted = 300

        def follow() -> None:
            cursor: Cursor = {}
            while len(seen) < wanted:
                batch = journal.follow(cursor, 7)
                cursor = batch.cursor
                seen.extend(stored.position for stored in batch.records)

        follower = Thread(target=follow)
        follower.start()
        answers = [submit(journal, 1, epoch, records(A, 3 * number + 1, 3 * number + 3)) for number in range(100)]
        for answer in answers:
            answer.result(TIMEOUT_S)
        follower.join(TIMEOUT_S)
        assert seen == list(range(1, wanted + 1))

    def test_a_huge_batch_is_one_append(self, journal: Journal, epoch: int) -> None:
        assert append(journal, 1, epoch, records(A, 1, 5003)) == 5003
        assert sequences(journal, A) == list(range(1, 5004))

    def test_the_queue_is_bounded(self, opening: Opening) -> None:
        deferred = Deferred()
        journal = opening(dispatch=deferred, queue_limit=2)
        epoch = journal.claim((1,), "node")[1]
        told: list[int | OwnershipLost] = []
        journal.submit(1, epoch, records(A, 1, 1), told.append)
        journal.submit(1, epoch, records(A, 2, 2), told.append)
        with pytest.raises(JournalFull):
            journal.submit(1, epoch, records(A, 3, 3), told.append)
        while len(told) < 2:
            deferred.run()
        assert told == [1, 2]
        journal.submit(1, epoch, records(A, 3, 3), told.append)
        deferred.run()
        assert told == [1, 2, 3]

    def test_close_commits_what_was_submitted(self, journal: Journal, epoch: int) -> None:
        told: list[int | OwnershipLost] = []
        for number in range(1, 101):
            journal.submit(1, epoch, records(A, number, number), told.append)
        journal.close()
        assert told == list(range(1, 101))
        with pytest.raises(JournalError, match="closed"):
            journal.submit(1, epoch, [], told.append)
        with pytest.raises(JournalError, match="closed"):
            journal.claim((1,), "node")


def _live(journal: Journal, shard: int, now: float) -> dict[Any, list[int]]:
    return {held[0].record.stream: [stored.record.sequence for stored in held] for held in journal.live(shard, now)}
