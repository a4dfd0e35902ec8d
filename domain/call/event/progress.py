"""The events of dialled legs before one answers. They belong to `Call`, which names them all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from domain.base import Event, fact
from domain.call.leg import LegState, Progress, Rung
from domain.values import EARLY_OVER, PLAIN, Ability, Cause, Dialog, Transaction

if TYPE_CHECKING:
    from domain.call.call import Call


@fact
class LegRinging(Event):
    """A device alerts its user; `sdp` is early media or empty.

    A `serial` other than 0 is confirmed to the device by a request with the CSeq of `dialog`; `confirmed` says
    that the caller is told so that it must confirm, too.
    """

    TOPIC = "call.leg_ringing.2"
    FORMER = ("call.leg_ringing.1",)

    leg: str
    dialog: Dialog
    sdp: str
    user_agent: str
    ability: Ability = PLAIN
    serial: int = 0
    confirmed: bool = False

    def apply(self, aggregate: Call) -> None:
        leg = aggregate.legs[self.leg]
        if self.serial:
            offers = aggregate.late_offer and bool(self.sdp) and leg.sdp != self.sdp
            leg.progress = Progress(self.serial, self.dialog, offers, self.timestamp)
            leg.epoch = self.context.epoch
        leg.state = LegState.RINGING
        leg.dialog, leg.sdp, leg.ability = self.dialog, self.sdp, self.ability
        if self.confirmed and not leg.unconfirmed and (leg.rung is None or leg.rung.sdp != leg.sdp):
            leg.rung = Rung(leg.rung.serial + 1 if leg.rung else 1, leg.sdp)


@fact
class LegsFailed(Event):
    """Devices that will not answer, each with its cause."""

    TOPIC = "call.legs_failed.1"

    legs: tuple[str, ...]
    why: Cause

    def apply(self, aggregate: Call) -> None:
        for leg in self.legs:
            aggregate.legs[leg].state, aggregate.legs[leg].why = LegState.FAILED, self.why
            if aggregate.early is not None and aggregate.early.leg == leg:
                aggregate.refuse_early(EARLY_OVER, self.timestamp)


@fact
class ProgressConfirmed(Event):
    """The caller confirmed what it was told of a dialled leg; `sdp` answers an offer that the leg made with it."""

    TOPIC = "call.progress_confirmed.1"

    leg: str
    transaction: Transaction
    sdp: str

    def apply(self, aggregate: Call) -> None:
        leg = aggregate.legs[self.leg]
        assert leg.rung is not None
        leg.asked_cseq = self.transaction.cseq
        leg.answer = self.sdp or leg.answer
        leg.confirmed_by, leg.confirmed_at = self.transaction, self.timestamp
        news = leg.waiting and leg.sdp != leg.rung.sdp
        leg.rung = Rung(leg.rung.serial + 1, leg.sdp) if news else Rung(leg.rung.serial, leg.rung.sdp, confirmed=True)
        if aggregate.talked:
            caller = aggregate.caller
            caller.dialog = msgspec.structs.replace(caller.dialog, remote_cseq=self.transaction.cseq)
            caller.sdp = leg.answer or caller.sdp
            if aggregate.unaccepted:
                aggregate.unaccepted, aggregate.agreed_at = False, self.timestamp
