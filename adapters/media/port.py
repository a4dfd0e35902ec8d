"""Ports for our own media: a pair for each leg, the even one for RTP and the next for RTCP (RFC 3550 section 11).

What may live here: which pairs are free. Who binds them is the media worker.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from random import Random


class NoPort(Exception):
    """All pairs of the range are in use."""


class Ports:
    """The pairs of a range; the one that was given back longest ago comes first, so that stragglers find nobody."""

    def __init__(self, first: int, last: int, chance: Callable[[int], bytes] | None = None) -> None:
        """`first` to `last`, both included, whole pairs only.

        With `chance` (so many random bytes) in an order of our own: other processes take from the same range, and
        those that begin at its start would meet there, and try what the others have.
        """
        pairs = list(range(first + first % 2, last, 2))
        if chance is not None:
            Random(chance(8)).shuffle(pairs)
        self._free = deque(pairs)
        self._known = frozenset(pairs)
        self._taken: set[int] = set()

    def __contains__(self, port: int) -> bool:
        """Whether it is one of the range."""
        return port in self._known

    def take(self) -> int:
        """A pair's even port. Raises NoPort."""
        while self._free:
            port = self._free.popleft()
            if port not in self._taken:  # else it was marked while it stood in line
                self._taken.add(port)
                return port
        raise NoPort("every pair of ports for media is in use: widen SWITCHLOG_MEDIA_PORTS")

    def mark(self, port: int) -> None:
        """It is in use already, by what the journal says. One outside the range, which was another once, is too."""
        self._taken.add(port)

    def free(self, port: int) -> None:
        """Give a pair back, once or more often."""
        if port in self._taken:
            self._taken.remove(port)
            if port in self._known:
                self._free.append(port)
