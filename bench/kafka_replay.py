"""The replay row on Kafka: topics followed into a projection in memory, beside a bare consumer of the same topics."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from kafka import KafkaConsumer  # type: ignore[import-untyped]

from adapters.journal.codec import decode
from adapters.journal.kafka.address import Address
from adapters.journal.kafka.client import open_client
from adapters.journal.kafka.journal import KafkaJournal
from adapters.journal.kafka.partitions import OPTIONS, partition_of
from adapters.journal.kafka.reader import KafkaReader
from adapters.journal.kafka.topic import every_place
from bench.history import EVENTS_A_CALL, calls, write_calls
from bench.table import Row
from projections.live import Live
from switchlog.role.life import settle_memory

_AT_ONCE = 1_000
_ROUNDS = 3
_POLL_MS = 200


class Spent(NamedTuple):
    """What one reading of `events` took; CPU is that of this process, the client's own thread included."""

    events: int
    wall_s: float
    cpu_s: float


def replay_row(bootstrap: str, count: int, say: Callable[[str], None]) -> Row:
    """The topics of `count` calls followed into the live view and, in turns, read barely. Events a second of CPU."""
    settle_memory()  # as the role does
    address = Address((bootstrap,), "replay")
    say(f"replay on Kafka: writing {count} calls")
    write_calls(KafkaJournal(address, "bench"), calls(count))
    say("replay on Kafka: following into memory, and reading barely, in turns")
    readings = [(_replay(address), bare_reading(address)) for _ in range(_ROUNDS)]
    events, bare_events = (sum(one.events for one in column) for column in zip(*readings, strict=True))
    if events != _ROUNDS * EVENTS_A_CALL * count or bare_events < events:
        raise RuntimeError("not every record was read")
    return Row(
        "replay of the journal on Kafka into a projection in memory, a core",
        events / sum(ours.cpu_s for ours, _ in readings),
        "events/s",
        "bare kafka-python consumer of the same records, read_committed, nothing decoded",
        bare_events / sum(bare.cpu_s for _, bare in readings),
        more_is_better=True,
        facts={
            "events": events / _ROUNDS,
            "events/s by the clock": events / sum(ours.wall_s for ours, _ in readings),
            "bare events/s by the clock": bare_events / sum(bare.wall_s for _, bare in readings),
        },
    )


def _replay(address: Address) -> Spent:
    live = Live(decode)
    events = 0
    with KafkaReader(address) as reader:
        reader.end()  # the connections are there
        begun, used = time.perf_counter(), time.process_time()
        while (batch := reader.follow(live.cursor, _AT_ONCE)).records:
            live.apply(batch)
            events += len(batch.records)
        spent = Spent(events, time.perf_counter() - begun, time.process_time() - used)
    if live.skipped or live.calls():
        raise RuntimeError("the calls in memory are not what the journal says")
    return spent


def bare_reading(address: Address) -> Spent:
    """Poll up to the ends, and count; the claims of shards count, too, which are some hundred."""
    consumer: Any = open_client(KafkaConsumer, address, "bare", isolation_level="read_committed", **OPTIONS)
    try:
        partitions = [partition_of(address, place) for place in every_place()]
        ends = consumer.end_offsets(partitions)
        consumer.assign(partitions)
        for partition in partitions:
            consumer.seek(partition, 0)
        left = {partition for partition in partitions if ends[partition]}
        events = 0
        begun, used = time.perf_counter(), time.process_time()
        while left:
            for records in consumer.poll(_POLL_MS, max_records=_AT_ONCE).values():
                events += len(records)
            left = {partition for partition in left if consumer.position(partition) < ends[partition]}
        return Spent(events, time.perf_counter() - begun, time.process_time() - used)
    finally:
        consumer.close(autocommit=False)
