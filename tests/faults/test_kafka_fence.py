"""Two that want the same shards, and owners that are not ones any more: at most one of them may write.

The brokers are real; who sleeps in mid-transaction is held there by the test.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from threading import Barrier, Thread

import pytest
from kafka import KafkaAdminClient  # type: ignore[import-untyped]

from adapters.journal.kafka.journal import KafkaJournal
from cluster.broker import Broker
from domain.ids import SHARDS, new_stream_id, shard_of
from domain.ports import OwnershipLost
from tests.conformance.record import append, record, records, submit
from tests.faults.nodes import Open, Stall, nodes, patient
from tests.faults.scribe import WAIT_S, Scribe, check, everything
from tests.fixtures.broker import fresh_prefix

SHARD = 5


@pytest.fixture
def opening(broker: Broker) -> Iterator[Open]:
    with nodes(broker.bootstrap, fresh_prefix()) as open_node:
        yield open_node


def stream(number: int, shard: int = SHARD):  # type: ignore[no-untyped-def]
    return new_stream_id(time.time_ns() // 1_000_000, shard, number.to_bytes(8, "big"))


def test_of_two_claimants_at_once_one_owns_each_shard(opening: Open) -> None:
    """Again and again over all shards; whoever believes to own one appends to it, and one of the two is refused."""
    journals = [opening("a"), opening("b")]
    streams = [stream(number, number) for number in range(SHARDS)]
    length = dict.fromkeys(streams, 0)
    for _ in range(3):
        epochs = claimed_at_once(journals)
        for of in streams:
            answers = [
                submit(journal, shard_of(of), mine[shard_of(of)], [record(of, length[of] + 1)])
                for journal, mine in zip(journals, epochs, strict=True)
                if shard_of(of) in mine
            ]
            good = [answer for answer in answers if not isinstance(answer.result(WAIT_S), OwnershipLost)]
            assert len(good) <= 1, f"two owners of shard {shard_of(of)}"
            length[of] += len(good)
    found = everything(journals[0])
    assert {of: [one.record.sequence for one in found.get(of, [])] for of in streams} == {
        of: list(range(1, count + 1)) for of, count in length.items()
    }
    assert sum(length.values()) > SHARDS, "most shards had no owner"


def claimed_at_once(journals: list[KafkaJournal]) -> list[dict[int, int]]:
    start = Barrier(len(journals))
    epochs: list[dict[int, int]] = [{} for _ in journals]

    def claim(number: int) -> None:
        start.wait(WAIT_S)
        epochs[number] = dict(journals[number].claim(range(SHARDS), f"node-{number}"))

    threads = [Thread(target=claim, args=(number,)) for number in range(len(journals))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    return epochs


def test_two_that_take_the_shards_from_each_other_lose_nothing(opening: Open) -> None:
    journals = [opening("a"), opening("b")]
    with Scribe(journals[0], "a", range(4), rest_s=0.3) as one, Scribe(journals[1], "b", range(4), rest_s=0.5) as other:
        for scribe in (one, other, one, other):
            scribe.wait_more(10)
    assert one.claims + other.claims > 2
    count = check(journals[1], [one, other])
    print(f"\ntwo claimants: {count} records, {one.claims + other.claims} claims, {len(one.lost + other.lost)} refused")


def test_a_zombie_is_refused(opening: Open) -> None:
    zombie, heir = opening("a"), opening("b")
    of = stream(1)
    old = zombie.claim([SHARD], "a")[SHARD]
    assert not isinstance(append(zombie, SHARD, old, records(of, 1, 2)), OwnershipLost)
    new = heir.claim([SHARD], "b")[SHARD]
    assert new > old
    assert not isinstance(append(heir, SHARD, new, [record(of, 3)]), OwnershipLost)
    late = append(zombie, SHARD, old, [record(of, 4)])
    assert isinstance(late, OwnershipLost)
    assert "node b has claimed" in late.reason or "b has claimed shard 5" in late.reason
    assert [one.record.sequence for one in heir.read(of)] == [1, 2, 3]


def test_a_zombie_that_wakes_in_mid_transaction_leaves_nothing(opening: Open) -> None:
    zombie, heir = opening("a"), opening("b")
    stall = Stall(zombie)
    of = stream(1)
    old = zombie.claim([SHARD], "a")[SHARD]
    append(zombie, SHARD, old, [record(of, 1)])
    stall.armed = True
    late = submit(zombie, SHARD, old, [record(of, 2)])
    stall.wait_reached()
    began = time.monotonic()
    new = heir.claim([SHARD], "b")[SHARD]
    took_s = time.monotonic() - began
    assert [held[-1].record.sequence for held in heir.live(SHARD, time.time())] == [1]
    answer = append(heir, SHARD, new, [record(of, 2)])
    assert not isinstance(answer, OwnershipLost)
    stall.go.set()
    assert isinstance(late.result(WAIT_S), OwnershipLost)
    assert [(one.record.sequence, one.position) for one in heir.read(of)][1:] == [(2, answer)]
    print(f"\na zombie in mid-transaction: its shard was claimed within {took_s:.2f} s")


def test_a_transaction_that_the_broker_timed_out_is_written_again(broker: Broker, opening: Open) -> None:
    journal = opening("a", limits=patient(1.0))
    stall = Stall(journal)
    with Scribe(journal, "a", range(4)) as scribe:
        scribe.wait_more(20)
        stall.armed = True
        stall.wait_reached()
        began = time.monotonic()
        wait_aborted(broker.bootstrap, stall.writer)
        over = time.monotonic()
        stall.go.set()
        scribe.wait_more(20)
    assert scribe.lost == []
    count = check(journal, [scribe])
    print(
        f"\na transaction timed out: {count} records, {over - began:.1f} s until the broker gave it up, "
        f"{scribe.first_s(over):.1f} s more until the next acknowledgement"
    )


def wait_aborted(bootstrap: str, writer: str) -> None:
    """Until the broker has given up the open transaction of `writer`."""
    deadline = time.monotonic() + WAIT_S
    with closing(KafkaAdminClient(bootstrap_servers=bootstrap)) as admin:
        while "ABORT" not in (state := admin.describe_transactions([writer])[writer].state.name):
            assert time.monotonic() < deadline, state
