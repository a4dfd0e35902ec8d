"""The row that asks whether a tenant pays for the others: the same load beside few and beside many tenants."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from bench import signalling
from bench.installation import Installation, installation
from bench.signalling import Load, Measured
from bench.table import Row

FEW = 10


async def tenant_rows(folder: Path, many: int, registers: Load, calls: Load) -> list[Row]:
    """REGISTER and calls of one tenant of `many`, beside the same of one of ten."""
    few = await _both(folder / "few", FEW, registers, calls)
    found = await _both(folder / "many", many, registers, calls)
    names = ("REGISTER", "call")
    return [_row(name, many, one, other) for name, one, other in zip(names, found, few, strict=True)]


async def _both(folder: Path, count: int, registers: Load, calls: Load) -> tuple[Measured, Measured]:
    async with installation(folder, tenants=count) as at:
        await at.restart()
        return await _kept(at, signalling.register, registers), await _kept(at, signalling.call, calls)


async def _kept(at: Installation, measure: Callable[[Installation, Load], Awaitable[Measured]], load: Load) -> Measured:
    measured = await measure(at, load)
    if measured.stats.failed:
        raise RuntimeError(f"{measured.stats.failed} of {load.total} failed: the cost of the others says nothing")
    return measured


def _row(name: str, many: int, found: Measured, few: Measured) -> Row:
    return Row(
        f"{name}, CPU with {many:,} tenants",
        found.cpu_ms,
        "ms",
        f"the same with {FEW} tenants",
        few.cpu_ms,
        facts={"asked /s": found.load.rate, "idle ms/s": found.idle * 1000, "idle with few ms/s": few.idle * 1000},
    )
