"""The event of a device that names somebody else to be called. It belongs to `Call`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.base import Event
from domain.call.leg import LegState
from domain.values import Cause

if TYPE_CHECKING:
    from domain.call.call import Call


@dataclass(frozen=True)
class Redirected(Event):
    """A device will not answer but names others (SIP 3xx); `targets` are the numbers that are called next, in order."""

    TOPIC = "call.redirected.1"

    leg: str
    why: Cause
    targets: tuple[str, ...]

    def apply(self, aggregate: Call) -> None:
        leg = aggregate.legs[self.leg]
        leg.state, leg.why = LegState.FAILED, self.why
        aggregate.redirects += 1
        aggregate.alternatives = (*self.targets, *aggregate.alternatives)
