"""The events of progress that must be confirmed. They belong to `Call`, which names them all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from domain.base import Event, fact
from domain.call.leg import Rung
from domain.values import Transaction

if TYPE_CHECKING:
    from domain.call.call import Call


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
