"""`python -m bench.soak`: registers and calls at a moderate rate for an hour, looked at every minute.

Environment: `SOAK_S` seconds (3600), `SOAK_RATE` calls and registers a second each (50), `SOAK_JSON` a file for the
figures (build/soak.json). Prints the first minutes beside the last ones; exit status 1 when a call or a registration
failed, when a call's record never came, or when memory grew.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from bench import signalling, sipp, visible
from bench.installation import ROLES, Installation, installation
from bench.measure import mean, percentile, private_bytes
from bench.signalling import Load
from bench.table import number

SHOWN_MINUTES = 10
MINUTE_S = 60
GROWTH_SHARE, GROWTH_MB = 0.05, 8.0
"""Memory grew when the last minutes' mean exceeds the first's by more than both."""
_ASK_EVERY_S = 0.2
"""How often the reader asks: seldom, for its queries count as the server's work."""
WARM_MINUTES = 15
"""At the beginning, of a run that is long enough: tables of bounded size still fill, such as that of used nonces."""


class Minute(NamedTuple):
    """What one minute came to. Milliseconds, megabytes; `lost` = calls whose record was never seen."""

    calls: int
    registers: int
    failed: int
    retransmissions: int
    lost: int
    cpu_ms: Mapping[str, float]
    answer_p50_ms: float
    answer_p99_ms: float
    record_p99_ms: float
    memory_mb: Mapping[str, float]

    def figures(self) -> dict[str, float]:
        """By the names that the table shows."""
        return {
            "CPU ms a call and a REGISTER": self.cpu_ms["all"],
            **{f"CPU of {role} ms": self.cpu_ms[role] for role in ROLES},
            "INVITE to 200 p50 ms": self.answer_p50_ms,
            "INVITE to 200 p99 ms": self.answer_p99_ms,
            "end of call to record p99 ms": self.record_p99_ms,
            **{f"memory of {role} MB": value for role, value in self.memory_mb.items()},
            "memory MB": sum(self.memory_mb.values()),
            "retransmissions": self.retransmissions,
            "failed": self.failed,
            "records never seen": self.lost,
        }


async def minute(at: Installation, rate: int, seconds: int) -> Minute:
    """Registers and calls side by side, a reader of their records, and what all that cost."""
    load = Load(rate * seconds, rate)
    async with at.callee():
        meter, begun_s = at.meter(), time.time()
        playing = asyncio.create_task(signalling.calls(at, load))
        registering = asyncio.create_task(signalling.registers(at, load))
        delays_s = await asyncio.to_thread(visible.watch, at, playing, load.total, begun_s, _ASK_EVERY_S)
        calls, registers = await playing, await registering
        cost = await meter.settled()
    return Minute(
        calls=calls.succeeded,
        registers=registers.succeeded,
        failed=calls.failed + registers.failed + 2 * load.total - _played(calls) - _played(registers),
        retransmissions=calls.retransmissions + registers.retransmissions,
        lost=max(0, calls.succeeded - len(delays_s)),
        cpu_ms={role: spent_s * 1000 / load.total for role, spent_s in {"all": cost.total_s, **cost.roles_s}.items()},
        answer_p50_ms=percentile(calls.waits_ms, 0.5),
        answer_p99_ms=percentile(calls.waits_ms, 0.99),
        record_p99_ms=percentile(delays_s, 0.99) * 1000,
        memory_mb={role: private_bytes(at.server.pid_of(role)) / 1e6 for role in ROLES},
    )


def _played(stats: sipp.Stats) -> int:
    return stats.succeeded + stats.failed


def compared(minutes: Sequence[Minute]) -> dict[str, tuple[float, float]]:
    """Each figure's mean over the first and over the last minutes; those of warming up are left out if others are."""
    counted = minutes[WARM_MINUTES:] if len(minutes) > 2 * WARM_MINUTES else minutes
    share = max(1, min(SHOWN_MINUTES, len(counted) // 2))
    first, last = ([one.figures() for one in part] for part in (counted[:share], counted[-share:]))
    return {name: (mean([one[name] for one in first]), mean([one[name] for one in last])) for name in first[0]}


def faults(minutes: Sequence[Minute]) -> list[str]:
    """What makes the soak fail, in words; empty = nothing."""
    found = []
    if failed := sum(one.failed for one in minutes):
        found.append(f"{failed} calls or registrations failed")
    if lost := sum(one.lost for one in minutes):
        found.append(f"{lost} calls have no record")
    for name, (first, last) in compared(minutes).items():
        if name.startswith("memory") and last - first > max(GROWTH_MB, GROWTH_SHARE * first):
            found.append(f"{name} grew from {number(first)} to {number(last)}")
    return found


def report(minutes: Sequence[Minute]) -> Table:
    """The first minutes beside the last ones."""
    table = Table(title=f"Soak of {len(minutes)} minutes", title_justify="left")
    for name in ("mean of", "first minutes", "last minutes", "ratio"):
        table.add_column(name, justify="left" if name == "mean of" else "right")
    for name, (first, last) in compared(minutes).items():
        table.add_row(name, number(first), number(last), number(last / first if first else math.nan))
    return table


def as_json(minutes: Sequence[Minute], failures: Sequence[str]) -> str:
    """The file that a machine reads."""
    shown: list[dict[str, Any]] = [{**one.figures(), "calls": one.calls, "registers": one.registers} for one in minutes]
    clean = [{k: v if math.isfinite(v) else None for k, v in one.items()} for one in shown]
    return json.dumps({"minutes": clean, "faults": list(failures)}, indent=2) + "\n"


async def soak(seconds: int, rate: int, place: Path) -> list[Minute]:
    """All minutes of a soak; says each one's figures as it goes."""
    minutes: list[Minute] = []
    with tempfile.TemporaryDirectory(prefix="soak-", dir=place) as folder:
        async with installation(Path(folder)) as at:
            until = time.monotonic() + seconds
            while not minutes or time.monotonic() < until:
                minutes.append(await minute(at, rate, min(MINUTE_S, seconds)))
                shown = ", ".join(f"{name} {number(value)}" for name, value in minutes[-1].figures().items())
                print(f"[{time.strftime('%H:%M:%S')}] {len(minutes)}: {shown}", file=sys.stderr, flush=True)
    return minutes


def main() -> int:
    """0 when all went well, 1 when not, 2 without SIPp."""
    if not sipp.installed():
        print("SIPp is not installed (Debian: apt-get install sip-tester)", file=sys.stderr)
        return 2
    path = Path(os.environ.get("SOAK_JSON", "build/soak.json"))
    path.parent.mkdir(parents=True, exist_ok=True)
    seconds, rate = int(os.environ.get("SOAK_S", "3600")), int(os.environ.get("SOAK_RATE", "50"))
    minutes = asyncio.run(soak(seconds, rate, path.parent))
    failures = faults(minutes)
    path.write_text(as_json(minutes, failures))
    Console(width=120).print(report(minutes))
    for line in failures:
        print(f"soak: {line}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
