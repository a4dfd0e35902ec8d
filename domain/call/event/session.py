"""The events of sessions that are refreshed. They belong to `Call`, which names them all."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from domain.base import Event, fact
from domain.call.leg import LegState, Renewal
from domain.call.state import Refresh
from domain.call.terms import Terms
from domain.values import EARLY_OVER, Dialog, Transaction

if TYPE_CHECKING:
    from domain.call.call import Call


@fact
class SessionRefreshed(Event):
    """A leg's session goes on under `terms`, with the same media.

    `transaction` is the request by which the leg asked for that; none if we asked it. `offers` says that the request
    named the media again, and is answered by them. `early` is the dialled leg for whose early dialog
    the caller asked.
    """

    TOPIC = "call.session_refreshed.2"
    FORMER = ("call.session_refreshed.1",)

    leg: str
    transaction: Transaction | None
    dialog: Dialog
    terms: Terms
    offers: bool
    early: str = ""

    def apply(self, aggregate: Call) -> None:
        leg = aggregate.legs[self.leg]
        leg.dialog = self.dialog
        if self.early and self.transaction is not None:
            aggregate.legs[self.early].asked_cseq = self.transaction.cseq
        leg.renew(self.terms, self.timestamp)
        if self.transaction is not None:
            sdp = aggregate.other(self.leg).sdp if self.offers else ""
            leg.renewal = Renewal(self.transaction, sdp, self.terms, self.timestamp)
        elif aggregate.refresh is not None:
            aggregate.refresh = msgspec.structs.replace(
                aggregate.refresh, dialog=self.dialog, done=True, at=self.timestamp
            )


@fact
class RefreshRequested(Event):
    """We ask a leg to let its session go on; at once (`prompt`), or as a new invitation with the same media."""

    TOPIC = "call.refresh_requested.1"

    leg: str
    dialog: Dialog
    prompt: bool

    def apply(self, aggregate: Call) -> None:
        leg = aggregate.legs[self.leg]
        leg.dialog, leg.epoch = self.dialog, self.context.epoch
        sdp = "" if self.prompt else aggregate.other(self.leg).sdp
        aggregate.refresh = Refresh(self.leg, self.dialog, sdp, self.prompt, leg.terms, self.timestamp)


@fact
class RefreshDeferred(Event):
    """A leg did not let its session go on this time; it is asked again at `retry_at`, under `terms`."""

    TOPIC = "call.refresh_deferred.1"

    leg: str
    retry_at: datetime
    terms: Terms

    def apply(self, aggregate: Call) -> None:
        leg = aggregate.legs[self.leg]
        leg.refresh_at, leg.terms = self.retry_at, self.terms
        aggregate.refresh = None


@fact
class LegRedialed(Event):
    """A device that refused the call is offered it once more as it wants it: with a longer session, or other codecs.

    `afresh` says that the early dialog of before is over with that, and what was agreed in it.
    """

    TOPIC = "call.leg_redialed.2"
    FORMER = ("call.leg_redialed.1",)

    leg: str
    dialog: Dialog
    terms: Terms
    afresh: bool = False

    def apply(self, aggregate: Call) -> None:
        leg = aggregate.legs[self.leg]
        if self.afresh:  # but not what the caller was told: it sees one early dialog, whose numbers go on
            leg.progress, leg.sdp, leg.answer, leg.agreed = None, "", "", ""
            if aggregate.early is not None and aggregate.early.leg == leg.id:
                aggregate.refuse_early(EARLY_OVER, self.timestamp)
        leg.state, leg.terms, leg.why = LegState.DIALED, self.terms, None
        leg.dialog = leg.dialed = self.dialog
        leg.epoch = self.context.epoch
