"""The pace of commits: how long from one to the next, by how many records come.

What may live here: the law only, without clock and threads. An fsync costs as much for one record as for fifty, so
fewer of them are worth a wait only where a wait gathers something: the more records come, the longer the pace.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp


@dataclass(frozen=True)
class PaceLimits:
    """Times in seconds, rates in records a second; between the two rates the pace grows with the rate."""

    least_s: float = 0.002
    most_s: float = 0.005
    slow: float = 400.0
    """up to this rate it is the least"""
    fast: float = 1500.0
    """from this rate on it is the most"""
    remembers_s: float = 0.25
    """what came so long ago counts a third of what comes now"""


class Pace:
    """Follows the rate of records over the last groups."""

    def __init__(self, limits: PaceLimits | None = None) -> None:
        self._limits = limits or PaceLimits()
        self._rate = 0.0

    def after(self, rows: int, since_s: float) -> float:
        """Seconds from the begin of a group of `rows` records to the next; it began `since_s` after the one before."""
        limits = self._limits
        kept = exp(-since_s / limits.remembers_s)
        self._rate = self._rate * kept + rows / limits.remembers_s
        busy = min(max((self._rate - limits.slow) / (limits.fast - limits.slow), 0.0), 1.0)
        return limits.least_s + busy * (limits.most_s - limits.least_s)
