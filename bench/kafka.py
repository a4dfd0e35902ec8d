"""The append rows on Kafka: records made durable by the journal, beside a bare loop of the same client and settings.

Both write to one broker on this machine, with transactions, in turns; the bare loop makes the same CloudEvents, and it
awaits every record before it commits.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from kafka import KafkaProducer  # type: ignore[import-untyped]

from adapters.journal.committer import Dispatch, at_once
from adapters.journal.kafka.address import Address
from adapters.journal.kafka.journal import PACE, KafkaJournal
from adapters.journal.kafka.message import write
from adapters.journal.kafka.producer import Limits, settings
from adapters.journal.kafka.setup import prepare
from adapters.journal.kafka.topic import TOPICS
from adapters.journal.pace import Pace
from bench.group_commit import IN_FLIGHT, Epochs, Groups, claimed, flowing, in_batches, paced, rounds, waiting
from bench.history import EVENTS_A_CALL, call_records
from bench.measure import TreeCpu, percentile, settle
from bench.table import Row
from cluster import installation
from cluster.broker import Broker
from cluster.properties import Ports
from domain.ids import SHARDS, shard_of
from domain.ports import Record
from tests.fixtures.ports import free_ports

YARDSTICK = "bare kafka-python loop, same records, settings and transactions, a commit a batch"
_BARE_TURNS = 500
_TURNS_TAKEN = 12
"""So often figure and yardstick take turns: the broker itself has better and worse seconds."""


@contextmanager
def broker(folder: Path) -> Iterator[Broker]:
    """A broker of its own, started. Raises `cluster.jars.Unavailable` without Java or Maven."""
    one = installation.broker(folder, Ports(*free_ports(2)))
    try:
        one.start()
        yield one
    finally:
        one.kill()


def waiting_row(broker: Broker, batch: int, records: int) -> Row:
    """`batch` records a submission and a commit; the next submission waits until the last one is durable."""
    first, streams = _work(records)
    took_s, bare_s, waits_s = 0.0, 0.0, list[float]()
    with _both(broker, f"waiting{batch}", first) as (journal, epochs, producer, address):
        for part in rounds(streams, _TURNS_TAKEN):
            batches = _by_shard(part, batch)
            waits = waiting(journal, epochs, batches)
            took_s += sum(waits)
            waits_s += waits
            bare_s += _bare(producer, address, batches)
    total = len(streams)
    return Row(
        f"journal append on Kafka, {batch} record{'s' * (batch > 1)} a commit",
        total / took_s,
        "records/s",
        YARDSTICK,
        total / bare_s,
        more_is_better=True,
        worst=_worst(waits_s),
        facts={"records": total, "p50 ms": percentile(waits_s, 0.5) * 1000},
    )


def flowing_row(broker: Broker, records: int) -> Row:
    """One record a submission, a thousand in flight: the groups find themselves. The bare loop gets groups as large."""
    first, streams = _work(records)
    took_s, bare_s, waits_s = 0.0, 0.0, list[float]()
    commits = Groups()
    with _both(broker, "flowing", first, commits) as (journal, epochs, producer, address):
        for part in rounds(streams):
            before = commits.count
            spent_s, waits = flowing(journal, epochs, part)
            took_s += spent_s
            waits_s += waits
            size = max(1, round(len(part) / (commits.count - before)))
            bare_s += _bare(producer, address, in_batches(part, size))
    total = len(streams)
    return Row(
        "journal append on Kafka, 1 record a submission, group commit",
        total / took_s,
        "records/s",
        YARDSTICK,
        total / bare_s,
        more_is_better=True,
        worst=_worst(waits_s),
        facts={"records": total, "in flight": IN_FLIGHT, "records a commit": total / commits.count},
    )


def turn_row(broker: Broker, rate: float, seconds: float) -> Row:
    """How long a turn of one record waits for the log when `rate` of them come a second, evenly."""
    first, streams = _work(round(rate * seconds))
    with _both(broker, f"turns{rate:.0f}", first, pace=Pace(PACE)) as (journal, epochs, producer, address):
        waits_s = paced(journal, epochs, streams, rate)
        bare_s = [_bare(producer, address, [[record]]) for record in streams[:_BARE_TURNS]]
    return Row(
        f"a turn waits for the log on Kafka, {rate:,.0f} a second, p50",
        percentile(waits_s, 0.5) * 1000,
        "ms",
        "bare kafka-python transaction of one record, with nothing beside it, p50",
        percentile(bare_s, 0.5) * 1000,
        worst=_worst(waits_s),
        facts={"records": len(streams), "yardstick p99 ms": percentile(bare_s, 0.99) * 1000},
    )


def _work(count: int) -> tuple[list[Sequence[Record]], Sequence[Record]]:
    """A call for each shard to begin with, and `count` records of others."""
    begun = SHARDS * EVENTS_A_CALL
    records = call_records(begun + count)
    return in_batches(records[:begun], EVENTS_A_CALL), records[begun:]


@contextmanager
def _both(
    broker: Broker, name: str, first: Sequence[Sequence[Record]], dispatch: Dispatch = at_once, pace: Pace | None = None
) -> Iterator[tuple[KafkaJournal, Epochs, KafkaProducer, Address]]:
    """A journal, and a bare producer with topics of its own; each has written `first`, into every partition.

    A broker is busy for some seconds after it was asked for two times 257 partitions: that is waited for.
    """
    ours, bare = (Address((broker.bootstrap,), f"{name}-{whose}") for whose in ("journal", "bare"))
    prepare(bare)
    producer = KafkaProducer(**bare.options("bare"), **settings("bare", Limits()))
    journal = KafkaJournal(ours, "bench", dispatch=dispatch, pace=pace)
    try:
        producer.init_transactions()
        epochs = claimed(journal)
        waiting(journal, epochs, first)
        _bare(producer, bare, first)
        asyncio.run(settle(TreeCpu(broker.pid)))
        yield journal, epochs, producer, bare
    finally:
        producer.close(timeout=5)
        journal.close()


def _bare(producer: KafkaProducer, address: Address, batches: Sequence[Sequence[Record]]) -> float:
    """Seconds of a plain loop: begin, send, await each, commit."""
    names = {name: topic.full(address.prefix) for name, topic in TOPICS.items()}
    begun = time.perf_counter()
    for batch in batches:
        producer.begin_transaction()
        futures = []
        for record in batch:
            place, key, value, headers = write(record, shard_of(record.stream), 1, "bare")
            futures.append(
                producer.send(names[place.topic], value=value, key=key, headers=headers, partition=place.partition)
            )
        for future in futures:
            future.get(timeout=10)
        producer.commit_transaction()
    return time.perf_counter() - begun


def _worst(waits_s: Sequence[float]) -> dict[str, float]:
    return {"p99 ms": percentile(waits_s, 0.99) * 1000, "max ms": max(waits_s) * 1000}


def _by_shard(records: Sequence[Record], size: int) -> list[Sequence[Record]]:
    """Batches of one shard each, as a submission is."""
    shards: dict[int, list[Record]] = {}
    for record in records:
        shards.setdefault(shard_of(record.stream), []).append(record)
    return [batch for its in shards.values() for batch in in_batches(its, size)]
