"""Decisions on what passes through a call without changing it, and on a party that is found to be gone."""

from __future__ import annotations

from domain.base import Event
from domain.call.call import Call
from domain.call.input import Checked, PassedOn, Vanished
from domain.call.leg import LegState
from domain.call.scene import Scene


def pass_on(scene: Scene, inp: PassedOn) -> tuple[Event, ...]:
    """A request of one party for the other one."""
    call = scene.call
    if inp.leg not in call.talked:
        return ()
    to = call.other(inp.leg)
    number = to.next_dialog(scene.world.epoch).local_cseq
    return (scene.event(Call.RequestSent, inp.method, to.id, number, inp.leg, inp.cseq),)


def pass_on_early(scene: Scene, inp: PassedOn) -> tuple[Event, ...]:
    """The same before the answer, in an early dialog (RFC 6086 section 4.2.1)."""
    call = scene.call
    leg = call.legs.get(inp.early)
    if leg is None or leg.state is not LegState.RINGING or inp.leg not in (call.caller_leg, leg.id):
        return ()
    to = leg if inp.leg == call.caller_leg else call.caller
    number = to.next_dialog(scene.world.epoch).local_cseq
    return (scene.event(Call.RequestSent, inp.method, to.id, number, inp.leg, inp.cseq, inp.early),)


def check(scene: Scene, inp: Checked) -> tuple[Event, ...]:
    """A request of our own that asks for nothing but an answer."""
    call = scene.call
    if inp.leg not in call.talked:
        return ()
    number = call.legs[inp.leg].next_dialog(scene.world.epoch).local_cseq
    return (scene.event(Call.RequestSent, "OPTIONS", inp.leg, number, "", 0),)


def vanished(scene: Scene, inp: Vanished) -> tuple[Event, ...]:
    """A party does not know the call any more, or does not answer at all (RFC 3261 12.2.1.2)."""
    call = scene.call
    if inp.leg not in call.talked:
        return ()
    return (scene.ended("system", "lost", inp.why, leg=inp.leg, hang_up=call.talked),)
