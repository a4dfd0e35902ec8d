"""The groups of rows: what each sets up, with how much work, in quick and in full."""

from __future__ import annotations

import asyncio
import math
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from bench import append as appending
from bench import echo, kamailio, memory, replay, restart, signalling, sipp, tenants, visible
from bench.echo import Echo
from bench.installation import Installation, installation
from bench.signalling import Load, Measured
from bench.table import Line, Missing

_FULL_SECONDS_A_ROW = 4
_RATES = {1: 2_000, 10: 15_000, 100: 50_000}
"""Records a second to expect on a usual disk, by records a commit: how much work is enough."""

CALL_RATES = (100, 300, 400)

NO_SIPP = "SIPp is not installed (Debian: apt-get install sip-tester)"


class Setup(NamedTuple):
    """`folder` is for this group alone; `wanted` names its rows; `say` tells people how far it is."""

    folder: Path
    quick: bool
    wanted: frozenset[str]
    say: Callable[[str], None]


async def attempt(setup: Setup, name: str, measuring: Awaitable[list[Line]]) -> list[Line]:
    """What it measures or, when it fails, one line that says so: the other rows are still worth having."""
    try:
        return await measuring
    except Exception as error:  # noqa: BLE001 - whatever went wrong belongs in the table
        setup.say(f"{name}: {type(error).__name__}: {error}")
        first = str(error).partition("\n")[0][:200]
        return [Missing(name, f"{type(error).__name__}: {first}", failed=True)]


async def append(setup: Setup) -> list[Line]:
    """Records into the SQLite journal."""
    seconds = 1 if setup.quick else _FULL_SECONDS_A_ROW
    lines: list[Line] = []
    for batch, rate in _RATES.items():
        setup.say(f"append, {batch} a commit")
        lines.append(await asyncio.to_thread(appending.waiting_row, setup.folder, batch, rate * seconds))
    setup.say("append, group commit")
    lines.append(await asyncio.to_thread(appending.flowing_row, setup.folder, _RATES[100] * seconds))
    return lines


async def replaying(setup: Setup) -> list[Line]:
    """The journal read again: into memory, and into the tables of call records."""
    lines: list[Line] = []
    for name, row, calls in (("replay", replay.replay_row, 30_000), ("rebuild", replay.rebuild_row, 100_000)):
        if name in setup.wanted:
            count = calls // 10 if setup.quick else calls
            lines.append(await asyncio.to_thread(row, setup.folder, count, setup.say))
    return lines


async def server(setup: Setup) -> list[Line]:
    """Everything that needs a running server and SIPp."""
    if not sipp.installed():
        return [Missing(row, NO_SIPP) for row in sorted(setup.wanted)]
    setup.say("starting a server")
    async with installation(setup.folder / "server") as at:
        bare = await echo.measure(20_000 if setup.quick else 100_000)
        lines: list[Line] = []
        for row, measure in _SERVER.items():
            if row in setup.wanted:
                setup.say(row)
                lines += await attempt(setup, row, measure(setup, at, bare))
        return lines


async def held(setup: Setup) -> list[Line]:
    """Memory, each row with a server of its own."""
    if not sipp.installed():
        return [Missing("memory", NO_SIPP)]
    setup.say("memory of registrations")
    async with installation(setup.folder / "registrations") as at:
        lines: list[Line] = [await memory.registration_row(at, forget=not setup.quick)]
    setup.say("memory of calls")
    async with installation(setup.folder / "calls") as at:
        return [*lines, await memory.call_row(at, 200 if setup.quick else 1_000, 40)]


async def flat(setup: Setup) -> list[Line]:
    """Memory after many calls that are over."""
    if not sipp.installed():
        return [Missing("flat", NO_SIPP)]
    first, rate = (200, 100) if setup.quick else (15_000, 200)
    setup.say(f"memory after {first:,} calls and after twice as many")
    async with installation(setup.folder / "flat") as at:
        return [await memory.flat_row(at, first, rate, forget=not setup.quick)]


async def restarted(setup: Setup) -> list[Line]:
    """A start with calls up."""
    if not sipp.installed():
        return [Missing("restart", NO_SIPP)]
    setup.say("restart with calls up")
    async with installation(setup.folder / "restart") as at:
        return [await restart.restart_row(at, 100 if setup.quick else 1_000)]


async def many_tenants(setup: Setup) -> list[Line]:
    """Does a tenant pay for the others?"""
    if not sipp.installed():
        return [Missing("tenants", NO_SIPP)]
    many = 200 if setup.quick else 10_000
    setup.say(f"{tenants.FEW} tenants and {many:,}")
    registers, calls = (Load(1_000, 250), Load(200, 50)) if setup.quick else (Load(5_000, 500), Load(1_000, 100))
    return list(await tenants.tenant_rows(setup.folder, many, registers, calls))


async def _register(setup: Setup, at: Installation, bare: Echo) -> list[Line]:
    loads = [Load(2_000, 500)] if setup.quick else [Load(5_000, 500), Load(15_000, 1_500)]
    lines: list[Line] = []
    for load in loads:
        measured = await signalling.register(at, load)
        name = f"REGISTER with digest, durable, CPU at {load.rate:,}/s"
        lines.append(measured.row(name, signalling.REGISTER_PAIRS, bare))
        lines += await _beside(setup, name, kamailio.register_row, measured)
    return lines


async def _call(setup: Setup, at: Installation, bare: Echo) -> list[Line]:
    loads = [Load(300, 50)] if setup.quick else [Load(10 * rate, rate) for rate in CALL_RATES]
    lines: list[Line] = []
    for load in loads:
        setup.say(f"call, {load.rate}/s")
        measured = await signalling.call(at, load)
        name = f"call INVITE..BYE, with events and record, CPU at {load.rate}/s"
        lines += [measured.row(name, signalling.CALL_PAIRS, bare), await signalling.answer_row(at, measured)]
        lines += await _beside(setup, name, kamailio.call_row, measured)
    return lines


async def _beside(setup: Setup, name: str, row: kamailio.Beside, measured: Measured) -> list[Line]:
    """A row of Kamailio's; that it does not work here takes nothing from ours."""

    async def measure() -> list[Line]:
        with tempfile.TemporaryDirectory(prefix="kamailio-", dir=setup.folder) as folder:
            return [await row(kamailio.program(), Path(folder), name, measured)]

    setup.say(f"the same with Kamailio, {measured.load.rate:,}/s")
    return await attempt(setup, f"{name}, beside Kamailio", measure())


async def _most(setup: Setup, at: Installation, bare: Echo) -> list[Line]:
    seconds = 3 if setup.quick else 5
    registers = await signalling.most_row(at, "REGISTER", seconds, bare)
    await at.restart()  # what the rate that was too much left behind is gone
    calls = await signalling.most_row(at, "calls", seconds, bare)
    await at.restart()
    top = max(10, round(calls.figure)) if math.isfinite(calls.figure) else 10
    setup.say(f"calls at {top}/s beside a tenth of it")
    return [registers, calls, await signalling.growth_row(at, top, 3 if setup.quick else 10)]


async def _record(setup: Setup, at: Installation, bare: Echo) -> list[Line]:
    load, rounds = (Load(200, 20), 50) if setup.quick else (Load(1_000, 20), 200)
    return [await visible.record_row(at, load, setup.folder, rounds)]


_SERVER: Mapping[str, Callable[[Setup, Installation, Echo], Awaitable[list[Line]]]] = {
    "register": _register,
    "call": _call,
    "record": _record,
    "most": _most,
}
