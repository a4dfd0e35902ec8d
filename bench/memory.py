"""The memory rows: what the sessions process holds for each idle registration and each established call."""

from __future__ import annotations

import asyncio

from bench.installation import CALLEE, IDLE_USERS, USERS, Installation, users
from bench.measure import private_bytes
from bench.sipp import CALL, REGISTER, Stats
from bench.table import Row
from tests.fixtures.server import free_ports

REGISTRATION_BAR_KB, CALL_BAR_KB = 12.0, 40.0
_FORGET_S = 40
"""Longer than any transaction lives (64*T1, RFC 3261 17)."""
_WARM = 3_000


async def registration_row(at: Installation, rest: bool) -> Row:
    """Devices that register once, after as many transactions of others as leave the process warm."""
    await _register(at, users(), _WARM, 500)
    before = await _private(at, rest)
    await _register(at, users(USERS, IDLE_USERS), IDLE_USERS, 500)
    after = await _private(at, rest)
    return _row("memory of an idle registration", (after - before) / IDLE_USERS, REGISTRATION_BAR_KB, IDLE_USERS, rest)


async def call_row(at: Installation, rest: bool, count: int, rate: int) -> Row:
    """Calls that are all up at one moment; their setup's transactions are still remembered then."""
    async with at.callee():
        await _calls(at, count, rate, 100)
        before = await _private(at, rest)
        talk_s = 2 * count / rate + 5
        playing = asyncio.create_task(_calls(at, count, rate, round(talk_s * 1000)))
        await asyncio.sleep(talk_s - 1)
        after = await _private(at, False)
        stats = await playing
    if stats.failed:
        raise RuntimeError(f"{stats.failed} of {count} calls to {CALLEE} failed: their memory says nothing")
    return _row("memory of an established call", (after - before) / count, CALL_BAR_KB, count, rest)


async def _private(at: Installation, rest: bool) -> int:
    if rest:
        await asyncio.sleep(_FORGET_S)
    return private_bytes(at.server.pid_of("sessions"))


async def _register(at: Installation, who: list[tuple[str, str, str]], count: int, rate: int) -> None:
    (port,) = free_ports(1)
    stats = await at.load.play(REGISTER, at.target, who, calls=count, rate=rate, port=port)
    if stats.failed:
        raise RuntimeError(f"{stats.failed} of {count} REGISTERs failed: the memory of the others says nothing")


async def _calls(at: Installation, count: int, rate: int, talk_ms: int) -> Stats:
    (port,) = free_ports(1)
    return await at.load.play(CALL, at.target, users(), calls=count, rate=rate, port=port, talk_ms=talk_ms)


def _row(name: str, each_bytes: float, bar_kb: float, count: int, rest: bool) -> Row:
    return Row(
        name,
        each_bytes / 1000,
        "kB",
        "the bar: at most",
        bar_kb,
        facts={"count": count, "rest before s": _FORGET_S if rest else 0},
    )
