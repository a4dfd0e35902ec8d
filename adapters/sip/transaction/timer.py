"""The timers of SIP transactions: their lengths (RFC 3261 table 4, RFC 6026) and the queues that order them.

What may live here: durations and deadlines. No clock (a deadline is `now` plus a duration, in monotonic seconds
that the caller hands in), no messages and no state of a transaction.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Generic, TypeVar

Owner = TypeVar("Owner")
Deadline = tuple[float, int, Owner, "Timer"]
"""When, the number of its start, whose, which."""


class Timer(Enum):
    """Timers by the letters of RFC 3261 and RFC 6026, and those that the RFCs describe without a letter."""

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
    UNSURE = "unsure"  # the ACK of our 2xx came before the restart, or the peer has not heard the 2xx yet
    CANCEL_LIMIT = "cancel"  # no final response after a CANCEL (RFC 3261 9.1)
    SLOW = "slow"  # non-INVITE server: no answer until the peer's Timer E has reached T2 (RFC 4320 4.1)
    LATE = "late"  # non-INVITE server: the peer has given up by now, an answer must not follow (RFC 4320 4.2)

    __hash__ = object.__hash__  # members are single: Enum's own hash of the name costs a call each time


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

    @property
    def slow_s(self) -> float:
        """How long a client's Timer E takes until it is T2: with the values of RFC 3261, 0.5 + 1 + 2 seconds."""
        total_s, interval_s = 0.0, self.t1_s
        while interval_s < self.t2_s:
            total_s, interval_s = total_s + interval_s, 2 * interval_s
        return total_s

    @property
    def unsure_s(self) -> float:
        """How long an ACK is waited for that may have come already: the 2xx is said three times meanwhile."""
        return 4 * self.t1_s

    @property
    def hurry_s(self) -> float:
        """Timer F of a request that somebody waits for: it ends two repetitions before that one's own (RFC 4321)."""
        return self.limit_s - 2 * self.t2_s

    def repeats(self, timer: Timer) -> bool:
        """True for the timers that send something again and run with growing intervals."""
        return timer in _REPEATING

    def wanted(self, timer: Timer, reliable: bool) -> bool:
        """False for the retransmissions that a reliable transport does itself."""
        return not (reliable and timer in _UNRELIABLE_ONLY)

    def duration_s(self, timer: Timer, reliable: bool) -> float:
        """Length of a timer that fires once, in seconds; 0 where a reliable transport needs no waiting."""
        return self._durations_s[timer, reliable]

    @cached_property
    def _durations_s(self) -> Mapping[tuple[Timer, bool], float]:
        return {(timer, reliable): self._duration_s(timer, reliable) for timer in Timer for reliable in (False, True)}

    def _duration_s(self, timer: Timer, reliable: bool) -> float:
        if reliable and timer in _ZERO_IF_RELIABLE:
            return 0.0
        if timer is Timer.D:
            return max(self.d_s, self.limit_s)
        if timer in (Timer.I, Timer.K):
            return self.t4_s
        if timer is Timer.SLOW:
            return self.slow_s
        if timer is Timer.UNSURE:
            return self.unsure_s
        if timer is Timer.LATE:
            return self.limit_s - self.slow_s
        return self.limit_s

    def interval_s(self, timer: Timer, previous_s: float) -> float:
        """Next interval of a repeating timer, in seconds; `previous_s` is 0 for the first."""
        doubled_s = 2 * previous_s if previous_s else self.t1_s
        return doubled_s if timer is Timer.A else min(doubled_s, self.t2_s)


class TimerQueues(Generic[Owner]):
    """Deadlines of many owners: one queue for each timer of one length, whose ends come in the order of its starts.

    A deadline is not stopped: `counts(owner, timer)` says whether one that comes up still means something.
    """

    def __init__(self, counts: Callable[[Owner, Timer], bool]) -> None:
        self._counts = counts
        self._queues: dict[tuple[Timer, float], deque[Deadline[Owner]]] = {}
        self._started = 0
        self._next: Deadline[Owner] | None = None
        """The earliest of all, once it was looked for: new ones are held against it."""

    def start(self, now: float, duration_s: float, owner: Owner, timer: Timer) -> None:
        """Adds a deadline; `now` in monotonic seconds. Equal deadlines come up in the order of starting."""
        self._started += 1
        queue = self._queues.get((timer, duration_s))
        if queue is None:
            queue = self._queues[(timer, duration_s)] = deque()
        at = now + duration_s
        if queue and queue[-1][0] > at:
            at = queue[-1][0]  # the caller's clock went back, which it says it does not
        entry = (at, self._started, owner, timer)
        queue.append(entry)
        if self._next is not None and at < self._next[0]:
            self._next = entry

    def first(self) -> float | None:
        """The earliest deadline that counts."""
        known = self._next
        if known is None or not self._counts(known[2], known[3]):
            queue = self._first_queue()
            known = self._next = queue[0] if queue else None
        return known[0] if known is not None else None

    def due(self, now: float) -> tuple[Owner, Timer] | None:
        """Takes out the earliest deadline that counts, if its moment has come."""
        at = self.first()
        queue = self._first_queue() if at is not None and at <= now else None
        if queue is None:
            return None
        self._next = None
        _, _, owner, timer = queue.popleft()
        return owner, timer

    def oldest(self, timer: Timer) -> Owner | None:
        """Takes out the longest running of these timers."""
        for (kind, _), queue in self._queues.items():
            if kind is timer and self._skip(queue):
                self._next = None
                return queue.popleft()[2]
        return None

    def _first_queue(self) -> deque[Deadline[Owner]] | None:
        first = None
        for queue in self._queues.values():
            if queue and self._skip(queue) and (first is None or queue[0] < first[0]):
                first = queue
        return first

    def _skip(self, queue: deque[Deadline[Owner]]) -> bool:
        """Drop what no longer counts from the front; False if nothing is left."""
        counts = self._counts
        while queue:
            _, _, owner, timer = queue[0]
            if counts(owner, timer):
                return True
            queue.popleft()
        return False
