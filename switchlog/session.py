"""The sessions role: one worker's edge, SIP application and shards on one event loop.

What may live here: the loop's side of things (timers, threads, sockets) that the sans-IO parts leave to their driver.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
import time
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import structlog

from adapters.journal.codec import decode
from adapters.sip.application import Now
from adapters.sip.edge import Edge, EdgeError, Tap
from adapters.sip.gate import Knowledge
from adapters.sip.identifier import SipIdentifiers
from adapters.sip.message import Request, Response
from adapters.sip.peer import Device
from adapters.sip.uri import Uri
from domain.call.call import Call
from domain.call.input import Failed
from domain.call.leg import LegState
from domain.ids import SHARDS, new_stream_id, shard_of_call
from domain.ports import JournalError, JournalFull, Stored
from domain.switchboard import NotOwned
from domain.values import UNREACHABLE, Dialog, Flow
from switchlog.call_log import log_events
from switchlog.clock import SteadyClock
from switchlog.sentry import Load, Sentry
from switchlog.wiring import Hooks, SessionParts, wire

_log = structlog.get_logger(__name__)
_RECLAIM_S = 1.0
_GONE_GRACE_S = 4.0
"""How long a device whose connection broke may take to come back before a call to it fails."""


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
        self._clock = SteadyClock(loop.time, time.time, _jumped)
        self._moment = Now(loop.time(), self._clock.utc())
        identifiers = SipIdentifiers(parts.identifier_secret)
        knowledge = Knowledge(
            ours=lambda tag: identifiers.leg_of_tag(tag) is not None,
            ours_branch=lambda branch: identifiers.read_branch(branch) is not None,
            known=lambda key: key in self._layer,
            serves=lambda domain: parts.directory().tenant_of(domain) is not None,
        )
        self._sentry = Sentry(parts.gate, knowledge, parts.nonce_secret, parts.node, _utc_now)
        first = int(_utc_now().timestamp() * 1000)
        self._edge = Edge(
            self._heard,
            self._closed,
            client_tls=client_tls,
            first_connection=first,
            tap=tap,
            gate=self._sentry.gate,
            shut=True,
        )
        switch = wire(
            parts,
            Hooks(
                clock=self._now,
                alive=self._edge.alive,
                settled=self._pump_soon,
                told=log_events,
                lost=self._lost,
                unreachable=self._unreachable,
                device_back=self._device_back,
                new_call=_new_call,
                witness=self._sentry,
            ),
        )
        self._layer, self._peers, self._addresses = switch.layer, switch.peers, switch.addresses
        self.board, self._application, self._perform = switch.board, switch.application, switch.perform
        self._prober = switch.prober
        self._pumping = False
        self._timer: asyncio.TimerHandle | None = None
        self._rings_at = 0.0
        self._due: tuple[datetime, float] | None = None
        self._reaching: set[Device] = set()
        self._tasks: set[asyncio.Task[None]] = set()

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
        streams = await asyncio.to_thread(self._live_streams, tuple(range(SHARDS)))
        calls = self.board.load({number: self._parts.epochs[number] for number in range(SHARDS)}, streams, decode)
        _log.info("shards taken over", shards=SHARDS, calls=len(calls))
        for tenant, contact in self.board.bindings:
            with contextlib.suppress(ValueError):  # a flow of long ago need not name an address
                self._sentry.proved(contact.flow, tenant, contact.device)
        self._sentry.start(self.board, self._load)
        return calls

    def resume(self, calls: Iterable[Call]) -> None:
        """Say what is owed and arm the timers: after a start, as after a take-over. Then `open`."""
        resumed = tuple(calls)
        self.board.resume(resumed)
        self._prober.take_up(resumed, self._clock.utc())
        self._pump_soon()

    async def open(self) -> None:
        """Hear the phones. Not before `resume`: a request that was taken before a restart would count as a new one."""
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

    def metrics(self) -> dict[str, float]:
        """Numbers for `/metrics`."""
        edge = {f"sip_{name}_total": float(count) for name, count in asdict(self._edge.counters).items()}
        return edge | dict(self._sentry.metrics()) | {"sip_transactions": float(len(self._layer))}

    # --- the edge's side

    def _load(self) -> Load:
        return Load(self._edge.waiting_s, len(self._layer) / self._layer.max_transactions)

    def _heard(self, message: Request | Response, flow: Flow) -> None:
        try:
            self._application.receive(message, flow, self._now())
        finally:
            self._pump_soon()

    def _closed(self, flow: Flow) -> None:
        self._peers.closed(flow)
        self._fail(flow)
        self._pump_soon()

    # --- the board's side

    def _lost(self, shard: int, reason: str) -> None:
        _log.error("shard lost, claiming it again", shard=shard, reason=reason)
        self._spawn(self._reclaim(shard))

    def _device_back(self, device: Device) -> None:
        """A phone came back on another connection: say again what its calls are owed."""
        for call in self.board.live_calls:
            legs = {leg.id for leg in call.legs.values() if leg.dialog.device == device.username}
            if call.tenant != device.tenant or not legs:
                continue
            try:
                self.board.repeat(call, legs)
            except (JournalFull, NotOwned):
                _log.warning("a phone came back, but what it is owed must wait", call=str(call.id), tenant=call.tenant)

    def _unreachable(self, call: Call, leg: str) -> None:
        """No live connection leads to a leg's phone: try its Contact, and wait for it to come back."""
        dialog = call.legs[leg].dialog
        device = Device(call.tenant, dialog.device, dialog.instance)
        if device in self._reaching:
            return
        self._reaching.add(device)
        self._spawn(self._reach(call.id, leg, device))

    # --- tasks

    async def _reach(self, call_id: UUID, leg_id: str, device: Device) -> None:
        call = self.board.find(call_id)
        try:
            if call is None:
                return
            dialog = call.legs[leg_id].dialog
            flow = await self._connect(call, dialog)
            if flow is not None and self._peers.heard(device, flow):
                self._device_back(device)
            if flow is None and call.legs[leg_id].state is LegState.DIALED:
                await asyncio.sleep(_GONE_GRACE_S)
                self._give_up(call, leg_id)
        finally:
            self._reaching.discard(device)

    async def _connect(self, call: Call, dialog: Dialog) -> Flow | None:
        uri = Uri.parse(dialog.remote_target)
        transport = (uri.params.get("transport") or dialog.flow.transport).lower()
        port = uri.port or (5061 if transport == "tls" else 5060)
        try:
            return await self._edge.connect(transport, f"{uri.host}:{port}")
        except EdgeError as error:
            _log.info("device not reachable", call=str(call.id), tenant=call.tenant, reason=str(error))
            return None

    def _give_up(self, call: Call, leg_id: str) -> None:
        leg = call.legs[leg_id]
        if leg.state is not LegState.DIALED or self._peers.route(call.tenant, leg.dialog) is not None:
            return
        try:
            self.board.handle(call.id, Failed("flow:gone", f"leg:{leg_id}", leg_id, UNREACHABLE), lambda accepted: None)
        except (JournalFull, NotOwned):
            _log.warning(
                "a leg could not be failed now; its ring time will end it", call=str(call.id), tenant=call.tenant
            )

    async def _reclaim(self, shard: int) -> None:
        while True:
            try:
                epochs = await asyncio.to_thread(self._parts.journal.claim, (shard,), self._parts.node)
                streams = await asyncio.to_thread(self._live_streams, (shard,))
                break
            except JournalError as error:
                _log.error("shard cannot be claimed yet", shard=shard, reason=str(error))
                await asyncio.sleep(_RECLAIM_S)
        calls = self.board.load(epochs, streams, decode)
        _log.info("shard taken over", shard=shard, calls=len(calls))
        self.resume(calls)

    def _live_streams(self, shards: Sequence[int]) -> list[Sequence[Stored]]:
        now = _utc_now().timestamp()
        return [stream for shard in shards for stream in self._parts.journal.live(shard, now)]

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
        self._pumping = False
        for flow, data in self._layer.to_send():
            if not self._edge.send(flow, data):
                self._fail(flow)
        self._arm()

    def _fail(self, flow: Flow) -> None:
        now = self._now()
        for event in self._layer.flow_failed(flow, now.monotonic):
            self._application.handle(event, now)
            self._pump_soon()

    def _arm(self) -> None:
        """One timer, for whoever is due first. It may ring too early, not too late: then it is armed again."""
        at = self._layer.next_timer()
        due = self._board_due()
        if due is not None and (at is None or due < at):
            at = due
        if self._timer is not None:
            if at is not None and self._rings_at <= at:
                return  # nearly always: a transaction is begun, and its timers come after those of older ones
            self._timer.cancel()
            self._timer = None
        if at is not None:
            self._timer, self._rings_at = self._loop.call_at(at, self._on_timer), at

    def _board_due(self) -> float | None:
        """When the board's next deadline is, by the loop's clock; reckoned anew whenever the timer rings."""
        deadline, probe = self.board.next_deadline(), self._prober.next_due()
        if deadline is None or (probe is not None and probe < deadline):
            deadline = probe
        if deadline is None:
            return None
        if self._due is None or self._due[0] is not deadline:
            wait_s = max(0.0, (deadline - self._clock.utc()).total_seconds())
            self._due = deadline, self._loop.time() + wait_s
        return self._due[1]

    def _on_timer(self) -> None:
        self._timer = self._due = None
        now = self._now()
        for event in self._layer.on_timer(now.monotonic):
            self._application.handle(event, now)
        self.board.on_deadline(now.utc)
        self._prober.on_due(now.utc)
        self._pump_soon()


def _jumped(ahead_s: float) -> None:
    _log.warning("the machine's clock was set; deadlines keep their time and follow slowly", ahead_s=round(ahead_s, 1))


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _new_call(sip_call_id: str, now: datetime) -> UUID:
    return new_stream_id(int(now.timestamp() * 1000), shard_of_call(sip_call_id), os.urandom(8))
