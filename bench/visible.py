"""The row of what analysts wait for: from the end of a call until a reader sees its record."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

from adapters.analytics import tables
from adapters.analytics.client import Warehouse
from bench.installation import Installation, users
from bench.measure import percentile
from bench.signalling import Load
from bench.sipp import CALL, Stats
from bench.table import Row
from tests.adapters.analytics.generation import create_generation, publish
from tests.fixtures import clickhouse
from tests.fixtures.ports import free_ports

ASK_EVERY_S = 0.02
_GIVE_UP_S = 20
_ENDED = (
    "SELECT call_id, toUnixTimestamp64Micro(assumeNotNull(ended_at)) FROM cdr "
    "WHERE ended_at > fromUnixTimestamp64Micro(%(since_us)s)"
)


async def record_row(
    at: Installation, load: Load, folder: Path, rounds: int, name: str = "end of call to its record visible, p99"
) -> Row:
    """Calls at a rate, and a reader that asks every 20 ms; beside it one row by `clickhouse-driver` there and back."""
    async with at.callee():
        begun_s = time.time()
        playing = asyncio.create_task(_play(at, load))
        delays_s = await asyncio.to_thread(watch, at, playing, load.total, begun_s)
        stats = await playing
    bare_s = await asyncio.to_thread(_bare, folder, rounds)
    return Row(
        name,
        percentile(delays_s, 0.99) * 1000,
        "ms",
        "one row inserted by clickhouse-driver and read, p99",
        percentile(bare_s, 0.99) * 1000,
        worst={
            "p50 ms": percentile(delays_s, 0.5) * 1000,
            "max ms": max(delays_s, default=float("nan")) * 1000,
            "never seen": stats.succeeded - len(delays_s),
        },
        facts={
            "asked /s": load.rate,
            "reader asks every ms": ASK_EVERY_S * 1000,
            "yardstick p50 ms": percentile(bare_s, 0.5) * 1000,
        },
    )


async def _play(at: Installation, load: Load) -> Stats:
    (port,) = free_ports(1)
    return await at.load.play(CALL, at.target, users(), calls=load.total, rate=load.rate, port=port)


def watch(
    at: Installation, playing: asyncio.Task[Stats], count: int, begun_s: float, ask_every_s: float = ASK_EVERY_S
) -> list[float]:
    """Seconds from each call's end to the answer in which it was first seen."""
    delays: dict[UUID, float] = {}
    newest_s = begun_s
    give_up_at = float("inf")
    client = at.client()
    try:
        while len(delays) < count and time.monotonic() < give_up_at:
            since_us = int((max(begun_s, newest_s - 5)) * 1e6)
            rows = client.execute(_ENDED, {"since_us": since_us})
            seen_s = time.time()
            for call, ended_us in rows:
                delays.setdefault(call, seen_s - ended_us / 1e6)
                newest_s = max(newest_s, ended_us / 1e6)
            if playing.done() and give_up_at == float("inf"):
                give_up_at = time.monotonic() + _GIVE_UP_S
            time.sleep(ask_every_s)
    finally:
        client.disconnect()
    return list(delays.values())


def _bare(folder: Path, rounds: int) -> list[float]:
    """Seconds of each insert of one record and the answer that has it."""
    process, engine = clickhouse.start(folder / "bare-clickhouse")
    try:
        with Warehouse(engine.writer) as writer, Warehouse(engine.analyst) as reader:
            create_generation(writer, 1)
            publish(writer, 1)
            return list(_there_and_back(writer, reader, rounds))
    finally:
        clickhouse.stop(process)


def _there_and_back(writer: Warehouse, reader: Warehouse, rounds: int) -> Iterator[float]:
    table = tables.CDR.at(1)
    for number in range(rounds):
        call = UUID(int=number + 1)
        begun = time.perf_counter()
        writer.insert(table, ("tenant", "call_id", "started_at", "version"), [("acme", call, 0, 1)])
        while not reader.execute("SELECT 1 FROM cdr WHERE call_id = %(call)s", {"call": str(call)}):
            pass
        yield time.perf_counter() - begun
