"""The SIP rows of a server whose journal is on Kafka, beside the same server with its journal in a file.

Both run all the time and take the same load one after the other. CPU is that of the server's own processes; what the
broker's takes is told beside it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from bench import signalling
from bench.installation import Installation, installation
from bench.signalling import Load, Measured
from bench.table import Line, Row
from cluster.broker import Broker

YARDSTICK = "the same server with its journal in a file, right before"
BROKER = "broker"


class Pair(NamedTuple):
    """Two servers that differ in their journal alone."""

    file: Installation
    kafka: Installation


@asynccontextmanager
async def pair(folder: Path, broker: Broker) -> AsyncIterator[Pair]:
    """Both started and configured; topics are made at `broker`."""
    journal = f"kafka://{broker.bootstrap}?prefix=bench"
    async with (
        installation(folder / "file", idle=0) as file,
        installation(folder / "kafka", idle=0, beside={BROKER: broker.pid}, JOURNAL=journal, NODE="bench") as kafka,
    ):
        yield Pair(file, kafka)


async def register_rows(at: Pair, loads: Sequence[Load]) -> list[Line]:
    """REGISTER with digest at each load."""
    return [await _row(at, signalling.register, "REGISTER with digest, durable on Kafka", load) for load in loads]


async def call_rows(at: Pair, loads: Sequence[Load]) -> list[Line]:
    """Calls at each load, and how long a caller waits for his answer."""
    rows: list[Line] = []
    for load in loads:
        file, kafka = await signalling.call(at.file, load), await signalling.call(at.kafka, load)
        rows += [_beside("call INVITE..BYE, events on Kafka and record", file, kafka), _answers(file, kafka)]
    return rows


Measure = Callable[[Installation, Load], Awaitable[Measured]]


async def _row(at: Pair, measure: Measure, name: str, load: Load) -> Row:
    return _beside(name, await measure(at.file, load), await measure(at.kafka, load))


def _beside(name: str, file: Measured, kafka: Measured) -> Row:
    row = kafka.beside(f"{name}, CPU at {kafka.load.rate:,}/s", YARDSTICK, file.cpu_ms)
    return replace(row, facts={**row.facts, **file.roles_ms("yardstick's ")})


def _answers(file: Measured, kafka: Measured) -> Row:
    return signalling.waits_row(
        f"INVITE to 200 on Kafka, mean, at {kafka.load.rate}/s", kafka, YARDSTICK, file.stats.waits_ms
    )
