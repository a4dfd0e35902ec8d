"""The SIP rows: REGISTER and calls through a real server with SIPp as the peers, beside a bare echo."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from bench import echo, sipp
from bench.echo import Echo
from bench.installation import Cost, Installation, Meter, Target, users
from bench.measure import mean, percentile
from bench.sipp import Stats
from bench.table import Row
from tests.fixtures.ports import free_ports

REGISTER_PAIRS = 2
"""Datagrams in, each with one out: REGISTER, 401, REGISTER, 200."""
CALL_PAIRS = 8
"""In: INVITE, ACK, INVITE, 180, 200, ACK, BYE, 200; out: 401, 100, INVITE, 180, 200, ACK, BYE, 200."""
RATES = {
    "REGISTER": (250, 500, 750, 1_000, 1_500, 2_000, 3_000, 4_000, 6_000, 8_000, 10_000),
    "calls": (25, 50, 75, 100, 150, 200, 300, 400, 600, 800, 1_000),
}
"""What is tried, in turn, until it is too much."""
_CLEAN_RETRANSMISSIONS = 0.001
_CLEAN_RATE = 0.95


class Load(NamedTuple):
    """So many at such a rate a second."""

    total: int
    rate: int


class Measured(NamedTuple):
    """A load, what SIPp says of it and what it cost; `idle` is what a second cost before it."""

    load: Load
    stats: Stats
    cost: Cost
    idle: float

    @property
    def cpu_ms(self) -> float:
        """Of each that succeeded."""
        return self.stats.each_ms(self.cost.total_s)

    def roles_ms(self, whose: str = "") -> dict[str, float]:
        """What each of the parts took for one."""
        return {f"{whose}{role} ms": self.stats.each_ms(spent_s) for role, spent_s in self.cost.roles_s.items()}

    def row(self, name: str, pairs: int, bare: Echo) -> Row:
        return self.beside(name, echo.LABEL, bare.cpu_ms * pairs)

    def beside(self, name: str, yardstick: str, yardstick_ms: float) -> Row:
        """What each cost, beside what a yardstick did."""
        return Row(
            name,
            self.cpu_ms,
            "ms",
            yardstick,
            yardstick_ms,
            worst=worst(self.stats),
            facts={
                "asked /s": self.load.rate,
                "done /s": _rate(self.stats),
                **self.roles_ms(),
                "idle ms/s": self.idle * 1000,
                "SIPp's own ms": self.stats.each_ms(self.stats.cpu_s),
            },
        )


async def register(at: Installation, load: Load) -> Measured:
    """REGISTERs with digest, of a few hundred devices in turn, durable."""
    idle = await _idle(at)
    await registers(at, _warm(load))
    meter = await _settled_meter(at)
    stats = await registers(at, load)
    return Measured(load, stats, await meter.settled(), idle)


async def call(at: Installation, load: Load) -> Measured:
    """Calls with digest, answered at once, with their events and their records."""
    async with at.callee():
        idle = await _idle(at)
        await calls(at, _warm(load))
        meter = await _settled_meter(at)
        stats = await calls(at, load)
        return Measured(load, stats, await meter.settled(), idle)


async def answer_row(at: Installation, measured: Measured) -> Row:
    """From the INVITE with credentials to the 200, less what the same peers take without anybody between."""
    callee_port, caller_port = free_ports(2)
    peer = await at.load.callee(callee_port)
    load = measured.load
    try:
        direct = await at.load.direct(f"127.0.0.1:{callee_port}", calls=load.total, rate=load.rate, port=caller_port)
    finally:
        peer.kill()
        await peer.wait()
    row = waits_row(
        f"INVITE to 200 beyond the callee's own time, mean, at {load.rate}/s",
        measured,
        "the same caller and callee without a server",
        direct.waits_ms,
    )
    return replace(row, figure=row.figure - row.yardstick_figure, facts={**row.facts, "whole mean ms": row.figure})


def waits_row(name: str, measured: Measured, yardstick: str, theirs_ms: Sequence[float]) -> Row:
    """From the INVITE with credentials to the 200, beside what others waited."""
    ours_ms = measured.stats.waits_ms
    return Row(
        name,
        mean(ours_ms),
        "ms",
        yardstick,
        mean(theirs_ms),
        worst={
            "p50 ms": percentile(ours_ms, 0.5),
            "p99 ms": percentile(ours_ms, 0.99),
            "max ms": max(ours_ms, default=math.nan),
        },
        facts={"asked /s": measured.load.rate},
    )


async def most_row(at: Installation, what: str, seconds: int, bare: Echo) -> Row:
    """The highest rate without failures, with hardly a retransmission and kept up with; `what` is of `RATES`.

    Where the load generator itself gives up, the rate before is the answer.
    """
    play, pairs = (registers, REGISTER_PAIRS) if what == "REGISTER" else (calls, CALL_PAIRS)
    best, rate, stats = math.nan, 0, None
    async with at.callee():
        for rate in RATES[what]:
            meter = at.meter()
            try:
                stats = await play(at, Load(rate * seconds, rate))
            except sipp.SippError:
                stats = None
                break
            await meter.settled()
            if not _clean(stats, rate):
                break
            best = _rate(stats)
    return Row(
        f"most {what} a second",
        best,
        "/s",
        "bare uvloop echo of as many datagrams, one core",
        bare.rate / pairs,
        more_is_better=True,
        worst={f"at {rate}/s {name}": value for name, value in worst(stats).items()} if stats else {},
        facts={
            "tried up to /s": rate,
            "there done /s": _rate(stats) if stats else math.nan,
            "SIPp's own share of a core there": stats.cpu_s / stats.elapsed_s
            if stats and stats.elapsed_s
            else math.nan,
        },
    )


async def growth_row(at: Installation, top: int, seconds: int) -> Row:
    """What a call costs at the rate `top` beside what it costs at a tenth of it."""
    low = max(1, top // 10)
    few = await call(at, Load(low * seconds * 2, low))
    many = await call(at, Load(top * seconds, top))
    return Row(
        f"call, CPU at {top}/s beside a tenth of it",
        many.cpu_ms,
        "ms",
        f"the same at {low}/s",
        few.cpu_ms,
        worst=worst(many.stats),
        facts={"idle ms/s": few.idle * 1000},
    )


async def registers(at: Target, load: Load) -> Stats:
    port = at.devices_port
    return await at.load.play(sipp.REGISTER, at.target, users(), calls=load.total, rate=load.rate, port=port)


async def calls(at: Target, load: Load) -> Stats:
    port = at.callers_port
    return await at.load.play(sipp.CALL, at.target, users(), calls=load.total, rate=load.rate, port=port)


def _warm(load: Load) -> Load:
    """A second of the same, which does not count: first uses, empty caches."""
    return Load(load.rate, load.rate)


async def _settled_meter(at: Installation) -> Meter:
    await at.meter().settled()
    return at.meter()


async def _idle(at: Installation, seconds: float = 3) -> float:
    """CPU seconds a second of the server that nobody asks anything."""
    await at.meter().settled()
    meter = at.meter()
    await asyncio.sleep(seconds)
    return meter.cost().total_s / seconds


def _clean(stats: Stats, rate: int) -> bool:
    few = stats.retransmissions <= _CLEAN_RETRANSMISSIONS * stats.succeeded
    return not stats.failed and few and _rate(stats) >= _CLEAN_RATE * rate


def _rate(stats: Stats) -> float:
    return stats.succeeded / stats.elapsed_s if stats.elapsed_s else math.nan


def worst(stats: Stats) -> dict[str, float]:
    """What no mean shows of a run."""
    return {"failed": stats.failed, "retransmissions": stats.retransmissions}
