"""Calls of every ordinary course as the real core plays them, of two tenants and over some months.

What may live here: the courses, as a table of what happens to a call and when. Number n is always the same call, so
that whoever makes them again has the same journal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from bench.history import SDP, records_of
from domain.call.call import Call
from domain.call.input import (
    Abandoned,
    Answered,
    AudioLost,
    AudioRestored,
    DeadlineReached,
    Failed,
    HungUp,
    Input,
    Measured,
    Offer,
    Progressed,
    ReofferAccepted,
    Reoffered,
)
from domain.call.measure import Figures, Way
from domain.call.resume import CLOSE_DEADLINE
from domain.call.turn import World, take_turn
from domain.ids import SHARDS, new_stream_id
from domain.ports import Record
from domain.routing.directory import Room
from domain.values import Cause
from tests.domain.world import START, offer, remote, request, seconds, world

MONTHS_S = 90 * 86_400.0
"""So much time lies between the first call and the last."""
TENANTS = ("acme", "globex")
ROOM = "7000"
PHONES = 2
"""How many devices ring."""


class Step(NamedTuple):
    """What happens to a call so many seconds after the step before; in `epoch` 2 another process owns it."""

    wait_s: float
    happens: Callable[[Call], Input]
    epoch: int = 1


def _callee(call: Call, number: int = 0) -> str:
    return [name for name in call.legs if name != call.caller_leg][number]


def _ringing(call: Call) -> Input:
    leg = _callee(call)
    return Progressed("ringing", "sip:1002", leg, remote(call.legs[leg].dialog), "", "phone")


def _answered(call: Call) -> Input:
    leg = _callee(call)
    return Answered("answer", "sip:1002", leg, remote(call.legs[leg].dialog), SDP, "phone")


def _refused(number: int) -> Callable[[Call], Input]:
    return lambda call: Failed("refusal", "sip:1002", _callee(call, number), Cause(486, 17, "busy"))


def _given_up(call: Call) -> Input:
    return Abandoned("cancel", "sip:1001", call.caller_leg)


def _unanswered(call: Call) -> Input:
    return DeadlineReached("deadline", "system", "no_answer")


def _offered(direction: str) -> Callable[[Call], Input]:
    asked = request("INVITE", f"z9hG4bK-{direction}", 2)
    return lambda call: Reoffered("re", "sip:1001", call.caller_leg, asked, "sip:1001@h", SDP, direction)


def _accepted(number: int) -> Callable[[Call], Input]:
    return lambda call: ReofferAccepted("re", "sip:1002", _callee(call), number, "sip:1002@h", SDP)


def _bye(caller: bool) -> Callable[[Call], Input]:
    asked = request("BYE", "z9hG4bK-bye", 9)
    return lambda call: HungUp("bye", "a phone", call.caller_leg if caller else _callee(call), asked)


def _mixed(call: Call) -> Input:
    leg = _callee(call)
    dialog = msgspec.structs.replace(call.legs[leg].dialog, remote_tag="media")
    return Answered("media", "media", leg, dialog, SDP, "Switchlog")


def _measured(received: int, whole: bool = True) -> Callable[[Call], Input]:
    figures = Figures("PCMA", received, received, received // 100, 3, 1800, 2, 21, 437, 2500, whole)
    return lambda call: Measured("media", "media", _callee(call), figures)


def _lost(call: Call) -> Input:
    return AudioLost("media", "media", _callee(call), Way.FROM_PHONE, 2500)


def _restored(call: Call) -> Input:
    return AudioRestored("media", "media", _callee(call), Way.FROM_PHONE)


def _closed(call: Call) -> Input:
    return DeadlineReached("deadline", "system", CLOSE_DEADLINE)


_TALKING = (Step(0.1, _ringing), Step(2.0, _answered))
_HELD = (Step(3.0, _offered("sendonly")), Step(0.1, _accepted(2)))
_RESUMED = (Step(5.0, _offered("sendrecv")), Step(0.1, _accepted(3)))

COURSES: Mapping[str, Sequence[Step]] = {
    "the caller hangs up": (*_TALKING, Step(10.0, _bye(True))),
    "the callee hangs up": (*_TALKING, Step(75.5, _bye(False))),
    "held and resumed": (*_TALKING, *_HELD, *_RESUMED, Step(4.0, _bye(True))),
    "held to the end": (*_TALKING, *_HELD, Step(9.0, _bye(False))),
    "busy": (Step(0.1, _refused(0)), Step(0.2, _refused(1))),
    "given up": (Step(0.1, _ringing), Step(6.0, _given_up)),
    "nobody answers": (Step(0.1, _ringing), Step(20.0, _unanswered)),
    "taken over": (*_TALKING, Step(12.0, _bye(True), epoch=2)),
    "measured": (
        *(Step(0.1, _mixed), Step(5.0, _lost), Step(3.0, _restored), Step(4.0, _measured(500, whole=False))),
        *(Step(9.0, _bye(True)), Step(0.1, _measured(433))),
    ),
    "never measured": (Step(0.1, _mixed), Step(9.0, _bye(True)), Step(5.0, _closed)),
}
IN_ROOMS = frozenset({"measured", "never measured"})
"""Courses of calls to a room, whose audio goes through our media."""


def varied(count: int) -> Iterator[list[Record]]:
    """`count` calls, each as the records of its stream; courses and tenants take turns."""
    courses = list(COURSES)
    worlds = {(tenant, epoch): _world(tenant, epoch) for tenant in TENANTS for epoch in (1, 2)}
    for number in range(count):
        tenant = TENANTS[number // len(courses) % len(TENANTS)]
        scenes = {epoch: worlds[tenant, epoch] for epoch in (1, 2)}
        yield list(_played(number, number * MONTHS_S / count, tenant, courses[number % len(courses)], scenes))


def _world(tenant: str, epoch: int) -> World:
    scene = world(PHONES, epoch, tenant)
    rooms = {(one, ROOM): Room(one, ROOM, "Board room") for one in TENANTS}
    return scene._replace(directory=msgspec.structs.replace(scene.directory, rooms=rooms))


def _played(number: int, start_s: float, tenant: str, course: str, scenes: Mapping[int, World]) -> Iterator[Record]:
    now = START + seconds(start_s)
    call_id = new_stream_id(round(now.timestamp() * 1000), number % SHARDS, number.to_bytes(8, "big"))
    asked = offer(call_id, ROOM) if course in IN_ROOMS else offer(call_id)
    opening: Offer = msgspec.structs.replace(asked, tenant=tenant, domain=f"{tenant}.example")
    turn = take_turn(None, opening, scenes[1], now)
    yield from records_of(turn)
    for step in COURSES[course]:
        assert turn.call is not None
        now += seconds(step.wait_s)
        turn = take_turn(turn.call, step.happens(turn.call), scenes[step.epoch], now)
        yield from records_of(turn)
