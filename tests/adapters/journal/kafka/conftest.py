"""Topics at the session's broker: of a test's own, or shared by all tests that only need streams of their own.

And brokers in memory with nodes at them, for what needs no real one.
"""

from __future__ import annotations

import pytest

from adapters.journal.kafka import setup
from adapters.journal.kafka.address import Address
from cluster.broker import Broker
from tests.adapters.journal.kafka.fakes import Brokers
from tests.adapters.journal.kafka.node import Node
from tests.fixtures.broker import fresh_prefix


@pytest.fixture(scope="session")
def shared(broker: Broker) -> Address:
    """Topics that are made once: making them takes the broker a second."""
    address = Address((broker.bootstrap,), fresh_prefix())
    setup.prepare(address)
    return address


@pytest.fixture
def fresh(broker: Broker) -> Address:
    """Topics of the test's own."""
    address = Address((broker.bootstrap,), fresh_prefix())
    setup.prepare(address)
    return address


@pytest.fixture
def brokers() -> Brokers:
    return Brokers()


@pytest.fixture
def one(brokers: Brokers) -> Node:
    return Node(brokers, "one")


@pytest.fixture
def two(brokers: Brokers) -> Node:
    return Node(brokers, "two")
