"""CANCEL (RFC 3261 9.2): of the INVITE that asked for the call, of a re-INVITE, and of what is answered already.

What may live here: which offer a CANCEL means, and its own answer: 200 or 481, never a refusal of the offer.
"""

from __future__ import annotations

from typing import NamedTuple

from adapters.sip.application.answers import Answers
from adapters.sip.application.parts import Now, Parts
from adapters.sip.dialog.reason import heard
from adapters.sip.message.message import MessageError, Request, response_to
from adapters.sip.request.admission import serves_other
from adapters.sip.request.home import home_of
from adapters.sip.transaction.event import CancelReceived
from domain.call.call import Call
from domain.call.input import Abandoned, Input, Withdrawn
from domain.call.resume import offers
from domain.ids import call_of_leg, shard_of
from domain.ports import JournalFull
from domain.switchboard import NotOwned
from domain.values import CANCELLED, Transaction


class Cancels:
    """Keeps nothing: what is under way is the call's state."""

    def __init__(self, parts: Parts, answers: Answers) -> None:
        self._parts, self._answers = parts, answers

    def take(self, event: CancelReceived, now: Now) -> None:
        request, layer = event.request, self._parts.layer
        meant = cancelled(self._parts, event)
        if meant is not None:
            self._take_back(event, meant, now)
        elif not self._parts.switchboard.owns(self._shard(request)):
            self._answers.unowned(event, now)
        elif serves_other(request, layer.__contains__):
            layer.respond(event.key, self._answers.reply(request, 200), now.monotonic)
        else:
            layer.reply(event.key, self._answers.reply(request, 481))

    def _shard(self, request: Request) -> int:
        """Where the call is, or would be: inside a dialog our tag says it, whoever chose the Call-ID."""
        try:
            named = self._parts.identifiers.leg_of_tag(request.to.tag)
        except MessageError:
            named = None
        return shard_of(call_of_leg(named)) if named else home_of(request, self._parts.switchboard)

    def _take_back(self, event: CancelReceived, meant: Cancelled, now: Now) -> None:
        request, call, leg = event.request, meant.call, meant.leg
        cause, actor, tag = request.via.branch, f"leg:{leg}", ""
        inp: Input
        if call.renegotiation is not None and meant.offer == call.renegotiation.transaction:
            inp = Withdrawn(cause, actor, leg)
        elif meant.offer == call.caller.transaction:
            inp, tag = Abandoned(cause, actor, leg, heard(request, CANCELLED)), call.caller.dialog.local_tag
        else:  # a refresh, which was answered at once
            self._parts.layer.respond(event.key, self._answers.reply(request, 200), now.monotonic)
            return

        def durable(accepted: bool) -> None:
            response = response_to(request, 200, to_tag=tag)
            self._parts.layer.respond(event.key, response, self._parts.clock().monotonic)

        try:
            self._parts.switchboard.handle(call.id, inp, durable, self._answers.forgets(event))
        except JournalFull:
            self._answers.busy(event, now)
        except NotOwned:
            self._answers.unowned(event, now)


class Cancelled(NamedTuple):
    """What a CANCEL means: the offer of a leg in a call."""

    call: Call
    leg: str
    offer: Transaction


def cancelled(parts: Parts, event: CancelReceived) -> Cancelled | None:
    """The INVITE or re-INVITE that a CANCEL means: the branch is the peer's, so the call is found by it.

    The transaction itself may be unknown: after a restart it is taken up when its stream is there again. A CANCEL
    cannot be challenged (22.1), so it must come from the address of the request that it ends.
    """
    source = event.flow.remote.rpartition(":")[0]
    branch, call_id = event.request.via.branch, event.request.call_id
    for call in parts.switchboard.find_offers(branch):
        for leg, offer in offers(call):
            named = (offer.branch, offer.call_id, offer.flow.remote.rpartition(":")[0])
            if offer.method == "INVITE" and named == (branch, call_id, source):
                return Cancelled(call, leg, offer)
    return None
