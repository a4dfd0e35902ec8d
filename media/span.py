"""A context of which some legs are at other workers: what these say altogether, and what ours do for them.

What may live here: partial sums by their numbers, and what stands in for one that is not there. No sockets.

Each worker mixes its own legs, and tells the others each tick what they say altogether, in 32 bits: so what a leg hears
is exactly the sum of all without itself, wherever they are. Workers tick at times of their own. One whose partial comes
too late for a tick is waited for, so that from then on there is one to spare; when one was always to spare for some
seconds, two are made one. A partial that is lost is left out. In place of what is missing sounds the frame before,
backwards and fading, then nothing.
"""

from __future__ import annotations

import msgspec
import numpy as np

from media.mixer import Sums
from media.wire import Span as Wanted

FRAMES_PER_S = 50
MOST_WAITING = 4
"""Frames of a worker that came all at once, after it stood still: older ones are left out."""
WINDOW_TICKS, BRIEF_WINDOW_TICKS = 500, 50
"""So long one was always to spare, or two, before there is one fewer."""
GONE_TICKS = 50
"""So long a worker says nothing before it is taken for one whose legs are silent."""
_FADE_IN_SHARE = 4


class Partial(msgspec.Struct, frozen=True, array_like=True):
    """20 ms of the legs that a worker has of a context; `run` changes when its numbers begin anew."""

    context: str
    run: int
    number: int
    clock_rate_hz: int
    talking: tuple[tuple[str, int], ...]
    """legs that talk, and how loud"""
    samples: bytes
    """of 32 bits, as they lie in memory"""


class Lane:
    """What comes from one other worker."""

    def __init__(self, samples: int) -> None:
        self.talking: tuple[tuple[str, int], ...] = ()
        self._run = -1
        self._turn = 0
        """number of the next one"""
        self._waiting: dict[int, Sums] = {}
        self._last: Sums = np.zeros(samples, dtype=np.int32)
        self._missed = GONE_TICKS
        """ticks without one, up to the last"""
        self._least, self._ticks = MOST_WAITING, 0
        """how many were always to spare, in so many ticks"""

    def put(self, partial: Partial) -> None:
        """Of the rate that this lane is for."""
        if partial.run != self._run:
            self._run, self._turn = partial.run, partial.number
            self._waiting.clear()
        if partial.number < self._turn:
            return
        self.talking = partial.talking
        self._waiting[partial.number] = np.frombuffer(partial.samples, dtype=np.int32)
        if partial.number - self._turn >= MOST_WAITING:
            self._turn = partial.number - 1
            self._waiting = {number: frame for number, frame in self._waiting.items() if number >= self._turn}
            self._least, self._ticks = MOST_WAITING, 0

    def take(self) -> Sums | None:
        """The next tick; None if nobody says anything there."""
        if not self._waiting:
            return self._missing()
        frame = self._waiting.pop(self._turn, None)
        self._turn += 1
        if frame is None:
            return self._missing()
        if self._has_one_too_many():
            frame = _blended(frame, self._waiting.pop(self._turn, frame))
            self._turn += 1
        if self._missed:
            frame = _faded_in(frame)
        self._missed, self._last = 0, frame
        return frame

    def _missing(self) -> Sums | None:
        self._missed += 1
        if self._missed == 1:
            return _faded_out(self._last[::-1])
        if self._missed == GONE_TICKS:
            self.talking = ()
        return None

    def _has_one_too_many(self) -> bool:
        self._least = min(self._least, len(self._waiting))
        self._ticks += 1
        if self._ticks < WINDOW_TICKS and (self._least < 2 or self._ticks < BRIEF_WINDOW_TICKS):
            return False
        found, self._least, self._ticks = self._least > 0, MOST_WAITING, 0
        return found


class Span:
    """Of one context here."""

    def __init__(self, context: str, run: int, clock_rate_hz: int, wanted: Wanted) -> None:
        """`run` is of chance."""
        self.clock_rate_hz = clock_rate_hz
        self.talking: tuple[tuple[str, int], ...] = ()
        """legs of ours that talk, and how loud"""
        self._context, self._run = context, run
        self._number = 0
        self._said_bytes = clock_rate_hz // FRAMES_PER_S * np.dtype(np.int32).itemsize
        self._said: bytes | None = None
        self._lanes: dict[str, Lane] = {}
        self.update(wanted)

    def update(self, wanted: Wanted) -> None:
        """These are the others from now on."""
        samples = self.clock_rate_hz // FRAMES_PER_S
        self.is_home = wanted.home
        self._lanes = {peer: self._lanes.get(peer) or Lane(samples) for peer in wanted.peers}

    @property
    def peers(self) -> tuple[str, ...]:
        return tuple(self._lanes)

    def all_talking(self) -> list[tuple[str, int]]:
        """Legs of all workers."""
        return [*self.talking, *(one for lane in self._lanes.values() for one in lane.talking)]

    def hear(self, peer: str, partial: Partial) -> None:
        """What another worker says; of one that mixes at another rate by now nothing is heard until both are told."""
        lane = self._lanes.get(peer)
        fits = (partial.clock_rate_hz, len(partial.samples)) == (self.clock_rate_hz, self._said_bytes)
        if lane is not None and fits:
            lane.put(partial)

    def exchange(self, total: Sums) -> None:
        """20 ms: `total` is what is said here; after it, what is said everywhere."""
        self._said = total.tobytes()
        for lane in self._lanes.values():
            frame = lane.take()
            if frame is not None:
                total += frame

    def said(self) -> Partial | None:
        """What the others are to be told now; told once a tick."""
        if self._said is None:
            return None
        said, self._said = self._said, None
        self._number += 1
        return Partial(self._context, self._run, self._number, self.clock_rate_hz, self.talking, said)


def spanned(before: Span | None, context: str, clock_rate_hz: int, wanted: Wanted | None, run: int) -> Span | None:
    """What a context has, as it shall be; what is there already goes on, unless its rate is another one."""
    if wanted is None:
        return None
    if before is None or before.clock_rate_hz != clock_rate_hz:
        return Span(context, run, clock_rate_hz, wanted)
    before.update(wanted)
    return before


def _blended(first: Sums, second: Sums) -> Sums:
    """From the one to the other."""
    share = np.linspace(0, 1, len(first))
    return np.rint(first * (1 - share) + second * share).astype(np.int32)


def _faded_out(frame: Sums) -> Sums:
    return np.rint(frame * np.linspace(1, 0, len(frame))).astype(np.int32)


def _faded_in(frame: Sums) -> Sums:
    ramp = np.minimum(np.linspace(0, _FADE_IN_SHARE, len(frame)), 1)
    return np.rint(frame * ramp).astype(np.int32)
