"""Three brokers are one cluster: what two of them have counts, and one of them may be missing."""

from __future__ import annotations

import pytest
from kafka.errors import KafkaError  # type: ignore[import-untyped]

from cluster.broker import Brokers, members
from tests.cluster.client import create, held, put
from tests.fixtures.broker import fresh_prefix


def test_each_knows_the_others_and_has_the_topics_of_all(brokers: Brokers) -> None:
    topic = fresh_prefix()
    create(brokers.bootstrap, topic, copies=3)
    for node in brokers.nodes:
        assert members(node.bootstrap) == {1, 2, 3}
        assert topic in node.topics()


def test_records_count_without_one_of_three_and_not_without_two(brokers: Brokers) -> None:
    topic = fresh_prefix()
    create(brokers.bootstrap, topic, copies=3)
    first, second, third = brokers.nodes
    put(brokers.bootstrap, topic, b"one")
    first.kill()
    put(brokers.bootstrap, topic, b"two")
    second.kill()
    with pytest.raises(KafkaError):
        put(third.bootstrap, topic, b"never", patience_s=2.0)
    assert third.running
    brokers.start()
    assert held(first.bootstrap, topic)[:2] == [b"one", b"two"]
