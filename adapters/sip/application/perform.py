"""Effects of calls as SIP: each becomes requests and responses of the transaction layer.

Nothing is kept here.

Performing an effect again is harmless: identifiers are derived, so the layer or the peer recognises a repetition.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from adapters.sip.dialog.capability import ALLOW, RELIABLE, SUPPORTED, supported_but
from adapters.sip.dialog.dialog import Addresses, asks_secure, request_of, response_of
from adapters.sip.dialog.identifier import SipIdentifiers
from adapters.sip.dialog.moves import Moves
from adapters.sip.dialog.peer import Peers
from adapters.sip.dialog.reason import passed_on, reason_of_cancel, reason_of_refusal, reasons_header
from adapters.sip.dialog.session_timer import answered_terms, offered_terms
from adapters.sip.message.message import Request, Response
from adapters.sip.message.text import to_wire
from adapters.sip.request.identity import present
from adapters.sip.transaction.key import ClientKey, restored_key
from adapters.sip.transaction.layer import TransactionLayer
from domain.call.call import Call
from domain.call.effect import (
    Accept,
    Acknowledge,
    Cancel,
    Conclude,
    Confirm,
    Dial,
    Effect,
    HangUp,
    Proceed,
    Refuse,
    Reoffer,
    Ring,
)
from domain.call.resume import confirmable
from domain.ports import Sealer
from domain.sdp import map_crypto, raised
from domain.values import Dialog, Flow, Transaction

_SDP = "application/sdp"
_TARGETED = frozenset({"INVITE", "ACK", "UPDATE"})
"""Methods of ours that say where we are reached (RFC 3261 20.10)."""
_ACK_BRANCH = 2**31


class Performer:
    """Says what calls owe. `unreachable(leg)` is told when no way leads to a leg's phone at the moment."""

    def __init__(  # its parts, given by name
        self,
        *,
        layer: TransactionLayer,
        identifiers: SipIdentifiers,
        addresses: Addresses,
        peers: Peers,
        moves: Moves,
        sealer: Sealer,
        unreachable: Callable[[Call, str], None],
        shown: Callable[[Call, str, str, str], str],
    ) -> None:
        """`shown(call, leg, sdp, tag)` is what a leg's phone is told of the other's `sdp` where media go through us,
        in the dialog of our `tag`."""
        self._layer, self._identifiers, self._addresses = layer, identifiers, addresses
        self._peers, self._moves = peers, moves
        self._sealer, self._unreachable, self._shown = sealer, unreachable, shown
        self._perform: Mapping[type[Effect], Callable[[Call, Any, float], None]] = {
            Proceed: self._proceed,
            Ring: self._ring,
            Accept: self._accept,
            Refuse: self._refuse,
            Dial: self._dial,
            Cancel: self._cancel,
            Acknowledge: self._acknowledge,
            Confirm: self._confirm,
            Reoffer: self._reoffer,
            HangUp: self._hang_up,
            Conclude: self._conclude,
        }

    def perform(self, call: Call, effects: tuple[Effect, ...], now: float) -> None:
        """Hands all effects to the transaction layer, in order. `now` is monotonic seconds."""
        for effect in effects:
            self._perform[type(effect)](call, effect, now)

    def invite(self, call: Call, leg: str, flow: Flow | None = None) -> tuple[Request, Flow] | None:
        """The INVITE that dialled a leg, computed again, to go by `flow`; None if no way leads to its phone."""
        dialed = call.legs[leg].dialed
        assert dialed is not None, "only legs that were dialled have an INVITE of ours"
        first = msgspec.structs.replace(dialed, flow=flow or call.legs[leg].dialog.flow)
        return self._first_offer(call, leg, first, call.display, call.caller.sdp, confirmable(call))

    def inside(self, call: Call, leg: str, method: str, dialog: Dialog) -> tuple[Request, Flow] | None:
        """A request inside a leg's dialog with the CSeq of `dialog`; None if no way leads to its phone."""
        return self._request(call, leg, method, dialog)

    # --- towards the caller, or whoever sent the request

    def _proceed(self, call: Call, effect: Proceed, now: float) -> None:
        self._respond(call, effect.leg, effect.transaction, response_of(effect.transaction, 100), now)

    def _ring(self, call: Call, effect: Ring, now: float) -> None:
        status = 183 if effect.sdp else 180
        response = response_of(effect.transaction, status, tag=effect.tag)
        self._describe(call, response, effect.leg, effect.transaction.flow, effect.sdp)
        if effect.serial:
            response.add("Require", "100rel")
            response.add("RSeq", str(effect.serial))
        self._respond(call, effect.leg, effect.transaction, response, now, effect.serial > 0)

    def _accept(self, call: Call, effect: Accept, now: float) -> None:
        response = response_of(effect.transaction, 200, tag=effect.tag)
        self._describe(call, response, effect.leg, effect.transaction.flow, effect.sdp)
        for name, value in answered_terms(effect.terms):
            response.add(name, value)
        self._respond(call, effect.leg, effect.transaction, response, now)

    def _refuse(self, call: Call, effect: Refuse, now: float) -> None:
        status = passed_on(effect.why.sip_status)
        if status == 408 and effect.transaction.method != "INVITE":
            status = 504  # RFC 4320 4.2
        response = response_of(effect.transaction, status, tag=effect.tag)
        response.add("Reason", reason_of_refusal(effect.why))
        self._respond(call, effect.leg, effect.transaction, response, now)

    def _conclude(self, call: Call, effect: Conclude, now: float) -> None:
        self._respond(call, effect.leg, effect.transaction, response_of(effect.transaction, 200), now)

    def _respond(
        self, call: Call, leg: str, transaction: Transaction, response: Response, now: float, reliably: bool = False
    ) -> None:
        if not self._peers.lives(transaction.flow):
            flow = self._peers.route(call.tenant, call.legs[leg].dialog)
            if flow is None:
                self._unreachable(call, leg)
                return
            transaction = msgspec.structs.replace(transaction, flow=flow)
        key = self._layer.restore_server(transaction)
        self._layer.respond(key, response, now)
        if reliably:
            self._layer.reliable.start(key, response.to.tag, transaction.flow, response.serialise(), now)

    # --- towards the callee, or whoever gets the request

    def _dial(self, call: Call, effect: Dial, now: float) -> None:
        first = self._first_offer(call, effect.leg, effect.dialog, effect.display, effect.sdp, effect.confirms)
        self._start(first, now)

    def _reoffer(self, call: Call, effect: Reoffer, now: float) -> None:
        # Nobody waits for the progress of a change of media, so none is to be confirmed.
        method, supported = "UPDATE" if effect.prompt else "INVITE", _supported(False)
        request = self._request(call, effect.leg, method, effect.dialog, "", supported)
        if request is not None:
            for name, value in offered_terms(effect.terms, within=True):
                request[0].add(name, value)
            self._body(call, request[0], effect.leg, effect.sdp)
            self._layer.request(*request, now, hurry=effect.prompt)

    def _hang_up(self, call: Call, effect: HangUp, now: float) -> None:
        request = self._request(call, effect.leg, "BYE", effect.dialog)
        if request is None:
            return
        for name, value in reasons_header(effect.why):
            request[0].add(name, value)
        invite = call.legs[effect.leg].transaction
        if invite is None:
            self._layer.request(*request, now)
        else:
            self._layer.request_after_ack(restored_key(invite), *request, now)

    def _cancel(self, call: Call, effect: Cancel, now: float) -> None:
        key = ClientKey(self._identifiers.branch(effect.leg, effect.dialog.local_cseq), "INVITE")
        if key not in self._layer:  # from before a restart
            dialled = effect.dialog.local_cseq == call.legs[effect.leg].invited.local_cseq
            invite = self.invite(call, effect.leg) if dialled and not call.legs[effect.leg].caller else None
            # No way leads there. Or it is a re-INVITE, which is owed as well: what was not sent is not taken back.
            if invite is None:
                return
            self._layer.request(*invite, now, sent=False)
        self._layer.cancel(key, now, [("Reason", reason_of_cancel(effect.why))])

    def _acknowledge(self, call: Call, effect: Acknowledge, now: float) -> None:
        ack = self._request(call, effect.leg, "ACK", effect.dialog)
        if ack is not None:
            self._body(call, ack[0], effect.leg, effect.sdp)
            key = ClientKey(self._identifiers.branch(effect.leg, effect.dialog.local_cseq), "INVITE")
            self._layer.acknowledge(key, *ack, now)

    def _confirm(self, call: Call, effect: Confirm, now: float) -> None:
        request = self._request(call, effect.leg, "PRACK", effect.dialog)
        if request is not None:
            request[0].add("RAck", f"{effect.serial} {effect.of} INVITE")
            self._body(call, request[0], effect.leg, effect.sdp)
        self._start(request, now)

    # --- parts

    def _start(self, request: tuple[Request, Flow] | None, now: float) -> None:
        if request is not None:
            self._layer.request(*request, now)

    def _first_offer(
        self, call: Call, leg: str, dialog: Dialog, display: str, sdp: str, confirms: bool
    ) -> tuple[Request, Flow] | None:
        """The INVITE that dials a leg; `confirms` says whether its progress may be such that we are to confirm it."""
        request = self._request(call, leg, "INVITE", dialog, display, _supported(confirms))
        if request is not None:
            self._body(call, request[0], leg, sdp)
            present(request[0], dialog, display, call.shown, call.legs[leg])
            for name, value in offered_terms(call.legs[leg].terms, within=False):
                request[0].add(name, value)
        return request

    def _request(
        self, call: Call, leg: str, method: str, dialog: Dialog, display: str = "", supported: str = ""
    ) -> tuple[Request, Flow] | None:
        flow = self._moves.route(call.tenant, leg, dialog)
        if flow is None:
            self._unreachable(call, leg)
            return None
        # The ACK of a 2xx is a transaction of its own (13.2.2.4), beyond any CSeq (which is below 2**31).
        number = dialog.local_cseq + (_ACK_BRANCH if method == "ACK" else 0)
        via = self._addresses.via(flow, self._identifiers.branch(leg, number))
        contact = self._contact(call, leg, dialog, flow) if method in _TARGETED else ""
        return request_of(method, dialog, via, contact, display, supported), flow

    def _contact(self, call: Call, leg: str, dialog: Dialog, flow: Flow) -> str:
        secure = asks_secure(dialog) or (call.secure and leg == call.caller_leg)
        return self._addresses.contact(flow, self._identifiers.user(leg), secure)

    def _describe(self, call: Call, response: Response, leg: str, flow: Flow, sdp: str) -> None:
        if response.cseq.method != "PRACK":  # RFC 3262 table 2
            response.add("Contact", self._contact(call, leg, call.legs[leg].dialog, flow))
        response.add("Allow", ALLOW)
        if SUPPORTED:
            response.add("Supported", SUPPORTED)
        self._body(call, response, leg, sdp)

    def _body(self, call: Call, message: Request | Response, leg: str, sdp: str) -> None:
        if sdp:
            message.add("Content-Type", _SDP)
            message.body = to_wire(self._told(call, message, leg, sdp))

    def _told(self, call: Call, message: Request | Response, leg: str, sdp: str) -> str:
        if call.relay is None:
            return map_crypto(sdp, self._sealer.unseal)
        sdp = raised(sdp, call.relay.raised.count(leg))
        if not call.hears_us(leg):
            return map_crypto(sdp, self._sealer.unseal)
        ours = message.from_ if isinstance(message, Request) else message.to
        return self._shown(call, leg, sdp, ours.tag)


def _supported(reliable: bool) -> str:
    """What an INVITE of ours says that we can do; progress is made reliable only by those who are asked to."""
    return SUPPORTED if reliable else supported_but(RELIABLE)
