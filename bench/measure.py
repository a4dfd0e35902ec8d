"""What a benchmark measures: CPU and memory of a process tree, and shares of a list of values."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence

import psutil


class TreeCpu:
    """User and system seconds of a process and all its descendants, also of those that end meanwhile if waited for."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._begun_s = self._total()
        self._begun_at = time.monotonic()

    def seconds(self) -> float:
        """CPU seconds since the beginning."""
        return self._total() - self._begun_s

    def elapsed(self) -> float:
        """Seconds of the wall clock since the beginning."""
        return time.monotonic() - self._begun_at

    def _total(self) -> float:
        total = 0.0
        for process in _tree(self._pid):
            try:
                times = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += times.user + times.system + times.children_user + times.children_system
        return total


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
