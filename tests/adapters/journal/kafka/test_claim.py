"""Who gets a shard, on brokers in memory: the fence, the epochs, and claimants at once."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from adapters.journal.kafka.message import CLAIMED, Tenure, write_control
from adapters.journal.kafka.topic import CALLS, CONFIG, place
from domain.ids import CONFIG_SHARD, SHARDS
from domain.ports import JournalAway, OwnershipLost
from tests.adapters.journal.kafka.fakes import Brokers, Commit, Entry, State
from tests.adapters.journal.kafka.node import DOUBTS, PLACE, SHARD, A, Node, log, read
from tests.conformance.record import record, records


def test_the_first_claim_is_of_epoch_1_and_fences_nobody(brokers: Brokers, one: Node) -> None:
    assert one.claim(1, 2, CONFIG_SHARD) == {1: 1, 2: 1, CONFIG_SHARD: 1}
    assert brokers.opened == ["one"]


def test_all_claims_are_one_transaction_and_are_announced_in_another(brokers: Brokers, one: Node) -> None:
    one.claim(*range(SHARDS))
    claims, announcements = brokers.transactions
    assert {message.place for message in claims} == {place(CALLS, shard) for shard in range(SHARDS)}
    assert {(message.place, message.key) for message in announcements} == {
        (place(CONFIG, 0), b"shard-%d" % shard) for shard in range(SHARDS)
    }
    tenure = msgspec.json.decode(announcements[0].value or b"", type=Tenure)
    assert tenure == Tenure(1, "one", "node-one")


def announced(brokers: Brokers) -> dict[bytes | None, Tenure]:
    """What all nodes have heard last of each shard."""
    messages = [one for one in brokers.committed(place(CONFIG, 0)) if one.key != b"shard-%d" % CONFIG_SHARD]
    return {one.key: msgspec.json.decode(one.value or b"", type=Tenure) for one in messages}


@pytest.mark.parametrize("doubt", DOUBTS)
def test_an_announcement_in_doubt_is_made_again(brokers: Brokers, one: Node, doubt: Commit) -> None:
    """Else what belongs to these shards would come to nobody for as long as their owner lives."""
    brokers.commits = [Commit.GOOD, doubt]
    epoch = one.claim()[SHARD]
    assert announced(brokers) == {b"shard-1": Tenure(2, "one", "node-one")}
    assert isinstance(one.append(epoch, record(A, 1)), int)


def test_who_is_fenced_before_its_announcement_tells_what_it_has_still(brokers: Brokers, one: Node, two: Node) -> None:
    """The group of nodes did not wait for it, and gave a shard to another one."""

    def at_the_claim() -> None:
        brokers.before_begin = lambda: two.claim(2)

    brokers.before_begin = at_the_claim
    assert one.claim(1, 2) == {1: 1}
    assert announced(brokers) == {b"shard-1": Tenure(2, "one", "node-one"), b"shard-2": Tenure(2, "two", "node-two")}
    assert isinstance(one.append(1, record(A, 1)), int)


def test_an_own_shard_is_claimed_again_without_a_fence(brokers: Brokers, one: Node) -> None:
    one.claim()
    assert one.claim() == {SHARD: 2}
    assert brokers.opened == ["one"]


def test_an_owner_is_fenced_once_for_all_its_shards(brokers: Brokers, one: Node, two: Node) -> None:
    one.claim(1, 2, 3)
    assert two.claim(1, 2, 3) == {1: 2, 2: 2, 3: 2}
    assert brokers.opened == ["one", "two", "one"]


def test_who_was_fenced_can_neither_append_nor_know_better(brokers: Brokers, one: Node, two: Node) -> None:
    epoch = one.claim()[SHARD]
    assert one.append(epoch, record(A, 1)) == 3  # behind the claim and the mark of its transaction
    newer = two.claim()[SHARD]
    outcome = one.append(epoch, record(A, 2))
    assert isinstance(outcome, OwnershipLost)
    assert "node-two has claimed shard 1 in epoch 2" in outcome.reason
    assert isinstance(one.append(epoch), OwnershipLost)
    assert isinstance(two.append(newer, *records(A, 2, 3)), int)
    assert log(brokers) == [(A, 1), (A, 2), (A, 3)]


def test_what_the_owner_before_left_open_is_not_waited_for(brokers: Brokers, one: Node, two: Node) -> None:
    epoch = one.claim()[SHARD]
    one.append(epoch, record(A, 1))
    one.transactor._session.begin([PLACE])  # type: ignore[union-attr]
    brokers.put(write_control(CLAIMED, PLACE, Tenure(9, "nobody", ""), datetime.now(UTC)), 0, State.OPEN)
    assert two.claim() == {SHARD: 2}
    assert log(brokers) == [(A, 1)]


def test_a_shard_that_was_released_is_claimed_without_a_fence(brokers: Brokers, one: Node, two: Node) -> None:
    epoch = one.claim()[SHARD]
    one.append(epoch, record(A, 1))
    one.transactions.close()
    assert two.claim() == {SHARD: 2}
    assert brokers.opened == ["one", "two"]


def test_an_old_release_frees_nothing(brokers: Brokers, one: Node, two: Node) -> None:
    one.claim()
    one.transactions.close()
    two.claim()
    Node(brokers, "three").claim()
    assert brokers.opened == ["one", "two", "three", "two"]


@pytest.mark.parametrize(("reads", "winner"), [(0, "one"), (1, "two"), (3, "two"), (6, "two")])
def test_of_two_claimants_one_gets_the_shard(brokers: Brokers, one: Node, two: Node, reads: int, winner: str) -> None:
    """`two` claims when `one` is about to read, is reading, is about to read once more, or to read its claim back."""
    three = Node(brokers, "three")
    three.append(three.claim()[SHARD], record(A, 1))
    epochs: dict[Node, int] = {}
    for _ in range(reads):
        brokers.reads.append(lambda: None)
    brokers.reads.append(lambda: epochs.update({two: two.claim()[SHARD]}))
    epochs[one] = one.claim().get(SHARD, 0)
    outcomes = {node.name: node.append(epochs[node], record(A, 2)) for node in (two, one)}
    assert [name for name, outcome in outcomes.items() if isinstance(outcome, int)] == [winner]
    assert log(brokers) == [(A, 1), (A, 2)]


def test_who_writes_the_second_claim_of_an_epoch_has_not_got_the_shard(brokers: Brokers, one: Node) -> None:
    """Somebody else's claim comes between the last reading and ours."""
    one.claim()
    rival = write_control(CLAIMED, PLACE, Tenure(2, "rival", "node-rival"), datetime.now(UTC))
    brokers.before_begin = lambda: brokers.put(rival)
    assert one.claim() == {}
    assert isinstance(one.append(1, record(A, 1)), OwnershipLost)
    standing = read(brokers).standing
    assert (standing.epoch, standing.txn_id, standing.node) == (2, "rival", "node-rival")


def test_a_transaction_that_a_broker_forgot_is_ended_by_another(brokers: Brokers, one: Node, two: Node) -> None:
    epoch = one.claim()[SHARD]
    one.append(epoch, record(A, 1))
    left = write_control(CLAIMED, PLACE, Tenure(9, "one", ""), datetime.now(UTC))
    brokers.logs[PLACE].append(Entry(left, brokers.producers["one"].number, State.OPEN, forgotten=True))
    assert two.claim() == {SHARD: 2}
    assert log(brokers) == [(A, 1)]


def test_a_claim_waits_for_brokers_that_are_away_and_not_for_ever(brokers: Brokers, one: Node) -> None:
    brokers.away = True
    with pytest.raises(JournalAway, match="check the brokers"):
        one.claim()
    assert 5.0 <= one.now_s < 6.0

    def wait() -> None:
        brokers.away = one.now_s < 9.0

    one.while_asleep = wait
    assert one.claim() == {SHARD: 1}


@pytest.mark.parametrize("doubt", DOUBTS)
def test_a_claim_in_doubt_is_made_again(brokers: Brokers, one: Node, doubt: Commit) -> None:
    brokers.commits = [doubt]
    epoch = one.claim()[SHARD]
    assert epoch == (2 if doubt is Commit.UNHEARD else 1)
    assert isinstance(one.append(epoch, record(A, 1)), int)
