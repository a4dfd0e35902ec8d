"""The events of a change of media in a call that goes on. They belong to `Call`, which names them all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from domain.base import Event, fact
from domain.call.state import CallState, Renegotiation
from domain.call.terms import ENDLESS, Terms
from domain.values import Cause, Dialog, Transaction

if TYPE_CHECKING:
    from domain.call.call import Call


@fact
class RenegotiationRequested(Event):
    """A party offered other media; it is passed on to the other party.

    `prompt_by` and `prompt_to` say that the answer is due at once and not confirmed; `terms` are those of the session
    of `by` from the answer on.
    """

    TOPIC = "call.renegotiation_requested.2"
    FORMER = ("call.renegotiation_requested.1",)

    by: str
    to: str
    transaction: Transaction
    by_dialog: Dialog
    to_dialog: Dialog
    sdp: str
    direction: str
    prompt_by: bool = False
    prompt_to: bool = False
    terms: Terms = ENDLESS

    def apply(self, aggregate: Call) -> None:
        aggregate.legs[self.by].dialog = self.by_dialog
        to = aggregate.legs[self.to]
        to.dialog, to.epoch = self.to_dialog, self.context.epoch
        aggregate.renegotiation = Renegotiation(
            self.by,
            self.to,
            self.transaction,
            self.to_dialog,
            self.sdp,
            self.direction,
            self.timestamp,
            prompt_by=self.prompt_by,
            prompt_to=self.prompt_to,
            by_terms=self.terms,
            to_terms=to.terms,
        )
        aggregate.state = CallState.RENEGOTIATING


@fact
class CounterOffered(Event):
    """The party that was asked for an offer made one; it is passed on, and the asking one owes its answer."""

    TOPIC = "call.counter_offered.1"

    by: str
    to: str
    to_dialog: Dialog
    sdp: str
    direction: str
    terms: Terms = ENDLESS

    def apply(self, aggregate: Call) -> None:
        pending = aggregate.renegotiation
        assert pending is not None
        aggregate.legs[self.to].dialog = self.to_dialog
        aggregate.renegotiation = msgspec.structs.replace(
            pending,
            answer=self.sdp,
            direction=self.direction,
            dialog=self.to_dialog,
            at=self.timestamp,
            to_terms=self.terms,
        )
        aggregate.answer_owed = self.by


@fact
class AnswerGiven(Event):
    """The caller, who had made no offer, answered the one that came with the callee's answer."""

    TOPIC = "call.answer_given.1"

    leg: str
    sdp: str

    def apply(self, aggregate: Call) -> None:
        aggregate.legs[self.leg].sdp = self.sdp
        aggregate.answer_owed = ""
        aggregate.agreed_at = self.timestamp


@fact
class Renegotiated(Event):
    """Both parties agreed on other media; `held_by` are the legs that hold the other one from now on.

    `by_sdp` is the answer of `by` to the offer `sdp`, if `to` was asked for one; otherwise `sdp` is the answer. `terms`
    are those of the session of `to`.
    """

    TOPIC = "call.renegotiated.2"
    FORMER = ("call.renegotiated.1",)

    by: str
    to: str
    to_dialog: Dialog
    sdp: str
    held_by: tuple[str, ...]
    by_sdp: str = ""
    terms: Terms = ENDLESS

    def apply(self, aggregate: Call) -> None:
        pending = aggregate.renegotiation
        assert pending is not None
        aggregate.legs[self.by].renew(pending.by_terms, self.timestamp)
        aggregate.legs[self.to].renew(self.terms, self.timestamp)
        aggregate.legs[self.by].sdp = self.by_sdp or pending.sdp
        to = aggregate.legs[self.to]
        to.sdp, to.dialog = self.sdp, self.to_dialog
        aggregate.held_by = frozenset(self.held_by)
        aggregate.renegotiation = msgspec.structs.replace(
            pending, answer=self.sdp, acknowledgement=self.by_sdp, dialog=self.to_dialog, at=self.timestamp
        )
        aggregate.answer_owed = ""
        aggregate.state = CallState.TALKING


@fact
class RenegotiationWithdrawn(Event):
    """An offer of other media is taken back from `to` before it was answered: by who made it, or, for the reason `why`
    that is told to who made it, because `to` takes too long for an answer that is due at once."""

    TOPIC = "call.renegotiation_withdrawn.2"
    FORMER = ("call.renegotiation_withdrawn.1",)

    by: str
    to: str
    why: Cause | None = None

    def apply(self, aggregate: Call) -> None:
        pending = aggregate.renegotiation
        assert pending is not None
        aggregate.renegotiation = msgspec.structs.replace(pending, withdrawn=True, refusal=self.why)


@fact
class RenegotiationRetried(Event):
    """The other party wants its session to last longer: it is offered the same once more, under `terms`."""

    TOPIC = "call.renegotiation_retried.1"

    by: str
    to: str
    to_dialog: Dialog
    terms: Terms

    def apply(self, aggregate: Call) -> None:
        pending = aggregate.renegotiation
        assert pending is not None
        to = aggregate.legs[self.to]
        to.dialog, to.epoch = self.to_dialog, self.context.epoch
        aggregate.renegotiation = msgspec.structs.replace(
            pending, dialog=self.to_dialog, to_terms=self.terms, retries=pending.retries + 1
        )


@fact
class RenegotiationRefused(Event):
    """The other party did not take the offer; the media stay as they were.

    `acknowledged` says that it did, but with an answer that cannot be used.
    """

    TOPIC = "call.renegotiation_refused.2"
    FORMER = ("call.renegotiation_refused.1",)

    by: str
    to: str
    why: Cause
    acknowledged: bool = False

    def apply(self, aggregate: Call) -> None:
        pending = aggregate.renegotiation
        assert pending is not None
        aggregate.renegotiation = msgspec.structs.replace(
            pending, refusal=self.why, acknowledged=self.acknowledged, at=self.timestamp
        )
        aggregate.state = CallState.TALKING
