"""What every journal must do: inherit `JournalConformance` in a test module that has a fixture `opening`.

`opening(**options)` opens the one journal of the test, with `dispatch` and `queue_limit` as keywords. What is asked is
what every user of a journal may rely on, however many partitions it has: positions rise within a partition, with gaps
perhaps, and mean nothing beyond it; followers see each partition in its order and each record once. A journal of one
partition has `OnePartition` beside it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from threading import Event, Thread
from typing import NamedTuple
from uuid import UUID

import pytest

from domain.ports import PARTITION, Cursor, ForeignCursor, Journal, JournalError, JournalFull, OwnershipLost, Stored
from tests.conformance.record import TIMEOUT_S, append, appended, record, records, sequences, stream, submit

Opening = Callable[..., Journal]


class Own(NamedTuple):
    """What a test has for itself: three shards, the streams `a` and `b` of shard `one`, and `c` of shard `two`."""

    one: int
    two: int
    three: int
    a: UUID
    b: UUID
    c: UUID


def own_of(shards: tuple[int, int, int], salt: str = "") -> Own:
    one, two, _ = shards
    return Own(*shards, stream(f"a{salt}", one), stream(f"b{salt}", one), stream(f"c{salt}", two))


OWN = own_of((1, 2, 3))


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


def _everything(journal: Journal, page: int, cursor: Cursor) -> list[Stored]:
    """All records after `cursor`, in portions of `page`."""
    before = cursor
    found: list[Stored] = []
    while (batch := journal.follow(cursor, page)).records:
        assert len(batch.records) <= page
        found += batch.records
        for stored in batch.records:
            assert cursor.get(stored.partition, 0) < stored.position <= batch.cursor[stored.partition]
        cursor = batch.cursor
    assert not batch.unreadable
    assert all(batch.cursor[partition] >= position for partition, position in before.items())
    return found


def _named(found: Sequence[Stored]) -> list[tuple[UUID, int]]:
    return [(stored.record.stream, stored.record.sequence) for stored in found]


class JournalConformance:
    @pytest.fixture
    def journal(self, opening: Opening) -> Journal:
        return opening()

    @pytest.fixture
    def own(self) -> Own:
        """A journal that several tests share gives each its own here."""
        return OWN

    @pytest.fixture
    def epochs(self, own: Own, journal: Journal) -> Mapping[int, int]:
        return journal.claim((own.one, own.two), "node")

    @pytest.fixture
    def epoch(self, own: Own, epochs: Mapping[int, int]) -> int:
        """Of shard `own.one`."""
        return epochs[own.one]

    @pytest.fixture
    def beside(self, own: Own, epochs: Mapping[int, int]) -> int:
        """Of shard `own.two`."""
        return epochs[own.two]

    @pytest.fixture
    def start(self, journal: Journal, epochs: Mapping[int, int]) -> Cursor:
        """Where the records of the test begin."""
        return journal.end()

    def test_a_record_comes_back_as_it_was(self, own: Own, journal: Journal, epoch: int) -> None:
        wanted = record(own.a, 1, live_until=12.5)
        position = appended(journal, own.one, epoch, [wanted])
        (stored,) = journal.read(own.a)
        assert stored == Stored(position, own.one, epoch, wanted, stored.partition)

    def test_an_append_is_told_the_position_of_its_last_record(self, own: Own, journal: Journal, epoch: int) -> None:
        told = [appended(journal, own.one, epoch, records(own.a, first, first + 2)) for first in (1, 4, 7)]
        assert [stored.position for stored in journal.read(own.a)][2::3] == told

    def test_positions_rise_within_a_partition(
        self, own: Own, journal: Journal, epochs: Mapping[int, int], start: Cursor
    ) -> None:
        batches = [records(own.a, 1, 3), records(own.c, 1, 2), records(own.a, 4, 4), records(own.c, 3, 3)]
        shards = [own.one, own.two] * 2
        told = [appended(journal, one, epochs[one], batch) for one, batch in zip(shards, batches, strict=True)]
        found = _everything(journal, 4, start)
        by_partition: dict[str, list[int]] = {}
        for stored in found:
            by_partition.setdefault(stored.partition, []).append(stored.position)
        assert all(one == sorted(set(one)) and one[0] > 0 for one in by_partition.values())
        ends = {stored.position for stored in found if stored.record.sequence in (3, 4)}
        assert {told[0], told[2], told[3]} <= ends

    def test_all_streams_of_a_shard_are_in_one_partition(
        self, own: Own, journal: Journal, epoch: int, start: Cursor
    ) -> None:
        append(journal, own.one, epoch, [record(own.a, 1), record(own.b, 1)])
        append(journal, own.one, epoch, [record(own.a, 2), record(own.b, 2)])
        found = _everything(journal, 3, start)
        assert len({stored.partition for stored in found}) == 1
        assert _named(found) == [(own.a, 1), (own.b, 1), (own.a, 2), (own.b, 2)]

    def test_a_follower_goes_on_where_it_stood(self, own: Own, journal: Journal, epoch: int, beside: int) -> None:
        append(journal, own.one, epoch, records(own.a, 1, 3))
        stood = journal.end()
        append(journal, own.two, beside, records(own.c, 1, 2))
        append(journal, own.one, epoch, records(own.a, 4, 4))
        assert set(_named(_everything(journal, 2, stood))) == {(own.c, 1), (own.c, 2), (own.a, 4)}
        assert _everything(journal, 2, journal.end()) == []

    def test_a_place_in_another_journal_is_no_place_here(self, own: Own, journal: Journal, epoch: int) -> None:
        append(journal, own.one, epoch, records(own.a, 1, 3))
        with pytest.raises(ForeignCursor):
            journal.follow({"songs-3": 1}, 10)

    def test_read_begins_after_a_sequence(self, own: Own, journal: Journal, epoch: int) -> None:
        append(journal, own.one, epoch, records(own.a, 1, 5))
        assert [stored.record.sequence for stored in journal.read(own.a, 3)] == [4, 5]
        assert journal.read(own.a, 5) == []
        assert journal.read(own.b) == []

    def test_done_is_told_in_the_order_of_submission(self, own: Own, journal: Journal, epoch: int) -> None:
        told: list[int] = []
        last = Event()
        for number in range(200):
            batch = [] if number % 3 == 0 else records(own.a, number, number)
            journal.submit(own.one, epoch, batch, lambda _, number=number: told.append(number))  # type: ignore[misc]
        journal.submit(own.one, epoch, [], lambda result: last.set())
        assert last.wait(TIMEOUT_S)
        assert told == list(range(200))

    def test_an_empty_batch_keeps_its_place(self, own: Own, opening: Opening) -> None:
        told: list[int | OwnershipLost] = []
        journal = opening()
        epoch = journal.claim((own.one,), "node")[own.one]
        journal.submit(own.one, epoch, records(own.a, 1, 2), told.append)
        assert append(journal, own.one, epoch, []) == 0
        assert told == [journal.read(own.a)[-1].position]

    def test_epochs_rise_with_each_claim(self, own: Own, journal: Journal) -> None:
        first = journal.claim((own.one, own.two), "one")
        second = journal.claim((own.two, own.three), "two")
        assert (set(first), set(second)) == ({own.one, own.two}, {own.two, own.three})
        assert second[own.two] > first[own.two] > 0

    def test_an_unclaimed_shard_takes_nothing(self, own: Own, journal: Journal) -> None:
        for epoch in (0, 1):
            assert isinstance(append(journal, own.three, epoch, records(own.a, 1, 1)), OwnershipLost)
        assert sequences(journal, own.a) == []

    def test_a_zombie_is_refused_and_the_new_owner_is_not(
        self, own: Own, journal: Journal, epoch: int, beside: int
    ) -> None:
        append(journal, own.one, epoch, records(own.a, 1, 1))
        newer = journal.claim((own.one,), "other")[own.one]
        assert newer > epoch
        zombie = submit(journal, own.one, epoch, records(own.a, 2, 2))
        owner = submit(journal, own.one, newer, records(own.a, 2, 3))
        neighbour = submit(journal, own.two, beside, records(own.c, 1, 1))
        later = submit(journal, own.one, epoch, [])
        assert isinstance(zombie.result(TIMEOUT_S), OwnershipLost)
        assert isinstance(owner.result(TIMEOUT_S), int)
        assert isinstance(neighbour.result(TIMEOUT_S), int)
        assert isinstance(later.result(TIMEOUT_S), OwnershipLost)
        assert [stored.epoch for stored in journal.read(own.a)] == [epoch, newer, newer]

    def test_who_releases_a_shard_appends_nothing_more_and_nothing_is_lost(
        self, own: Own, journal: Journal, epoch: int, beside: int
    ) -> None:
        before = [submit(journal, own.one, epoch, records(own.a, number, number)) for number in range(1, 21)]
        journal.release((own.one, own.three))
        after = submit(journal, own.one, epoch, records(own.a, 21, 21))
        empty = submit(journal, own.one, epoch, [])
        neighbour = submit(journal, own.two, beside, records(own.c, 1, 1))
        assert all(isinstance(answer.result(TIMEOUT_S), int) for answer in before)
        assert isinstance(after.result(TIMEOUT_S), OwnershipLost)
        assert isinstance(empty.result(TIMEOUT_S), OwnershipLost)
        assert isinstance(neighbour.result(TIMEOUT_S), int)
        assert sequences(journal, own.a) == list(range(1, 21))
        newer = journal.claim((own.one,), "other")[own.one]
        assert newer > epoch
        appended(journal, own.one, newer, records(own.a, 21, 21))

    def test_a_refused_epoch_does_not_harm_a_later_one(self, own: Own, journal: Journal, epoch: int) -> None:
        assert isinstance(append(journal, own.one, epoch + 1, records(own.a, 1, 1)), OwnershipLost)
        newer = journal.claim((own.one,), "node")[own.one]
        appended(journal, own.one, newer, records(own.a, 1, 1))
        assert sequences(journal, own.a) == [1]

    def test_a_claim_waits_for_what_was_submitted_before(self, own: Own, journal: Journal, epoch: int) -> None:
        answers = [submit(journal, own.one, epoch, records(own.a, number, number)) for number in range(1, 51)]
        journal.claim((own.one,), "other")
        told = [answer.result(TIMEOUT_S) for answer in answers]
        assert told == [stored.position for stored in journal.read(own.a)]
        assert len(told) == 50

    def test_a_taken_sequence_loses_the_epoch_and_nothing_else(
        self, own: Own, journal: Journal, epoch: int, beside: int
    ) -> None:
        append(journal, own.one, epoch, records(own.a, 1, 2))
        clash = submit(journal, own.one, epoch, [record(own.b, 1), record(own.a, 2)])
        behind = submit(journal, own.one, epoch, records(own.b, 1, 1))
        neighbour = submit(journal, own.two, beside, records(own.c, 1, 2))
        assert isinstance(clash.result(TIMEOUT_S), OwnershipLost)
        assert isinstance(behind.result(TIMEOUT_S), OwnershipLost)
        assert isinstance(neighbour.result(TIMEOUT_S), int)
        assert sequences(journal, own.b) == []
        newer = journal.claim((own.one,), "again")[own.one]
        appended(journal, own.one, newer, records(own.b, 1, 1))
        assert (sequences(journal, own.a), sequences(journal, own.b)) == ([1, 2], [1])

    def test_a_sequence_twice_in_one_batch_is_a_clash(self, own: Own, journal: Journal, epoch: int) -> None:
        assert isinstance(append(journal, own.one, epoch, [record(own.a, 1), record(own.a, 1)]), OwnershipLost)
        assert sequences(journal, own.a) == []

    def test_a_clash_at_the_end_of_a_huge_batch_leaves_nothing(
        self, own: Own, journal: Journal, epoch: int, beside: int, start: Cursor
    ) -> None:
        append(journal, own.one, epoch, records(own.a, 1, 1))
        clash = append(journal, own.one, epoch, [*records(own.b, 1, 600), record(own.a, 1)])
        assert isinstance(clash, OwnershipLost)
        assert sequences(journal, own.b) == []
        appended(journal, own.two, beside, records(own.c, 1, 1))
        assert set(_named(_everything(journal, 1000, start))) == {(own.a, 1), (own.c, 1)}

    def test_live_holds_what_an_owner_must_hold(self, own: Own, journal: Journal, epoch: int, beside: int) -> None:
        append(journal, own.one, epoch, [record(own.a, 1, live_until=None), record(own.a, 2, live_until=None)])
        append(journal, own.one, epoch, [record(own.b, 1), record(own.b, 2, live_until=100.0)])
        append(journal, own.two, beside, [record(own.c, 1)])
        assert _live(own, journal, own.one, 99.0) == {own.a: [1, 2], own.b: [1, 2]}
        assert _live(own, journal, own.one, 100.0) == {own.a: [1, 2]}
        assert _live(own, journal, own.two, 0.0) == {own.c: [1]}
        assert _live(own, journal, own.three, 0.0) == {}

    def test_the_last_record_says_how_long_a_stream_lives(self, own: Own, journal: Journal, epoch: int) -> None:
        append(journal, own.one, epoch, [record(own.a, 1, live_until=100.0)])
        append(journal, own.one, epoch, [record(own.a, 2, live_until=200.0)])
        assert _live(own, journal, own.one, 150.0) == {own.a: [1, 2]}
        append(journal, own.one, epoch, [record(own.a, 3, live_until=None)])
        assert _live(own, journal, own.one, 1e12) == {own.a: [1, 2, 3]}
        append(journal, own.one, epoch, [record(own.a, 4, live_until=50.0)])
        assert _live(own, journal, own.one, 60.0) == {}

    def test_a_lost_append_leaves_live_as_it_was(self, own: Own, journal: Journal, epoch: int) -> None:
        append(journal, own.one, epoch, [record(own.a, 1, live_until=100.0)])
        assert isinstance(append(journal, own.one, epoch, [record(own.b, 1), record(own.a, 1)]), OwnershipLost)
        assert _live(own, journal, own.one, 0.0) == {own.a: [1]}
        assert _live(own, journal, own.one, 100.0) == {}

    def test_follow_over_concurrent_appends_sees_each_record_once(
        self, own: Own, journal: Journal, epoch: int, start: Cursor
    ) -> None:
        seen: list[int] = []
        wanted, ended = 300, time.monotonic() + TIMEOUT_S

        def follow() -> None:
            cursor = start
            while len(seen) < wanted and time.monotonic() < ended:
                batch = journal.follow(cursor, 7)
                cursor = batch.cursor
                seen.extend(stored.record.sequence for stored in batch.records)

        follower = Thread(target=follow)
        follower.start()
        batches = [records(own.a, first, first + 2) for first in range(1, wanted, 3)]
        answers = [submit(journal, own.one, epoch, batch) for batch in batches]
        for answer in answers:
            answer.result(TIMEOUT_S)
        follower.join(TIMEOUT_S)
        assert seen == list(range(1, wanted + 1))

    def test_a_huge_batch_is_one_append(self, own: Own, journal: Journal, epoch: int) -> None:
        position = appended(journal, own.one, epoch, records(own.a, 1, 5003))
        found = journal.read(own.a)
        assert [stored.record.sequence for stored in found] == list(range(1, 5004))
        assert found[-1].position == position

    def test_the_queue_is_bounded(self, own: Own, opening: Opening) -> None:
        deferred = Deferred()
        journal = opening(dispatch=deferred, queue_limit=2)
        epoch = journal.claim((own.one,), "node")[own.one]
        told: list[int | OwnershipLost] = []
        journal.submit(own.one, epoch, records(own.a, 1, 1), told.append)
        journal.submit(own.one, epoch, records(own.a, 2, 2), told.append)
        with pytest.raises(JournalFull):
            journal.submit(own.one, epoch, records(own.a, 3, 3), told.append)
        while len(told) < 2:
            deferred.run()
        journal.submit(own.one, epoch, records(own.a, 3, 3), told.append)
        deferred.run()
        assert told == [stored.position for stored in journal.read(own.a)]

    def test_close_commits_what_was_submitted(self, own: Own, journal: Journal, epoch: int) -> None:
        told: list[int | OwnershipLost] = []
        for number in range(1, 101):
            journal.submit(own.one, epoch, records(own.a, number, number), told.append)
        journal.close()
        assert len(told) == 100
        assert all(isinstance(position, int) for position in told)
        with pytest.raises(JournalError, match="closed"):
            journal.submit(own.one, epoch, [], told.append)
        with pytest.raises(JournalError, match="closed"):
            journal.claim((own.one,), "node")


class OnePartition:
    """What a fresh journal of one partition promises beyond that."""

    def test_positions_rise_by_one_over_all_streams(self, opening: Opening) -> None:
        journal = opening()
        epochs = journal.claim((1, 2), "node")
        assert append(journal, 1, epochs[1], records(OWN.a, 1, 3)) == 3
        assert append(journal, 2, epochs[2], records(OWN.c, 1, 2)) == 5
        assert isinstance(append(journal, 1, epochs[1], [record(OWN.b, 1), record(OWN.a, 1)]), OwnershipLost)
        assert append(journal, 2, epochs[2], records(OWN.c, 3, 3)) == 6
        found = _everything(journal, 4, {})
        assert [stored.position for stored in found] == [1, 2, 3, 4, 5, 6]
        assert {stored.partition for stored in found} == {PARTITION}
        assert journal.follow({PARTITION: 4}, 1).cursor == {PARTITION: 5}

    def test_epochs_begin_at_one(self, opening: Opening) -> None:
        journal = opening()
        assert journal.claim((3, 4), "one") == {3: 1, 4: 1}
        assert journal.claim((4, 5), "two") == {4: 2, 5: 1}


def _live(own: Own, journal: Journal, shard: int, now: float) -> dict[UUID, list[int]]:
    held = {one[0].record.stream: [stored.record.sequence for stored in one] for one in journal.live(shard, now)}
    return {stream: held[stream] for stream in (own.a, own.b, own.c) if stream in held}
