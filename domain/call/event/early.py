"""The events of a change of media before the answer. They belong to `Call`, which names them all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from domain.base import Event, fact
from domain.call.leg import Rung
from domain.call.state import EarlyChange
from domain.values import Cause, Dialog, Transaction

if TYPE_CHECKING:
    from domain.call.call import Call


@fact
class EarlyOffered(Event):
    """A party offered other media in the early dialog that stands for `leg`; it is passed on from `by` to `to`."""

    TOPIC = "call.early_offered.1"

    leg: str
    by: str
    to: str
    transaction: Transaction
    to_dialog: Dialog
    sdp: str

    def apply(self, aggregate: Call) -> None:
        leg, to = aggregate.legs[self.leg], aggregate.legs[self.to]
        if aggregate.legs[self.by].caller:
            leg.asked_cseq = self.transaction.cseq
        else:
            leg.heard_cseq = self.transaction.cseq
        if leg.confirmed_by == self.transaction:  # which is answered with the offer
            leg.confirmed_by = None
        to.sent_cseq, to.epoch = self.to_dialog.local_cseq, self.context.epoch
        aggregate.early = EarlyChange(
            self.leg, self.by, self.to, self.transaction, self.to_dialog, self.sdp, self.timestamp
        )


@fact
class EarlyAgreed(Event):
    """The other party took the offer; `sdp` is its answer."""

    TOPIC = "call.early_agreed.1"

    sdp: str

    def apply(self, aggregate: Call) -> None:
        change = aggregate.early
        assert change is not None
        leg = aggregate.legs[change.leg]
        by_caller = change.by == aggregate.caller_leg
        leg.sdp, leg.agreed = (self.sdp, change.sdp) if by_caller else (change.sdp, self.sdp)
        if leg.rung is not None and leg.rung.confirmed:  # else there is progress that the caller is still to confirm
            leg.rung = Rung(leg.rung.serial, leg.sdp, confirmed=True)
        aggregate.early = msgspec.structs.replace(change, answer=self.sdp, at=self.timestamp)


@fact
class EarlyRefused(Event):
    """The offer was not taken, or could not be passed on; the media stay as they were."""

    TOPIC = "call.early_refused.1"

    why: Cause

    def apply(self, aggregate: Call) -> None:
        aggregate.refuse_early(self.why, self.timestamp)
