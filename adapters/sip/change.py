"""Changes of a call that goes on, as its parties ask for them: re-INVITE, UPDATE, and the CANCEL of the former.

What may live here: whether a request can be taken now (RFC 3261 14.2, RFC 3311 5.2), and the answer if it cannot.
"""

from __future__ import annotations

from collections.abc import Callable

from adapters.sip import translate
from adapters.sip.message import Request, Response, response_to
from adapters.sip.outgoing import Parts
from adapters.sip.transaction_event import CancelReceived, RequestReceived
from adapters.sip.translate import NotAllowed
from domain.call.call import Call, CallState
from domain.call.input import Withdrawn
from domain.call.leg import Leg
from domain.ports import JournalFull
from domain.switchboard import NotOwned

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


def cancelled_call(parts: Parts, event: CancelReceived) -> Call | None:
    """The call whose INVITE or re-INVITE a CANCEL means: the branch is the peer's, so the call is found by it.

    The transaction itself may be unknown: after a restart it is taken up when its stream is there again. A CANCEL
    cannot be challenged (22.1), so it must come from the address of the request that it ends.
    """
    source = event.flow.remote.rpartition(":")[0]
    branch, call_id = event.request.via.branch, event.request.call_id
    call = parts.switchboard.find_offer(branch)
    if call is None:
        return None
    pending = call.renegotiation
    offers = (call.caller.transaction, pending.transaction if pending else None)
    meant = any(
        offer and (offer.branch, offer.call_id, offer.flow.remote.rpartition(":")[0]) == (branch, call_id, source)
        for offer in offers
    )
    return call if meant else None
