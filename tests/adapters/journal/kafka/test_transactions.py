"""Groups and doubts, on brokers in memory: what is in the log after all, and who is told so."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import permutations

import pytest

from adapters.journal.kafka import transactions
from adapters.journal.kafka.producer import MESSAGE_BYTES
from adapters.journal.kafka.topic import CHECKPOINTS, place
from domain.ids import CONFIG_SHARD
from domain.ports import JournalError, OwnershipLost, Record, Stored
from tests.adapters.journal.kafka.fakes import Brokers, Commit
from tests.adapters.journal.kafka.node import DOUBTS, IN_TWO, PLACE, SHARD, START_S, A, B, Node, log, read
from tests.conformance.record import record, records, stream


class TestDoubt:
    @pytest.mark.parametrize("doubt", DOUBTS)
    def test_what_is_in_doubt_is_in_the_log_once_and_its_owner_goes_on(
        self, brokers: Brokers, one: Node, doubt: Commit
    ) -> None:
        epoch = one.claim(1, 2)[1]
        one.append(epoch, record(A, 1))
        brokers.commits = [doubt]
        outcomes = one.group((1, epoch, records(A, 2, 3)), (1, epoch, ()), (2, epoch, [record(IN_TWO, 1)]))
        assert log(brokers) == [(A, 1), (A, 2), (A, 3)]
        assert log(brokers, 2) == [(IN_TWO, 1)]
        positions = {(its.record.stream, its.record.sequence): its.position for its in read(brokers).snapshot.tail()}
        assert outcomes[:2] == [positions[A, 3], 0]
        assert isinstance(outcomes[2], int)
        assert isinstance(one.append(epoch, record(A, 4)), int)
        assert isinstance(one.append(epoch, record(A, 4)), OwnershipLost)
        assert log(brokers) == [(A, 1), (A, 2), (A, 3), (A, 4)]

    @pytest.mark.parametrize("doubts", list(permutations(DOUBTS, 3)))
    def test_doubts_about_what_was_done_in_doubt_change_nothing(
        self, brokers: Brokers, one: Node, doubts: list[Commit]
    ) -> None:
        epoch = one.claim()[SHARD]
        brokers.commits = list(doubts)
        assert isinstance(one.append(epoch, *records(A, 1, 2)), int)
        assert isinstance(one.append(epoch, record(A, 3)), int)
        assert log(brokers) == [(A, 1), (A, 2), (A, 3)]

    def test_a_new_session_claims_before_it_appends(self, brokers: Brokers, one: Node) -> None:
        epoch = one.claim()[SHARD]
        brokers.commits = [Commit.LOST]
        one.append(epoch, record(A, 1))
        book = read(brokers)
        assert book.standing.epoch == 2
        (stored,) = book.snapshot.tail()
        assert stored.epoch == 2
        assert stored.position > book.standing.position

    @pytest.mark.parametrize("doubt", [Commit.UNHEARD, Commit.LOST])
    def test_a_shard_that_was_taken_meanwhile_is_lost_and_the_others_are_not(
        self, brokers: Brokers, one: Node, two: Node, doubt: Commit
    ) -> None:
        """Whether or not its records are in the log: another owner answers for them."""
        epoch = one.claim(1, 2)[1]
        brokers.commits = [doubt]
        brokers.reads = [lambda: two.claim(1)]
        lost, kept = one.group((1, epoch, [record(A, 1)]), (2, epoch, [record(IN_TWO, 1)]))
        assert isinstance(lost, OwnershipLost)
        assert isinstance(kept, int)
        assert log(brokers) == ([(A, 1)] if doubt is Commit.UNHEARD else [])
        assert log(brokers, 2) == [(IN_TWO, 1)]

    def test_brokers_that_come_back_in_time_cost_nothing(self, brokers: Brokers, one: Node) -> None:
        epoch = one.claim()[SHARD]
        brokers.away = True

        def wait() -> None:
            brokers.away = one.now_s < 4.0

        one.while_asleep = wait
        assert isinstance(one.append(epoch, record(A, 1)), int)
        assert one.now_s >= 4.0
        assert log(brokers) == [(A, 1)]

    def test_brokers_that_stay_away_cost_every_shard(self, brokers: Brokers, one: Node) -> None:
        epoch = one.claim(1, 2)[1]
        brokers.away = True
        lost, behind, beside = one.group((1, epoch, [record(A, 1)]), (1, epoch, ()), (2, epoch, ()))
        assert isinstance(lost, OwnershipLost) and isinstance(behind, OwnershipLost)
        assert isinstance(beside, OwnershipLost)
        assert "away for too long" in lost.reason
        assert 5.0 <= one.now_s < 6.0
        assert isinstance(one.append(epoch, shard=2), OwnershipLost)
        brokers.away = False
        assert one.claim(1, 2) == {1: 2, 2: 2}
        assert isinstance(one.append(2, record(A, 1)), int)

    def test_a_log_that_is_shorter_than_it_was_is_not_appended_to(self, brokers: Brokers, one: Node) -> None:
        epoch = one.claim()[SHARD]
        one.append(epoch, record(A, 1))
        brokers.commits = [Commit.LOST]

        def shorten() -> None:
            raise JournalError("records are lost")

        brokers.reads = [shorten]
        outcome = one.append(epoch, record(A, 2))
        assert isinstance(outcome, OwnershipLost)
        assert outcome.reason == "records are lost"
        assert one.now_s < 1.0

    def test_a_topic_that_was_made_anew_is_not_written_on(self, brokers: Brokers, one: Node) -> None:
        epoch = one.claim()[SHARD]
        appended = one.append(epoch, *records(A, 1, 3))
        assert isinstance(appended, int)
        brokers.logs[PLACE].clear()
        outcome = one.append(epoch, record(A, 4))
        assert isinstance(outcome, OwnershipLost)
        assert f"calls-1 was known up to {appended} and is written at 0 now" in outcome.reason
        for _ in range(3):  # what the log says from now on would look good
            with pytest.raises(JournalError, match="written at 0 now: somebody has made the topic anew"):
                one.claim()
        assert isinstance(one.append(epoch, record(A, 4)), OwnershipLost)

    def test_a_topic_that_was_made_anew_is_not_claimed(self, brokers: Brokers, one: Node) -> None:
        one.claim()
        brokers.logs[PLACE].clear()
        for _ in range(3):
            with pytest.raises(JournalError, match="shard 1 was in epoch 1 and is in 1 now"):
                one.claim()

    def test_a_fault_of_ours_loses_every_shard(self, brokers: Brokers, one: Node) -> None:
        """Nobody may append after what was neither written nor refused."""
        epoch = one.claim(1, 2)[1]
        brokers.before_begin = lambda: dict[str, int]()["fault"]
        with pytest.raises(KeyError):
            one.append(epoch, record(A, 1))
        assert isinstance(one.append(epoch, record(A, 2)), OwnershipLost)
        assert isinstance(one.append(epoch, shard=2), OwnershipLost)
        assert log(brokers) == []

    def test_a_claim_after_a_doubt_takes_the_other_shards_along(self, brokers: Brokers, one: Node, two: Node) -> None:
        epoch = one.claim(1)[1]
        one.transactor.drop()
        assert one.claim(2) == {2: 1}
        assert isinstance(one.append(epoch, record(A, 1)), int)

    def test_an_older_process_of_the_same_name_is_told_from_this_one(self, brokers: Brokers, one: Node) -> None:
        """It wakes up, its session is gone, and the claim that it finds is not its own."""
        epoch = one.claim()[SHARD]
        one.append(epoch, record(A, 1))
        again = Node(brokers, "one")
        newer = again.claim()[SHARD]
        assert isinstance(again.append(newer, record(A, 2)), int)
        assert isinstance(one.append(epoch, record(A, 2)), OwnershipLost)
        assert isinstance(again.append(newer, record(A, 3)), int)
        assert log(brokers) == [(A, 1), (A, 2), (A, 3)]


class TestRefusals:
    @pytest.mark.parametrize(
        ("bad", "reason"),
        [
            (Record(A, 1, "t", "calls", "acme", datetime.now(UTC), b"x" * (MESSAGE_BYTES + 1)), "900,001 bytes"),
            (Record(A, 1, "t", "config", "acme", datetime.now(UTC), b"{}"), "does not hold config"),
            (Record(A, 1, "t", "nothing", "acme", datetime.now(UTC), b"{}"), "no topic holds"),
        ],
    )
    def test_a_record_that_cannot_be_stored_loses_its_shard_and_nothing_else(
        self, brokers: Brokers, one: Node, bad: Record, reason: str
    ) -> None:
        epoch = one.claim(1, 2)[1]
        before, lost, behind, beside = one.group(
            (1, epoch, [record(B, 1)]), (1, epoch, [bad]), (1, epoch, [record(B, 2)]), (2, epoch, [record(IN_TWO, 1)])
        )
        assert isinstance(before, int) and isinstance(beside, int)
        assert isinstance(lost, OwnershipLost) and isinstance(behind, OwnershipLost)
        assert reason in lost.reason
        assert log(brokers) == [(B, 1)]
        assert one.claim(1) == {1: 2}

    def test_nothing_is_sent_for_a_group_without_records(self, brokers: Brokers, one: Node) -> None:
        epoch = one.claim()[SHARD]
        before = len(brokers.transactions)
        brokers.away = True
        assert one.group((SHARD, epoch, ()), (SHARD, epoch - 1, ())) == [0, OwnershipLost(
            "shard 1 is in epoch 1 now, this append came from epoch 0"
        )]  # fmt: skip
        assert len(brokers.transactions) == before


class TestCheckpoints:
    def test_a_take_over_reads_what_followed_the_last_checkpoint(
        self, brokers: Brokers, one: Node, two: Node, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(transactions, "CHECKPOINT_RECORDS", 50)
        epoch = one.claim()[SHARD]
        for number in range(1, 200):
            one.append(epoch, record(stream(f"call-{number}"), 1), record(stream(f"call-{number}"), 2, live_until=1.0))
        one.append(epoch, record(A, 1))
        before = brokers.delivered
        assert two.claim() == {SHARD: 2}
        assert brokers.delivered - before < 80
        book = read(brokers)
        assert [its[0].record for its in book.snapshot.live(START_S)] == [record(A, 1)]
        assert isinstance(two.append(2, record(A, 2)), int)
        assert isinstance(two.append(2, record(A, 1)), OwnershipLost)

    def test_a_quiet_shard_has_one_after_some_time(self, brokers: Brokers, one: Node) -> None:
        epoch = one.claim(1, 2)[1]
        one.append(epoch, record(A, 1))
        assert not brokers.committed(place(CHECKPOINTS, SHARD))
        one.now_s += transactions.CHECKPOINT_S + 1
        one.append(epoch, record(IN_TWO, 1), shard=2)
        assert [message.key for message in brokers.committed(place(CHECKPOINTS, SHARD))] == [
            f"{A}/0".encode(),
            b"shard-1",
        ]

    def test_it_rides_in_the_transaction_of_a_group_and_tells_of_what_came_before(
        self, brokers: Brokers, one: Node, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(transactions, "CHECKPOINT_RECORDS", 2)
        epoch = one.claim()[SHARD]
        one.append(epoch, *records(A, 1, 2))
        count = len(brokers.transactions)
        brokers.commits = [Commit.LOST]
        one.append(epoch, record(A, 3))
        assert len(brokers.transactions) == count + 2  # the claim anew, and the group
        (held,) = read(brokers).snapshot.live(0.0)
        assert [its.record.sequence for its in held] == [1, 2, 3]

    def test_closing_writes_one_of_every_shard_and_releases_them(self, brokers: Brokers, one: Node, two: Node) -> None:
        epoch = one.claim(1, 2, CONFIG_SHARD)[1]
        one.append(epoch, *records(A, 1, 3))
        one.append(epoch, record(IN_TWO, 1), shard=2)
        one.transactions.close()
        for shard, of in ((1, A), (2, IN_TWO)):
            book = read(brokers, shard)
            assert list(book.snapshot.tail()) == []
            assert [held[0].record.stream for held in book.snapshot.live(0.0)] == [of]
            assert book.standing.released
        assert read(brokers, CONFIG_SHARD).standing.released

    def test_closing_without_brokers_ends(self, brokers: Brokers, one: Node) -> None:
        one.claim()
        brokers.away = True
        one.transactions.close()
        assert not one.transactor.is_open


def test_stored_says_where(brokers: Brokers, one: Node) -> None:
    epoch = one.claim()[SHARD]
    position = one.append(epoch, record(A, 1))
    (stored,) = read(brokers).snapshot.tail()
    assert stored == Stored(position, SHARD, epoch, record(A, 1), PLACE.key)  # type: ignore[arg-type]
