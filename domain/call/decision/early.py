"""Decisions on a call that is not answered yet, and on answers that come when they are not wanted any more."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from domain.base import Event
from domain.call.call import Call, DialedLeg
from domain.call.decision import early_media, recording, relay
from domain.call.decision.dialing import dialed_leg, media_leg
from domain.call.decision.media import NO_MEDIA, NOT_ANSWERED
from domain.call.decision.redirect import dial_next, follow
from domain.call.decision.voicemail import turn_to_mailbox
from domain.call.input import (
    Abandoned,
    Answered,
    DeadlineReached,
    Failed,
    HungUp,
    Offer,
    ProgressConfirmed,
    Progressed,
    ProgressUnconfirmed,
    Redirected,
)
from domain.call.leg import CSEQ_JUMP, Leg, LegState, Rung
from domain.call.outcome import best_cause, outcome_of, spoken
from domain.call.resume import NO_ANSWER_DEADLINE, confirmable
from domain.call.resume_relay import NO_RELAY
from domain.call.scene import Scene, World, dialed
from domain.call.terms import granted
from domain.ids import leg_id
from domain.routing.plan import RoutePlan
from domain.routing.route import MEDIA_S, route
from domain.routing.target import targets
from domain.values import (
    CANCELLED,
    LATE_ANSWER,
    MAILBOX,
    MESSAGES,
    NO_ANSWER,
    NO_MEDIA_WORKER,
    NORMAL,
    NOT_CONFIRMED,
    NOT_REGISTERED,
    ROOM,
    Cause,
    Dialog,
    Venue,
)

PROGRESS_LIMIT = 100
"""Confirmations of one device's progress; whoever wants more than that wants something else."""


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
            ability=inp.ability,
            terms=granted(inp.wish, world.session_s),
            secure=inp.secure,
        ),
        scene.event(Call.Routed, plan=plan),
    ]
    legs, origin = _legs(inp, plan, world), "route"
    if not legs and plan.mailbox:
        at_mailbox = Venue(MAILBOX, plan.mailbox)
        uri = inp.shown.uri(inp.extension, inp.domain)
        events.append(scene.event(Call.TurnedToMailbox, plan.mailbox, "away", ()))
        plan, origin = msgspec.structs.replace(plan, ring_s=MEDIA_S), "voicemail"
        legs = (media_leg(inp.call, 1, uri, at_mailbox, inp.domain, world),)
    if not legs:
        why = plan.refusal or NOT_REGISTERED
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
    if origin == "route":
        events += relay.requested(scene, inp, plan)
    ring_until = scene.now + timedelta(seconds=plan.ring_s)
    events.append(scene.event(Call.LegsDialed, origin=origin, ring_until=ring_until, legs=legs))
    return tuple(events)


def _legs(inp: Offer, plan: RoutePlan, world: World) -> tuple[DialedLeg, ...]:
    """Those that the plan wants; none if it refuses, or if nobody is there."""
    uri = inp.shown.uri(inp.extension, inp.domain)
    if plan.refusal is not None:
        return ()
    if (venue := _venue(plan)) is not None:
        return (media_leg(inp.call, 1, uri, venue, inp.domain, world),)
    contacts = targets(world.contacts(inp.tenant, plan.extension), inp.instance, inp.secure)
    callee = (plan.extension, inp.domain)
    return tuple(dialed_leg(inp.call, n, uri, callee, contact, world) for n, contact in enumerate(contacts, 1))


def _venue(plan: RoutePlan) -> Venue | None:
    """Where the plan leads at once, if it is to our own media."""
    if plan.room:
        return Venue(ROOM, plan.room)
    if plan.messages:
        return Venue(MESSAGES, plan.messages)
    return Venue(MAILBOX, plan.mailbox) if plan.mailbox and not plan.extension else None


def progress(scene: Scene, inp: Progressed) -> tuple[Event, ...]:
    """First alert of a leg, early media that it did not have before, or what it wants confirmed."""
    call = scene.call
    leg = call.legs.get(inp.leg)
    if leg is None or not leg.waiting:
        return ()
    # Where the callee is to make the offer, only an answer or a progress that is confirmed can carry it (13.2.1).
    sdp = inp.sdp if not call.late_offer or (inp.serial and confirmable(call)) else ""
    if inp.serial:
        if not _follows(leg, inp):
            return ()
    elif leg.state is LegState.RINGING and (not sdp or sdp == leg.sdp):
        return ()
    ability = call.caller.ability
    confirmed = ability.must_confirm or (ability.confirms and (inp.serial > 0 or bool(sdp)))
    cseq = leg.next_dialog(scene.world.epoch).local_cseq if inp.serial else leg.dialog.local_cseq
    return (
        scene.event(
            Call.LegRinging,
            leg=inp.leg,
            dialog=msgspec.structs.replace(inp.dialog, local_cseq=cseq),
            sdp=sdp or leg.sdp,
            user_agent=inp.user_agent,
            ability=inp.ability,
            serial=inp.serial,
            confirmed=confirmed,
        ),
    )


def _follows(leg: Leg, inp: Progressed) -> bool:
    """Whether this is the next progress of its early dialog (RFC 3262 section 4), and not one too many."""
    last = leg.progress
    if leg.dialog.local_cseq % CSEQ_JUMP >= PROGRESS_LIMIT or (last and last.offers and not leg.answer):
        return False
    return last is None or last.dialog.remote_tag != inp.dialog.remote_tag or inp.serial == last.serial + 1


def confirm_progress(scene: Scene, inp: ProgressConfirmed) -> tuple[Event, ...]:
    """RFC 3262 section 3: what is confirmed must be what waits for it."""
    call = scene.call
    leg = call.legs.get(inp.leg)
    if leg is None or leg.rung is None or leg.rung.confirmed or leg.rung.serial != inp.serial:
        return ()
    if inp.sdp and (leg.answer or not call.late_offer):
        return _confirm_with_offer(scene, inp, leg)
    confirmed = scene.event(Call.ProgressConfirmed, leg=inp.leg, transaction=inp.transaction, sdp=inp.sdp)
    if not call.late_offer or not leg.rung.sdp or inp.sdp:
        return (confirmed,)
    return (confirmed, scene.ended("system", "failed", NOT_ANSWERED, leg=call.caller_leg, hang_up=_callees(call)))


def _confirm_with_offer(scene: Scene, inp: ProgressConfirmed, leg: Leg) -> tuple[Event, ...]:
    """RFC 3262 section 5: the progress is confirmed in any case; the new offer is passed on if it can be."""
    confirmed = scene.event(Call.ProgressConfirmed, leg=inp.leg, transaction=inp.transaction, sdp="")
    offered = early_media.offer(scene, leg, scene.call.caller_leg, inp.transaction, inp.sdp)
    if leg.rung is not None and leg.ability.updates and leg.progress is not None and leg.waiting:
        told = msgspec.structs.replace(leg, rung=Rung(leg.rung.serial, leg.rung.sdp, confirmed=True))
        if early_media.settled(scene.call, told):
            return (confirmed, offered)
    return (confirmed, offered, scene.event(Call.EarlyRefused, early_media.CANNOT))


def unconfirmed(scene: Scene, inp: ProgressUnconfirmed) -> tuple[Event, ...]:
    """RFC 3262 section 3: the caller's request is refused with a 5xx, also when it was answered meanwhile."""
    call = scene.call
    if inp.leg != call.caller_leg or (call.talked and not call.unaccepted):
        return ()
    outcome = "lost" if call.talked else "failed"
    return (scene.ended("system", outcome, NOT_CONFIRMED, leg=inp.leg, hang_up=_callees(call)),)


def abandon_unaccepted(scene: Scene, inp: Abandoned) -> tuple[Event, ...]:
    """The caller gives up while its answer waits for a confirmation; without that it has no effect (9.2)."""
    if not scene.call.unaccepted:
        return ()
    return (scene.ended("caller", "cancelled", inp.why, leg=inp.leg, hang_up=_callees(scene.call)),)


def _callees(call: Call) -> tuple[str, ...]:
    """The leg that answered a call of which the caller does not know that it did."""
    return (call.callee_leg,) if call.talked else ()


def connect(scene: Scene, inp: Answered) -> tuple[Event, ...]:
    call = scene.call
    leg = call.legs.get(inp.leg)
    if leg is None or not leg.waiting:
        return late_answer(scene, inp)
    offered = leg.answer or (call.late_offer and leg.unconfirmed and leg.sdp)  # an offer is made once
    sdp = leg.sdp if offered else inp.sdp or leg.sdp  # the answer may have come with a 18x only (RFC 3261 13.2.1)
    if not sdp:
        return _no_media(scene, inp)
    assert call.caller.transaction is not None
    caller_dialog = msgspec.structs.replace(
        call.caller.dialog,
        local_tag=leg.dialog.local_tag,
        # Each early dialog counts for itself: what was asked in another one is no measure here (12.2.1.1).
        remote_cseq=max(call.caller.transaction.cseq, leg.asked_cseq),
    )
    relayed = call.relay is not None and not leg.media
    connected = scene.event(
        Call.Connected,
        caller=call.caller_leg,
        callee=inp.leg,
        caller_dialog=caller_dialog,
        callee_dialog=_numbered(leg, inp.dialog),
        sdp=sdp,
        user_agent=inp.user_agent,
        media="mixed" if leg.media else "relayed" if relayed else "direct",
        cancelled=dialed(call, but=inp.leg),
        ability=inp.ability,
        terms=inp.terms,
    )
    return (connected, *recording.on_answer(scene, leg.number)) if relayed else (connected,)


def _numbered(leg: Leg, dialog: Dialog) -> Dialog:
    """The dialog of an answer, with the CSeq of the newest request of ours in it: progress may have been confirmed."""
    return msgspec.structs.replace(dialog, local_cseq=max(dialog.local_cseq, leg.dialog.local_cseq))


def late_answer(scene: Scene, inp: Answered) -> tuple[Event, ...]:
    """A 200 that crossed our CANCEL, or of a second device behind the same leg: take it, then end it."""
    call = scene.call
    leg = call.legs.get(inp.leg)
    if leg is None or leg.caller:
        return ()
    if leg.state in (LegState.CANCELLED, LegState.FAILED):
        return (scene.event(Call.LegHungUp, leg=inp.leg, dialog=_numbered(leg, inp.dialog), why=LATE_ANSWER),)
    known = {leg.dialog.remote_tag, *(fork.dialog.remote_tag for fork in call.forks if fork.leg == leg.id)}
    if inp.dialog.remote_tag in known:
        return ()
    return (scene.event(Call.ForkHungUp, leg=inp.leg, dialog=inp.dialog),)


def _no_media(scene: Scene, inp: Answered) -> tuple[Event, ...]:
    """An answer without a session description joins nobody: it is confirmed and ended, and counts as a refusal."""
    dialog = _numbered(scene.call.legs[inp.leg], inp.dialog)
    hung_up = scene.event(Call.LegHungUp, leg=inp.leg, dialog=dialog, why=NO_MEDIA)
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
    if not dialed(call, but=inp.leg) and (again := relay.widened(scene, inp)):
        return (failed, *again)
    # A 6xx speaks for the person, not for the device: nobody else is asked any more (RFC 3261 16.7 step 5).
    why = best_cause(call, inp.why)
    if turned := turn_to_mailbox(scene, why, but=inp.leg):
        return (failed, *turned)
    by = "callee" if spoken(why) and not leg.media else "system"
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
    if inp.kind == NO_RELAY:
        return relay.not_opened(scene)
    if inp.kind != NO_ANSWER_DEADLINE:
        return ()
    if scene.call.venue:
        return (scene.ended("system", "failed", NO_MEDIA_WORKER),)
    if turned := turn_to_mailbox(scene, NO_ANSWER):
        return turned
    return (scene.ended("system", "no_answer", NO_ANSWER),)
