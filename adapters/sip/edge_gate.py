"""The gate at the sockets: asks it about each message, and carries out what it says.

What may live here: the loop's side of `gate` (its clock, the second lane, sending a refusal). No ruling of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from adapters.sip import sniff
from adapters.sip.edge_lane import Lane, Waiting
from adapters.sip.gate import Failing, Gate, Ruling
from domain.values import Flow


def _nothing() -> None:
    """A malformed datagram has no connection that could be closed."""


class GatedDelivery:
    """`deliver(data, flow)` takes a message that comes in and is False if it was malformed; `send` answers."""

    def __init__(self, gate: Gate, deliver: Callable[[bytes, Flow], bool], send: Callable[[Flow, bytes], bool]) -> None:
        self._gate, self._deliver, self._send = gate, deliver, send
        self._loop = asyncio.get_running_loop()
        self.lane = Lane(self._work, self._loop)

    def heard(self, data: bytes, flow: Flow, malformed: Callable[[], None] = _nothing) -> None:
        """One whole message."""
        now = self._loop.time()
        ruling = self._gate.rule(data, flow.remote, now, flow.transport == "udp")
        if ruling is Ruling.DROPPED:
            return
        if ruling is Ruling.NOW and not self.lane:
            if not self._deliver(self._gate.marked(data, now), flow):
                malformed()
            return
        call_id = sniff.call_id(data)
        if call_id in self.lane or ruling is Ruling.LATER:
            waiting = Waiting(self._gate.marked(data, now), flow, call_id, now, malformed)
            if not self.lane.put(waiting):
                self._gate.count_refused(sniff.kind_of(data))
                self._refuse(data, flow, now)
        elif ruling is Ruling.REFUSED:
            self._refuse(data, flow, now)
        elif not self._deliver(self._gate.marked(data, now), flow):
            malformed()

    def connects(self, flow: Flow) -> bool:
        return self._gate.connects(flow.remote, self._loop.time())

    def disconnected(self, flow: Flow) -> None:
        self._gate.disconnected(flow.remote)

    def failed(self, flow: Flow, how: Failing) -> None:
        self._gate.failed(flow.remote, how, self._loop.time())

    def _work(self, waiting: Waiting) -> None:
        if not self._deliver(waiting.data, waiting.flow):
            waiting.malformed()

    def _refuse(self, data: bytes, flow: Flow, now: float) -> None:
        answer = self._gate.answer(data, flow.remote, now)
        if answer is not None:
            self._send(flow, answer)
