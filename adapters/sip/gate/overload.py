"""Overload control: from a few cheap measures to whom may still come in (RFC 3261 21.5.4, RFC 7339).

What may live here: the law only, without clock, sockets or chance. More pressure never admits more; what belongs to
something under way is never asked about here at all.

The measure is delay: how long the oldest piece of work waits, wherever it waits. While it is above the target, the part
of new work that comes in shrinks at each look, and grows again slowly below half of it: so the share settles where the
queue is short, whatever the machine can do, and what is admitted is served while it is still wanted.
"""

from __future__ import annotations

from collections import deque
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

    STRANGE_CALL = (0.05, 0.6)
    CALL = (0.1, 0.7)
    PROVING_CALL = (0.3, 0.9)
    STRANGE_REGISTER = (0.4, 0.9)
    REGISTER = (0.6, 0.9)
    REFRESH = (0.8, 1.0)


@dataclass(frozen=True)
class OverloadLimits:
    """Times in seconds."""

    target_s: float = 0.1
    """two turns and three commits lie between an INVITE and its 200: with this much for each, T1 is not over then"""
    look_s: float = 0.025
    """how often it is looked; the factors below are for one look"""
    shrinks: float = 0.08
    """by this part at twice the target, by three times of it at four times the target or more"""
    grows: float = 0.006
    hastens: float = 8.0
    rests_s: float = 1.5
    """after so long without delay it grows `hastens` times as fast: the cause is gone, such as an outage of the
    journal, for a load that is too much brings the delay back before that"""
    least: float = 0.1
    commits: int = 32
    """a slow disk alone is no overload: the journal's age counts when as many submissions wait"""
    stalled_s: float = 1.0
    """a journal that is silent so long is stalled, however few wait for it"""
    transactions: tuple[float, float] = (0.7, 1.0)
    looks: int = 2
    """so many looks in a row must see a delay: a queue that stands, not a stutter of the machine"""
    stands_s: float = 0.2
    """where nothing is refused yet, a delay must stand so long: what a pause of the machine left is worked off"""


class Controller:
    """Holds the pressure: 0 = everything is admitted, towards 1 = as little as can be."""

    def __init__(self, limits: OverloadLimits | None = None) -> None:
        self._limits = limits or OverloadLimits()
        self._at: float | None = None
        self._seen: deque[float] = deque([0.0] * self._limits.looks, maxlen=self._limits.looks)
        self._calm_at: float | None = None
        self._pressed_at = 0.0
        self._admitted = 1.0

    @property
    def pressure(self) -> float:
        """What the last look found."""
        return 1.0 - self._admitted

    def observe(self, measures: Measures, now: float) -> float:
        """Take one look at `now` (monotonic seconds, never back); returns the pressure."""
        limits = self._limits
        looks = 1.0 if self._at is None else min((now - self._at) / limits.look_s, 4.0)
        self._at = now
        self._seen.append(self._excess(measures))
        if self._calm_at is None or self._seen[-1] <= 0:
            self._calm_at = now
        if self._seen[-1] >= -0.5:
            self._pressed_at = now
        excess = min(self._seen)
        if excess > 0 and (self._admitted < 1.0 or now - self._calm_at >= limits.stands_s):
            shrinks = 1.0 - limits.shrinks * min(excess, 3.0)
            self._admitted = max(self._admitted * shrinks**looks, limits.least)
        elif excess < -0.5:
            grows = limits.grows * (limits.hastens if now - self._pressed_at >= limits.rests_s else 1.0)
            self._admitted = min(self._admitted + grows * looks, 1.0)
        return self.pressure

    def admits(self, work: Work, chance: float) -> bool:
        """Whether one piece of work comes in; `chance` in [0, 1) is the same for the same conversation."""
        return chance >= self.refused_share(work)

    def refused_share(self, work: Work) -> float:
        """The share of such work that is refused now."""
        first, everything = work.value
        return min(max((self.pressure - first) / (everything - first), 0.0), 1.0)

    def _excess(self, measures: Measures) -> float:
        """How far the delay is above the target, as a share of it: -1 = there is none."""
        low, high = self._limits.transactions
        delayed = self.delay_s(measures) / self._limits.target_s - 1.0
        return max(delayed, (measures.transactions - low) / (high - low))

    def delay_s(self, measures: Measures) -> float:
        """How long the oldest piece of work waits, as far as that is load."""
        delay_s = measures.lane_age_s + measures.loop_lag_s
        if measures.commits_waiting >= self._limits.commits or measures.commit_age_s >= self._limits.stalled_s:
            delay_s = max(delay_s, measures.commit_age_s)
        return delay_s
