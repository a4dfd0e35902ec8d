"""A switchboard, two phones and a network between them in virtual time: what is lost, doubled, late or killed is
decided by the test, and the laws are checked at every step.

What may live here: the clock, the network, deaths and takings-over. What the phones do is in `ua`.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, cast

from adapters.journal.codec import decode
from adapters.sip.message.message import MessageError
from adapters.sip.message.parser import parse
from domain.base import Event
from domain.call.call import Call
from domain.call.effect import Effect
from domain.call.resume import outstanding
from domain.call.turn import fold
from domain.ids import shard_of
from domain.ports import Journal
from domain.values import Flow
from tests.domain.world import START, seconds
from tests.faults.ua import State, Ua
from tests.switchlog.exchange import SERVER, Exchange, HeldJournal

ALICE, BOB = "127.0.0.1:6001", "127.0.0.1:6002"
LATENCY_S = 0.005
RECLAIM_S = 1.0
Fate = Callable[[int], tuple[float, ...]]
"""(number of the datagram) -> the delays of its copies: none if it is lost, two if it is doubled."""


class Died(BaseException):
    """The process was killed at this place."""


class _Served(Exchange):
    """An exchange whose datagrams go into the laboratory's network."""

    def __init__(self, lab: Laboratory, journal: Journal, epoch: int | Mapping[int, int], start_s: float) -> None:
        self._lab = lab
        super().__init__(cast("HeldJournal", journal), epoch=epoch, start_s=start_s)
        inner = self.board._outlets.perform

        def perform(call: Call, effects: tuple[Effect, ...]) -> None:
            owed = outstanding(call, self._utc())
            late = isinstance(lab.journal, HeldJournal) and lab.journal.held  # what was decided a while ago
            assert late or all(effect in owed for effect in effects), "an effect that is not owed"
            inner(call, effects)

        self.board._outlets = self.board._outlets._replace(perform=perform)

    def _utc(self) -> datetime:
        return START + seconds(self.clock_s + self._lab.wall_s)

    def deliver(self) -> None:
        for flow, data in self.layer.to_send():
            self._lab.sends(SERVER, flow.remote, data)


class Laboratory:
    """`journal(generation)` opens the journal for the first process (0) and each later one."""

    def __init__(
        self,
        journal: Callable[[int], tuple[Journal, int | Mapping[int, int]]],
        fate: Fate = lambda number: (LATENCY_S,),
        down_s: float = 0.5,
    ) -> None:
        self._open, self._fate, self._down_s = journal, fate, down_s
        self.clock_s = 0.0
        self.deaths = 0
        self.wall_s = 0.0
        """how far the wall clock was moved: timers of protocols do not see it, events do"""
        self.datagrams = 0
        self.server_sends = 0
        self.on_server_send: Callable[[int], bool] = lambda number: True
        """Told of each datagram of the server before it goes; False if it does not; may raise Died."""
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._numbered = 0
        self.alice, self.bob = Ua("1001", ALICE, self.later), Ua("1002", BOB, self.later)
        self._phones = {ALICE: self.alice, BOB: self.bob}
        self.exchange: _Served | None = None
        self.journal: Journal
        self._start()

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        self._numbered += 1
        heapq.heappush(self._queue, (self.clock_s + seconds, self._numbered, action))

    def sends(self, source: str, target: str, data: bytes) -> None:
        if source == SERVER:
            self.server_sends += 1
            if not self.on_server_send(self.server_sends):
                return
        self.datagrams += 1
        for delay_s in self._fate(self.datagrams):
            self.later(delay_s, lambda: self._arrives(source, target, data))

    def run(self, until_s: float) -> None:
        """Let time pass; every timer of everybody fires at its own moment."""
        self._flush()
        while (at := self._next()) is not None and at <= until_s:
            self.clock_s = max(self.clock_s, at)
            self._alive(self._server_turn)
            for phone in self._phones.values():
                phone.on_timer(self.clock_s)
            while self._queue and self._queue[0][0] <= self.clock_s:
                _, _, action = heapq.heappop(self._queue)
                for phone in self._phones.values():
                    phone.now = self.clock_s
                self._alive(action)
                self._flush()
            self._flush()
            self._alive(self._check)
        self.clock_s = until_s

    def kill(self) -> None:
        """As `kill -9`: what was in memory is gone; after `down_s` the next process takes the journal up."""
        if self.exchange is None:
            return
        self.deaths += 1
        self.exchange = None
        self.later(self._down_s, self._start)

    # --- what must hold

    def events(self) -> list[Event]:
        """All events of calls in the journal."""
        stored = (
            self.journal.stored if isinstance(self.journal, HeldJournal) else self.journal.follow({}, 10_000).records
        )
        return [decode(one.record.type, one.record.data) for one in stored if one.record.category == "calls"]

    def at_rest(self) -> None:
        """Everybody is done: no transaction, no call, no phone that waits."""
        assert self.exchange is not None
        assert self.exchange.board.open_calls == 0
        assert len(self.exchange.layer) == 0
        for phone in self._phones.values():
            assert len(phone.layer) == 0, phone.number
            assert phone.state in (State.OVER, State.IDLE), (phone.number, phone.state)
        assert len(self.bob.invited) <= 1, f"a second INVITE: {self.bob.invited}"

    # --- inside

    def _start(self) -> None:
        try:
            self.journal, epoch = self._open(self.deaths)
            self.exchange = _Served(self, self.journal, epoch, self.clock_s)
        except Died:
            self.kill()

    def _alive(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Died:
            self.exchange = None
            self.deaths += 1
            self.later(self._down_s, self._start)

    def _arrives(self, source: str, target: str, data: bytes) -> None:
        if target != SERVER:
            self._phones[target].receive(data, self.clock_s)
            return
        server = self.exchange
        if server is None:
            return
        server.clock_s = self.clock_s
        try:
            server.application.receive(parse(data), Flow("udp", SERVER, source), server.now())
        except MessageError as error:
            raise AssertionError(f"our own phone was not understood: {data!r}") from error
        server.deliver()

    def _server_turn(self) -> None:
        server = self.exchange
        if server is None:
            return
        server.clock_s = self.clock_s
        for event in server.layer.on_timer(self.clock_s):
            server.application.handle(event, server.now())
        server.board.on_deadline(server._utc())
        server.deliver()

    def _check(self) -> None:
        """The fold of what is durable is what is in memory; lost shards are claimed again."""
        server = self.exchange
        if server is None:
            return
        for shard in server.lost:
            self.later(RECLAIM_S, lambda shard=shard: self._reclaim(shard))  # type: ignore[misc]
        server.lost.clear()
        if isinstance(self.journal, HeldJournal) and self.journal.held:
            return  # memory may run ahead of the journal, as nothing leaves before it
        for call in server.board.live_calls:
            stored = [decode(one.record.type, one.record.data) for one in self.journal.read(call.id)]
            assert _state(fold(None, cast("Any", stored))) == _state(call), "memory is not the fold of the journal"
            assert [event.originator_version for event in stored] == list(range(1, len(stored) + 1))
            assert server.board.owns(shard_of(call.id))

    def _reclaim(self, shard: int) -> None:
        server = self.exchange
        if server is None or server.board.owns(shard):
            return
        server.clock_s = self.clock_s
        epochs = self.journal.claim((shard,), "a")
        calls = server.board.load(epochs, list(self.journal.live(shard, server._utc().timestamp())), decode)
        server.board.resume(calls)
        server.deliver()

    def _flush(self) -> None:
        for address, phone in self._phones.items():
            for flow, data in phone.layer.to_send():
                self.sends(address, flow.remote, data)

    def _next(self) -> float | None:
        times = [self._queue[0][0]] if self._queue else []
        times += [at for phone in self._phones.values() if (at := phone.layer.next_timer()) is not None]
        if (server := self.exchange) is not None:
            if (due := server.layer.next_timer()) is not None:
                times.append(due)
            if (deadline := server.board.next_deadline()) is not None:
                times.append((deadline - START).total_seconds() - self.wall_s)
        return min(times, default=None)


def _state(call: Call | None) -> dict[str, object]:
    assert call is not None
    return {name: value for name, value in vars(call).items() if name != "_pending_events"}
