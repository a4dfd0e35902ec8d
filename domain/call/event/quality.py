"""The events of what audio is like where it goes through our media. They belong to `Call`, which names them all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.base import Event, fact
from domain.call.measure import Figures, Way

if TYPE_CHECKING:
    from domain.call.call import Call


@fact
class LegMeasured(Event):
    """A stream between the phone of `leg` and our media ended, at the end of the call or before; or its worker did.

    One event a stream: a call whose worker is killed has another stream afterwards.
    """

    TOPIC = "call.leg_measured.1"

    leg: str
    figures: Figures

    def apply(self, aggregate: Call) -> None:
        aggregate.expected = tuple(leg for leg in aggregate.expected if leg != self.leg)


@fact
class AudioLost(Event):
    """For `missing_ms` by now no audio has gone between a phone and our media that should go, in this direction."""

    TOPIC = "call.audio_lost.1"

    leg: str
    direction: Way
    missing_ms: int

    def apply(self, aggregate: Call) -> None:
        aggregate.audio_lost = (*aggregate.audio_lost, (self.leg, self.direction))
        aggregate.audio_losses += 1


@fact
class AudioRestored(Event):
    """That audio goes again, or is not expected to any more, as of a phone that holds."""

    TOPIC = "call.audio_restored.1"

    leg: str
    direction: Way

    def apply(self, aggregate: Call) -> None:
        here = (self.leg, self.direction)
        aggregate.audio_lost = tuple(one for one in aggregate.audio_lost if one != here)
