"""The gate at the sockets: asks it about each message, and carries out what it says.

What may live here: the loop's side of `gate` (its clock, the second lane, sending a refusal). No ruling of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf

from adapters.sip.edge.lane import Lane, Waiting
from adapters.sip.gate import sniff
from adapters.sip.gate.gate import Failing, Gate, Ruling
from adapters.sip.gate.sniff import Kind
from domain.values import Flow

_LATE_S = {Kind.INVITE: 0.15, Kind.OTHER: 0.15, Kind.WITHIN: 0.15, Kind.REGISTER: 0.4, Kind.RESPONSE: inf}
"""How long a new request may wait for its turn; the first repetition comes after half a second. One that only claims to
belong to something (WITHIN) is as new as any."""


def _nothing() -> None:
    """A malformed datagram has no connection that could be closed."""


class GatedDelivery:
    """`deliver(data, flow)` takes a message that comes in and is False if it was malformed; `send` answers."""

    def __init__(self, gate: Gate, deliver: Callable[[bytes, Flow], bool], send: Callable[[Flow, bytes], bool]) -> None:
        self._gate, self._deliver, self._send = gate, deliver, send
        self._loop = asyncio.get_running_loop()
        self.lane = Lane(self._work, self._late, self._loop)

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
        call_id, kind = sniff.call_id(data), sniff.kind_of(data)
        follows = call_id in self.lane
        if follows or ruling is Ruling.LATER:
            stays = ruling is not Ruling.LATER or (follows and kind is Kind.WITHIN)
            until = inf if stays else now + _LATE_S[kind]
            waiting = Waiting(self._gate.marked(data, now), flow, call_id, now, until, malformed)
            if self.lane.put(waiting):
                return
            if ruling is Ruling.REFUSED:
                self._refuse(data, flow, now)
            else:
                self._late(waiting if ruling is Ruling.NOW else waiting._replace(until=now))
        elif ruling is Ruling.REFUSED:
            self._refuse(data, flow, now)
        elif not self._deliver(self._gate.marked(data, now), flow):
            malformed()

    def connects(self, flow: Flow) -> bool:
        return self._gate.connects(flow.remote, self._loop.time())

    def shakes(self, flow: Flow, crowded: bool) -> bool:
        return self._gate.shakes(flow.remote, self._loop.time(), crowded)

    def shaken(self, flow: Flow) -> None:
        self._gate.shaken(flow.remote)

    def disconnected(self, flow: Flow) -> None:
        self._gate.disconnected(flow.remote)

    def failed(self, flow: Flow, how: Failing) -> None:
        self._gate.failed(flow.remote, how, self._loop.time())

    def _work(self, waiting: Waiting) -> None:
        if not self._deliver(waiting.data, waiting.flow):
            waiting.malformed()

    def _late(self, waiting: Waiting) -> None:
        """Refused now, since its sender would soon repeat it: a short answer is worth more than a late one.

        What belongs to something under way, or was let in before, is handled whenever its turn comes.
        """
        if waiting.until == inf or self._gate.repeated(waiting.data):
            self._work(waiting)
            return
        self._gate.count_refused(sniff.kind_of(waiting.data))
        self._refuse(waiting.data, waiting.flow, self._loop.time())

    def _refuse(self, data: bytes, flow: Flow, now: float) -> None:
        answer = self._gate.answer(data, flow.remote, now)
        if answer is not None:
            self._send(flow, answer)
