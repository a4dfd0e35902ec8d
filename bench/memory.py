"""The memory rows: what the sessions process holds for each idle registration and each established call.

Each row has a server of its own, started anew after it was configured: memory that a process freed but kept would
hide what comes after. So start-up costs, and pages that are half free, count against us: these are upper bounds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from bench.installation import IDLE_USERS, ROLES, USERS, Installation, users
from bench.measure import private_bytes
from bench.sipp import CALL, REGISTER
from bench.table import Row
from tests.fixtures.ports import free_ports

REGISTRATION_BAR_KB, CALL_BAR_KB = 12.0, 40.0
_FORGET_S = 40
"""Longer than any transaction lives (64*T1, RFC 3261 17)."""
_WARM = 20
_RATE = 100


async def registration_row(at: Installation, forget: bool) -> Row:
    """Devices that register once; with `forget`, looked at when the transactions are gone, else before."""
    await at.restart()
    await _play(at, REGISTER, users(), _WARM, _RATE, 0)
    before = _private(at)
    await _play(at, REGISTER, users(USERS, IDLE_USERS), IDLE_USERS, _RATE, 0)
    if forget:
        await asyncio.sleep(_FORGET_S)
    facts = {"registrations": IDLE_USERS, "rest s": _FORGET_S if forget else 0}
    return _row("memory of an idle registration", _private(at) - before, IDLE_USERS, REGISTRATION_BAR_KB, facts)


async def call_row(at: Installation, count: int, rate: int) -> Row:
    """Calls that are all up at one moment; most of the transactions of their setup are still remembered then."""
    await at.restart()
    async with at.callee():
        await _play(at, CALL, users(), _WARM, rate, 100)
        before = _private(at)
        talk_s = 2 * count / rate + 5
        playing = asyncio.create_task(_play(at, CALL, users(), count, rate, round(talk_s * 1000)))
        await asyncio.sleep(talk_s - 1)
        after = _private(at)
        await playing
    return _row("memory of an established call", after - before, count, CALL_BAR_KB, {"calls": count})


async def flat_row(at: Installation, first: int, rate: int, forget: bool) -> Row:
    """Memory of all processes after `first` calls that ended, and after as many again.

    A call that ended is held for 32 s: `first` must last longer, else the later peak is higher, and what the
    allocator keeps of it looks like growth.
    """
    await at.restart()
    async with at.callee():
        held, failed = [], 0
        for count in (first, first):
            (port,) = free_ports(1)
            stats = await at.load.play(CALL, at.target, users(), calls=count, rate=rate, port=port, talk_ms=100)
            failed += stats.failed
            await asyncio.sleep(_FORGET_S if forget else 1)
            held.append({role: private_bytes(at.server.pid_of(role)) for role in ROLES})
    early, late = held
    growth = {f"{role} MB more": (late[role] - early[role]) / 1e6 for role in ROLES}
    return Row(
        f"memory of all processes after {2 * first:,} calls",
        sum(late.values()) / 1e6,
        "MB",
        f"the same after {first:,}",
        sum(early.values()) / 1e6,
        worst={"calls failed": failed},
        facts={**growth, "sessions bytes a call more": (late["sessions"] - early["sessions"]) / first},
    )


def _private(at: Installation) -> int:
    return private_bytes(at.server.pid_of("sessions"))


async def _play(
    at: Installation, scenario: str, who: list[tuple[str, str, str]], count: int, rate: int, talk_ms: int
) -> None:
    (port,) = free_ports(1)
    stats = await at.load.play(scenario, at.target, who, calls=count, rate=rate, port=port, talk_ms=talk_ms)
    if stats.failed or stats.succeeded < count:
        raise RuntimeError(f"{stats.succeeded} of {count} succeeded: the memory of the others says nothing")


def _row(name: str, used_bytes: int, count: int, bar_kb: float, facts: Mapping[str, float]) -> Row:
    return Row(name, used_bytes / count / 1000, "kB", "no yardstick; the bar", bar_kb, facts=facts)
