"""Overload control: from a few cheap measures to whom may still come in (RFC 3261 21.5.4, RFC 7339).

What may live here: the law only, without clock, sockets or chance. More pressure never admits more; what belongs to
something under way is never asked about here at all.

The measure is delay: how long the oldest piece of work waits, wherever it waits. It is held near `low_s` to `high_s`
by refusing a share of new work that grows with it, so that what is admitted is served while it is still wanted.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple


class Measures(NamedTuple):
    """One look at the worker; every field only grows with load."""

    commit_age_s: float = 0.0
    """age of the oldest submission that the journal has not answered"""
    commits_waiting: int = 0
    lane_age_s: float = 0.0
    """age of the oldest new request that waits for its turn"""
    loop_lag_s: float = 0.0
    """how late the event loop is"""
    transactions: float = 0.0
    """transactions alive, as a share of their limit"""


class Work(Enum):
    """New work by how readily it is refused: (first refused at this pressure, all refused at this one).

    Calls before registrations, since a lost registration loses the calls to come; those who have shown credentials
    after those who have not, since half their work is done; addresses where a device is known after strangers.
    """

    STRANGE_CALL = (0.0, 0.5)
    CALL = (0.05, 0.6)
    PROVING_CALL = (0.2, 0.9)
    STRANGE_REGISTER = (0.3, 0.9)
    REGISTER = (0.4, 1.0)
    REFRESH = (0.7, 1.2)


@dataclass(frozen=True)
class OverloadLimits:
    """Times in seconds."""

    low_s: float = 0.03
    high_s: float = 0.2
    commits: int = 32
    """a slow disk alone is no overload: the journal's age counts when as many submissions wait"""
    stalled_s: float = 1.0
    """a journal that is silent so long is stalled, however few wait for it"""
    transactions: tuple[float, float] = (0.7, 1.0)
    calm_s: float = 0.5
    """how long a pressure takes to fade when its cause is gone, so that the gate does not flutter"""


class Controller:
    """Holds the pressure: 0 = everything is admitted, 1 = as bad as it is measured."""

    def __init__(self, limits: OverloadLimits | None = None) -> None:
        self._limits = limits or OverloadLimits()
        self._at = 0.0
        self.pressure = 0.0

    def observe(self, measures: Measures, now: float) -> float:
        """Take one look at `now` (monotonic seconds, never back); returns the pressure."""
        faded = self.pressure - max(now - self._at, 0.0) / self._limits.calm_s
        self._at = now
        self.pressure = max(self._pressure(measures), faded, 0.0)
        return self.pressure

    def admits(self, work: Work, chance: float) -> bool:
        """Whether one piece of work comes in; `chance` in [0, 1) is the same for the same conversation."""
        return chance >= self.refused_share(work)

    def refused_share(self, work: Work) -> float:
        """The share of such work that is refused now."""
        first, everything = work.value
        return min(max((self.pressure - first) / (everything - first), 0.0), 1.0)

    def _pressure(self, measures: Measures) -> float:
        limits = self._limits
        delay_s = measures.lane_age_s + measures.loop_lag_s
        if measures.commits_waiting >= limits.commits or measures.commit_age_s >= limits.stalled_s:
            delay_s = max(delay_s, measures.commit_age_s)
        by_delay = _share(delay_s, limits.low_s, limits.high_s)
        return max(by_delay, _share(measures.transactions, *limits.transactions))


def _share(value: float, low: float, high: float) -> float:
    return min(max((value - low) / (high - low), 0.0), 1.0)
