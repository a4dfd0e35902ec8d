"""Answers that need no call: refusals, and what is said (or not) while the journal or the shard is not there.

What may live here: those responses, and the transactions that are dropped instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from adapters.sip.application.parts import Now, Parts
from adapters.sip.digest.nonce import Use
from adapters.sip.message.message import MessageError, Request, Response, response_to
from adapters.sip.request.admission import explain
from adapters.sip.transaction.event import CancelReceived, RequestReceived

_RETRY_AFTER_S = 2


class Answers:
    """Keeps nothing."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def reply(
        self, request: Request, status: int, reason: str = "", headers: Iterable[tuple[str, str]] = ()
    ) -> Response:
        try:
            response = response_to(request, status, reason, self.local_tag(request))
        except MessageError:  # its To cannot be read, but the transaction must have its answer
            response = response_to(request, status, reason)
        explain(response, request)
        for name, value in headers:
            response.add(name, value)
        return response

    def local_tag(self, request: Request) -> str:
        """A To tag for answers outside any dialog: the same for a repeated request (8.2.6.2)."""
        return self._parts.identifiers.stateless_tag(request.via.branch, request.call_id)

    def busy(self, event: RequestReceived | CancelReceived, now: Now) -> None:
        """The journal takes nothing at the moment."""
        response = self.reply(event.request, 503)
        response.add("Retry-After", str(_RETRY_AFTER_S))
        self._parts.layer.respond(event.key, response, now.monotonic)

    def unowned(self, event: RequestReceived | CancelReceived, now: Now) -> None:
        """Its shard was lost and is being claimed again, and what it asks may be in the journal already.

        Over UDP nothing is said, so that the peer's repetition is served; on a stream nothing is ever repeated.
        """
        if event.flow.transport == "udp":
            self._parts.layer.forget(event.key)
        else:
            self.busy(event, now)

    def forgets(self, event: RequestReceived | CancelReceived, use: Use | None = None) -> Callable[[], None]:
        """What to do when the journal did not take a request: let the peer's repetition in, credentials and all."""

        def forget() -> None:
            self._parts.layer.forget(event.key)
            if use is not None:
                self._parts.challenger.give_back(use)

        return forget
