"""The subscriptions of this process's shards: decided and journaled as calls are, with an alarm for the end of each.

What may live here: the one way in which a subscription changes, how many there may be, and when they end by
themselves. What phones are told, and how, is the SIP adapter's.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import structlog

from domain.base import Context, Event, Step
from domain.ids import new_stream_id, shard_of, shard_of_registration, text_of
from domain.ports import JournalError
from domain.subscription.input import Expire, Fail, Input, Subscribe
from domain.subscription.port import TooMany
from domain.subscription.subscription import Standing, Subscription, Why, deadline, live_until
from domain.subscription.turn import decide, fold, same_phone
from domain.switchboard import NotOwned
from switchlog.session.board import Board
from switchlog.session.submission import nothing

_log = structlog.get_logger(__name__)
MOST = 20
"""Subscriptions to one number. A phone has one, as the next one takes its place."""


class SubscribersParts(NamedTuple):
    """What it is built from."""

    board: Board
    node: str
    clock: Callable[[], datetime]
    chance: Callable[[int], bytes]
    ended: Callable[[Subscription], None]
    """one has ended by itself, and that is durable"""


class Subscribers:
    """`domain.subscription.port.Subscriptions` of one worker. All methods are of the loop's thread."""

    def __init__(self, parts: SubscribersParts) -> None:
        self._parts = parts
        self._alarms: list[tuple[datetime, UUID]] = []
        self._armed: dict[UUID, datetime] = {}

    # --- domain.subscription.port.Subscriptions

    def resume(self) -> None:
        for one in self.all():
            self._arm(one)

    def new(self, tenant: str, number: str) -> UUID:
        at_ms = int(self._parts.clock().timestamp() * 1000)
        return new_stream_id(at_ms, shard_of_registration(tenant, number), self._parts.chance(8))

    def find(self, stream: UUID) -> Subscription | None:
        shard = self._parts.board.shard(shard_of(stream))
        return shard.subscriptions.get(stream) if shard else None

    def all(self) -> Iterable[Subscription]:
        shards = tuple(self._parts.board.shards)
        return (one for shard in shards for one in tuple(shard.subscriptions.values()))

    def of(self, tenant: str, number: str) -> Iterable[Subscription]:
        shard = self._parts.board.shard(shard_of_registration(tenant, number))
        return tuple(shard.subscribed.get((tenant, number), {}).values()) if shard else ()

    def epoch(self, subscription: Subscription) -> int:
        return self._parts.board.owned(shard_of(subscription.id)).epoch

    def begin(
        self, stream: UUID, inp: Subscribe, done: Callable[[Subscription], None], lost: Callable[[], None] = nothing
    ) -> None:
        self._parts.board.submissions.make_room()
        active = [one for one in self.of(inp.tenant, inp.number) if one.standing is Standing.ACTIVE]
        former = [one for one in active if (one.package, one.event_id) == (inp.package, inp.event_id)]
        former = [one for one in former if same_phone(one.dialog, inp.dialog)]
        if len(active) - len(former) >= MOST:
            raise TooMany(f"{MOST} phones are told of {inp.number} already")
        for one in former:
            self.handle(one.id, Fail(inp.cause, inp.actor, Why.REPLACED), self.forget)
        self._change(stream, None, inp, inp.tenant, done, lost)

    def handle(
        self, stream: UUID, inp: Input, done: Callable[[Subscription], None], lost: Callable[[], None] = nothing
    ) -> None:
        known = self.find(stream)
        if known is not None:
            self._change(stream, known, inp, known.tenant, done, lost)

    def forget(self, subscription: Subscription) -> None:
        shard = self._parts.board.shard(shard_of(subscription.id))
        if shard is not None:
            shard.drop_subscription(subscription)

    # --- time

    def next_due(self) -> datetime | None:
        """When `on_due` is to be called. Asked very often."""
        return self._alarms[0][0] if self._alarms else None

    def on_due(self, now: datetime) -> None:
        """End those whose time has come, and forget those that have ended long enough ago."""
        while self._alarms and self._alarms[0][0] <= now:
            _, stream = heapq.heappop(self._alarms)
            self._armed.pop(stream, None)
            known = self.find(stream)
            if known is not None:
                self._due(known, now)

    def _due(self, known: Subscription, now: datetime) -> None:
        if deadline(known) > now:  # it was refreshed since
            self._arm(known)
        elif known.standing is Standing.TERMINATED:
            self.forget(known)
        else:
            try:
                self.handle(known.id, Expire("deadline:expires", "system"), self._parts.ended)
            except (JournalError, NotOwned) as error:  # its phone knows the time, too
                _log.warning("a subscription ends without an event", number=known.number, reason=str(error))

    # --- parts

    def _change(
        self,
        stream: UUID,
        before: Subscription | None,
        inp: Input,
        tenant: str,
        done: Callable[[Subscription], None],
        lost: Callable[[], None],
    ) -> None:
        board = self._parts.board
        shard = board.owned(shard_of(stream))
        context = Context(tenant, text_of(stream), inp.cause, inp.actor, self._parts.node, shard.epoch)
        step = Step(stream, before.version if before else 0, self._parts.clock(), context)
        events: tuple[Event, ...] = decide(before, inp, step)
        with board.submissions.ahead(shard):
            after = fold(before, events)
            assert after is not None
            if events:
                shard.hold_subscription(after)
                self._arm(after)
        board.submissions.submit(shard, events, live_until(after), lambda: done(after), lost)

    def _arm(self, subscription: Subscription) -> None:
        """One alarm each: a refresh only moves the end, and the earlier alarm finds that out."""
        at, armed = deadline(subscription), self._armed.get(subscription.id)
        if armed is None or at < armed:
            self._armed[subscription.id] = at
            heapq.heappush(self._alarms, (at, subscription.id))
