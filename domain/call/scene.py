"""What a decision on a call may look at, and the numbering of the events that it makes. Pure: no clock, no chance."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

from domain.base import Context, Event, Step
from domain.call.call import Call, EndedLeg
from domain.call.input import HungUp, Input, Offer
from domain.call.terms import USUAL_S
from domain.ids import text_of
from domain.ports import Identifiers
from domain.routing.directory import Directory
from domain.values import Cause, Contact


class World(NamedTuple):
    """What a decision may look at besides the call: immutable views, and the writer's term of ownership."""

    directory: Directory
    contacts: Callable[[str, str], tuple[Contact, ...]]
    """(tenant, number) -> the bindings that hold now"""
    identifiers: Identifiers
    node: str
    epoch: int
    session_s: int = USUAL_S
    """how long a session lasts that nobody refreshes, if nobody wants less"""
    media: bool = False
    """whether there are media of our own"""


class Scene:
    """What a handler reads, and the numbering of its events."""

    def __init__(self, call: Call | None, world: World, now: datetime, step: Step) -> None:
        self._call = call
        self.world, self.now, self._step = world, now, step
        self._count = 0

    @property
    def call(self) -> Call:
        assert self._call is not None
        return self._call

    def event(self, kind: Callable[..., Event], *fields: Any, **named: Any) -> Event:
        step = self._step
        self._count += 1
        return kind(
            step.stream,
            step.version + self._count,
            step.at,
            step.context,
            *fields,
            **named,
        )

    def ended(
        self,
        by: str,
        outcome: str,
        why: Cause,
        *,
        leg: str = "",
        inp: HungUp | None = None,
        hang_up: tuple[str, ...] = (),
        but: str = "",
    ) -> Event:
        """`Ended`, with the BYEs to the legs `hang_up` and the CANCELs to all that are still dialled, `but` one."""
        call, epoch = self.call, self.world.epoch
        byes = tuple(EndedLeg(name, call.legs[name].next_dialog(epoch)) for name in hang_up)
        return self.event(
            Call.Ended,
            by=by,
            leg=leg,
            outcome=outcome,
            why=why,
            transaction=inp.transaction if inp else None,
            hang_ups=byes,
            cancelled=dialed(call, but),
            expected=call.streams,
        )


def step_of(call: Call | None, inp: Input, world: World, now: datetime) -> Step:
    if call is None:
        assert isinstance(inp, Offer)
        stream, version, tenant = inp.call, 0, inp.tenant
    else:
        stream, version, tenant = call.id, call.version, call.tenant
    context = Context(tenant, text_of(stream), inp.cause, inp.actor, world.node, world.epoch)
    return Step(stream, version, now, context)


def dialed(call: Call, but: str = "") -> tuple[str, ...]:
    """The legs that still wait for an answer, `but` one."""
    return tuple(leg.id for leg in call.legs.values() if leg.waiting and leg.id != but)
