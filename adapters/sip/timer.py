"""The timers of SIP transactions: their lengths (RFC 3261 table 4, RFC 6026) and the heap that orders them.

What may live here: durations and deadlines. No clock (a deadline is `now` plus a duration, in monotonic seconds
that the caller hands in), no messages and no state of a transaction.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

Owner = TypeVar("Owner")


class Timer(Enum):
    """Timers by the letters of RFC 3261 and RFC 6026, and two that the RFCs describe without a letter."""

    A = "A"  # INVITE client, UDP: send the INVITE again
    B = "B"  # INVITE client: no response at all
    D = "D"  # INVITE client: absorb repeated final responses
    E = "E"  # non-INVITE client, UDP: send the request again
    F = "F"  # non-INVITE client: no final response
    G = "G"  # INVITE server, UDP: send the 300-699 again
    H = "H"  # INVITE server: no ACK of a 300-699
    I = "I"  # noqa: E741  (the RFC's name)
    J = "J"  # non-INVITE server: absorb repeated requests
    K = "K"  # non-INVITE client: absorb repeated responses
    L = "L"  # INVITE server accepted (RFC 6026 7.1): absorb repeated INVITEs
    M = "M"  # INVITE client accepted (RFC 6026 7.2): pass on the 2xx of forks
    REPEAT_2XX = "2xx"  # our 2xx again until its ACK, on every transport (RFC 3261 13.3.1.4)
    CANCEL_LIMIT = "cancel"  # no final response after a CANCEL (RFC 3261 9.1)


_REPEATING = frozenset({Timer.A, Timer.E, Timer.G, Timer.REPEAT_2XX})
_UNRELIABLE_ONLY = frozenset({Timer.A, Timer.E, Timer.G})
_ZERO_IF_RELIABLE = frozenset({Timer.D, Timer.I, Timer.J, Timer.K})


@dataclass(frozen=True)
class Timers:
    """Base durations in seconds (RFC 3261 17.1.1.1 and 17.1.2.2), from which every timer's length follows."""

    t1_s: float = 0.5
    t2_s: float = 4.0
    t4_s: float = 5.0
    d_s: float = 32.0

    @property
    def limit_s(self) -> float:
        """64*T1: how long a transaction tries (timers B, F, H, J, L, M and the limit after a CANCEL)."""
        return 64 * self.t1_s

    def repeats(self, timer: Timer) -> bool:
        """True for the timers that send something again and run with growing intervals."""
        return timer in _REPEATING

    def wanted(self, timer: Timer, reliable: bool) -> bool:
        """False for the retransmissions that a reliable transport does itself."""
        return not (reliable and timer in _UNRELIABLE_ONLY)

    def duration_s(self, timer: Timer, reliable: bool) -> float:
        """Length of a timer that fires once, in seconds; 0 where a reliable transport needs no waiting."""
        if reliable and timer in _ZERO_IF_RELIABLE:
            return 0.0
        if timer is Timer.D:
            return max(self.d_s, self.limit_s)
        if timer in (Timer.I, Timer.K):
            return self.t4_s
        return self.limit_s

    def interval_s(self, timer: Timer, previous_s: float) -> float:
        """Next interval of a repeating timer, in seconds; `previous_s` is 0 for the first."""
        doubled_s = 2 * previous_s if previous_s else self.t1_s
        return doubled_s if timer is Timer.A else min(doubled_s, self.t2_s)


class TimerHeap(Generic[Owner]):
    """Deadlines of many owners. A stopped or moved deadline is left in the heap and skipped when it comes up.

    An owner's own record of its deadlines decides: an entry counts only if `current(owner, timer)` is the very
    number that was pushed.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Owner, Timer]] = []
        self._pushed = 0

    def push(self, at: float, owner: Owner, timer: Timer) -> None:
        """Adds a deadline in monotonic seconds; equal deadlines come up in the order of pushing."""
        self._pushed += 1
        heapq.heappush(self._heap, (at, self._pushed, owner, timer))

    def peek(self) -> tuple[float, Owner, Timer] | None:
        """The earliest entry, possibly one that no longer counts."""
        if not self._heap:
            return None
        at, _, owner, timer = self._heap[0]
        return at, owner, timer

    def pop(self) -> None:
        """Removes the earliest entry."""
        heapq.heappop(self._heap)
