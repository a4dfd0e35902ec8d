"""MESSAGE outside calls (RFC 3428): from one extension of a tenant to all phones of another, with the best answer back.

What may live here: who is asked, and which answer counts. What is said is neither looked at nor kept; a page that is
under way when the process dies is lost, and its sender asks again.
"""

from __future__ import annotations

from typing import NamedTuple

from adapters.sip.application.parts import Now, Parts
from adapters.sip.application.relay import ASKED, DATAGRAM_LIMIT, copy_headers
from adapters.sip.dialog.dialog import request_of
from adapters.sip.dialog.reason import cause_of, passed_on
from adapters.sip.message.error import NotAllowed
from adapters.sip.message.message import Request, response_to
from adapters.sip.request.identity import assert_caller
from adapters.sip.request.translate import Caller
from adapters.sip.transaction.event import RequestReceived, ResponseReceived, TimedOut, TransportFailed
from adapters.sip.transaction.key import ClientKey, ServerKey
from domain.call.decision.dialing import first_dialog
from domain.call.outcome import best_of
from domain.values import NOT_REGISTERED, Cause, Contact

_TORN = Cause(513, 127, "too large for a datagram")
_SILENT = Cause(480, 18, "the device did not answer")


class _Page:
    """Who asked, how many phones have not answered yet, and what the others said."""

    def __init__(self, key: ServerKey, request: Request, tag: str) -> None:
        self.key, self.request, self.tag = key, request, tag
        self.open = 0
        self.causes: list[Cause] = []


class _Way(NamedTuple):
    """One phone that is asked: its binding, and the name that our request has everywhere."""

    contact: Contact
    name: str


class Pager:
    """The pages that are under way; as many entries as there are live client transactions for them."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._asked: dict[ClientKey, _Page] = {}

    def __len__(self) -> int:
        return len(self._asked)

    def page(self, event: RequestReceived, caller: Caller, number: str, tag: str) -> None:
        """Ask every phone of `number`; `tag` is ours in the answer. Raises NotAllowed."""
        parts, request = self._parts, event.request
        if parts.switchboard.directory.extension(caller.tenant, number) is None:
            raise NotAllowed(404, "no such number")
        contacts = parts.switchboard.contacts(caller.tenant, number)
        page = _Page(event.key, request, tag)
        page.open = len(contacts)
        for index, contact in enumerate(contacts):
            # With the address, as two senders may have chosen the same branch and Call-ID.
            asked = f"page {index} {event.flow.remote} {request.via.branch}"
            name = parts.identifiers.stateless_tag(asked, request.call_id)
            self._ask(page, caller, number, _Way(contact, name))
        if not contacts:
            page.causes.append(NOT_REGISTERED)
        self._settle(page)

    def takes(self, key: ClientKey) -> bool:
        """Whether an event of this transaction belongs here."""
        return key in self._asked

    def answered(self, event: ResponseReceived, now: Now) -> None:
        response = event.response
        if response.status < 200:
            return
        page = self._asked.pop(event.key)
        page.open -= 1
        if response.status < 300:
            self._answer(page, response.status)
        else:
            page.causes.append(_SILENT if response.status == 408 else cause_of(response.status, response.reason))
            self._settle(page)

    def silent(self, event: TimedOut, now: Now) -> None:
        self._fail(event.key, _SILENT)

    def unreachable(self, event: TransportFailed, now: Now) -> None:
        self._fail(event.key, NOT_REGISTERED)

    def _fail(self, key: ClientKey, why: Cause) -> None:
        page = self._asked.pop(key)
        page.open -= 1
        page.causes.append(why)
        self._settle(page)

    def _ask(self, page: _Page, caller: Caller, number: str, way: _Way) -> None:
        parts, asked = self._parts, page.request
        shown = caller.shown
        uri, display = shown.uri(caller.extension.number, caller.domain), shown.display(caller.extension.name)
        call_id = parts.identifiers.call_id(way.name)
        dialog = first_dialog(call_id, way.name, uri, (number, caller.domain), way.contact)
        flow = parts.peers.route(caller.tenant, dialog)
        why = NOT_REGISTERED
        if flow is not None:
            via = parts.addresses.via(flow, f"z9hG4bK.page.{way.name}")
            request = request_of("MESSAGE", dialog, via, display=display)
            assert_caller(request, dialog, display, shown)
            copy_headers(asked, request, ASKED)
            request.body = asked.body
            if flow.transport != "udp" or len(request.serialise()) <= DATAGRAM_LIMIT:
                key = parts.layer.request(request, flow, parts.clock().monotonic, hurry=True)
                self._asked[key] = page
                return
            why = _TORN
        page.open -= 1
        page.causes.append(why)

    def _settle(self, page: _Page) -> None:
        """Answer once every phone has refused."""
        if page.open == 0 and page.causes:
            self._answer(page, passed_on(best_of(page.causes).sip_status))

    def _answer(self, page: _Page, status: int) -> None:
        """The first one counts: the transaction takes no other (RFC 3261 17.2.2)."""
        response = response_to(page.request, status, to_tag=page.tag)
        self._parts.layer.respond(page.key, response, self._parts.clock().monotonic)
