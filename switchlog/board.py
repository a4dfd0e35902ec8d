"""Shards: the live aggregates that this process owns, and the one way in which they change.

An input is decided, folded and submitted in one go, without an await; effects and answers leave when the journal says
that the events are durable, in the order of submission. A failed append means that ownership is lost: the whole shard
is dropped, never one call repaired.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, cast
from uuid import UUID

from domain.base import Context, Event, Step
from domain.call.call import Call, CallState
from domain.call.effect import Effect
from domain.call.input import DeadlineReached, Input, Offer
from domain.call.resume import FORGET_DEADLINE, deadlines, live_until, offers, outstanding
from domain.call.session import USUAL_S
from domain.call.turn import World, take_turn
from domain.catalog import CATEGORIES, topic
from domain.ids import registration_id, shard_of, shard_of_registration, text_of
from domain.ports import Identifiers, Journal, JournalFull, OwnershipLost, Record, Stored
from domain.registering import Register, register
from domain.registration import Registration, deadline, expire, held_until
from domain.routing.directory import Directory
from domain.switchboard import NotOwned
from domain.values import Contact
from switchlog.shard import Shard

SUBMISSIONS_LIMIT = 5_000
"""Submissions that may wait for the journal before new calls and registrations are refused."""
DEADLINES_LIMIT = SUBMISSIONS_LIMIT // 2
"""And before what is due waits: after a long pause thousands of bindings have run out at once."""
_HORIZON = timedelta(seconds=60)
_LOOK = "look"
"""The alarm that is none of the call's: it is time to arm those that were too far away."""


def _nothing() -> None:
    """For those who need not be told."""


class Outlets(NamedTuple):
    """What a board is connected to; all are called on the loop's thread."""

    perform: Callable[[Call, tuple[Effect, ...]], None]
    lost: Callable[[int, str], None]
    """(shard, reason): ownership is lost, the shard was dropped"""
    settled: Callable[[], None]
    """something was answered: send what waits"""
    told: Callable[[tuple[Event, ...]], None]
    """events of a call that are durable now, for the log"""
    clock: Callable[[], datetime]


class Board:
    """The switchboard of one worker (`domain.switchboard.Switchboard`): all shards that it owns."""

    def __init__(
        self,
        *,
        journal: Journal,
        encode: Callable[[Event], bytes],
        identifiers: Identifiers,
        directory: Callable[[], Directory],
        node: str,
        outlets: Outlets,
        session_s: int = USUAL_S,
    ) -> None:
        self._journal, self._encode, self._identifiers = journal, encode, identifiers
        self._directory, self._node, self._outlets = directory, node, outlets
        self._session_s = session_s
        self._shards: dict[int, Shard] = {}
        self._offers: dict[str, tuple[UUID, ...]] = {}
        self._alarms: list[tuple[datetime, UUID, str]] = []
        self._armed: dict[UUID, datetime] = {}
        self._looking: set[UUID] = set()
        self.submitted = 0
        self.answered = 0
        """of what was submitted, by the journal: the difference waits"""

    # --- ownership

    def load(
        self,
        epochs: Mapping[int, int],
        streams: Iterable[Sequence[Stored]],
        decode: Callable[[str, bytes], Event],
    ) -> tuple[Call, ...]:
        """Take shards over: fold their live streams. Returns the calls, for `resume`."""
        for number, epoch in epochs.items():
            self._shards[number] = Shard(number, epoch)
        calls = []
        for stream in streams:
            aggregate = None
            for stored in stream:
                event = decode(stored.record.type, stored.record.data)
                aggregate = cast("Call | Registration | None", event.mutate(aggregate))
            if isinstance(aggregate, Call):
                self._hold(self._shards[shard_of(aggregate.id)], aggregate, self._outlets.clock())
                calls.append(aggregate)
            elif isinstance(aggregate, Registration):
                self._shards[shard_of(aggregate.id)].hold(aggregate)
                self._arm_registration(aggregate)
        return tuple(calls)

    def resume(self, calls: Iterable[Call]) -> None:
        """Say again what each call owes: the rule of a restart and of a take-over."""
        for call in calls:
            self._outlets.perform(call, outstanding(call, self._outlets.clock()))

    @property
    def live_calls(self) -> tuple[Call, ...]:
        """Every call in memory, also those kept only to repeat what was said."""
        return tuple(call for shard in self._shards.values() for call in shard.calls.values())

    @property
    def bindings(self) -> Iterator[tuple[str, Contact]]:
        """Every binding in memory with its tenant."""
        for shard in self._shards.values():
            for registration in shard.registrations.values():
                for contact in registration.contacts.values():
                    yield registration.tenant, contact

    @property
    def open_calls(self) -> int:
        """How many calls go on."""
        return sum(call.state is not CallState.ENDED for call in self.live_calls)

    def owns(self, shard: int) -> bool:
        return shard in self._shards

    def drop(self, number: int, epoch: int) -> bool:
        """Forget a shard whose ownership is lost; False if that term was over already."""
        shard = self._shards.get(number)
        if shard is None or shard.epoch != epoch:
            return False
        del self._shards[number]
        for call in shard.calls.values():
            self._unindex(call)
        for registration in shard.registrations:
            self._armed.pop(registration, None)
        return True

    # --- domain.switchboard.Switchboard

    @property
    def directory(self) -> Directory:
        return self._directory()

    def contacts(self, tenant: str, number: str) -> tuple[Contact, ...]:
        shard = self._shards.get(shard_of_registration(tenant, number))
        registration = shard.registration(tenant, number) if shard else None
        return registration.at(self._outlets.clock()) if registration else ()

    def find(self, call: UUID) -> Call | None:
        shard = self._shards.get(shard_of(call))
        return shard.calls.get(call) if shard else None

    def find_offers(self, branch: str) -> tuple[Call, ...]:
        return tuple(call for one in self._offers.get(branch, ()) if (call := self.find(one)) is not None)

    def handle(self, call: UUID, inp: Input, done: Callable[[bool], None], lost: Callable[[], None] = _nothing) -> None:
        shard = self._owned(shard_of(call))
        if isinstance(inp, Offer):
            self._make_room()
        now = self._outlets.clock()
        world = World(self._directory(), self.contacts, self._identifiers, self._node, shard.epoch, self._session_s)
        known = shard.calls.get(call)
        before = _offer_branches(known) if known else ()
        turn = take_turn(known, inp, world, now)
        after, effects, accepted = turn.call, turn.effects, bool(turn.events)
        if after is not None and accepted:
            self._hold(shard, after, now, before)

        def durable() -> None:
            done(accepted)  # first: a CANCEL is answered before the INVITE that it ends (RFC 3261 9.2)
            if after is not None:
                self._outlets.perform(after, effects)
                self._outlets.told(turn.events)

        self._submit(shard, turn.events, live_until(after) if after else None, durable, lost)

    def repeat(self, call: Call, legs: Collection[str]) -> None:
        """Say again what a call owes to some legs, once all that it was decided on is durable.

        Raises JournalFull and NotOwned.
        """
        owed = tuple(effect for effect in outstanding(call, self._outlets.clock()) if effect.leg in legs)
        self._submit(self._owned(shard_of(call.id)), (), None, lambda: self._outlets.perform(call, owed))

    def register(
        self, ask: Register, done: Callable[[tuple[Contact, ...]], None], lost: Callable[[], None] = _nothing
    ) -> None:
        shard = self._owned(shard_of_registration(ask.tenant, ask.number))
        self._make_room()
        registration = shard.registration(ask.tenant, ask.number)
        now_ms = int(self._outlets.clock().timestamp() * 1000)
        stream = registration.id if registration else registration_id(ask.tenant, ask.number, now_ms)
        actor = f"sip:{ask.device}"
        step = self._step(shard, stream, registration, ask.tenant, f"{ask.call_id} {ask.cseq}", actor)
        events = register(registration, ask, step)
        registration = self._apply(shard, registration, events)
        contacts = registration.at(step.at) if registration else ()
        until = held_until(registration) if registration else None
        self._submit(shard, events, until, lambda: done(contacts), lost)

    def append(self, shard: int, make: Callable[[int], tuple[Event, ...]]) -> None:
        """Facts about something that nobody holds in memory; `make` gets the epoch. Raises JournalFull and NotOwned."""
        owned = self._owned(shard)
        self._make_room()
        self._submit(owned, make(owned.epoch), 0.0, _nothing)

    # --- time

    def next_deadline(self) -> datetime | None:
        """When `on_deadline` is due. None also while the journal is busy: then what it has done asks again."""
        return self._alarms[0][0] if self._alarms and not self._busy() else None

    def on_deadline(self, now: datetime) -> None:
        """Let every call and registration act whose moment has come."""
        while self._alarms and self._alarms[0][0] <= now and not self._busy():
            _, stream, kind = heapq.heappop(self._alarms)
            shard = self._shards.get(shard_of(stream))
            if shard is None:
                continue
            if call := shard.calls.get(stream):
                self._call_deadline(shard, call, kind, now)
            elif registration := shard.registrations.get(stream):
                self._expire(shard, registration, now)

    def _call_deadline(self, shard: Shard, call: Call, kind: str, now: datetime) -> None:
        if kind == _LOOK:
            self._looking.discard(call.id)
            self._arm_call(call, now)
            return
        if not any(due.kind == kind and due.at <= now for due in deadlines(call)):
            return
        if kind == FORGET_DEADLINE:
            del shard.calls[call.id]
            self._unindex(call)
            return
        self.handle(call.id, DeadlineReached(f"deadline:{kind}", "system", kind), lambda accepted: None)

    def _expire(self, shard: Shard, registration: Registration, now: datetime) -> None:
        stream = registration.id
        self._armed.pop(stream, None)
        step = self._step(shard, stream, registration, registration.tenant, "deadline:expires", "system")
        events = expire(registration, step)
        if events:
            self._apply(shard, registration, events)
            self._submit(shard, events, held_until(registration), lambda: None)
        elif registration.contacts:
            self._arm_registration(registration)

    # --- parts

    def _owned(self, number: int) -> Shard:
        shard = self._shards.get(number)
        if shard is None:
            raise NotOwned(f"shard {number} is not owned by {self._node} at the moment")
        return shard

    def _busy(self) -> bool:
        return self.submitted - self.answered >= DEADLINES_LIMIT

    def _make_room(self) -> None:
        waiting = self.submitted - self.answered
        if waiting >= SUBMISSIONS_LIMIT:
            raise JournalFull(f"{waiting} submissions wait for the journal")

    def _step(
        self,
        shard: Shard,
        stream: UUID,
        registration: Registration | None,
        tenant: str,
        cause: str,
        actor: str,
    ) -> Step:
        version = registration.version if registration else 0
        context = Context(tenant, text_of(stream), cause, actor, self._node, shard.epoch)
        return Step(stream, version, self._outlets.clock(), context)

    def _apply(self, shard: Shard, registration: Registration | None, events: tuple[Event, ...]) -> Registration | None:
        for event in events:
            registration = cast("Registration | None", event.mutate(registration))
        if registration is not None and events:
            shard.hold(registration)
            if registration.contacts:
                self._arm_registration(registration)
            else:
                self._armed.pop(registration.id, None)
        return registration

    def _arm_registration(self, registration: Registration) -> None:
        """One alarm a registration: a refresh only moves the end, and the earlier alarm finds that out."""
        at = deadline(registration)
        armed = self._armed.get(registration.id)
        if at is not None and (armed is None or at < armed):
            self._armed[registration.id] = at
            heapq.heappush(self._alarms, (at, registration.id, "expires"))

    def _hold(self, shard: Shard, call: Call, now: datetime, before: tuple[str, ...] = ()) -> None:
        """Keep a call; `before` are the branches by which it was found until now."""
        shard.calls[call.id] = call
        branches = _offer_branches(call)
        if branches != before:
            self._forget_offers(call.id, before)
            for branch in branches:
                known = self._offers.get(branch, ())
                if call.id not in known:
                    self._offers[branch] = (*known, call.id)
        self._arm_call(call, now)

    def _arm_call(self, call: Call, now: datetime) -> None:
        """Alarms for what is near; for the rest one to look again, so that those of calls long gone do not pile up."""
        horizon, far = now + _HORIZON, False
        for due in deadlines(call):
            if due.at <= horizon:
                heapq.heappush(self._alarms, (due.at, call.id, due.kind))
            else:
                far = True
        if far and call.id not in self._looking:
            self._looking.add(call.id)
            heapq.heappush(self._alarms, (horizon, call.id, _LOOK))

    def _unindex(self, call: Call) -> None:
        self._looking.discard(call.id)
        self._forget_offers(call.id, _offer_branches(call))

    def _forget_offers(self, call: UUID, branches: Iterable[str]) -> None:
        for branch in branches:
            left = tuple(one for one in self._offers.pop(branch, ()) if one != call)
            if left:
                self._offers[branch] = left

    def _submit(
        self,
        shard: Shard,
        events: tuple[Event, ...],
        until: float | None,
        durable: Callable[[], None],
        lost: Callable[[], None] = _nothing,
    ) -> None:
        number, epoch = shard.number, shard.epoch

        def done(result: int | OwnershipLost) -> None:
            self.answered += 1
            if isinstance(result, OwnershipLost):
                self._lose(shard, result.reason)
            current = self._shards.get(number)
            if current is None or current.epoch != epoch:
                lost()
                return
            durable()
            self._outlets.settled()

        try:
            last = len(events) - 1
            records = [self._record(event, until if place == last else None) for place, event in enumerate(events)]
            self._journal.submit(number, epoch, records, done)
        except Exception as error:  # memory ran ahead of a journal that has not got it: read it anew, whatever it was
            self._lose(shard, str(error))
            raise
        self.submitted += 1

    def _lose(self, shard: Shard, reason: str) -> None:
        if self.drop(shard.number, shard.epoch):
            self._outlets.lost(shard.number, reason)

    def _record(self, event: Event, until: float | None) -> Record:
        name = topic(type(event))
        return Record(
            stream=event.originator_id,
            sequence=event.originator_version,
            type=name,
            category=CATEGORIES[name],
            tenant=event.context.tenant,
            time=event.timestamp,
            data=self._encode(event),
            live_until=until,
        )


def _offer_branches(call: Call) -> tuple[str, ...]:
    """The branches by which `find_offers` finds a call."""
    return tuple(transaction.branch for _, transaction in offers(call))
