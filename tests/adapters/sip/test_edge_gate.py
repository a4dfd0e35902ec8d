"""The two lanes at the sockets: what is under way goes first, in order within a dialog, and the queue is bounded."""

from __future__ import annotations

import asyncio

from adapters.sip.edge_gate import GatedDelivery
from adapters.sip.edge_lane import LIMIT
from adapters.sip.message import Response, parse
from adapters.sip.overload import Measures
from adapters.sip.source import SourceLimits
from domain.values import Flow
from tests.adapters.sip.station import Run
from tests.adapters.sip.test_gate import PHONE, gate, request

FLOW = Flow("udp", "192.0.2.9:5060", PHONE)
CALM_ENOUGH_S = 0.034  # some pressure, but next to nobody is refused


class Ends:
    """A delivery whose both ends are lists."""

    def __init__(self, delay_s: float, malformed: bool = False) -> None:
        self.handled: list[str] = []
        self.sent: list[Response] = []
        self.gate = gate(SourceLimits(rate=0))
        self.gate.controller.observe(Measures(lane_age_s=delay_s), 0)
        self._fine = not malformed
        self.delivery = GatedDelivery(self.gate, self._deliver, self._send)

    def _deliver(self, data: bytes, flow: Flow) -> bool:
        assert flow == FLOW
        message = parse(data)
        assert not isinstance(message, Response)
        self.handled.append(f"{message.method} {message.call_id}")
        return self._fine

    def _send(self, flow: Flow, data: bytes) -> bool:
        assert flow == FLOW
        message = parse(data)
        assert isinstance(message, Response)
        self.sent.append(message)
        return True

    async def settle(self) -> None:
        while self.delivery.lane:
            await asyncio.sleep(0)


def test_without_pressure_everything_is_handled_as_it_comes(run: Run) -> None:
    async def main() -> None:
        ends = Ends(0)
        for number in range(5):
            ends.delivery.heard(request("INVITE", number), FLOW)
            ends.delivery.heard(request("BYE", 100 + number, to=";tag=ours"), FLOW)
        assert ends.handled == [one for n in range(5) for one in (f"INVITE call-{n}", f"BYE call-{100 + n}")]

    run(main())


def test_what_is_under_way_goes_before_what_is_new(run: Run) -> None:
    async def main() -> None:
        ends = Ends(CALM_ENOUGH_S)
        for number in range(20):
            ends.delivery.heard(request("INVITE", number), FLOW)
        ends.delivery.heard(request("BYE", 100, to=";tag=ours"), FLOW)
        assert ends.handled == ["BYE call-100"]
        await ends.settle()
        assert len(ends.handled) + len(ends.sent) == 21
        assert len(ends.handled) > 15

    run(main())


def test_a_cancel_never_overtakes_its_invite(run: Run) -> None:
    async def main() -> None:
        ends = Ends(CALM_ENOUGH_S)
        number = next(n for n in range(100) if _comes_in(n))
        ends.delivery.heard(request("INVITE", number), FLOW)
        ends.delivery.heard(request("CANCEL", number), FLOW)
        assert ends.handled == []
        await ends.settle()
        assert ends.handled == [f"INVITE call-{number}", f"CANCEL call-{number}"]

    def _comes_in(number: int) -> bool:
        ends = Ends(CALM_ENOUGH_S)
        ends.delivery.heard(request("INVITE", number), FLOW)
        return bool(ends.delivery.lane)

    run(main())


def test_a_malformed_message_is_told_also_when_it_waited(run: Run) -> None:
    async def main() -> None:
        for delay_s in (0, CALM_ENOUGH_S):
            ends = Ends(delay_s, malformed=True)
            told: list[int] = []
            for number in range(50):
                ends.delivery.heard(request("INVITE", number), FLOW, lambda told=told: told.append(1))  # type: ignore[misc]
            await ends.settle()
            assert len(told) == len(ends.handled) > 0

    run(main())


def test_the_lane_is_bounded_and_the_rest_is_refused_cheaply(run: Run) -> None:
    async def main() -> None:
        ends = Ends(CALM_ENOUGH_S)
        for number in range(LIMIT + 500):
            ends.delivery.heard(request("INVITE", number), FLOW)
        assert len(ends.delivery.lane) == LIMIT
        assert len(ends.sent) == 500 == ends.gate.counters.overloaded_invite
        assert all(one.status == 503 and one.get("Retry-After") for one in ends.sent)
        ends.delivery.lane.clear()

    run(main())
