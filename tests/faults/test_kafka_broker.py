"""What is done to real brokers while somebody writes: killed, frozen, and out of disk.

In each nothing that was acknowledged is lost, and no stream has a gap or a fork; the time to recovery is printed.
SOAK_FAULTS does it to each of three brokers, so many times.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from threading import Event

import pytest

from adapters.journal.kafka.journal import KafkaJournal
from cluster.broker import Broker, Brokers
from tests.faults.nodes import nodes
from tests.faults.scribe import Scribe, check
from tests.fixtures.broker import fresh_prefix

ROUNDS = int(os.environ.get("SOAK_FAULTS", "0"))
SHARDS = range(6)
FROZEN_S = 10.0
each_of_three = pytest.mark.parametrize("node", list(range(3)) * ROUNDS or [0])


@pytest.fixture
def alone(lone_broker: Broker) -> Iterator[KafkaJournal]:
    with nodes(lone_broker.bootstrap, fresh_prefix()) as open_node:
        yield open_node()


@pytest.fixture
def among_three(brokers: Brokers) -> Iterator[KafkaJournal]:
    with nodes(brokers.bootstrap, fresh_prefix()) as open_node:
        yield open_node()


def report(what: str, scribe: Scribe, began: float, over: float, count: int) -> None:
    print(
        f"\n{what}: {count} records; {scribe.silence_s(began):.1f} s without an acknowledgement, the first one "
        f"{scribe.first_s(over):.1f} s after it was over; {len(scribe.lost)} refused, {scribe.claims} claims"
    )


def test_the_only_broker_is_killed(lone_broker: Broker, alone: KafkaJournal) -> None:
    with Scribe(alone, "a", SHARDS) as scribe:
        scribe.wait_more(100)
        began = time.monotonic()
        lone_broker.kill()
        lone_broker.start()
        over = time.monotonic()
        scribe.wait_more(100)
    report("the only broker killed", scribe, began, over, check(alone, [scribe]))


def test_the_only_broker_is_frozen(lone_broker: Broker, alone: KafkaJournal) -> None:
    with Scribe(alone, "a", SHARDS) as scribe:
        scribe.wait_more(100)
        began = time.monotonic()
        lone_broker.freeze()
        Event().wait(FROZEN_S)
        lone_broker.thaw()
        over = time.monotonic()
        scribe.wait_more(100)
    assert scribe.silence_s(began) > FROZEN_S / 2, "it was not frozen"
    report(f"the only broker frozen for {FROZEN_S:.0f} s", scribe, began, over, check(alone, [scribe]))


def test_the_only_broker_has_no_disk_left(lone_broker: Broker, alone: KafkaJournal) -> None:
    with Scribe(alone, "a", SHARDS) as scribe:
        scribe.wait_more(100)
        began = time.monotonic()
        lone_broker.fill_disk()
        lone_broker.wait_ended()
        lone_broker.start()
        over = time.monotonic()
        scribe.wait_more(100)
    report("the only broker out of disk", scribe, began, over, check(alone, [scribe]))


@each_of_three
def test_one_of_three_brokers_is_killed(brokers: Brokers, among_three: KafkaJournal, node: int) -> None:
    with Scribe(among_three, "a", SHARDS) as scribe:
        scribe.wait_more(100)
        began = time.monotonic()
        brokers.nodes[node].kill()
        scribe.wait_more(100)
        brokers.start()
        scribe.wait_more(100)
    report("one of three brokers killed", scribe, began, began, check(among_three, [scribe]))


@each_of_three
def test_one_of_three_brokers_is_frozen(brokers: Brokers, among_three: KafkaJournal, node: int) -> None:
    with Scribe(among_three, "a", SHARDS) as scribe:
        scribe.wait_more(100)
        began = time.monotonic()
        brokers.nodes[node].freeze()
        scribe.wait_more(100)
        brokers.nodes[node].thaw()
        scribe.wait_more(100)
    report("one of three brokers frozen", scribe, began, began, check(among_three, [scribe]))
