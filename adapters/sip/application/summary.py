"""Message summaries (RFC 3842): what lights the lamps of phones whose number has a mailbox.

What may live here: NOTIFY to phones that did not subscribe, which most of them take from their registrar. Nothing is
kept but the transactions under way: a phone that misses one is told again when it registers, or when something changes.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count

from adapters.sip.application.parts import Now, Parts
from adapters.sip.dialog.dialog import request_of
from adapters.sip.transaction.event import ResponseReceived, TimedOut, TransportFailed
from adapters.sip.transaction.key import ClientKey
from domain.call.decision.dialing import first_dialog
from domain.values import Contact, Flow

EVENT = "message-summary"
_TYPE = "application/simple-message-summary"


class Summaries:
    """Tells phones how many messages there are."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._told: set[ClientKey] = set()
        self._numbers = count(1)

    def tell(self, tenant: str, number: str, flow: Flow | None = None) -> None:
        """All phones of a number, or those behind one flow; none if it has no mailbox."""
        counts = self._parts.counts(tenant, number)
        if counts is None:
            return
        for contact in self._parts.switchboard.contacts(tenant, number):
            if flow is None or contact.flow == flow:
                self._notify(tenant, number, contact, counts)

    # --- adapters.sip.application.returning.Passing: what phones say to it means nothing

    def takes(self, key: ClientKey) -> bool:
        return key in self._told

    def answered(self, event: ResponseReceived, now: Now) -> None:
        if event.response.status >= 200:
            self._told.discard(event.key)

    def silent(self, event: TimedOut, now: Now) -> None:
        self._told.discard(event.key)

    def unreachable(self, event: TransportFailed, now: Now) -> None:
        self._told.discard(event.key)

    def _notify(self, tenant: str, number: str, contact: Contact, counts: tuple[int, int]) -> None:
        parts, now = self._parts, self._parts.clock()
        known = parts.switchboard.directory.tenants.get(tenant)
        if known is None:
            return
        domain = known.domains[0]
        about = f"summary {next(self._numbers)} {now.utc.isoformat()} {contact.key}"
        name = parts.identifiers.stateless_tag(about, number)
        account = f"sip:{number}@{domain}"
        dialog = first_dialog(parts.identifiers.call_id(name), name, account, (number, domain), contact)
        flow = parts.peers.route(tenant, dialog)
        if flow is None:
            return
        via = parts.addresses.via(flow, f"z9hG4bK.summary.{name}")
        request = request_of("NOTIFY", dialog, via, parts.addresses.contact(flow, number))
        for header in (("Event", EVENT), ("Subscription-State", "terminated"), ("Content-Type", _TYPE)):
            request.add(*header)
        request.body = "\r\n".join(_lines(account, counts)).encode()
        self._told.add(parts.layer.request(request, flow, now.monotonic))


def _lines(account: str, counts: tuple[int, int]) -> Iterable[str]:
    new, heard = counts
    yield f"Messages-Waiting: {'yes' if new else 'no'}"
    yield f"Message-Account: {account}"
    yield f"Voice-Message: {new}/{heard} (0/0)"
    yield ""
