"""SUBSCRIBE and NOTIFY (RFC 6665): phones subscribe, and are told what there is whenever they have not been.

What may live here: that dialogue. One request at a time in each subscription (4.2.2): what changes meanwhile is told by
the next. What a subscription is decides the domain; what is owed follows from it and from what there is, so nothing is
kept here but what is under way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple
from uuid import UUID

import msgspec
import structlog

from adapters.sip.application.answers import Answers
from adapters.sip.application.parts import Now, Parts
from adapters.sip.dialog.dialog import asks_secure, caller_dialog, contact_instance, request_of
from adapters.sip.dialog.peer import Device, phone_of
from adapters.sip.message.error import NotAllowed
from adapters.sip.message.message import Request, response_to
from adapters.sip.request import subscription as asked
from adapters.sip.request.summary import NOTHING, SUMMARY_TYPE, account_of, counts_of, summary_of
from adapters.sip.transaction.event import RequestReceived, ResponseReceived, TimedOut, TransportFailed
from adapters.sip.transaction.key import ClientKey
from domain.ids import call_of_leg, leg_id, shard_of
from domain.ports import JournalError
from domain.subscription.input import Fail, Input, Look, Refresh, Subscribe, Take
from domain.subscription.port import TooMany
from domain.subscription.subscription import Standing, Subscription, Why
from domain.subscription.turn import Notice, owed
from domain.switchboard import NotOwned
from domain.values import Flow

_log = structlog.get_logger(__name__)
_FEW = 64
_DESTROYS = frozenset({404, 405, 410, 416, *range(480, 486), 489, 501, 604})
"""Answers to a NOTIFY after which there is no subscription any more (RFC 5057 section 5.1)."""


class Watcher(NamedTuple):
    """Who asks: the tenant, and the device that proved itself."""

    tenant: str
    device: str


class _Told(NamedTuple):
    """A NOTIFY that is under way: by which subscription, at which version of it, and which counts it tells."""

    stream: UUID
    at: int
    what: str
    flow: Flow
    is_last: bool


class Notifier:
    """Keeps the requests under way, and which phones are to be told once they are there again."""

    def __init__(self, parts: Parts, answers: Answers) -> None:
        self._parts, self._answers = parts, answers
        self._told: dict[ClientKey, _Told] = {}
        self._waiting: dict[UUID, ClientKey] = {}
        self._away: dict[Device, set[UUID]] = {}
        self._lost: Counter[UUID] = Counter()
        """requests that may or may not have reached their phone before its connection broke: what is said next may be
        something else, so it has another number"""
        self._limit = _FEW

    def __len__(self) -> int:
        return len(self._told) + len(self._waiting) + len(self._away)

    # --- SUBSCRIBE

    def subscribe(self, event: RequestReceived, who: Watcher, lost: Callable[[], None]) -> None:
        """A SUBSCRIBE of a device that has proved itself. Raises MessageError, JournalError and NotOwned."""
        try:
            if event.request.to.tag:
                self._refresh(event, who, lost)
            else:
                self._begin(event, who, lost)
        except NotAllowed as error:  # answered here: who has proved itself is no stranger, whatever it asks for
            response = self._answers.reply(event.request, error.status, error.reason, error.headers)
            self._parts.layer.respond(event.key, response, self._parts.clock().monotonic)

    def _begin(self, event: RequestReceived, who: Watcher, lost: Callable[[], None]) -> None:
        request, parts, directory = event.request, self._parts, self._parts.switchboard.directory
        kind = asked.event_of(request)
        asked.check_accept(request)
        expires_s = asked.expires_of(request)
        number = asked.resource_of(request, who.tenant, directory)
        asked.check_watcher(who.tenant, number, who.device, directory)
        known = next((one for one in parts.subscriptions.of(who.tenant, number) if _asked_for(one, request)), None)
        if known is not None:
            self._repeat(event, known, lost)
            return
        stream = parts.subscriptions.new(who.tenant, number)
        tag = parts.identifiers.tag(leg_id(stream, 0))
        dialog = caller_dialog(request, event.flow, tag, who.device, contact_instance(request))
        cause, actor = request.via.branch, f"sip:{who.device}"
        ask = Subscribe(cause, actor, who.tenant, number, kind.package, kind.id, dialog, expires_s)
        try:
            parts.subscriptions.begin(stream, ask, self._answering(event, expires_s), lost)
        except TooMany as error:
            raise NotAllowed(403, str(error)) from error

    def _refresh(self, event: RequestReceived, who: Watcher, lost: Callable[[], None]) -> None:
        request = event.request
        known, number = self._known(request, who), request.cseq.number
        if number == known.dialog.remote_cseq:
            self._repeat(event, known, lost)
            return
        if number < known.dialog.remote_cseq:
            raise NotAllowed(500, "this request is older than one that was already handled")
        expires_s = asked.expires_of(request)
        fresh = caller_dialog(request, event.flow, known.dialog.local_tag, who.device, contact_instance(request))
        dialog = msgspec.structs.replace(
            known.dialog,
            remote_target=fresh.remote_target,
            remote_cseq=number,
            flow=event.flow if known.dialog.routes else fresh.flow,
        )
        inp = Refresh(request.via.branch, f"sip:{who.device}", dialog, expires_s)
        self._parts.subscriptions.handle(known.id, inp, self._answering(event, expires_s), lost)

    def _known(self, request: Request, who: Watcher) -> Subscription:
        """The subscription in whose dialog a SUBSCRIBE is. Raises NotAllowed(481, 403)."""
        leg = self._parts.identifiers.leg_of_tag(request.to.tag)
        known = self._parts.subscriptions.find(call_of_leg(leg)) if leg else None
        if known is None or known.standing is not Standing.ACTIVE or known.tenant != who.tenant:
            raise NotAllowed(481, "")
        dialog, kind = known.dialog, asked.event_of(request)
        if (dialog.call_id, dialog.remote_tag) != (request.call_id, request.from_.tag):
            raise NotAllowed(481, "")
        if (known.package, known.event_id) != kind:
            raise NotAllowed(481, "one subscription a dialog")
        if dialog.device != who.device:
            raise NotAllowed(403, "this subscription is another device's")
        return known

    def _repeat(self, event: RequestReceived, known: Subscription, lost: Callable[[], None]) -> None:
        """The very SUBSCRIBE that was taken before, once more: its 200 was lost, perhaps by a restart."""
        left_s = max(0, round((known.expires_at - self._parts.clock().utc).total_seconds()))
        look = Look(event.request.via.branch, f"sip:{known.dialog.device}")
        self._parts.subscriptions.handle(known.id, look, self._answering(event, left_s), lost)

    def _answering(self, event: RequestReceived, expires_s: int) -> Callable[[Subscription], None]:
        """200 (4.2.1.1; 202 means nothing else any more, 8.3.1), then the NOTIFY that follows each."""

        def durable(subscription: Subscription) -> None:
            parts = self._parts
            response = response_to(event.request, 200, to_tag=subscription.dialog.local_tag)
            response.add("Contact", self._contact(subscription, event.flow))
            response.add("Expires", str(expires_s))
            parts.layer.respond(event.key, response, parts.clock().monotonic)
            self._say(subscription)

        return durable

    # --- NOTIFY

    def tell(self, tenant: str, number: str) -> None:
        """What there is to tell about a number may be other than before."""
        for one in self._parts.subscriptions.of(tenant, number):
            self._try(one.id, Look("summary", "system"), self._say)

    def ended(self, subscription: Subscription) -> None:
        """One has ended by itself."""
        self._say(subscription)

    def resume(self) -> None:
        """Say what is owed in shards that were taken."""
        now = self._parts.clock().utc
        for one in self._parts.subscriptions.all():
            if owed(one, self._counts(one) or "", now) is not None:
                self._try(one.id, Look("resume", "system"), self._say)

    def leave(self, shard: int) -> None:
        """Forget what is under way in a shard that is not ours any more."""
        for stream in [stream for stream in self._waiting if shard_of(stream) == shard]:
            self._told.pop(self._waiting.pop(stream), None)
        self._lost = Counter({one: lost for one, lost in self._lost.items() if shard_of(one) != shard})

    def back(self, device: Device) -> None:
        """A phone is heard on another stream than before: it is told what could not be said."""
        for stream in self._away.pop(device, ()):
            self._try(stream, Look("flow:back", "system"), self._say)

    def _say(self, subscription: Subscription) -> None:
        if subscription.id in self._waiting:
            return
        counts, now = self._counts(subscription), self._parts.clock()
        if counts is None and subscription.standing is Standing.ACTIVE:
            self._try(subscription.id, Fail("summary", "system", Why.NO_RESOURCE), self._say)
            return
        notice = owed(subscription, counts or NOTHING, now.utc)
        if notice is not None:
            self._notify(subscription, notice, now)
        elif subscription.standing is Standing.TERMINATED:
            self._parts.subscriptions.forget(subscription)

    def _notify(self, subscription: Subscription, notice: Notice, now: Now) -> None:
        parts, tenant, number = self._parts, subscription.tenant, subscription.number
        flow = self._way(subscription)
        if flow is None:
            self._put_off(subscription)
            return
        cseq = subscription.cseq(parts.subscriptions.epoch(subscription)) + self._lost[subscription.id]
        dialog = msgspec.structs.replace(subscription.dialog, local_cseq=cseq)
        via = parts.addresses.via(flow, parts.identifiers.branch(leg_id(subscription.id, 0), cseq))
        request = request_of("NOTIFY", dialog, via, self._contact(subscription, flow))
        request.add("Event", str(asked.Event(subscription.package, subscription.event_id)))
        request.add("Subscription-State", _state(notice))
        request.add("Content-Type", SUMMARY_TYPE)
        request.body = summary_of(account_of(tenant, number, parts.switchboard.directory), notice.what)
        key = parts.layer.request(request, flow, now.monotonic)
        self._told[key] = _Told(subscription.id, subscription.version, notice.what, flow, bool(notice.reason))
        self._waiting[subscription.id] = key

    def _way(self, subscription: Subscription) -> Flow | None:
        """To its phone, which may have moved; None if there is none at the moment."""
        leg = leg_id(subscription.id, 0)
        return self._parts.moves.route(subscription.tenant, leg, subscription.dialog)

    def _counts(self, subscription: Subscription) -> str | None:
        """None if there are none, or none any more that its phone may know."""
        if not asked.may_watch(subscription, self._parts.switchboard.directory):
            return None
        counts = self._parts.counts(subscription.tenant, subscription.number)
        return None if counts is None else counts_of(*counts)

    def _put_off(self, subscription: Subscription) -> None:
        """Its connection is gone: the phone comes back by itself, or the subscription runs out."""
        self._away.setdefault(phone_of(subscription.tenant, subscription.dialog), set()).add(subscription.id)
        if len(self._away) + len(self._lost) > self._limit:  # at each doubling, so that it costs nothing on the whole
            known = self._parts.subscriptions.find
            alive = {phone: {one for one in streams if known(one)} for phone, streams in self._away.items()}
            self._away = {phone: streams for phone, streams in alive.items() if streams}
            self._lost = Counter({one: lost for one, lost in self._lost.items() if known(one)})
            self._limit = max(_FEW, 2 * (len(self._away) + len(self._lost)))

    # --- adapters.sip.application.returning.Passing

    def takes(self, key: ClientKey) -> bool:
        return key in self._told

    def answered(self, event: ResponseReceived, now: Now) -> None:
        status = event.response.status
        if status >= 200:
            refused = Fail(event.key.branch, "system", Why.REFUSED) if status in _DESTROYS else None
            self._over(event.key, refused)

    def silent(self, event: TimedOut, now: Now) -> None:
        self._over(event.key, Fail(event.key.branch, "system", Why.SILENT))

    def unreachable(self, event: TransportFailed, now: Now) -> None:
        told = self._told.pop(event.key)
        self._waiting.pop(told.stream, None)
        self._lost[told.stream] += 1
        known = self._parts.subscriptions.find(told.stream)
        if known is None:
            return
        if self._way(known) not in (None, told.flow):
            self._try(known.id, Look(event.key.branch, "system"), self._say)
        else:
            self._put_off(known)

    def _over(self, key: ClientKey, failed: Fail | None) -> None:
        """A phone has taken what it was told, or never will. What it merely would not take now is not said again as
        long as it is the same."""
        told = self._told.pop(key)
        self._waiting.pop(told.stream, None)
        known = self._parts.subscriptions.find(told.stream)
        if known is None:
            return
        if told.is_last:
            self._parts.subscriptions.forget(known)
        else:
            self._try(told.stream, failed or Take(key.branch, "system", told.at, told.what), self._say)

    # --- parts

    def _try(self, stream: UUID, inp: Input, done: Callable[[Subscription], None]) -> None:
        """What cannot be written down now is owed still, and said when the shard is taken again or the phone asks."""
        try:
            self._parts.subscriptions.handle(stream, inp, done)
        except (JournalError, NotOwned) as error:
            _log.warning("what a subscribed phone says or is told has to wait", reason=str(error))

    def _contact(self, subscription: Subscription, flow: Flow) -> str:
        leg = leg_id(subscription.id, 0)
        return self._parts.addresses.contact(flow, self._parts.identifiers.user(leg), asks_secure(subscription.dialog))


def _asked_for(known: Subscription, request: Request) -> bool:
    """Whether a SUBSCRIBE outside dialogs is the one that began it."""
    dialog = known.dialog
    same = (dialog.call_id, dialog.remote_tag) == (request.call_id, request.from_.tag)
    return same and dialog.remote_cseq == request.cseq.number


def _state(notice: Notice) -> str:
    return f"terminated;reason={notice.reason}" if notice.reason else f"active;expires={notice.expires_s}"
