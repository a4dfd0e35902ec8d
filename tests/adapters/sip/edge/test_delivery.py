"""The two lanes at the sockets: what is under way goes first, in order within a dialog, and the queue is bounded."""

from __future__ import annotations

import asyncio
import time

from adapters.sip.edge.delivery import GatedDelivery
from adapters.sip.edge.lane import LIMIT
from adapters.sip.gate.source import SourceLimits
from adapters.sip.message.message import Response
from adapters.sip.message.parser import parse
from domain.values import Flow
from tests.adapters.sip.gate.test_gate import PHONE, gate, pressed, request
from tests.adapters.sip.station import Run

FLOW = Flow("udp", "192.0.2.9:5060", PHONE)
SOME = 0.021  # pressure enough for the second lane, and not for refusing anybody


class Ends:
    """A delivery whose both ends are lists."""

    def __init__(self, pressure: float, malformed: bool = False) -> None:
        self.handled: list[str] = []
        self.sent: list[Response] = []
        self.gate = pressed(gate(SourceLimits(rate=0)), pressure)
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
        ends = Ends(SOME)
        for number in range(20):
            ends.delivery.heard(request("INVITE", number), FLOW)
        ends.delivery.heard(request("BYE", 100, to=";tag=ours"), FLOW)
        assert ends.handled == ["BYE call-100"]
        await ends.settle()
        assert ends.handled[1:] == [f"INVITE call-{number}" for number in range(20)]

    run(main())


def test_a_cancel_never_overtakes_its_invite(run: Run) -> None:
    async def main() -> None:
        ends, number = Ends(SOME), 7
        ends.delivery.heard(request("INVITE", number), FLOW)
        ends.delivery.heard(request("CANCEL", number), FLOW)
        assert ends.handled == []
        await ends.settle()
        assert ends.handled == [f"INVITE call-{number}", f"CANCEL call-{number}"]

    run(main())


def test_a_malformed_message_is_told_also_when_it_waited(run: Run) -> None:
    async def main() -> None:
        for pressure in (0, SOME):
            ends = Ends(pressure, malformed=True)
            told: list[int] = []
            for number in range(50):
                ends.delivery.heard(request("INVITE", number), FLOW, lambda told=told: told.append(1))  # type: ignore[misc]
            await ends.settle()
            assert len(told) == len(ends.handled) > 0

    run(main())


def test_the_lane_is_bounded_and_the_rest_is_refused_cheaply(run: Run) -> None:
    async def main() -> None:
        ends = Ends(SOME)
        for number in range(LIMIT + 500):
            ends.delivery.heard(request("INVITE", number), FLOW)
        assert len(ends.delivery.lane) == LIMIT
        assert len(ends.sent) == 500 == ends.gate.counters.overloaded_invite
        assert all(one.status == 503 and one.get("Retry-After") for one in ends.sent)
        ends.delivery.lane.clear()

    run(main())


def test_what_has_waited_too_long_is_refused_instead(run: Run) -> None:
    async def main() -> None:
        ends = Ends(SOME)
        for number in range(3):
            ends.delivery.heard(request("INVITE", number), FLOW)
        ends.delivery.heard(request("CANCEL", 2), FLOW)
        time.sleep(0.2)  # noqa: ASYNC251  a loop that stands still
        await ends.settle()
        assert [one.status for one in ends.sent] == [503] * 3
        assert ends.handled == ["CANCEL call-2"]

    run(main())


def test_a_repetition_that_has_waited_too_long_is_handled_and_not_refused(run: Run) -> None:
    async def main() -> None:
        ends = Ends(SOME)
        ends.delivery.heard(request("INVITE", 1, branch="z9hG4bK-under-way"), FLOW)
        time.sleep(0.2)  # noqa: ASYNC251  a loop that stands still
        await ends.settle()
        assert ends.sent == []
        assert ends.handled == ["INVITE call-1"]

    run(main())


def test_what_is_under_way_is_never_refused_for_want_of_room(run: Run) -> None:
    async def main() -> None:
        ends = Ends(SOME)
        for number in range(LIMIT):
            ends.delivery.heard(request("INVITE", number), FLOW)
        ends.delivery.heard(request("CANCEL", 7), FLOW)
        ends.delivery.heard(request("BYE", 8, to=";tag=ours"), FLOW)
        ends.delivery.heard(request("INVITE", LIMIT, branch="z9hG4bK-under-way"), FLOW)
        assert ends.sent == []
        await ends.settle()
        assert {one.cseq.method for one in ends.sent} <= {"INVITE"}  # that waited too long on a slow machine
        own = {"CANCEL call-7", "BYE call-8", f"INVITE call-{LIMIT}"}
        assert [one for one in ends.handled if one in own] == [
            f"INVITE call-{LIMIT}",
            "CANCEL call-7",
            "BYE call-8",
        ]

    run(main())


def test_what_only_claims_to_be_under_way_waits_behind_the_rest_and_is_refused_when_it_is_late(run: Run) -> None:
    async def main() -> None:
        ends = Ends(SOME)
        ends.delivery.heard(request("BYE", 1, to=";tag=guessed"), FLOW)
        ends.delivery.heard(request("BYE", 2, to=";tag=ours"), FLOW)
        assert ends.handled == ["BYE call-2"]
        await ends.settle()
        assert ends.handled == ["BYE call-2", "BYE call-1"]
        ends.delivery.heard(request("BYE", 3, to=";tag=guessed"), FLOW)
        time.sleep(0.2)  # noqa: ASYNC251  a loop that stands still
        await ends.settle()
        assert [one.status for one in ends.sent] == [503]

    run(main())


def test_a_flood_of_cancels_behind_one_invite_is_bounded(run: Run) -> None:
    async def main() -> None:
        ends = Ends(SOME)
        ends.delivery.heard(request("INVITE", 1), FLOW)
        for number in range(2 * LIMIT):
            ends.delivery.heard(request("CANCEL", 1, branch=f"z9hG4bKc{number}"), FLOW)
        assert ends.handled == []
        assert len(ends.delivery.lane) + len(ends.sent) == 2 * LIMIT + 1
        assert len(ends.delivery.lane) < 2 * LIMIT
        ends.delivery.lane.clear()

    run(main())
