"""Changes of a call that goes on, as its parties ask for them: re-INVITE, UPDATE, and the CANCEL of the former.

What may live here: whether a request can be taken now (RFC 3261 14.2, RFC 3311 5.2), and the answer if it cannot.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from adapters.sip import translate
from adapters.sip.message import Request, Response, response_to
from adapters.sip.outgoing import Parts
from adapters.sip.transaction_event import CancelReceived, RequestReceived
from adapters.sip.transaction_key import ServerKey, restored_key, written_branch
from adapters.sip.translate import NotAllowed
from domain.call.call import Call, CallState
from domain.call.input import Withdrawn
from domain.call.leg import Leg
from domain.call.resume import offers
from domain.ports import JournalFull
from domain.switchboard import NotOwned
from domain.values import Transaction

_RETRY_S = 11
"""A request that came too early may come again after 0 to 10 s."""


class Changes:
    """Keeps nothing: what is under way is the call's state."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def ask(self, event: RequestReceived, call: Call, leg: Leg, lost: Callable[[], None]) -> None:
        """An INVITE or UPDATE of `leg`'s phone. Raises NotAllowed, MessageError, JournalFull and NotOwned."""
        if call.state is CallState.ENDED:
            raise NotAllowed(481, "")
        inp = translate.change(event.request, event.flow, leg, self._parts.sealer)
        crossing = call.crossing(leg.id)

        def durable(accepted: bool) -> None:
            if not accepted:
                response = _too_early(event.request) if crossing == "pending" else response_to(event.request, 491)
                self._parts.layer.respond(event.key, response, self._parts.clock().monotonic)

        self._parts.switchboard.handle(call.id, inp, durable, lost)

    def withdraw(self, event: CancelReceived, call: Call, leg: str, lost: Callable[[], None]) -> None:
        """The CANCEL of a re-INVITE: passed on, and it is the other party's answer that says what became of it."""
        layer, clock = self._parts.layer, self._parts.clock

        def confirm(status: int) -> None:
            layer.respond(event.key, response_to(event.request, status), clock().monotonic)

        inp = Withdrawn(event.request.via.branch, f"leg:{leg}", leg)
        try:
            self._parts.switchboard.handle(call.id, inp, lambda accepted: confirm(200), lost)
        except (JournalFull, NotOwned):
            confirm(503)


def _too_early(request: Request) -> Response:
    """The same peer still waits for the answer to an earlier offer."""
    response = response_to(request, 500, "An earlier offer is still under way")
    response.add("Retry-After", str(int(translate.chance_of(request.via.branch) * _RETRY_S)))
    return response


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


def offered_by(parts: Parts, key: ServerKey) -> tuple[Call, str] | None:
    """The call and the leg whose offer is this transaction."""
    for call in parts.switchboard.find_offers(written_branch(key)):
        for leg, offer in offers(call):
            if restored_key(offer) == key:
                return call, leg
    return None
