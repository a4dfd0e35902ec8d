"""The SIP application: events of the transaction layer in, calls and registrations asked, answers and effects out.

What may live here: dispatch by method (aiosip's vocabulary: an application routes requests by method to peers and
dialogs), authentication, look-up of dialogs. Sans-IO: time is an argument, bytes leave by the layer's outbox.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from adapters.sip.application import inside, moving, registrar, whom
from adapters.sip.application.answers import Answers
from adapters.sip.application.cancel import Cancels
from adapters.sip.application.change import Changes, offered_by
from adapters.sip.application.notifier import Notifier, Watcher
from adapters.sip.application.outgoing import Outgoing
from adapters.sip.application.pager import Pager
from adapters.sip.application.parts import Now, Parts
from adapters.sip.application.proof import Proved, prove
from adapters.sip.application.relay import Relay
from adapters.sip.application.returning import Returning
from adapters.sip.application.summary import Summaries
from adapters.sip.dialog.dialog import transaction_of
from adapters.sip.dialog.peer import Device
from adapters.sip.dialog.reason import heard
from adapters.sip.digest.nonce import Use
from adapters.sip.gate.gate import Failing
from adapters.sip.message.error import NotAllowed
from adapters.sip.message.message import MessageError, Request, Response
from adapters.sip.request import translate
from adapters.sip.request.admission import Merged, admit
from adapters.sip.request.home import home_of
from adapters.sip.request.identity import caller_of
from adapters.sip.request.route import check_route, check_secure
from adapters.sip.request.subscription import shard_of_subscribe
from adapters.sip.request.translate import Caller
from adapters.sip.transaction.event import (
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
from adapters.sip.transaction.key import ServerKey, restored_key
from domain.call.call import Call
from domain.call.input import HungUp, ProgressUnconfirmed
from domain.call.input import Unacknowledged as NeverAcknowledged
from domain.call.leg import Leg
from domain.ids import leg_id
from domain.ports import JournalFull
from domain.registering import RegisterRefused
from domain.switchboard import NotOwned
from domain.values import NORMAL, Contact, Flow

_BLAME = {404: Failing.UNKNOWN_DOMAIN, 481: Failing.STRANGER}
"""What a refusal says about its source: scanners try domains, strangers guess dialogs."""


class Application:
    """One worker's SIP user: UAS and UAC of every call, and registrar."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._layer = parts.layer
        self._outgoing, self._answers = Outgoing(parts), (answers := Answers(parts))
        self.relay, self._pager = Relay(parts), Pager(parts)
        self.notifier = Notifier(parts, answers)
        self.summaries = Summaries(parts, self.notifier)
        returning = Returning(self._outgoing, self.relay, self._pager, self.summaries, self.notifier)
        self._changes = Changes(parts)
        self._merged, self._is_ours = Merged(parts.layer.__contains__), partial(whom.is_ours, parts)
        self._spent: Use | None = None  # by the request in hand
        self._within = False  # whether that is in a dialog of ours
        self._requests: Mapping[str, Callable[[RequestReceived, Now], None]] = {
            "INVITE": self._invite,
            "BYE": self._bye,
            "REGISTER": self._register,
            "OPTIONS": self._options,
            "INFO": self._relayed,
            "MESSAGE": self._relayed,
            "PRACK": self._prack,
            "UPDATE": self._change,
            "SUBSCRIBE": self._subscribe,
        }
        self._events: Mapping[type[Event], Callable[[Any, Now], None]] = {
            RequestReceived: self._request,
            AckReceived: self._ack,
            CancelReceived: Cancels(parts, answers).take,
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

    def bound(self, tenant: str, contact: Contact, before: Contact | None) -> None:
        """Another node's registrar has made this binding of what was `before`: the phone's calls here follow it."""
        moving.bound(self._parts, tenant, contact.flow, ((contact, before),))
        self._heard(Device(tenant, contact.device, contact.instance), contact.flow)

    def resume(self) -> None:
        """Shards were taken: tell phones what they are to be told."""
        self._parts.subscriptions.resume()
        self.notifier.resume()

    def leave(self, shard: int) -> None:
        """A shard is not ours any more, at least for now."""
        self.notifier.leave(shard)
        self.summaries.leave(shard)

    # --- requests

    def _request(self, event: RequestReceived, now: Now) -> None:
        request, self._spent, self._within = event.request, None, False
        try:
            admit(request)
            check_secure(request, event.flow)
            check_route(request, self._is_ours)
            self._merged.check(request, event.key)
            self._requests[request.method](event, now)
        except MessageError as error:
            self._refuse(event, self._answers.reply(request, error.status, error.reason), now)
        except NotAllowed as error:
            if (how := _BLAME.get(error.status)) is not None:
                self._parts.witness.failed(event.flow, how)
            self._refuse(event, self._answers.reply(request, error.status, error.reason, error.headers), now)
        except JournalFull:
            self._give_back()
            self._answers.busy(event, now)
        except NotOwned:
            self._give_back()
            self._answers.unowned(event, now)

    def _refuse(self, event: RequestReceived, response: Response, now: Now) -> None:
        """Who has proved nothing and is in no dialog costs no memory (8.2.7): a repetition is refused anew."""
        if self._spent is None and not self._within:
            self._layer.reply(event.key, response)
        else:
            self._answer(event, response, now)

    def _give_back(self) -> None:
        """The credentials of a request that is not served stay good for its repetition."""
        if self._spent is not None:
            self._parts.challenger.give_back(self._spent)

    def _options(self, event: RequestReceived, now: Now) -> None:
        if event.request.to.tag:
            self._dialog(event.request)
        self._layer.reply(event.key, self._answers.reply(event.request, 200))  # 8.2.7: the same at each repetition

    def _register(self, event: RequestReceived, now: Now) -> None:
        request, parts = event.request, self._parts
        directory = parts.switchboard.directory
        tenant, domain = translate.tenant_of(request, directory)
        proof = self._authenticate(event, tenant, domain, now)
        if proof is None:
            return
        device = proof.device
        ask = registrar.registration_of(request, event.flow, tenant, device, directory)
        tag = self._answers.local_tag(request)
        way = parts.addresses.service_route(event.flow)
        home = registrar.Home(ask.number, domain, way, event.flow, parts.sealer.seal)
        before = parts.switchboard.contacts(tenant, ask.number)

        def durable(contacts: tuple[Contact, ...]) -> None:
            then = parts.clock()
            moving.bound(parts, tenant, event.flow, registrar.made(request, before, contacts))
            self._answer(event, registrar.granted(request, contacts, then.utc, tag, home), then)
            if ask.contacts:
                self._heard(Device(tenant, device, ask.contacts[0].instance), event.flow)
                fresh = [contact for contact, _ in registrar.made(request, before, contacts)]
                self.summaries.bound(tenant, ask.number, fresh)

        try:
            parts.switchboard.register(ask, durable, self._answers.forgets(event, proof.use))
        except RegisterRefused as why:
            self._answer(event, registrar.refused(request, why, tag), now)

    def _invite(self, event: RequestReceived, now: Now) -> None:
        if event.request.to.tag:
            self._change(event, now)
            return
        request, parts = event.request, self._parts
        directory, shard = parts.switchboard.directory, home_of(event.request, parts.switchboard)
        self._check_owned(shard)
        tenant, domain = translate.tenant_of(request, directory)
        proof = self._authenticate(event, tenant, domain, now)
        if proof is None:
            return
        device = proof.device
        extension, shown = caller_of(request, tenant, device, directory)
        call = parts.new_call(shard, now.utc)
        instance = whom.instance_of_caller(parts, request, tenant, extension.number)
        caller = Caller(tenant, domain, extension, device, instance, shown)
        tag = parts.identifiers.tag(leg_id(call, 0))
        dialled = whom.dialled(parts, request, tenant)
        offer = translate.offer(request, event.flow, call, caller, dialled, tag, parts.sealer)
        parts.switchboard.handle(call, offer, lambda accepted: None, self._answers.forgets(event, proof.use))
        parts.moves.back(phone := Device(tenant, device, caller.instance), offer.dialog.flow)
        self._heard(phone, event.flow)

    def _change(self, event: RequestReceived, now: Now) -> None:
        call, leg, early = self._ordered(event.request)
        use = None
        if (place := moving.new_place(self._parts, event.request, event.flow, call, leg)) is not None:
            if (proof := self._prove_within(event, call, leg, now)) is None:
                return
            moving.follow(self._parts, call, leg, place)
            use = proof.use
        self._changes.ask(event, call, leg, early, self._answers.forgets(event, use))

    def _bye(self, event: RequestReceived, now: Now) -> None:
        call, leg, _ = self._ordered(event.request)
        if leg.waiting:
            raise NotAllowed(403, "only a caller may end an early dialog")
        transaction = transaction_of(event.request, event.flow)
        why = heard(event.request, NORMAL)
        inp = HungUp(event.request.via.branch, f"leg:{leg.id}", leg.id, transaction, why)

        def durable(accepted: bool) -> None:
            if not accepted:  # the call is over already: both sides hung up
                self._answer(event, self._answers.reply(event.request, 200), self._parts.clock())

        self._parts.switchboard.handle(call.id, inp, durable, self._answers.forgets(event))

    def _prack(self, event: RequestReceived, now: Now) -> None:
        request = event.request
        call, caller = self._dialog(request)
        # Each leg that rings is an early dialog of its own, named by that leg's tag.
        leg = call.legs.get(self._parts.identifiers.leg_of_tag(request.to.tag) or "")
        invite = caller.transaction
        if leg is None or leg.rung is None or invite is None:
            raise NotAllowed(481, "")
        if request.cseq.number <= (caller.last_heard if leg.id in call.talked else call.last_heard(caller, leg.id)):
            raise NotAllowed(500, inside.OLD)
        use = None
        if not moving.is_known(self._parts, call, caller, event.flow):
            if (proof := self._prove_within(event, call, caller, now)) is None:
                return
            use = proof.use
        inp = translate.progress_confirmed(request, event.flow, leg.id, invite, self._parts.sealer)

        def durable(accepted: bool) -> None:
            if accepted:
                self._layer.reliable.confirmed(restored_key(invite), request.to.tag)
            else:
                self._answer(event, self._answers.reply(request, 481), self._parts.clock())

        self._parts.switchboard.handle(call.id, inp, durable, self._answers.forgets(event, use))

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
        if not moving.acknowledges(self._parts, event, key):
            return
        # The 2xx held an offer: it is repeated until the journal has the answer.
        inp = translate.answer_given(request, leg.id, self._parts.sealer)
        self._outgoing.tell(call, inp, lambda accepted: self._acknowledged(key, self._parts.clock()))

    def _acknowledged(self, key: ServerKey, now: Now) -> None:
        self._layer.acknowledged(key, now.monotonic)

    def _unacknowledged(self, event: Unacknowledged, now: Now) -> None:
        if (found := offered_by(self._parts, event.key)) is not None:
            call, leg = found
            if event.restored and call.answer_owed != leg:
                return  # an ACK without an answer leaves no trace
            self._outgoing.tell(call, NeverAcknowledged(event.key.branch, f"leg:{leg}", leg))

    def _relayed(self, event: RequestReceived, now: Now) -> None:
        if event.request.method == "MESSAGE" and not event.request.to.tag:
            self._page(event, now)
            return
        call, leg, early = self._ordered(event.request)
        self.relay.pass_on(event, call, leg, early, self._answers.forgets(event))

    def _page(self, event: RequestReceived, now: Now) -> None:
        request, directory = event.request, self._parts.switchboard.directory
        tenant, domain = translate.tenant_of(request, directory)
        proof = self._authenticate(event, tenant, domain, now)
        if proof is not None:
            extension, shown = caller_of(request, tenant, proof.device, directory)
            caller = Caller(tenant, domain, extension, proof.device, "", shown)
            number = translate.number_of(translate.request_uri(request))
            self._pager.page(event, caller, number, self._answers.local_tag(request))

    def _subscribe(self, event: RequestReceived, now: Now) -> None:
        request, directory = event.request, self._parts.switchboard.directory
        self._check_owned(shard_of_subscribe(request, directory, self._parts.identifiers))
        tenant, domain = translate.tenant_of(request, directory)
        proof = self._authenticate(event, tenant, domain, now)
        if proof is not None:
            self.notifier.subscribe(event, Watcher(tenant, proof.device), self._answers.forgets(event, proof.use))

    def _unconfirmed(self, event: Unconfirmed, now: Now) -> None:
        if (found := offered_by(self._parts, event.key)) is not None:
            call, leg = found
            self._outgoing.tell(call, ProgressUnconfirmed(event.key.branch, f"leg:{leg}", leg))

    # --- parts

    def _check_owned(self, shard: int) -> None:
        """Before a challenge: it may be one that was let in where the shard was. Raises NotOwned."""
        if not self._parts.switchboard.owns(shard):
            raise NotOwned(f"shard {shard} is not owned here")

    def _dialog(self, request: Request) -> tuple[Call, Leg]:
        found = inside.dialog_of(self._parts, request)
        self._within = True
        return found

    def _ordered(self, request: Request) -> tuple[Call, Leg, str]:
        """As `_dialog`, with `early_of`. NotAllowed(500) for a request older than one that was served in it."""
        call, leg = self._dialog(request)
        early = inside.early_of(self._parts, request, call, leg)
        inside.check_order(request, call, leg, early)
        return call, leg, early

    def _authenticate(self, event: RequestReceived, tenant: str, domain: str, now: Now) -> Proved | None:
        """Who proved itself, or None after a challenge was sent."""
        request = event.request
        found = prove(self._parts, request, event.flow, tenant, domain, now.utc.timestamp())
        if isinstance(found, Proved):
            self._spent = found.use
            return found
        response = self._answers.reply(request, 401)
        for challenge in found.challenges:
            response.add("WWW-Authenticate", challenge)
        self._layer.reply(event.key, response)  # 8.2.7: who has not proved anything costs no memory
        return None

    def _prove_within(self, event: RequestReceived, call: Call, leg: Leg, now: Now) -> Proved | None:
        """As `_authenticate`, for a request inside a leg's dialog. NotAllowed(403) if it is another device's."""
        proof = self._authenticate(event, call.tenant, moving.realm_of(self._parts, call, leg), now)
        if proof is not None:
            moving.check_device(leg, proof.device)
        return proof

    def _heard(self, device: Device, flow: Flow) -> None:
        if self._parts.peers.heard(device, flow):
            self._parts.device_back(device)
            self.notifier.back(device)

    def _answer(self, event: RequestReceived, response: Response, now: Now) -> None:
        self._layer.respond(event.key, response, now.monotonic)
