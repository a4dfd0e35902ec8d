"""The row of what analysts wait for in a cluster: the journal on Kafka, the tables at a ClickHouse server."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bench.installation import installation
from bench.signalling import Load
from bench.table import Row
from bench.visible import record_row
from cluster.broker import Broker
from tests.fixtures import clickhouse


async def kafka_record_row(broker: Broker, folder: Path, load: Load, rounds: int) -> Row:
    """From the end of a call until its record is seen, as `visible.record_row`."""
    folder.mkdir()
    process, engine = await asyncio.to_thread(clickhouse.start, folder / "clickhouse")
    try:
        journal = f"kafka://{broker.bootstrap}?prefix=record"
        where = clickhouse.url_of(engine.writer)
        async with installation(folder / "server", idle=0, JOURNAL=journal, CLICKHOUSE=where, NODE="bench") as at:
            at.server.clickhouse = engine.port
            name = "end of call to its record visible, Kafka and a ClickHouse server, p99"
            return await record_row(at, load, folder, rounds, name)
    finally:
        await asyncio.to_thread(clickhouse.stop, process)
