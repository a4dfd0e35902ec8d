"""Decisions on a call that is not answered yet, and on answers that come when they are not wanted any more."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from domain.base import Event
from domain.call.call import Call
from domain.call.dialing import dialed_leg
from domain.call.input import Abandoned, Answered, DeadlineReached, Failed, HungUp, Offer, Progressed, Redirected
from domain.call.leg import LegState
from domain.call.media import NO_MEDIA
from domain.call.outcome import best_cause, outcome_of, spoken
from domain.call.presentation import ANONYMOUS_URI
from domain.call.redirect import dial_next, follow
from domain.call.resume import NO_ANSWER_DEADLINE
from domain.call.scene import Scene, dialed
from domain.ids import leg_id
from domain.routing.route import route
from domain.values import CANCELLED, LATE_ANSWER, NO_ANSWER, NORMAL, NOT_REGISTERED, Cause


def offer(scene: Scene, inp: Offer) -> tuple[Event, ...]:
    world = scene.world
    plan = route(inp.tenant, inp.dialled, world.directory)
    events = [
        scene.event(
            Call.Offered,
            originator_topic=Call.TOPIC,
            leg=leg_id(inp.call, 0),
            domain=inp.domain,
            extension=inp.extension,
            name=inp.name,
            dialled=inp.dialled,
            dialog=inp.dialog,
            transaction=inp.transaction,
            sdp=inp.sdp,
            user_agent=inp.user_agent,
            shown=inp.shown,
        ),
        scene.event(Call.Routed, plan=plan),
    ]
    refusal = plan.refusal
    contacts = () if refusal else world.contacts(inp.tenant, plan.extension)
    if not contacts:
        why = refusal or NOT_REGISTERED
        events.append(
            scene.event(
                Call.Ended,
                by="system",
                leg="",
                outcome="failed",
                why=why,
                transaction=None,
                hang_ups=(),
                cancelled=(),
            )
        )
        return tuple(events)
    uri = ANONYMOUS_URI if inp.shown.anonymous else f"sip:{inp.extension}@{inp.domain}"
    callee = (plan.extension, inp.domain)
    legs = tuple(dialed_leg(inp.call, n, uri, callee, contact, world) for n, contact in enumerate(contacts, 1))
    ring_until = scene.now + timedelta(seconds=plan.ring_s)
    events.append(scene.event(Call.LegsDialed, origin="route", ring_until=ring_until, legs=legs))
    return tuple(events)


def progress(scene: Scene, inp: Progressed) -> tuple[Event, ...]:
    """First alert of a leg, or early media that it did not have before."""
    leg = scene.call.legs.get(inp.leg)
    if leg is None or not leg.waiting:
        return ()
    # Where the callee is to make the offer, only an answer or a progress that is confirmed can carry it (13.2.1).
    sdp = "" if scene.call.late_offer else inp.sdp
    if leg.state is LegState.RINGING and (not sdp or sdp == leg.sdp):
        return ()
    return (
        scene.event(
            Call.LegRinging,
            leg=inp.leg,
            dialog=inp.dialog,
            sdp=sdp or leg.sdp,
            user_agent=inp.user_agent,
        ),
    )


def connect(scene: Scene, inp: Answered) -> tuple[Event, ...]:
    call = scene.call
    leg = call.legs.get(inp.leg)
    if leg is None or not leg.waiting:
        return late_answer(scene, inp)
    sdp = inp.sdp or leg.sdp  # the answer may have come with a 18x only (RFC 3261 13.2.1)
    if not sdp:
        return _no_media(scene, inp)
    caller_dialog = msgspec.structs.replace(call.caller.dialog, local_tag=leg.dialog.local_tag)
    return (
        scene.event(
            Call.Connected,
            caller=call.caller_leg,
            callee=inp.leg,
            caller_dialog=caller_dialog,
            callee_dialog=inp.dialog,
            sdp=sdp,
            user_agent=inp.user_agent,
            media="direct",
            cancelled=dialed(call, but=inp.leg),
        ),
    )


def late_answer(scene: Scene, inp: Answered) -> tuple[Event, ...]:
    """A 200 that crossed our CANCEL, or of a second device behind the same leg: take it, then end it."""
    call = scene.call
    leg = call.legs.get(inp.leg)
    if leg is None or leg.caller:
        return ()
    if leg.state in (LegState.CANCELLED, LegState.FAILED):
        return (scene.event(Call.LegHungUp, leg=inp.leg, dialog=inp.dialog, why=LATE_ANSWER),)
    known = {leg.dialog.remote_tag, *(fork.dialog.remote_tag for fork in call.forks if fork.leg == leg.id)}
    if inp.dialog.remote_tag in known:
        return ()
    return (scene.event(Call.ForkHungUp, leg=inp.leg, dialog=inp.dialog),)


def _no_media(scene: Scene, inp: Answered) -> tuple[Event, ...]:
    """An answer without a session description joins nobody: it is confirmed and ended, and counts as a refusal."""
    hung_up = scene.event(Call.LegHungUp, leg=inp.leg, dialog=inp.dialog, why=NO_MEDIA)
    if dialed(scene.call, but=inp.leg):
        return (hung_up,)
    why = best_cause(scene.call, NO_MEDIA)
    return (hung_up, scene.ended("system", outcome_of(why), why, leg=inp.leg, but=inp.leg))


def fail(scene: Scene, inp: Failed) -> tuple[Event, ...]:
    call = scene.call
    leg = call.legs.get(inp.leg)
    if leg is None or not leg.waiting:
        return ()
    failed = scene.event(Call.LegsFailed, legs=(inp.leg,), why=inp.why)
    if inp.why.sip_status < 600:
        if dialed(call, but=inp.leg):
            return (failed,)
        if further := dial_next(scene):
            return (failed, *further)
    # A 6xx speaks for the person, not for the device: nobody else is asked any more (RFC 3261 16.7 step 5).
    why = best_cause(call, inp.why)
    by = "callee" if spoken(why) else "system"
    return (failed, scene.ended(by, outcome_of(why), why, leg=inp.leg, but=inp.leg))


def redirect(scene: Scene, inp: Redirected) -> tuple[Event, ...]:
    """A device that names others (16.7 step 4): they are called inside the tenant's rights, or it has just failed."""
    leg = scene.call.legs.get(inp.leg)
    if leg is None or not leg.waiting:
        return ()
    followed = follow(scene, inp)
    if isinstance(followed, Cause):
        return fail(scene, Failed(inp.cause, inp.actor, inp.leg, followed))
    return followed


def abandon(scene: Scene, inp: Abandoned) -> tuple[Event, ...]:
    return (scene.ended("caller", "cancelled", inp.why, leg=inp.leg),)


def hang_up_early(scene: Scene, inp: HungUp) -> tuple[Event, ...]:
    """A caller may end an early dialog by BYE (RFC 3261 15); a callee may not."""
    if inp.leg != scene.call.caller_leg:
        return ()
    why = CANCELLED if inp.why == NORMAL else msgspec.structs.replace(inp.why, sip_status=CANCELLED.sip_status)
    return (scene.ended("caller", "cancelled", why, leg=inp.leg, inp=inp),)


def no_answer(scene: Scene, inp: DeadlineReached) -> tuple[Event, ...]:
    if inp.kind != NO_ANSWER_DEADLINE:
        return ()
    return (scene.ended("system", "no_answer", NO_ANSWER),)
