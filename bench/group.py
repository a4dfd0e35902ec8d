"""The groups of rows: what each sets up, with how much work, in quick and in full."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from bench import append as appending
from bench.table import Line, Missing

_FULL_SECONDS_A_ROW = 4
_RATES = {1: 2_000, 10: 15_000, 100: 50_000}
"""Records a second to expect on a usual disk, by records a commit: how much work is enough."""


class Setup(NamedTuple):
    """`folder` is for this group alone; `wanted` names its rows; `say` tells people how far it is."""

    folder: Path
    quick: bool
    wanted: frozenset[str]
    say: Callable[[str], None]


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
    return [Missing("rebuild", "there is no projector yet")]


async def server(setup: Setup) -> list[Line]:
    """Everything that needs a running server and SIPp."""
    return [Missing(row, "there is no server yet") for row in sorted(setup.wanted)]
