"""Decisions on a call that goes on: its end, and changes of its media."""

from __future__ import annotations

import msgspec

from domain.base import Event
from domain.call.call import Call
from domain.call.input import HungUp, ReofferAccepted, Reoffered, ReofferRefused, Unacknowledged
from domain.call.scene import Scene
from domain.values import NOT_ACKNOWLEDGED, VANISHED

_HOLDING = frozenset({"sendonly", "inactive"})
_GONE = frozenset({408, 481})
"""Statuses of a request inside a dialog that end it (RFC 3261 12.2.1.2)."""


def hang_up(scene: Scene, inp: HungUp) -> tuple[Event, ...]:
    call = scene.call
    if inp.leg not in call.talked:
        return ()
    by = "caller" if inp.leg == call.caller_leg else "callee"
    other = call.other(inp.leg).id
    return (scene.ended(by, "answered", inp.why, leg=inp.leg, inp=inp, hang_up=(other,)),)


def lost(scene: Scene, inp: Unacknowledged) -> tuple[Event, ...]:
    if inp.leg not in scene.call.talked:
        return ()
    return (scene.ended("system", "lost", NOT_ACKNOWLEDGED, leg=inp.leg, hang_up=scene.call.talked),)


def reoffer(scene: Scene, inp: Reoffered) -> tuple[Event, ...]:
    call = scene.call
    if inp.leg not in call.talked:
        return ()
    by, to = call.legs[inp.leg], call.other(inp.leg)
    by_dialog = msgspec.structs.replace(by.dialog, remote_cseq=inp.transaction.cseq, remote_target=inp.remote_target)
    return (
        scene.event(
            Call.RenegotiationRequested,
            by=by.id,
            to=to.id,
            transaction=inp.transaction,
            by_dialog=by_dialog,
            to_dialog=to.next_dialog(scene.world.epoch),
            sdp=inp.sdp,
            direction=inp.direction,
        ),
    )


def renegotiated(scene: Scene, inp: ReofferAccepted) -> tuple[Event, ...]:
    call = scene.call
    pending = call.renegotiation
    if pending is None or inp.leg != pending.to:
        return ()
    holding = pending.direction in _HOLDING
    held_by = call.held_by | {pending.by} if holding else call.held_by - {pending.by}
    to_dialog = msgspec.structs.replace(call.legs[pending.to].dialog, remote_target=inp.remote_target)
    return (
        scene.event(
            Call.Renegotiated,
            by=pending.by,
            to=pending.to,
            to_dialog=to_dialog,
            sdp=inp.sdp,
            held_by=tuple(sorted(held_by)),
        ),
    )


def renegotiation_refused(scene: Scene, inp: ReofferRefused) -> tuple[Event, ...]:
    call = scene.call
    pending = call.renegotiation
    if pending is None or inp.leg != pending.to:
        return ()
    refused = scene.event(Call.RenegotiationRefused, by=pending.by, to=pending.to, why=inp.why)
    if inp.why.sip_status not in _GONE:
        return (refused,)
    return (
        refused,
        scene.ended("system", "lost", VANISHED, leg=pending.to, hang_up=call.talked),
    )
