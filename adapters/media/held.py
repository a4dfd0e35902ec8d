"""A context as it shall be, and how its legs are shared out among workers.

What may live here: values and what follows from them. Who is told, and when, is the pool's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from msgspec.structs import replace

from media.wire import Context, Leg, Span

RateHz = Callable[[tuple[Leg, ...]], int]
"""of a mix of these legs"""


class Part:
    """What one worker has of a context."""

    __slots__ = ("legs", "moves", "worker")

    def __init__(self, worker: str, legs: set[str] | None = None) -> None:
        self.worker = worker
        self.legs = legs or set()
        self.moves = False
        """whether its worker was told to leave it to others, and has not said that it did"""


class Found(NamedTuple):
    """What a worker is known to have of a context: `legs` is None if that is all of it."""

    rev: int
    epoch: int
    home: bool = True
    legs: tuple[str, ...] | None = None


class Held:
    """A context; the first of its `parts` is its home, which has what belongs to all legs."""

    __slots__ = ("desired", "epoch", "parts", "rev", "shared")

    def __init__(self, desired: Context) -> None:
        self.desired = desired
        self.parts: list[Part] = []
        self.rev = self.epoch = 0
        self.shared = False
        """whether a worker had a part of it only: others may have the rest"""

    @property
    def home(self) -> str:
        """Its worker; empty if there is none."""
        return self.parts[0].worker if self.parts else ""

    def part_at(self, worker: str) -> Part | None:
        return next((part for part in self.parts if part.worker == worker), None)

    def carrier(self, leg: str) -> str:
        """The worker that has a leg; empty if none has."""
        return next((part.worker for part in self.parts if leg in part.legs), "")

    def waiting(self) -> list[str]:
        """Legs that no worker has."""
        return [leg.id for leg in self.desired.legs if not any(leg.id in part.legs for part in self.parts)]

    def change(self, desired: Context) -> None:
        """It shall be so from now on."""
        self.desired = desired
        legs = {leg.id for leg in desired.legs}
        for part in self.parts:
            part.legs &= legs

    def adopt(self, worker: str, found: Found) -> bool:
        """A worker has something of it already; whether it is to keep that."""
        if self.part_at(worker) is None:
            waiting = self.waiting()
            legs = {leg for leg in waiting if found.legs is None or leg in found.legs}
            if not legs and (self.parts or found.legs is not None):
                return False
            self.parts.insert(0 if found.home else len(self.parts), Part(worker, legs))
        self.rev = max(self.rev, found.rev)
        self.shared |= found.legs is not None
        return True

    def inherit(self, part: Part, heir: str) -> None:
        """Another worker has a part from now on, beside what it has already."""
        other = self.part_at(heir)
        if other is None:
            part.worker, part.moves = heir, False
            return
        other.legs |= part.legs
        other.moves = False
        at = self.parts.index(part)
        self.parts.remove(part)
        if at == 0:
            self.parts.remove(other)
            self.parts.insert(0, other)

    def divided(self, rate_hz: RateHz) -> Iterator[tuple[str, Context]]:
        """What each worker is to make of it."""
        parts = [part for part in self.parts if not part.moves]
        if len(parts) == len(self.parts) == 1 and not self.waiting():
            yield parts[0].worker, self.desired
            return
        rate = (self.desired.clock_rate_hz or rate_hz(self.desired.legs)) if len(parts) > 1 else 0
        for part in parts:
            yield part.worker, self._of(part, parts, rate)

    def found(self) -> dict[str, Found]:
        """What its workers have of it, for whoever goes on with it."""
        shared = len(self.parts) > 1
        return {
            part.worker: Found(self.rev, self.epoch, part is self.parts[0], tuple(part.legs) if shared else None)
            for part in self.parts
        }

    def _of(self, part: Part, parts: list[Part], rate_hz: int) -> Context:
        home = part is self.parts[0]
        others = tuple(file_of(one.worker) for one in parts if one is not part)
        return replace(
            self.desired,
            legs=tuple(leg for leg in self.desired.legs if leg.id in part.legs),
            clock_rate_hz=rate_hz or self.desired.clock_rate_hz,
            plays=self.desired.plays if home else (),
            records=self.desired.records if home else (),
            span=Span(home, others) if others else None,
        )


def file_of(worker: str) -> str:
    """The name of its control socket among those of its folder."""
    return worker.rpartition("/")[2]
