"""The plainest use of a Kafka: a record there, and all records back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition  # type: ignore[import-untyped]

from adapters.journal.kafka.client import close_at_once

WAIT_S = 20.0


def create(bootstrap: str, topic: str, copies: int = 1) -> None:
    """A topic of one partition, ready for use."""
    with closing(KafkaAdminClient(bootstrap_servers=bootstrap)) as admin:
        admin.create_topics({topic: {"num_partitions": 1, "replication_factor": copies}}, wait_for_metadata=True)


@contextmanager
def producing(bootstrap: str, patience_s: float = WAIT_S) -> Iterator[Any]:
    """A producer for which a record counts when all copies that must have it do.

    It gives a record up by itself after `patience_s`.
    """
    producer = KafkaProducer(
        bootstrap_servers=bootstrap,
        acks="all",
        request_timeout_ms=round(patience_s * 750),
        delivery_timeout_ms=round(patience_s * 1000),
        max_block_ms=round(patience_s * 1000),
    )
    try:
        yield producer
    finally:
        close_at_once(producer)  # whoever wanted an answer has had it


def put(bootstrap: str, topic: str, value: bytes, patience_s: float = WAIT_S) -> None:
    """Returns when it is acknowledged. Raises KafkaError."""
    with producing(bootstrap, patience_s) as producer:
        producer.send(topic, value).get(timeout=2 * WAIT_S)


def held(bootstrap: str, topic: str) -> list[bytes]:
    """All values of the topic, in order."""
    with closing(KafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")) as consumer:
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        end = consumer.end_offsets([partition])[partition]
        values: list[bytes] = []
        while consumer.position(partition) < end:
            for records in consumer.poll(timeout_ms=1000).values():
                values += [record.value for record in records]
        return values
