"""What comes back on requests of ours goes to whoever sent them: what passes through, or else the calls.

What may live here: that choice.
"""

from __future__ import annotations

from typing import Protocol

from adapters.sip.application.outgoing import Outgoing
from adapters.sip.application.parts import Now
from adapters.sip.transaction.event import ResponseReceived, TimedOut, TransportFailed
from adapters.sip.transaction.key import ClientKey


class Passing(Protocol):
    """Keeps in mind what it has sent on for somebody."""

    def takes(self, key: ClientKey) -> bool: ...

    def answered(self, event: ResponseReceived, now: Now) -> None: ...

    def silent(self, event: TimedOut, now: Now) -> None: ...

    def unreachable(self, event: TransportFailed, now: Now) -> None: ...


class Returning:
    """Handlers of the client transactions' events."""

    def __init__(self, outgoing: Outgoing, *passing: Passing) -> None:
        self._outgoing, self._passing = outgoing, passing

    def response(self, event: ResponseReceived, now: Now) -> None:
        one = self._sender(event.key)
        (one.answered if one else self._outgoing.response)(event, now)

    def timed_out(self, event: TimedOut, now: Now) -> None:
        one = self._sender(event.key)
        (one.silent if one else self._outgoing.timed_out)(event, now)

    def transport_failed(self, event: TransportFailed, now: Now) -> None:
        one = self._sender(event.key)
        (one.unreachable if one else self._outgoing.transport_failed)(event, now)

    def _sender(self, key: ClientKey) -> Passing | None:
        if key.method == "INVITE":
            return None
        return next((one for one in self._passing if one.takes(key)), None)
