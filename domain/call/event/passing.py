"""Requests inside a dialog that are passed on, or sent to see whether somebody is there. They belong to `Call`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.base import Event, fact

if TYPE_CHECKING:
    from domain.call.call import Call


@fact
class RequestSent(Event):
    """A request that changes nothing in the call goes to leg `to`; `cseq` is its number there.

    `by` is the leg whose request `by_cseq` is passed on, or empty if it is our own. What it says is nobody's business
    here: it is not kept. The numbers are, so that later requests are never taken for older ones (RFC 3261 12.2). Before
    the answer `early` is the dialled leg for which the early dialog stands.
    """

    TOPIC = "call.request_sent.2"
    FORMER = ("call.request_sent.1",)

    method: str
    to: str
    cseq: int
    by: str
    by_cseq: int
    early: str = ""

    def apply(self, aggregate: Call) -> None:
        to = aggregate.legs[self.to]
        to.sent_cseq, to.epoch = self.cseq, self.context.epoch
        if self.early and self.by == aggregate.caller_leg:
            aggregate.legs[self.early].asked_cseq = self.by_cseq
        elif self.by:
            aggregate.legs[self.by].heard_cseq = self.by_cseq
