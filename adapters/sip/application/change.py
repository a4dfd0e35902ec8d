"""Changes of a call that goes on, as its parties ask for them: re-INVITE and UPDATE.

What may live here: whether a request can be taken now (RFC 3261 14.2, RFC 3311 5.2), and the answer if it cannot.
"""

from __future__ import annotations

from collections.abc import Callable

from adapters.sip.application.parts import Parts
from adapters.sip.message.error import NotAllowed
from adapters.sip.message.message import Request, Response, response_to
from adapters.sip.request import translate
from adapters.sip.transaction.event import RequestReceived
from adapters.sip.transaction.key import ServerKey, restored_key, written_branch
from domain.call.call import Call, CallState
from domain.call.leg import Leg
from domain.call.resume import offers

_RETRY_S = 11
"""A request that came too early may come again after 0 to 10 s."""


class Changes:
    """Keeps nothing: what is under way is the call's state."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def ask(self, event: RequestReceived, call: Call, leg: Leg, early: str, lost: Callable[[], None]) -> None:
        """An INVITE or UPDATE of `leg`'s phone; before the answer in the early dialog that stands for leg `early`.

        Raises NotAllowed, MessageError, JournalFull and NotOwned.
        """
        if call.state is CallState.ENDED:
            raise NotAllowed(481, "")
        inp = translate.change(event.request, event.flow, leg, early, self._parts.sealer)
        crossing = call.crossing(leg.id)

        def durable(accepted: bool) -> None:
            if not accepted:
                response = _too_early(event.request) if crossing == "pending" else response_to(event.request, 491)
                self._parts.layer.respond(event.key, response, self._parts.clock().monotonic)

        self._parts.switchboard.handle(call.id, inp, durable, lost)


def _too_early(request: Request) -> Response:
    """The same peer still waits for the answer to an earlier offer."""
    response = response_to(request, 500, "An earlier offer is still under way")
    response.add("Retry-After", str(int(translate.chance_of(request.via.branch) * _RETRY_S)))
    return response


def offered_by(parts: Parts, key: ServerKey) -> tuple[Call, str] | None:
    """The call and the leg whose offer is this transaction."""
    for call in parts.switchboard.find_offers(written_branch(key)):
        for leg, offer in offers(call):
            if restored_key(offer) == key:
                return call, leg
    return None
