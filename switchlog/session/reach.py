"""How a phone is reached that no live connection leads to: by its Contact if it may be, else it is waited for.

What may live here: what is tried for a leg's phone, and when a leg that nobody reaches fails.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any
from uuid import UUID

import structlog

from adapters.sip.dialog.peer import Device, Peers, phone_of, sought_at
from adapters.sip.edge.edge import Edge, EdgeError
from domain.call.call import Call
from domain.call.input import Failed
from domain.call.leg import Leg, LegState
from domain.ports import JournalFull
from domain.switchboard import NotOwned
from domain.values import UNREACHABLE, Flow
from switchlog.session.board import Board

GONE_GRACE_S = 4.0
"""How long a device whose connection broke may take to come back before a call to it fails."""
_log = structlog.get_logger(__name__)


class Reach:
    """Seeks phones, each one once at a time. All methods run on the loop's thread."""

    def __init__(
        self, board: Board, peers: Peers, edge: Edge, spawn: Callable[[Coroutine[Any, Any, None]], None]
    ) -> None:
        self._board, self._peers, self._edge, self._spawn = board, peers, edge, spawn
        self._sought: set[Device] = set()

    def seek(self, call: Call, leg: str) -> None:
        """No live connection leads to a leg's phone: try its Contact if it may be, and wait for it to come back."""
        device = phone_of(call.tenant, call.legs[leg].dialog)
        if device not in self._sought:
            self._sought.add(device)
            self._spawn(self._seek(call.id, leg, device))

    def back(self, device: Device) -> None:
        """A phone came back on another connection: say again what its calls are owed."""
        for call in self._board.calls_of(device.tenant, device.username):
            legs = {leg.id for leg in call.legs.values() if leg.dialog.device == device.username}
            try:
                self._board.repeat(call, legs)
            except (JournalFull, NotOwned):
                _log.warning("a phone came back, but what it is owed must wait", call=str(call.id), tenant=call.tenant)

    async def _seek(self, call_id: UUID, leg_id: str, device: Device) -> None:
        call = self._board.find(call_id)
        try:
            if call is None:
                return
            flow = await self._connect(call, call.legs[leg_id])
            if flow is not None and self._peers.heard(device, flow):
                self.back(device)
            if flow is None and call.legs[leg_id].state is LegState.DIALED:
                await asyncio.sleep(GONE_GRACE_S)
                self._give_up(call, leg_id)
        finally:
            self._sought.discard(device)

    async def _connect(self, call: Call, leg: Leg) -> Flow | None:
        place = sought_at(leg.dialog)
        bindings = self._board.contacts(call.tenant, leg.number)
        if place is None or any(one.reg_id and one.uri == leg.dialog.remote_target for one in bindings):
            return None  # RFC 5626: whoever registers by flows opens them, and a flow that is gone is gone
        try:
            return await self._edge.connect(*place)
        except EdgeError as error:
            _log.info("device not reachable", call=str(call.id), tenant=call.tenant, reason=str(error))
            return None

    def _give_up(self, call: Call, leg_id: str) -> None:
        leg = call.legs[leg_id]
        if leg.state is not LegState.DIALED or self._peers.route(call.tenant, leg.dialog) is not None:
            return
        failed = Failed("flow:gone", f"leg:{leg_id}", leg_id, UNREACHABLE)
        try:
            self._board.handle(call.id, failed, lambda accepted: None)
        except (JournalFull, NotOwned):
            _log.warning(
                "a leg could not be failed now; its ring time will end it", call=str(call.id), tenant=call.tenant
            )
