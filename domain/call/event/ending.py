"""The events by which dialogs and the call end. They belong to `Call`, which names them all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from domain.base import Event, fact
from domain.call.leg import CSEQ_JUMP, LegState
from domain.call.state import CallState, EndedLeg, Fork
from domain.values import EARLY_OVER, Cause, Dialog, Transaction

if TYPE_CHECKING:
    from domain.call.call import Call


@fact
class LegHungUp(Event):
    """A leg answered when the call no longer wanted it; its dialog is confirmed and ended."""

    TOPIC = "call.leg_hung_up.1"

    leg: str
    dialog: Dialog
    why: Cause

    def apply(self, aggregate: Call) -> None:
        leg = aggregate.legs[self.leg]
        leg.state, leg.why = LegState.HUNG_UP, self.why
        leg.dialog = self.dialog
        leg.epoch = self.context.epoch
        bye = msgspec.structs.replace(self.dialog, local_cseq=max(self.dialog.local_cseq, leg.sent_cseq) + 1)
        aggregate.hang_ups = (*aggregate.hang_ups, EndedLeg(self.leg, bye))
        aggregate.late_at = self.timestamp


@fact
class ForkHungUp(Event):
    """A second device behind one leg answered (its offer was forked on the way): confirmed and ended."""

    TOPIC = "call.fork_hung_up.1"

    leg: str
    dialog: Dialog

    def apply(self, aggregate: Call) -> None:
        # Away from the leg's own numbers: one leg's requests must not share a CSeq, their branches name it.
        number = self.dialog.local_cseq + CSEQ_JUMP // 2 + len(aggregate.forks)
        bye = msgspec.structs.replace(self.dialog, local_cseq=number)
        aggregate.forks = (*aggregate.forks, Fork(self.leg, self.dialog, bye))
        aggregate.late_at = self.timestamp


@fact
class Ended(Event):
    """The interaction is over.

    `by` is `caller`, `callee` or `system`; `outcome` the CDR's disposition; `hang_ups` the dialogs that we end;
    `cancelled` the offers that we take back; `transaction` the request of `leg` that ended it, if one did; `expected`
    the legs of which a `LegMeasured` is still to come.
    """

    TOPIC = "call.ended.2"
    FORMER = ("call.ended.1",)

    by: str
    leg: str
    outcome: str
    why: Cause
    transaction: Transaction | None
    hang_ups: tuple[EndedLeg, ...]
    cancelled: tuple[str, ...]
    expected: tuple[str, ...] = ()

    def apply(self, aggregate: Call) -> None:
        if self.transaction is not None:
            aggregate.concluding = ((self.leg, self.transaction),)
        pending = aggregate.renegotiation
        if aggregate.state is CallState.RENEGOTIATING and aggregate.answer_owed and pending is not None:
            aggregate.unanswered = EndedLeg(pending.to, pending.dialog)
        elif aggregate.answer_owed or (aggregate.unaccepted and aggregate.late_offer):
            aggregate.unanswered = EndedLeg(aggregate.callee_leg, aggregate.callee.invited)
        aggregate.answer_owed = ""
        aggregate.refuse_early(EARLY_OVER, self.timestamp)
        for leg in self.cancelled:
            aggregate.legs[leg].state = LegState.CANCELLED
        for ended in self.hang_ups:
            leg_ended = aggregate.legs[ended.leg]
            leg_ended.state, leg_ended.dialog = LegState.HUNG_UP, ended.dialog
            leg_ended.epoch = self.context.epoch
        aggregate.hang_ups = (*aggregate.hang_ups, *self.hang_ups)
        aggregate.end_cause = self.why
        aggregate.expected = self.expected
        aggregate.ended_at = self.timestamp
        aggregate.state = CallState.ENDED


@fact
class Closed(Event):
    """What was still expected after the end never came, of the legs `missing`: the call's record is final."""

    TOPIC = "call.closed.1"

    missing: tuple[str, ...]

    def apply(self, aggregate: Call) -> None:
        aggregate.expected = ()
