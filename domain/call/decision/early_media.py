"""Decisions on changes of media before the answer (RFC 3311, RFC 3262 section 5), passed on from leg to leg.

Each early dialog has media of its own. A change in it may only be offered once the first offer was answered there by
progress that both sides have confirmed.
"""

from __future__ import annotations

import msgspec

from domain.base import Event
from domain.call.call import Call
from domain.call.decision.media import NO_MEDIA
from domain.call.input import ReofferAccepted, Reoffered, ReofferRefused
from domain.call.leg import Leg
from domain.call.scene import Scene
from domain.values import Cause, Dialog, Transaction

CANNOT = Cause(488, 65, "the other phone takes no change before its answer")


def reoffer(scene: Scene, inp: Reoffered) -> tuple[Event, ...]:
    """An UPDATE with an offer. One that comes too early, or crosses another one, causes nothing and is refused."""
    call = scene.call
    leg = call.legs.get(inp.early)
    if leg is None or not inp.sdp or inp.leg not in (call.caller_leg, leg.id) or not settled(call, leg):
        return ()
    offered = offer(scene, leg, inp.leg, inp.transaction, inp.sdp)
    to = leg if inp.leg == call.caller_leg else call.caller
    return (offered,) if to.ability.updates else (offered, scene.event(Call.EarlyRefused, CANNOT))


def offer(scene: Scene, leg: Leg, by: str, transaction: Transaction, sdp: str) -> Event:
    """The offer of `by` in the early dialog that stands for `leg`, to be passed on."""
    to = leg if by != leg.id else scene.call.caller
    named = {"leg": leg.id, "by": by, "to": to.id, "transaction": transaction, "sdp": sdp}
    return scene.event(Call.EarlyOffered, **named, to_dialog=asked_in(scene, leg, to))


def asked_in(scene: Scene, leg: Leg, to: Leg) -> Dialog:
    """The dialog of our next request to `to` in the early dialog that stands for `leg`."""
    return msgspec.structs.replace(to.next_dialog(scene.world.epoch), local_tag=leg.dialog.local_tag)


def settled(call: Call, leg: Leg) -> bool:
    """Whether both sides have confirmed the media of an early dialog, and no change of them is under way."""
    if call.early is not None and call.early.pending:
        return False
    rung = leg.rung
    told = rung is not None and rung.confirmed and bool(rung.sdp) and rung.sdp == leg.sdp
    return leg.waiting and told and leg.progress is not None


def agreed(scene: Scene, inp: ReofferAccepted) -> tuple[Event, ...]:
    if not _answers(scene.call, inp):
        return ()
    if not inp.sdp:
        return (scene.event(Call.EarlyRefused, NO_MEDIA),)
    return (scene.event(Call.EarlyAgreed, inp.sdp),)


def refused(scene: Scene, inp: ReofferRefused) -> tuple[Event, ...]:
    if not _answers(scene.call, inp):
        return ()
    return (scene.event(Call.EarlyRefused, inp.why),)


def _answers(call: Call, inp: ReofferAccepted | ReofferRefused) -> bool:
    """Whether this is the answer to the change that is under way."""
    change = call.early
    return change is not None and change.pending and (change.to, change.dialog.local_cseq) == (inp.leg, inp.cseq)
