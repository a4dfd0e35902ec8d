"""What a benchmark measures: CPU and memory of a process tree, and shares of a list of values."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator, Sequence

import psutil

_SETTLE_S = 90
_STEP_S = 0.5
_BUSY_SHARE = 0.2
"""Of one core, of all processes together: below it a server is done with what it was given."""


class TreeCpu:
    """User and system seconds of a process and all its descendants, also of those that end meanwhile if waited for."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._begun_s = self._total()

    def seconds(self) -> float:
        """CPU seconds since the beginning."""
        return self._total() - self._begun_s

    def _total(self) -> float:
        total = 0.0
        for process in _tree(self._pid):
            try:
                times = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += times.user + times.system + times.children_user + times.children_system
        return total


async def settle(cpu: TreeCpu) -> None:
    """Return once these processes have worked off what they were given; RuntimeError when that takes too long."""
    before = cpu.seconds()
    for _ in range(round(_SETTLE_S / _STEP_S)):
        await asyncio.sleep(_STEP_S)
        now = cpu.seconds()
        if now - before < _BUSY_SHARE * _STEP_S:
            return
        before = now
    raise RuntimeError(f"the server is still busy {_SETTLE_S} s after the load ended")


def private_bytes(pid: int) -> int:
    """Memory that this one process wrote, in bytes: without the files that it maps, which others may map as well."""
    info = psutil.Process(pid).memory_info()
    return int(info.rss) - int(getattr(info, "shared", 0))


def _tree(pid: int) -> Iterator[psutil.Process]:
    try:
        root = psutil.Process(pid)
        yield root
        yield from root.children(recursive=True)
    except psutil.NoSuchProcess:
        return


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` (0 to 1) of the values do not exceed (nearest rank); NaN of none."""
    if not 0 <= share <= 1:
        raise ValueError(f"a share lies between 0 and 1, not at {share}")
    if not values:
        return math.nan
    rank = math.ceil(share * len(values))
    return sorted(values)[max(rank, 1) - 1]


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean; NaN of none."""
    return math.fsum(values) / len(values) if values else math.nan
