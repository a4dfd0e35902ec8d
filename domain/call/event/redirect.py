"""The events of calls that go to somebody else than was called. They belong to `Call`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.base import Event, fact
from domain.call.leg import LegState
from domain.call.state import Voicemail
from domain.values import EARLY_OVER, Cause

if TYPE_CHECKING:
    from domain.call.call import Call


@fact
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


@fact
class TurnedToMailbox(Event):
    """Nobody will answer, for the reason that `state` is: `busy` or `away`. Offers to the legs `withdrawn` are taken
    back, and media that went through us for the two parties do so no more; what is dialled next is the mailbox
    `number`."""

    TOPIC = "call.turned_to_mailbox.1"

    number: str
    state: str
    withdrawn: tuple[str, ...]

    def apply(self, aggregate: Call) -> None:
        aggregate.voicemail = Voicemail(self.number, self.state, aggregate.relay is not None)
        aggregate.relay = None
        for leg in self.withdrawn:
            aggregate.legs[leg].state = LegState.CANCELLED
            if aggregate.early is not None and aggregate.early.leg == leg:
                aggregate.refuse_early(EARLY_OVER, self.timestamp)
