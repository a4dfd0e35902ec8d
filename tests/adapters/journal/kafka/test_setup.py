"""Topics that are not as they must be, each with what to change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from kafka.admin import ConfigResource  # type: ignore[import-untyped]

from adapters.journal.kafka.address import Address
from adapters.journal.kafka.setup import Found, described, faults_of, wanted
from adapters.journal.kafka.topic import TOPICS


def faults(name: str, found: Found, brokers: int = 3) -> list[str]:
    topic = TOPICS[name]
    return list(faults_of(topic, found, brokers, topic.full("pbx"), "one:9092"))


def right(name: str, brokers: int = 3) -> Found:
    replicas, settings = wanted(TOPICS[name], brokers)
    return Found(TOPICS[name].partitions, replicas, settings)


@pytest.mark.parametrize("name", TOPICS)
@pytest.mark.parametrize("brokers", [1, 2, 3, 7])
def test_a_topic_as_we_make_it_is_right(name: str, brokers: int) -> None:
    assert faults(name, right(name, brokers), brokers) == []


def test_with_three_brokers_any_one_may_die() -> None:
    for brokers, expected in ((1, (1, "1")), (2, (2, "1")), (3, (3, "2")), (5, (3, "2"))):
        replicas, settings = wanted(TOPICS["calls"], brokers)
        assert (replicas, settings["min.insync.replicas"]) == expected


@pytest.mark.parametrize(
    ("name", "setting", "value", "change"),
    [
        ("calls", "retention.ms", "604800000", "retention.ms=-1"),
        ("calls", "retention.bytes", "1", "retention.bytes=-1"),
        ("calls", "cleanup.policy", "compact", "cleanup.policy=delete"),
        ("calls", "message.timestamp.type", "CreateTime", "message.timestamp.type=LogAppendTime"),
        ("calls", "min.insync.replicas", "1", "min.insync.replicas=2"),
        ("config", "unclean.leader.election.enable", "true", "unclean.leader.election.enable=false"),
        ("checkpoints", "cleanup.policy", "delete", "cleanup.policy=compact"),
        ("commands", "retention.ms", "1000", "retention.ms=86400000"),
        ("commands", "retention.ms", "soon", "retention.ms=86400000"),
    ],
)
def test_a_wrong_setting_is_named_with_the_command_that_changes_it(
    name: str, setting: str, value: str, change: str
) -> None:
    found = right(name)
    wrong = found._replace(settings={**found.settings, setting: value})
    (fault,) = faults(name, wrong)
    assert fault == (
        f"topic pbx.{name} has {setting}={value}, not {change.partition('=')[2]}: run kafka-configs.sh "
        f"--bootstrap-server one:9092 --alter --entity-type topics --entity-name pbx.{name} --add-config {change}"
    )


@pytest.mark.parametrize(
    ("name", "setting", "value"),
    [
        ("commands", "retention.ms", "-1"),
        ("commands", "retention.ms", "86400001"),
        ("calls", "min.insync.replicas", "3"),
    ],
)
def test_more_than_enough_is_right(name: str, setting: str, value: str) -> None:
    found = right(name)
    assert faults(name, found._replace(settings={**found.settings, setting: value})) == []


def test_partitions_can_be_added_but_not_taken_away() -> None:
    found = right("calls")
    (few,) = faults("calls", found._replace(partitions=12))
    assert "kafka-topics.sh --bootstrap-server one:9092 --alter --topic pbx.calls --partitions 64" in few
    (many,) = faults("calls", found._replace(partitions=65))
    assert "has 65 partitions, not 64" in many
    assert "another prefix" in many


def test_too_few_replicas_are_named() -> None:
    (fault,) = faults("calls", right("calls")._replace(replicas=1))
    assert "has 1 replicas, not 3" in fault


def test_a_setting_that_we_may_not_see_is_named() -> None:
    found = faults("calls", right("calls")._replace(settings={}))
    assert len(found) == len(wanted(TOPICS["calls"], 3)[1])
    assert all("allow DescribeConfigs" in fault for fault in found)


class LateBroker:
    """What an admin client hears from a broker that learns of our topics only while it is asked."""

    def __init__(self, asked_in_vain: int) -> None:
        self._in_vain = asked_in_vain

    def describe_configs(self, resources: Sequence[ConfigResource], config_filter: str) -> dict[str, Any]:
        self._in_vain -= 1
        settings = {} if self._in_vain >= 0 else {"retention.ms": {"value": "-1"}}
        return {"topic": {one.name: settings for one in resources}}

    def describe_topics(self, names: Sequence[str]) -> list[dict[str, Any]]:
        return [{"name": name, "error_code": 0, "partitions": [{"replica_nodes": [1]}]} for name in names]


def test_a_broker_that_hears_of_a_topic_later_than_we_is_asked_again() -> None:
    found = described(LateBroker(2), Address(("one:9092",), "pbx"))
    assert {one.settings["retention.ms"] for one in found.values()} == {"-1"}
