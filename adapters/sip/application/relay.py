"""INFO and MESSAGE inside a call, passed on to the other party with its final response (RFC 6086, RFC 3428 section 8).

What may live here: which headers go over, which response comes back, and who waits for what. What a request says is
not looked at and not kept: a relay that is under way when the process dies is lost, and its sender asks again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from adapters.sip.application.parts import Now, Parts
from adapters.sip.dialog.reason import cause_of, heard, passed_on
from adapters.sip.message.error import NotAllowed
from adapters.sip.message.message import Message, Request, Response, response_to
from adapters.sip.request.digit import DIGITS, digit_of
from adapters.sip.transaction.event import RequestReceived, ResponseReceived, TimedOut, TransportFailed
from adapters.sip.transaction.key import ClientKey, ServerKey
from domain.call.call import Call, CallState
from domain.call.input import Checked, PassedOn, Vanished
from domain.call.leg import Leg, LegState
from domain.ports import JournalFull
from domain.switchboard import NotOwned
from domain.values import GONE, VANISHED, Cause, Dialog

DATAGRAM_LIMIT = 1300
"""Bytes of a request that may go by UDP (RFC 3261 18.1.1, RFC 3428 section 8): beyond them it would be torn up."""

ASKED = (
    "Content-Type", "Content-Disposition", "Content-Encoding", "Content-Language", "Info-Package", "Date", "Expires",
    "Priority", "Subject", "In-Reply-To", "MIME-Version",
)  # fmt: skip
_ANSWERED = (
    "Content-Type", "Content-Disposition", "Content-Encoding", "Content-Language", "Recv-Info", "Accept",
    "Accept-Encoding", "Accept-Language", "Retry-After", "Warning",
)  # fmt: skip
_SILENT = Cause(408, 102, "a request inside the call was never answered")


class _Waiting(NamedTuple):
    """Who asked (nobody: we did ourselves), and of which leg's phone the answer is expected, in which dialog."""

    key: ServerKey | None
    request: Request
    call: Call
    leg: str
    dialog: Dialog


class Relay:
    """The relays that are under way; as many as there are live client transactions for them."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._waiting: dict[ClientKey, _Waiting] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def pass_on(self, event: RequestReceived, call: Call, leg: Leg, early: str, lost: Callable[[], None]) -> None:
        """A request of `leg`'s phone; before the answer in the early dialog that stands for leg `early`.

        Raises NotAllowed, JournalFull and NotOwned.
        """
        if call.state is CallState.ENDED:
            raise NotAllowed(481, "")
        if leg.id in call.talked:
            other, tag = call.other(leg.id), ""
        elif early and call.legs[early].state is LegState.RINGING:
            other, tag = call.legs[early] if leg.caller else call.caller, call.legs[early].dialog.local_tag
        else:
            raise NotAllowed(480, "there is no other party yet")
        if other.media:
            self._press(event, call)
            return
        parts, number = self._parts, 0

        def durable(accepted: bool) -> None:
            if accepted:
                self._send(event, call, other, number or other.sent_cseq, tag or other.dialog.local_tag)
                if call.talked and (digit := digit_of(asked)):  # which the other party hears, too
                    parts.pressed(call, leg.id, digit)
            else:
                self._answer(event.key, response_to(event.request, 481))

        asked = event.request
        inp = PassedOn(asked.via.branch, f"leg:{leg.id}", leg.id, asked.method, asked.cseq.number, early)
        parts.switchboard.handle(call.id, inp, durable, lost)
        number = other.sent_cseq  # as decided now: another may be decided before this one is durable

    def _press(self, event: RequestReceived, call: Call) -> None:
        """Our own media take keys, and nothing else that phones send. Raises NotAllowed."""
        digit = digit_of(event.request)
        if not digit:
            raise NotAllowed(415, "", (("Accept", ", ".join(DIGITS)),))
        self._parts.pressed(call, call.caller_leg, digit)
        self._answer(event.key, response_to(event.request, 200))

    def check(self, call: Call) -> None:
        """Ask both parties whether they are still there; who does not answer, or knows no such call, is gone."""
        for leg in (call.legs[name] for name in call.talked):
            if leg.media:
                continue
            try:
                self._check(call, leg)
            except (JournalFull, NotOwned):
                return  # there is a next time

    def _check(self, call: Call, leg: Leg) -> None:
        number = 0

        def durable(accepted: bool) -> None:
            dialog = msgspec.structs.replace(leg.dialog, local_cseq=number or leg.sent_cseq)
            found = self._parts.performer.inside(call, leg.id, "OPTIONS", dialog) if accepted else None
            if found is not None:
                key = self._parts.layer.request(*found, self._parts.clock().monotonic)
                self._waiting[key] = _Waiting(None, found[0], call, leg.id, dialog)

        self._parts.switchboard.handle(call.id, Checked(f"check:{leg.id}", "system", leg.id), durable)
        number = leg.sent_cseq

    def takes(self, key: ClientKey) -> bool:
        """Whether an event of this transaction belongs here."""
        return key in self._waiting

    def answered(self, event: ResponseReceived, now: Now) -> None:
        """The other party's response: a final one goes back to who asked."""
        response = event.response
        if response.status < 200:
            return
        waiting = self._waiting.pop(event.key)
        status = 504 if response.status == 408 else passed_on(response.status)  # RFC 4320: no 408 to these methods
        if response.status < 300:
            status = response.status
        answer = response_to(waiting.request, status, response.reason if status == response.status else "")
        copy_headers(response, answer, _ANSWERED)
        answer.body = response.body
        self._answer(waiting.key, answer)
        if response.status in GONE:
            why = heard(response, cause_of(response.status, VANISHED.reason))
            self._lost(waiting, event.key.branch, why)

    def silent(self, event: TimedOut, now: Now) -> None:
        """Nothing came back in time: whoever asked is told while it still listens, and the call is over."""
        waiting = self._waiting.pop(event.key)
        self._answer(waiting.key, response_to(waiting.request, 504))
        self._lost(waiting, event.key.branch, _SILENT)

    def unreachable(self, event: TransportFailed, now: Now) -> None:
        """The connection broke: the phone may come back, so the call goes on."""
        waiting = self._waiting.pop(event.key)
        self._answer(waiting.key, response_to(waiting.request, 480))

    def _send(self, event: RequestReceived, call: Call, leg: Leg, number: int, tag: str) -> None:
        parts, asked = self._parts, event.request
        dialog = msgspec.structs.replace(leg.dialog, local_cseq=number, local_tag=tag)
        found = parts.performer.inside(call, leg.id, asked.method, dialog)
        if found is None:
            self._answer(event.key, response_to(asked, 480))
            return
        request, flow = found
        copy_headers(asked, request, ASKED)
        request.body = asked.body
        if flow.transport == "udp" and len(request.serialise()) > DATAGRAM_LIMIT:
            self._answer(event.key, response_to(asked, 513))
            return
        key = parts.layer.request(request, flow, parts.clock().monotonic, hurry=True)
        self._waiting[key] = _Waiting(event.key, asked, call, leg.id, dialog)

    def _answer(self, key: ServerKey | None, response: Response) -> None:
        if key is not None:
            self._parts.layer.respond(key, response, self._parts.clock().monotonic)

    def _lost(self, waiting: _Waiting, branch: str, why: Cause) -> None:
        """The dialog of a request is gone. If that is not the call's (any more), it was an early one of another leg."""
        dialog = waiting.call.legs[waiting.leg].dialog
        if (dialog.local_tag, dialog.remote_tag) != (waiting.dialog.local_tag, waiting.dialog.remote_tag):
            return
        inp = Vanished(branch, f"leg:{waiting.leg}", waiting.leg, why)
        try:
            self._parts.switchboard.handle(waiting.call.id, inp, lambda accepted: None)
        except (JournalFull, NotOwned):
            return  # the next request inside the call finds it out again


def copy_headers(source: Message, target: Message, names: tuple[str, ...]) -> None:
    """Add those headers of `source` to `target` that a message may bring to the other side."""
    for name in names:
        for value in source.get_all(name):
            target.add(name, value)
