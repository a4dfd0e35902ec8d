"""The sessions role: one process's edge, SIP application and shards on one event loop.

What may live here: the loop's side of things (timers, threads, sockets) that the sans-IO parts leave to their driver.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import structlog

from adapters.journal.codec import decode
from adapters.sip.application import whom
from adapters.sip.application.parts import Now
from adapters.sip.dialog.identifier import SipIdentifiers
from adapters.sip.dialog.peer import Device
from adapters.sip.edge.edge import Edge, Tap
from adapters.sip.gate.gate import Knowledge
from adapters.sip.message.message import Request, Response
from adapters.sip.transaction.event import Event
from domain.call.call import Call
from domain.ids import SHARDS
from domain.values import Contact, Flow
from switchlog.node.node import Nodes
from switchlog.node.strain import Strain, worst
from switchlog.node.warden import Streams, Warden, always
from switchlog.role.life import utc_now
from switchlog.session.aside import Aside
from switchlog.session.call_log import log_events, tell_jump
from switchlog.session.clock import SteadyClock
from switchlog.session.demand import Demands
from switchlog.session.holding import holder_of, read_live
from switchlog.session.reach import Reach
from switchlog.session.sentry import Sentry
from switchlog.session.wiring import Hooks, SessionParts, act_all, dues_of, new_call, wire
from switchlog.studio.media_link import MediaLinks

GRAIN_S = 0.02
"""Timers this close together ring once: to wake the loop costs more than what most are for, and none is that exact."""
_log = structlog.get_logger(__name__)


class Session:
    """Owns the sockets and the shards of this process. All methods run on the loop's thread."""

    def __init__(
        self,
        parts: SessionParts,
        loop: asyncio.AbstractEventLoop,
        tap: Tap | None = None,
        client_tls: ssl.SSLContext | None = None,
    ) -> None:
        """`client_tls` is for connections that we open (default: the system's authorities, no certificate of ours)."""
        self._parts, self._loop = parts, loop
        self._clock = SteadyClock(loop.time, time.time, tell_jump)
        self._moment = Now(loop.time(), self._clock.utc())
        identifiers = SipIdentifiers(parts.identifier_secret)
        knowledge = Knowledge(
            ours=lambda tag: whom.names_call(self.board, identifiers, tag),
            ours_branch=lambda branch: identifiers.read_branch(branch) is not None or self._passed_on(branch),
            known=lambda key: key in self._layer or bool(self.board.find_offers(key.branch)),
            serves=lambda domain: parts.directory().tenant_of(domain) is not None,
        )
        self._sentry = Sentry(parts.gate, knowledge, parts.nonce_secret, parts.node, utc_now)
        self._edge = Edge(
            self._heard,
            self._closed,
            client_tls=client_tls,
            first_connection=int(utc_now().timestamp() * 1000),
            tap=tap,
            gate=self._sentry.gate,
            shut=True,
            node=parts.node if parts.roster else "",
        )
        outlets = (self._edge.send, self._fail, self._closed, self._pump_soon)
        self.nodes = Nodes(parts.roster, *outlets, parts.near) if parts.roster else None
        self.demands = Demands(log_events)
        self.media = MediaLinks(parts.media, self._pump_soon)
        switch = wire(parts, self._hooks())
        self._send = self.nodes.connect(switch) if self.nodes else self._edge.send
        self._layer, self._peers, self._addresses = switch.layer, switch.peers, switch.addresses
        self._application, self._perform, self._prober = switch.application, switch.perform, switch.prober
        self.studio = self.media.studio = switch.studio
        self.board, self._dues = switch.board, dues_of(switch)
        self._reach = Reach(self.board, self._peers, self._edge, self._spawn)
        self.warden = self._new_warden(parts)
        self._open = self._pumping = False
        self._timer: asyncio.TimerHandle | None = None
        self._rings_at = self._rang_at = 0.0
        self._due: tuple[datetime, float] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def _hooks(self) -> Hooks:
        return Hooks(
            clock=self._now,
            alive=self._edge.alive,
            settled=self._pump_soon,
            told=self.demands.told,
            lost=self._lost,
            unreachable=self._unreachable,
            device_back=self._device_back,
            new_call=new_call,
            witness=self._sentry,
            outward=self.nodes.outward if self.nodes else None,
            media_send=self.media.send,
            work=Aside(self._spawn, self._pump_soon),
        )

    def _new_warden(self, parts: SessionParts) -> Warden:
        company = parts.company
        may_claim, cabinet = (company.may_claim, company.cabinet) if company else (always, None)
        holder = holder_of(self.board, self._begin_from, self._taken, cabinet)
        return Warden(parts.journal, parts.node, self._live, holder, self._spawn, may_claim=may_claim)

    async def listen(
        self, transport: str, host: str, port: int, advertise: str = "", tls: ssl.SSLContext | None = None
    ) -> str:
        """Open a listener; returns `host:port` as bound. Raises EdgeError."""
        bound = await self._edge.listen(transport, host, port, tls)
        self._addresses.announce(transport, advertise or bound.local, bound.local)
        _log.info("listening", transport=transport, address=bound.local)
        return bound.local

    async def renew_tls(self, server: ssl.SSLContext | None, client: ssl.SSLContext) -> None:
        """New connections use these certificates; open ones live on."""
        await self._edge.renew_tls(server, client)

    async def take_over(self) -> tuple[Call, ...]:
        """Fold what the shards hold: before `listen`, so that nobody finds them unowned. Then `resume` the calls."""
        epochs = self._parts.epochs
        streams = await asyncio.to_thread(self._live, tuple(epochs))
        self._begin_from(streams)
        calls = self.board.load(epochs, streams, decode)
        if not self._parts.company:
            _log.info("shards taken over", shards=len(epochs), calls=len(calls))
            self.warden.hold(range(SHARDS))
            for shard in sorted(set(range(SHARDS)) - set(epochs)):
                self._lost(shard, "another node claimed it at the same moment")
        self._know_again()
        self._sentry.start(self.board, self._load, self._parts.tell_strain)
        return calls

    def _begin_from(self, streams: Streams) -> None:
        """The time of now is not before the newest event: the machine's clock may have been set back meanwhile.

        Once phones are heard time goes on as it does: what other nodes have written may be ahead of it.
        """
        newest = max((stream[-1].record.time for stream in streams), default=None)
        if newest is not None and not self._open and not self._clock.start_from(newest):
            _log.error(
                "the journal is more than a day ahead of the machine's clock, so that deadlines of before come late;"
                " set the clock right and restart",
                newest=newest.isoformat(),
            )
        self._moment = Now(self._loop.time(), self._clock.utc())

    def _live(self, shards: Sequence[int]) -> Streams:
        """Blocks. Raises JournalError."""
        return read_live(self._parts.journal, shards, utc_now().timestamp())

    def _taken(self, calls: tuple[Call, ...]) -> None:
        """Shards came to this node while it runs."""
        if self._parts.company:
            self._know_again()
        self.resume(calls)

    def _know_again(self) -> None:
        """Whoever is bound has proved itself once."""
        for tenant, contact in self.board.bindings:
            with contextlib.suppress(ValueError):  # a flow of long ago need not name an address
                self._sentry.proved(contact.flow, tenant, contact.device)

    def resume(self, calls: Iterable[Call]) -> None:
        """Say what is owed and arm the timers: after a start, as after a take-over. Then `open`."""
        resumed = tuple(calls)
        self.board.resume(resumed)
        self.media.resume()
        self._application.resume()
        self._prober.take_up(resumed, self._clock.utc())
        self._pump_soon()

    async def open(self) -> None:
        """Hear the phones. Not before `resume`: a request that was taken before a restart would count as a new one."""
        self._open = True
        self.media.serve(self._spawn)
        await self._edge.open()

    async def close(self) -> None:
        """Stop listening; what was submitted is still committed by the journal's close."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._sentry.close()
        if self._timer is not None:
            self._timer.cancel()
        await self._edge.close()
        if self.nodes:
            await self.nodes.close()

    @property
    def trouble(self) -> str:
        """Empty, or why calls of some shards have to wait."""
        return self.warden.trouble

    def metrics(self) -> dict[str, float]:
        """Numbers for `/metrics`."""
        edge = {f"sip_{name}_total": float(count) for name, count in asdict(self._edge.counters).items()}
        nodes = self.nodes.metrics() if self.nodes else {}
        return edge | dict(self._sentry.metrics()) | self._counts() | self.media.metrics() | nodes

    def _counts(self) -> dict[str, float]:
        layer = self._layer
        return {
            "node_calls": float(self.board.open_calls),
            "node_shards": float(sum(map(self.board.owns, range(SHARDS)))),
            "sip_transactions": float(len(layer)),
            "sip_transactions_refused_total": float(layer.refused),
            "shards_refused": float(self.board.refused),
            "streams_parked_total": float(self.board.parked),
        }

    # --- the edge's side

    def _load(self) -> Strain:
        here = Strain(self._edge.waiting_s, self._layer.load)
        elsewhere = self._parts.strain_elsewhere
        return worst((here, elsewhere())) if elsewhere is not None else here

    def _heard(self, message: Request | Response, flow: Flow) -> None:
        try:
            if self.nodes is None:
                self._application.receive(message, flow, self._now())
            else:
                self.nodes.heard(message, flow)
        finally:
            self._pump_soon()

    def _passed_on(self, branch: str) -> bool:
        return self.nodes is not None and self.nodes.is_ours(branch)

    def _closed(self, flow: Flow) -> None:
        self._peers.closed(flow)
        self._fail(flow)
        self._pump_soon()

    def bound(self, tenant: str, contact: Contact, before: Contact | None) -> None:
        """What another node's shard says: a phone is bound anew, and was `before`. Its calls here follow it."""
        self._application.bound(tenant, contact, before)
        self._pump_soon()

    # --- the board's side

    def _lost(self, shard: int, reason: str) -> None:
        self.warden.lost(shard, reason)

    def _device_back(self, device: Device) -> None:
        self._reach.back(device)

    def _unreachable(self, call: Call, leg: str) -> None:
        self._reach.seek(call, leg)

    # --- tasks

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _log.error("a task failed", exc_info=task.exception())

    # --- the pump

    def _now(self) -> Now:
        at = self._loop.time()
        if at != self._moment.monotonic:  # it stands still while the loop handles what it was woken for
            self._moment = Now(at, self._clock.utc())
        return self._moment

    def _pump_soon(self) -> None:
        if not self._pumping:
            self._pumping = True
            self._loop.call_soon(self._pump)

    def _pump(self) -> None:
        """Send what the layer holds; tell it of streams that are gone; arm the next timer."""
        self.media.flush()
        self._pumping = False
        for flow, data in self._layer.to_send():
            if not self._send(flow, data):
                self._fail(flow)
        self._arm()

    def _fail(self, flow: Flow) -> None:
        now = self._now()
        for event in self._layer.flow_failed(flow, now.monotonic):
            self._handle(event, now)
            self._pump_soon()

    def _arm(self) -> None:
        """One timer, for whoever is due first. It may ring too early: then it is armed again."""
        if self._timer is not None and self._rings_at <= self._loop.time() + GRAIN_S:
            return  # under load nearly always, and then nobody is asked
        at = self._layer.next_timer()
        due = self._board_due()
        if due is not None and (at is None or due < at):
            at = due
        at = max(at, self._rang_at + GRAIN_S) if at is not None else None
        if self._timer is not None:
            if at is not None and self._rings_at <= at:
                return  # nearly always: a transaction is begun, and its timers come after those of older ones
            self._timer.cancel()
            self._timer = None
        if at is not None:
            self._timer, self._rings_at = self._loop.call_at(at, self._on_timer), at

    def _board_due(self) -> float | None:
        """When the next deadline is, by the loop's clock; reckoned anew whenever the timer rings."""
        deadline = min((at for at in (due.next() for due in self._dues) if at is not None), default=None)
        if deadline is None:
            return None
        if self._due is None or self._due[0] is not deadline:
            wait_s = max(0.0, (deadline - self._clock.utc()).total_seconds())
            self._due = deadline, self._loop.time() + wait_s
        return self._due[1]

    def _on_timer(self) -> None:
        self._timer = self._due = None
        now = self._now()
        self._rang_at = now.monotonic
        try:
            for event in self._layer.on_timer(now.monotonic):
                self._handle(event, now)
            act_all(self._dues, now.utc)
        finally:
            self._pump_soon()

    def _handle(self, event: Event, now: Now) -> None:
        """One of several: whatever it does, the others are handled too."""
        try:
            self._application.handle(event, now)
        except Exception:  # noqa: BLE001  boundary: one transaction's fault is not the others'
            _log.exception("a timer or a lost connection was not handled; this is a fault of ours: report these lines")
