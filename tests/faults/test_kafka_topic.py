"""What others do to our topics: a record that is none, and a topic that is gone."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from uuid import UUID

import pytest
from kafka import KafkaAdminClient, KafkaProducer  # type: ignore[import-untyped]
from msgspec.structs import replace

from adapters.journal.kafka.producer import Limits
from adapters.journal.kafka.setup import prepare, wanted
from adapters.journal.kafka.topic import CONFIG, JOURNAL, REGISTRATIONS, TOPICS
from cluster.broker import Broker
from domain.ids import CONFIG_SHARD, new_stream_id
from domain.ports import Cursor, JournalError, OwnershipLost, Record, Unreadable
from tests.conformance.record import append, records, sequences
from tests.faults.nodes import Open, address_of, nodes
from tests.faults.scribe import everything

SHARD = 5
HASTY = Limits(request_s=1.0, delivery_s=2.0, commit_s=2.0)
NOISE = {
    "bytes": (b"\xff\xfe\x00noise", bytes(range(256)), [("ce_type", b"\xff\xfe"), ("x", b"")]),
    "no value": (b"x", None, []),
    "no key": (None, b"", []),
    "text": (b"hello", b"world", []),
    "nearly a claim": (b"shard-5", b"{", [("ce_type", b"shard.claimed.1"), ("ce_id", b""), ("ce_time", b"never")]),
}


@pytest.fixture
def opening(broker: Broker, prefix: str) -> Iterator[Open]:
    with nodes(broker.bootstrap, prefix) as open_node:
        yield open_node


def stream(shard: int) -> UUID:
    return new_stream_id(time.time_ns() // 1_000_000, shard, b"12345678")


def of_topic(topic: str, batch: Sequence[Record]) -> list[Record]:
    """The same records, of a category that is kept in `topic`; in that of calls if it is none of events."""
    return [replace(one, category=topic if topic in JOURNAL else "calls") for one in batch]


def stranger_writes(bootstrap: str, topic: str, partition: int) -> int:
    """Every kind of noise, twice; how many."""
    with closing(KafkaProducer(bootstrap_servers=bootstrap, acks="all")) as producer:
        for key, value, headers in [*NOISE.values()] * 2:
            producer.send(topic, key=key, value=value, headers=headers, partition=partition)
        producer.flush(timeout=30)
    return 2 * len(NOISE)


@pytest.mark.parametrize("topic", list(TOPICS))
def test_noise_in_a_topic_stops_nobody(broker: Broker, opening: Open, prefix: str, topic: str) -> None:
    """The owner goes on, another node takes over, and a follower hands the noise on with its place and the reason."""
    shard = CONFIG_SHARD if topic == CONFIG else SHARD
    of, owner, heir = stream(shard), opening("a"), opening("b")
    old = owner.claim([shard], "a")[shard]
    append(owner, shard, old, of_topic(topic, records(of, 1, 2)))
    count = stranger_writes(broker.bootstrap, TOPICS[topic].full(prefix), 0 if topic == CONFIG else SHARD)
    assert not isinstance(append(owner, shard, old, of_topic(topic, records(of, 3, 4))), OwnershipLost)
    new = heir.claim([shard], "b")[shard]
    assert [held[-1].record.sequence for held in heir.live(shard, time.time())] == [4]
    assert not isinstance(append(heir, shard, new, of_topic(topic, records(of, 5, 5))), OwnershipLost)
    assert sequences(heir, of) == [1, 2, 3, 4, 5]
    assert [one.record.sequence for one in everything(heir)[of]] == [1, 2, 3, 4, 5]
    parked: list[Unreadable] = []
    cursor: Cursor = {}
    while (batch := heir.follow(cursor)).records or batch.unreadable:
        parked += batch.unreadable
        cursor = batch.cursor
    assert len(parked) == (count if topic in JOURNAL else 0)
    assert all(one.reason and one.position and one.partition.startswith(topic) for one in parked)


def delete(bootstrap: str, name: str) -> None:
    with closing(KafkaAdminClient(bootstrap_servers=bootstrap)) as admin:
        admin.delete_topics([name])
        while name in admin.list_topics():
            pass


@pytest.mark.parametrize("topic", JOURNAL)
def test_a_topic_that_was_deleted_is_not_made_anew(broker: Broker, opening: Open, prefix: str, topic: str) -> None:
    """As if nothing had been: a node would start, and nobody would know what was lost."""
    other = CONFIG if topic == REGISTRATIONS else REGISTRATIONS
    shard = CONFIG_SHARD if other == CONFIG else SHARD
    owner = opening("a")
    epoch = owner.claim([shard], "a")[shard]
    append(owner, shard, epoch, of_topic(other, records(stream(shard), 1, 1)))
    owner.close()
    name = TOPICS[topic].full(prefix)
    delete(broker.bootstrap, name)
    with pytest.raises(JournalError, match=f"{name} was deleted, with its records: restore it, or begin anew with"):
        opening("a")
    assert name not in broker.topics()


def test_topics_that_hold_nothing_yet_are_completed(broker: Broker, prefix: str) -> None:
    """As after a death while they were made."""
    address = address_of(broker.bootstrap, prefix)
    prepare(address)
    delete(broker.bootstrap, f"{prefix}.calls")
    prepare(address)
    assert f"{prefix}.calls" in broker.topics()


def test_an_owner_whose_topic_is_deleted_loses_its_shards_and_is_told_why(
    broker: Broker, opening: Open, prefix: str
) -> None:
    owner = opening("a", patience_s=1.0, limits=HASTY)
    epoch = owner.claim([SHARD], "a")[SHARD]
    of, name = stream(SHARD), f"{prefix}.calls"
    append(owner, SHARD, epoch, records(of, 1, 2))
    began = time.monotonic()
    delete(broker.bootstrap, name)
    assert isinstance(append(owner, SHARD, epoch, records(of, 3, 3)), OwnershipLost)
    lost_s = time.monotonic() - began
    with pytest.raises(JournalError, match=f"{name} was deleted, with its records: restore it"):
        owner.claim([SHARD], "a")
    assert name not in broker.topics()
    print(f"\na topic deleted: its shard was lost after {lost_s:.1f} s")


def test_a_topic_that_somebody_made_anew_is_not_written_on(broker: Broker, opening: Open, prefix: str) -> None:
    owner = opening("a", patience_s=1.0, limits=HASTY)
    epoch = owner.claim([SHARD], "a")[SHARD]
    of, name = stream(SHARD), f"{prefix}.calls"
    append(owner, SHARD, epoch, records(of, 1, 2))
    delete(broker.bootstrap, name)
    topic = TOPICS["calls"]
    with closing(KafkaAdminClient(bootstrap_servers=broker.bootstrap)) as admin:
        replicas, settings = wanted(topic, 1)
        made = {"num_partitions": topic.partitions, "replication_factor": replicas, "configs": settings}
        admin.create_topics({name: made}, wait_for_metadata=True)
    lost = append(owner, SHARD, epoch, records(of, 3, 3))
    assert isinstance(lost, OwnershipLost)
    assert "made the topic anew" in lost.reason
    for _ in range(3):  # what is in it now looks good, and is not
        with pytest.raises(JournalError, match="made the topic anew"):
            owner.claim([SHARD], "a")
