"""The SIP application: events of the transaction layer in, calls and registrations asked, answers and effects out.

What may live here: dispatch by method (aiosip's vocabulary: an application routes requests by method to peers and
dialogs), authentication, look-up of dialogs. Sans-IO: time is an argument, bytes leave by the layer's outbox.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from adapters.sip import registrar, translate, whom
from adapters.sip.admission import Merged, admit, explain, serves_other
from adapters.sip.cause import heard
from adapters.sip.change import Changes, cancelled, offered_by
from adapters.sip.dialog import transaction_of
from adapters.sip.gate import Failing
from adapters.sip.identity import caller_of
from adapters.sip.message import MessageError, Request, Response, response_to
from adapters.sip.nonce import Use
from adapters.sip.outgoing import Now, Outgoing, Parts
from adapters.sip.pager import Pager
from adapters.sip.peer import Device
from adapters.sip.proof import Proved, prove
from adapters.sip.relay import Relay
from adapters.sip.returning import Returning
from adapters.sip.route import check_route, check_secure
from adapters.sip.transaction_event import (
    AckReceived,
    CancelReceived,
    Event,
    RequestReceived,
    ResponseReceived,
    StrayResponse,
    TimedOut,
    TransportFailed,
    Unacknowledged,
    Unconfirmed,
)
from adapters.sip.transaction_key import ServerKey, restored_key
from adapters.sip.translate import Caller, NotAllowed
from domain.call.call import Call
from domain.call.input import Abandoned, HungUp, ProgressUnconfirmed
from domain.call.input import Unacknowledged as NeverAcknowledged
from domain.call.leg import Leg
from domain.ids import call_of_leg, leg_id, shard_of, shard_of_call
from domain.ports import JournalFull
from domain.registering import RegisterRefused
from domain.switchboard import NotOwned
from domain.values import CANCELLED, NORMAL, Contact, Flow

__all__ = ["Application", "Now", "Parts"]

_RETRY_AFTER_S = 2
_BLAME = {404: Failing.UNKNOWN_DOMAIN, 481: Failing.STRANGER}
"""What a refusal says about its source: scanners try domains, strangers guess dialogs."""


class Application:
    """One worker's SIP user: UAS and UAC of every call, and registrar."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._layer = parts.layer
        self._outgoing = Outgoing(parts)
        self.relay, self._pager = Relay(parts), Pager(parts)
        returning = Returning(self._outgoing, self.relay, self._pager)
        self._changes = Changes(parts)
        self._merged, self._is_ours = Merged(parts.layer.__contains__), partial(whom.is_ours, parts)
        self._spent: Use | None = None  # by the request in hand
        self._requests: Mapping[str, Callable[[RequestReceived, Now], None]] = {
            "INVITE": self._invite,
            "BYE": self._bye,
            "REGISTER": self._register,
            "OPTIONS": self._options,
            "INFO": self._relayed,
            "MESSAGE": self._relayed,
            "PRACK": self._prack,
            "UPDATE": self._change,
        }
        self._events: Mapping[type[Event], Callable[[Any, Now], None]] = {
            RequestReceived: self._request,
            AckReceived: self._ack,
            CancelReceived: self._cancel,
            ResponseReceived: returning.response,
            StrayResponse: self._outgoing.stray,
            TimedOut: returning.timed_out,
            TransportFailed: returning.transport_failed,
            Unacknowledged: self._unacknowledged,
            Unconfirmed: self._unconfirmed,
        }

    def receive(self, message: Request | Response, flow: Flow, now: Now) -> None:
        """A message from the edge. Raises MessageError for what the edge is to answer 4xx."""
        event = self._layer.receive(message, flow, now.monotonic)
        if event is not None:
            self.handle(event, now)
        elif isinstance(message, Response):
            self._outgoing.repeated(message, flow)

    def handle(self, event: Event, now: Now) -> None:
        """An event of the transaction layer: from a message, a timer or a lost flow."""
        self._events[type(event)](event, now)

    # --- requests

    def _request(self, event: RequestReceived, now: Now) -> None:
        request, self._spent = event.request, None
        try:
            admit(request)
            check_secure(request, event.flow)
            check_route(request, self._is_ours)
            self._merged.check(request, event.key)
            self._requests[request.method](event, now)
        except MessageError as error:
            self._answer(event, self._reply(request, error.status, error.reason), now)
        except NotAllowed as error:
            if (how := _BLAME.get(error.status)) is not None:
                self._parts.witness.failed(event.flow, how)
            self._answer(event, self._reply(request, error.status, error.reason, error.headers), now)
        except JournalFull:
            self._give_back()
            self._busy(event, now)
        except NotOwned:
            self._give_back()
            self._unowned(event, now)

    def _give_back(self) -> None:
        """The credentials of a request that is not served stay good for its repetition."""
        if self._spent is not None:
            self._parts.challenger.give_back(self._spent)

    def _busy(self, event: RequestReceived | CancelReceived, now: Now) -> None:
        response = self._reply(event.request, 503)
        response.add("Retry-After", str(_RETRY_AFTER_S))
        self._layer.respond(event.key, response, now.monotonic)

    def _unowned(self, event: RequestReceived | CancelReceived, now: Now) -> None:
        """Its shard was lost and is being claimed again, and what it asks may be in the journal already.

        Over UDP nothing is said, so that the peer's repetition is served; on a stream nothing is ever repeated.
        """
        if event.flow.transport == "udp":
            self._layer.forget(event.key)
        else:
            self._busy(event, now)

    def _options(self, event: RequestReceived, now: Now) -> None:
        if event.request.to.tag:
            self._dialog(event.request)
        self._answer(event, self._reply(event.request, 200), now)

    def _register(self, event: RequestReceived, now: Now) -> None:
        request, parts = event.request, self._parts
        directory = parts.switchboard.directory
        tenant, domain = translate.tenant_of(request, directory)
        proof = self._authenticate(event, tenant, domain, now)
        if proof is None:
            return
        device = proof.device
        ask = registrar.registration_of(request, event.flow, tenant, device, directory)
        tag = self._local_tag(request)
        way = parts.addresses.service_route(event.flow)
        home = registrar.Home(ask.number, domain, way, event.flow, parts.sealer.seal)

        def durable(contacts: tuple[Contact, ...]) -> None:
            then = parts.clock()
            self._answer(event, registrar.granted(request, contacts, then.utc, tag, home), then)
            if ask.contacts:
                self._heard(Device(tenant, device, ask.contacts[0].instance), event.flow)

        try:
            parts.switchboard.register(ask, durable, self._forgets(event, proof.use))
        except RegisterRefused as why:
            self._answer(event, registrar.refused(request, why, tag), now)

    def _invite(self, event: RequestReceived, now: Now) -> None:
        if event.request.to.tag:
            self._change(event, now)
            return
        request, parts = event.request, self._parts
        directory = parts.switchboard.directory
        tenant, domain = translate.tenant_of(request, directory)
        proof = self._authenticate(event, tenant, domain, now)
        if proof is None:
            return
        device = proof.device
        extension, shown = caller_of(request, tenant, device, directory)
        call = parts.new_call(request.call_id, now.utc)
        instance = whom.instance_of_caller(parts, request, tenant, extension.number)
        caller = Caller(tenant, domain, extension, device, instance, shown)
        tag = parts.identifiers.tag(leg_id(call, 0))
        dialled = whom.dialled(parts, request, tenant)
        offer = translate.offer(request, event.flow, call, caller, dialled, tag, parts.sealer)
        parts.switchboard.handle(call, offer, lambda accepted: None, self._forgets(event, proof.use))
        self._heard(Device(tenant, device, caller.instance), event.flow)

    def _change(self, event: RequestReceived, now: Now) -> None:
        call, leg = self._ordered(event.request)
        self._changes.ask(event, call, leg, self._forgets(event))

    def _bye(self, event: RequestReceived, now: Now) -> None:
        call, leg = self._ordered(event.request)
        transaction = transaction_of(event.request, event.flow)
        why = heard(event.request, NORMAL)
        inp = HungUp(event.request.via.branch, f"leg:{leg.id}", leg.id, transaction, why)

        def durable(accepted: bool) -> None:
            if not accepted:  # the call is over already: both sides hung up
                self._answer(event, self._reply(event.request, 200), self._parts.clock())

        self._parts.switchboard.handle(call.id, inp, durable, self._forgets(event))

    def _prack(self, event: RequestReceived, now: Now) -> None:
        request = event.request
        call, caller = self._dialog(request)
        # Each leg that rings is an early dialog of its own, named by that leg's tag.
        leg = call.legs.get(self._parts.identifiers.leg_of_tag(request.to.tag) or "")
        invite = caller.transaction
        if leg is None or leg.rung is None or invite is None or request.cseq.number <= leg.asked_cseq:
            raise NotAllowed(481, "")
        inp = translate.progress_confirmed(request, event.flow, leg.id, invite, self._parts.sealer)
        if inp.sdp and not call.late_offer:
            raise NotAllowed(488, "a new offer has its place in an UPDATE")

        def durable(accepted: bool) -> None:
            if accepted:
                self._layer.reliable.confirmed(restored_key(invite), request.to.tag)
            else:
                self._answer(event, self._reply(request, 481), self._parts.clock())

        self._parts.switchboard.handle(call.id, inp, durable, self._forgets(event))

    def _cancel(self, event: CancelReceived, now: Now) -> None:
        request = event.request
        meant = cancelled(self._parts, event)
        if meant is None and not self._parts.switchboard.owns(shard_of_call(request.call_id)):
            self._unowned(event, now)
            return
        if meant is None:
            status = 200 if serves_other(request, self._layer.__contains__) else 481
            self._layer.respond(event.key, self._reply(request, status), now.monotonic)
            return
        call, leg = meant.call, meant.leg
        if call.renegotiation is not None and meant.offer == call.renegotiation.transaction:
            self._changes.withdraw(event, call, leg, self._forgets(event))
            return
        if meant.offer != call.caller.transaction:  # a refresh, which was answered at once
            self._layer.respond(event.key, self._reply(request, 200), now.monotonic)
            return
        tag = call.caller.dialog.local_tag

        def durable(accepted: bool) -> None:
            self._layer.respond(event.key, response_to(request, 200, to_tag=tag), self._parts.clock().monotonic)

        try:
            inp = Abandoned(request.via.branch, f"leg:{leg}", leg, heard(request, CANCELLED))
            self._parts.switchboard.handle(call.id, inp, durable, self._forgets(event))
        except JournalFull:
            self._busy(event, now)
        except NotOwned:
            self._unowned(event, now)

    def _ack(self, event: AckReceived, now: Now) -> None:
        key, request = event.key, event.request
        if key is None:
            return
        try:
            call, leg = self._dialog(request)
        except (NotAllowed, NotOwned):
            return
        if call.answer_owed != leg.id:
            self._acknowledged(key, now)
            return
        # The 2xx held an offer: it is repeated until the journal has the answer.
        inp = translate.answer_given(request, leg.id, self._parts.sealer)
        self._outgoing.tell(call, inp, lambda accepted: self._acknowledged(key, self._parts.clock()))

    def _acknowledged(self, key: ServerKey, now: Now) -> None:
        self._layer.acknowledged(key)
        self._parts.performer.acknowledged(key, now.monotonic)

    def _unacknowledged(self, event: Unacknowledged, now: Now) -> None:
        self._parts.performer.acknowledged(event.key, now.monotonic)
        if (found := offered_by(self._parts, event.key)) is not None:
            call, leg = found
            if event.restored and call.answer_owed != leg:
                return  # an ACK without an answer leaves no trace
            self._outgoing.tell(call, NeverAcknowledged(event.key.branch, f"leg:{leg}", leg))

    def _relayed(self, event: RequestReceived, now: Now) -> None:
        if event.request.method == "MESSAGE" and not event.request.to.tag:
            self._page(event, now)
            return
        call, leg = self._ordered(event.request)
        self.relay.pass_on(event, call, leg, self._forgets(event))

    def _page(self, event: RequestReceived, now: Now) -> None:
        request, directory = event.request, self._parts.switchboard.directory
        tenant, domain = translate.tenant_of(request, directory)
        proof = self._authenticate(event, tenant, domain, now)
        if proof is not None:
            extension, shown = caller_of(request, tenant, proof.device, directory)
            caller = Caller(tenant, domain, extension, proof.device, "", shown)
            number = translate.number_of(translate.request_uri(request))
            self._pager.page(event, caller, number, self._local_tag(request))

    def _unconfirmed(self, event: Unconfirmed, now: Now) -> None:
        if (found := offered_by(self._parts, event.key)) is not None:
            call, leg = found
            self._outgoing.tell(call, ProgressUnconfirmed(event.key.branch, f"leg:{leg}", leg))

    # --- parts

    def _dialog(self, request: Request) -> tuple[Call, Leg]:
        """The leg whose dialog a request is in (12.2.2): Call-ID and both tags must fit.

        NotAllowed(481) if there is none, NotOwned if that cannot be known at the moment.
        """
        named = self._parts.identifiers.leg_of_tag(request.to.tag)
        call = self._parts.switchboard.find(call_of_leg(named)) if named else None
        if named and call is None and not self._parts.switchboard.owns(shard_of(call_of_leg(named))):
            raise NotOwned("the shard of this dialog is being claimed")
        if call is not None:
            call_id, theirs, ours = request.call_id, request.from_.tag, request.to.tag
            for leg in call.legs.values():
                dialog = leg.dialog
                if dialog.call_id != call_id or dialog.remote_tag != theirs:
                    continue
                if dialog.local_tag == ours or (leg.caller and call.answered_at is None):
                    return call, leg
        raise NotAllowed(481, "")

    def _ordered(self, request: Request) -> tuple[Call, Leg]:
        """As `_dialog`. NotAllowed(500) for a request older than one that was served in it (12.2.2)."""
        call, leg = self._dialog(request)
        if request.cseq.number <= leg.last_heard:
            raise NotAllowed(500, "this request is older than one that was already handled")
        return call, leg

    def _authenticate(self, event: RequestReceived, tenant: str, domain: str, now: Now) -> Proved | None:
        """Who proved itself, or None after a challenge was sent."""
        request = event.request
        found = prove(self._parts, request, event.flow, tenant, domain, now.utc.timestamp())
        if isinstance(found, Proved):
            self._spent = found.use
            return found
        response = self._reply(request, 401)
        for challenge in found.challenges:
            response.add("WWW-Authenticate", challenge)
        self._layer.reply(event.key, response)  # 8.2.7: who has not proved anything costs no memory
        return None

    def _forgets(self, event: RequestReceived | CancelReceived, use: Use | None = None) -> Callable[[], None]:
        """What to do when the journal did not take a request: let the peer's repetition in, credentials and all."""

        def forget() -> None:
            self._layer.forget(event.key)
            if use is not None:
                self._parts.challenger.give_back(use)

        return forget

    def _heard(self, device: Device, flow: Flow) -> None:
        if self._parts.peers.heard(device, flow):
            self._parts.device_back(device)

    def _reply(
        self, request: Request, status: int, reason: str = "", headers: Iterable[tuple[str, str]] = ()
    ) -> Response:
        try:
            response = response_to(request, status, reason, self._local_tag(request))
        except MessageError:  # its To cannot be read, but the transaction must have its answer
            response = response_to(request, status, reason)
        explain(response, request)
        for name, value in headers:
            response.add(name, value)
        return response

    def _local_tag(self, request: Request) -> str:
        """A To tag for answers outside any dialog: the same for a repeated request (8.2.6.2)."""
        return self._parts.identifiers.stateless_tag(request.via.branch, request.call_id)

    def _answer(self, event: RequestReceived, response: Response, now: Now) -> None:
        self._layer.respond(event.key, response, now.monotonic)
