"""The groups of rows: what each sets up, with how much work, in quick and in full."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from bench import append as appending
from bench import echo, memory, replay, signalling, sipp, visible
from bench.echo import Echo
from bench.installation import Installation, installation
from bench.signalling import Load
from bench.table import Line, Missing

_FULL_SECONDS_A_ROW = 4
_RATES = {1: 2_000, 10: 15_000, 100: 50_000}
"""Records a second to expect on a usual disk, by records a commit: how much work is enough."""


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


async def rebuild(setup: Setup) -> list[Line]:
    """Call records again from the journal."""
    count = 3_000 if setup.quick else 30_000
    return [await asyncio.to_thread(replay.rebuild_row, setup.folder, count, setup.say)]


async def server(setup: Setup) -> list[Line]:
    """Everything that needs a running server and SIPp."""
    if not sipp.installed():
        return [
            Missing(row, "SIPp is not installed (Debian: apt-get install sip-tester)") for row in sorted(setup.wanted)
        ]
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


async def _register(setup: Setup, at: Installation, bare: Echo) -> list[Line]:
    load = Load(2_000, 500) if setup.quick else Load(10_000, 1_000)
    measured = await signalling.register(at, load)
    return [measured.row("REGISTER with digest, durable, CPU", signalling.REGISTER_PAIRS, bare)]


async def _call(setup: Setup, at: Installation, bare: Echo) -> list[Line]:
    load = Load(300, 50) if setup.quick else Load(2_000, 100)
    measured = await signalling.call(at, load)
    return [
        measured.row("call INVITE..BYE, with events and record, CPU", signalling.CALL_PAIRS, bare),
        await signalling.answer_row(at, measured),
    ]


async def _most(setup: Setup, at: Installation, bare: Echo) -> list[Line]:
    seconds = 3 if setup.quick else 5
    return [
        await signalling.most_row(at, "REGISTER", seconds, bare),
        await signalling.most_row(at, "calls", seconds, bare),
    ]


async def _record(setup: Setup, at: Installation, bare: Echo) -> list[Line]:
    load, rounds = (Load(200, 20), 50) if setup.quick else (Load(1_000, 20), 200)
    return [await visible.record_row(at, load, setup.folder, rounds)]


_SERVER: Mapping[str, Callable[[Setup, Installation, Echo], Awaitable[list[Line]]]] = {
    "register": _register,
    "call": _call,
    "record": _record,
    "most": _most,
}
