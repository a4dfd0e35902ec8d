"""Topics made and checked at a real broker."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from kafka import KafkaAdminClient  # type: ignore[import-untyped]
from kafka.admin import ConfigResource  # type: ignore[import-untyped]

from adapters.journal.kafka import setup
from adapters.journal.kafka.address import Address
from adapters.journal.kafka.client import open_client
from adapters.journal.kafka.reader import KafkaReader
from adapters.journal.kafka.topic import TOPICS, place
from cluster.broker import Broker
from domain.ports import JournalAway, JournalError
from tests.adapters.journal.kafka.pen import Pen
from tests.fixtures.broker import fresh_prefix


def test_what_is_missing_is_made_and_what_is_there_is_left(broker: Broker) -> None:
    address = Address((broker.bootstrap,), fresh_prefix())
    setup.prepare(address)
    assert {topic.full(address.prefix) for topic in TOPICS.values()} <= set(broker.topics())
    before = threading.active_count()
    setup.prepare(address)
    assert threading.active_count() == before


def test_two_nodes_that_start_at_once_both_find_them(broker: Broker) -> None:
    address = Address((broker.bootstrap,), fresh_prefix())
    failed: list[BaseException] = []

    def prepare() -> None:
        try:
            setup.prepare(address)
        except JournalError as error:
            failed.append(error)

    nodes = [threading.Thread(target=prepare) for _ in range(3)]
    for node in nodes:
        node.start()
    for node in nodes:
        node.join(60)
    assert failed == []


def change(admin: Any, topic: str, retention_ms: str) -> None:
    """Until the broker itself knows of it."""
    admin.alter_configs([ConfigResource("TOPIC", topic, {"retention.ms": retention_ms})])
    until = time.monotonic() + 30
    now = ""
    while now != retention_ms:
        assert time.monotonic() < until
        found = admin.describe_configs([ConfigResource("TOPIC", topic)], config_filter="all")
        now = found["topic"][topic]["retention.ms"]["value"]


def test_a_wrong_setting_stops_the_start_and_is_not_changed(fresh: Address) -> None:
    name = TOPICS["calls"].full(fresh.prefix)
    admin = open_client(KafkaAdminClient, fresh, "test")
    try:
        change(admin, name, "60000")
        with pytest.raises(JournalError, match=rf"topic {name} has retention.ms=60000, not -1: run kafka-configs.sh"):
            setup.prepare(fresh)
        change(admin, name, "-1")
    finally:
        admin.close()
    setup.prepare(fresh)


def test_a_topic_with_too_few_partitions_stops_the_start(broker: Broker) -> None:
    address = Address((broker.bootstrap,), fresh_prefix())
    name = TOPICS["registrations"].full(address.prefix)
    admin = open_client(KafkaAdminClient, address, "test")
    try:
        admin.create_topics({name: {"num_partitions": 3, "replication_factor": 1}}, wait_for_metadata=True)
    finally:
        admin.close()
    with pytest.raises(JournalError, match=rf"topic {name} has 3 partitions, not 64: run kafka-topics.sh") as refused:
        setup.prepare(address)
    assert "\n" not in str(refused.value)
    assert "retention.ms=604800000, not -1" in str(refused.value)


def test_no_broker_is_said_in_one_line() -> None:
    before = threading.active_count()
    with pytest.raises(JournalAway, match=r"kafka://127\.0\.0\.1:1: cannot be reached; check that the brokers run"):
        setup.prepare(Address(("127.0.0.1:1",)), wait_ms=500)
    assert threading.active_count() == before


def delete(address: Address, name: str) -> None:
    admin = open_client(KafkaAdminClient, address, "test")
    try:
        admin.delete_topics([name])
        while name in admin.list_topics():
            pass
    finally:
        admin.close()


@pytest.mark.parametrize("topic", ["calls", "config"])
def test_a_topic_that_was_deleted_is_not_made_anew_beside_one_that_is_used(
    broker: Broker, fresh: Address, topic: str
) -> None:
    """As if nothing had been: a node would start, and nobody would know of what was lost."""
    name = TOPICS[topic].full(fresh.prefix)
    with Pen(fresh) as pen:
        pen.noise(place("registrations", 5), key=b"any")
    delete(fresh, name)
    with pytest.raises(JournalError, match=f"{name} was deleted, with its records: restore it, or begin anew with"):
        setup.prepare(fresh)
    assert name not in broker.topics()


def test_topics_that_hold_nothing_yet_are_completed(broker: Broker, fresh: Address) -> None:
    """As after a death while they were made."""
    name = TOPICS["calls"].full(fresh.prefix)
    delete(fresh, name)
    setup.prepare(fresh)
    assert name in broker.topics()


def test_a_follower_is_told_that_a_topic_was_deleted(fresh: Address) -> None:
    name = TOPICS["config"].full(fresh.prefix)
    with KafkaReader(fresh) as reader:
        assert reader.end() == {}
        delete(fresh, name)
        with pytest.raises(JournalError, match=f"{name} was deleted, with its records"):
            reader.end()
