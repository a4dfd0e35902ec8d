"""How clients find a broker that answers."""

from __future__ import annotations

import socket
from contextlib import ExitStack

from kafka import KafkaConsumer  # type: ignore[import-untyped]

from adapters.journal.kafka.address import Address
from adapters.journal.kafka.client import open_client
from adapters.journal.kafka.partitions import close
from cluster.broker import Broker


def test_one_broker_that_answers_is_enough_beside_some_that_are_frozen(broker: Broker) -> None:
    """A frozen process takes connections, as far as its queue goes, and never says a word."""
    with ExitStack() as stack:
        frozen = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(3)]
        names = [f"127.0.0.1:{one.getsockname()[1]}" for one in frozen]
        client = open_client(KafkaConsumer, Address((*names, broker.bootstrap), "test"), "test")
        try:
            assert isinstance(client.topics(), set)
        finally:
            close(client)
