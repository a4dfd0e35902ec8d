"""Shards: the live aggregates that this process owns, and the one way in which they change.

An input is decided, folded and submitted in one go, without an await; effects and answers leave when the journal says
that the events are durable, in the order of submission. A failed append means that ownership is lost: the whole shard
is dropped, never one call repaired.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import cast
from uuid import UUID

import structlog

from domain.base import Context, Event, Step
from domain.call.call import Call, CallState
from domain.call.effect import Effect
from domain.call.input import DeadlineReached, Input, Offer
from domain.call.resume import FORGET_DEADLINE, deadlines, live_until, outstanding
from domain.call.terms import USUAL_S
from domain.call.turn import Turn, World, advance, decide
from domain.ids import home_of_call, registration_id, shard_of, shard_of_registration, text_of
from domain.ports import Identifiers, Journal, JournalError, Stored
from domain.registering import Register, register
from domain.registration import Registration, expire, held_until
from domain.routing.directory import Directory
from domain.switchboard import NotOwned
from domain.values import Contact
from switchlog.session.alarm import EXPIRES, LOOK, Alarms
from switchlog.session.offer_index import OfferIndex
from switchlog.session.outlet import Outlets
from switchlog.session.shard import Shard
from switchlog.session.submission import Owner, Submissions, nothing
from switchlog.session.takeover import take

_log = structlog.get_logger(__name__)


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
        media: bool = False,
    ) -> None:
        """`media` says whether there are media of our own."""
        self._identifiers, self._directory, self._node, self._outlets = identifiers, directory, node, outlets
        self._session_s, self._media = session_s, media
        self._shards: dict[int, Shard] = {}
        self._leaving: dict[int, Shard] = {}
        """those that take no more work, until what they had is durable"""
        self._offers = OfferIndex()
        self._refused: frozenset[int] = frozenset()
        self.parked = 0
        """streams that were left out because they do not fold"""
        self._alarms = Alarms()
        owner = Owner(self._owns_term, self.drop, outlets.lost, outlets.settled)
        self.submissions = Submissions(journal, encode, owner)

    # --- ownership

    def load(
        self,
        epochs: Mapping[int, int],
        streams: Iterable[Sequence[Stored]],
        decode: Callable[[str, bytes], Event],
    ) -> tuple[Call, ...]:
        """Take shards over: fold their live streams. Returns the calls, for `resume`.

        What cannot be read or folded is left out (`takeover`); a shard is owned once it is whole.
        """
        taken, now = take(epochs, streams, decode), self._outlets.clock()
        self._refused = (self._refused - epochs.keys()) | taken.refused
        self.parked += taken.parked
        for shard in taken.shards:
            for call in shard.calls.values():
                self._arm(call, now)
            for registration in shard.registrations.values():
                self._alarms.arm_registration(registration)
            self._shards[shard.number] = shard
        return tuple(call for shard in taken.shards for call in shard.calls.values())

    def resume(self, calls: Iterable[Call]) -> None:
        """Say again what each call owes: the rule of a restart and of a take-over.

        One that cannot be taken up does not keep the others from it.
        """
        for call in calls:
            self._say(call, partial(outstanding, call, self._outlets.clock()))

    @property
    def shards(self) -> Collection[Shard]:
        """All that are owned here."""
        return self._shards.values()

    def shard(self, number: int) -> Shard | None:
        """What it holds, if it is owned here."""
        return self._shards.get(number)

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

    @property
    def refused(self) -> int:
        """How many shards are not served because their journal cannot be read."""
        return len(self._refused)

    @property
    def waiting(self) -> tuple[int, int]:
        """How many submissions there were, and how many of them the journal has answered."""
        return self.submissions.submitted, self.submissions.answered

    def owns(self, shard: int) -> bool:
        return shard in self._shards

    def _owns_term(self, number: int, epoch: int) -> bool:
        shard = self._shards.get(number) or self._leaving.get(number)
        return shard is not None and shard.epoch == epoch

    def leave(self, number: int, settled: Callable[[], None]) -> None:
        """Take no more work for a shard; `settled` once all that it had is durable and said, or is lost."""
        shard = self._shards.get(number)
        if shard is None:
            settled()
            return
        self.drop(number, shard.epoch)
        self._leaving[number] = shard

        def over() -> None:
            self._leaving.pop(number, None)
            settled()

        with suppress(JournalError):  # the shard is lost, and that was told
            self.submissions.submit(shard, (), None, over, over)

    def abandon(self, number: int) -> None:
        """Forget a shard at once: what is under way for it is not said any more."""
        shard = self._shards.get(number) or self._leaving.get(number)
        if shard is not None:
            self.drop(number, shard.epoch)

    def drop(self, number: int, epoch: int) -> bool:
        """Forget a shard whose ownership is lost; False if that term was over already."""
        shard = self._shards.get(number) or self._leaving.get(number)
        if shard is None or shard.epoch != epoch:
            return False
        self._shards.pop(number, None)
        self._leaving.pop(number, None)
        for call in shard.calls.values():
            self._alarms.forget(call.id, LOOK)
            self._offers.leave(call.id)
        for registration in shard.registrations:
            self._alarms.forget(registration, EXPIRES)
        self._outlets.left(number)
        return True

    # --- domain.switchboard.Switchboard

    @property
    def directory(self) -> Directory:
        return self._directory()

    def contacts(self, tenant: str, number: str) -> tuple[Contact, ...]:
        shard = self._shards.get(shard_of_registration(tenant, number))
        if shard is None:
            return self._outlets.elsewhere(tenant, number)
        registration = shard.registration(tenant, number)
        return registration.at(self._outlets.clock()) if registration else ()

    def home(self, sip_call_id: str) -> int:
        return home_of_call(sip_call_id, self._takes_calls)

    def _takes_calls(self, shard: int) -> bool:
        """Not one that cannot be read: nothing would ever be taken there."""
        return shard in self._shards or (shard not in self._refused and self._outlets.mine(shard))

    def left(self, branch: str) -> int | None:
        return self._offers.left(branch)

    def find(self, call: UUID) -> Call | None:
        shard = self._shards.get(shard_of(call))
        return shard.calls.get(call) if shard else None

    def knows(self, stream: UUID) -> bool:
        shard = self._shards.get(shard_of(stream))
        return shard is not None and (stream in shard.calls or stream in shard.subscriptions)

    def find_offers(self, branch: str) -> tuple[Call, ...]:
        return tuple(call for one in self._offers.find(branch) if (call := self.find(one)) is not None)

    def calls_of(self, tenant: str, device: str) -> Iterator[Call]:
        for call in self.live_calls:
            if call.tenant == tenant and device in [leg.dialog.device for leg in call.legs.values()]:
                yield call

    def handle(self, call: UUID, inp: Input, done: Callable[[bool], None], lost: Callable[[], None] = nothing) -> None:
        shard = self.owned(shard_of(call))
        if isinstance(inp, Offer):
            self.submissions.make_room()
        now = self._outlets.clock()
        world = World(
            self._directory(), self.contacts, self._identifiers, self._node, shard.epoch, self._session_s, self._media
        )
        known = shard.calls.get(call)
        events = decide(known, inp, world, now)
        owed = outstanding(known, now) if events and known is not None else ()
        with self.submissions.ahead(shard):  # a fault before this line changed nothing
            turn = advance(known, events, owed, now) if events else Turn(known, (), ())
            until = self._keep(shard, turn, now)
        after, effects, accepted = turn.call, turn.effects, bool(events)

        def durable() -> None:
            done(accepted)  # first: a CANCEL is answered before the INVITE that it ends (RFC 3261 9.2)
            if after is not None:
                self._say(after, lambda: effects)
                self._outlets.told(turn.events)

        self.submissions.submit(shard, events, until, durable, lost)

    def repeat(self, call: Call, legs: Collection[str]) -> None:
        """Say again what a call owes to some legs, once all that it was decided on is durable.

        Raises JournalFull and NotOwned.
        """
        owed = tuple(effect for effect in outstanding(call, self._outlets.clock()) if effect.leg in legs)
        self.submissions.submit(self.owned(shard_of(call.id)), (), None, lambda: self._say(call, lambda: owed))

    def register(
        self, ask: Register, done: Callable[[tuple[Contact, ...]], None], lost: Callable[[], None] = nothing
    ) -> None:
        shard = self.owned(shard_of_registration(ask.tenant, ask.number))
        self.submissions.make_room()
        registration = shard.registration(ask.tenant, ask.number)
        now_ms = int(self._outlets.clock().timestamp() * 1000)
        chance = self._outlets.chance(8)
        stream = registration.id if registration else registration_id(ask.tenant, ask.number, now_ms, chance)
        actor = f"sip:{ask.device}"
        step = self._step(shard, stream, registration, ask.tenant, f"{ask.call_id} {ask.cseq}", actor)
        events = register(registration, ask, step)
        with self.submissions.ahead(shard):
            registration = self._apply(shard, registration, events)
            contacts = registration.at(step.at) if registration else ()
            until = held_until(registration) if registration else None
        self.submissions.submit(shard, events, until, lambda: done(contacts), lost)

    def append(
        self,
        shard: int,
        make: Callable[[int], tuple[Event, ...]],
        done: Callable[[], None] = nothing,
        lost: Callable[[], None] = nothing,
    ) -> None:
        """Facts about something that nobody holds in memory; `make` gets the epoch, `done` hears when they are durable,
        `lost` if the shard was lost meanwhile.

        Raises JournalFull and NotOwned.
        """
        owned = self.owned(shard)
        self.submissions.make_room()
        self.submissions.submit(owned, make(owned.epoch), 0.0, done, lost)

    # --- time

    def next_deadline(self) -> datetime | None:
        """When `on_deadline` is due. None also while the journal is busy: then what it has done asks again."""
        return None if self.submissions.busy else self._alarms.first()

    def on_deadline(self, now: datetime) -> None:
        """Let every call and registration act whose moment has come."""
        while not self.submissions.busy and (alarm := self._alarms.due(now)) is not None:
            shard = self._shards.get(shard_of(alarm.stream))
            if shard is None:
                continue
            try:
                if call := shard.calls.get(alarm.stream):
                    self._call_deadline(shard, call, alarm.kind, now)
                elif registration := shard.registrations.get(alarm.stream):
                    self._expire(shard, registration, now)
            except JournalError:
                continue  # the shard is lost, and that was told
            except Exception:  # noqa: BLE001  boundary: the moments of the others come too
                _log.exception(
                    "what was due could not be done; this is a fault of ours: report it with these lines",
                    stream=str(alarm.stream),
                    due=alarm.kind,
                )

    def _call_deadline(self, shard: Shard, call: Call, kind: str, now: datetime) -> None:
        if kind == LOOK:
            self._alarms.arm_call(call, now)
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
        step = self._step(shard, stream, registration, registration.tenant, "deadline:expires", "system")
        events = expire(registration, step)
        if events:
            with self.submissions.ahead(shard):
                self._apply(shard, registration, events)
                until = held_until(registration)
            self.submissions.submit(shard, events, until, nothing)
        elif registration.contacts:
            self._alarms.arm_registration(registration)

    # --- parts

    def _say(self, call: Call, effects: Callable[[], tuple[Effect, ...]]) -> None:
        """What cannot be said is told to the operator, and the call stays: its phones may talk, and can end it."""
        try:
            self._outlets.perform(call, effects())
        except Exception:  # noqa: BLE001  boundary: one call's fault is not the others'
            _log.exception(
                "what a call owes its phones could not be said; it is kept, ends when they hang up or at its next"
                " deadline, and is owed again at a restart; report these lines",
                call=str(call.id),
                tenant=call.tenant,
            )

    def owned(self, number: int) -> Shard:
        """A shard that is owned here. Raises NotOwned."""
        shard = self._shards.get(number)
        if shard is None:
            raise NotOwned(f"shard {number} is not owned by {self._node} at the moment")
        return shard

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

    def _keep(self, shard: Shard, turn: Turn, now: datetime) -> float | None:
        """Hold a call as a turn left it; returns until when an owner must."""
        if turn.call is None:
            return None
        if turn.events:
            shard.calls[turn.call.id] = turn.call
            self._arm(turn.call, now)
        return live_until(turn.call)

    def _apply(self, shard: Shard, registration: Registration | None, events: tuple[Event, ...]) -> Registration | None:
        for event in events:
            registration = cast("Registration | None", event.mutate(registration))
        if registration is not None and events:
            shard.hold(registration)
            if registration.contacts:
                self._alarms.arm_registration(registration)
            else:
                self._alarms.forget(registration.id, EXPIRES)
        return registration

    def _arm(self, call: Call, now: datetime) -> None:
        self._offers.keep(call)
        self._alarms.arm_call(call, now)

    def _unindex(self, call: Call) -> None:
        self._alarms.forget(call.id, LOOK)
        self._offers.forget(call.id)
