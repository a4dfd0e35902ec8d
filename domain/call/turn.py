"""The decisions of a call: (state, input) -> events, as a table. Everything that may happen to a call is in `TURNS`.

A handler reads the folded call and returns events; it changes nothing. What the call then says to the world is not
decided here: it is the difference in `resume.outstanding`, so that no effect can exist that a restart would forget.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple, cast

import msgspec

from domain.base import Event
from domain.call.call import Call, CallState, DialedLeg
from domain.call.effect import Effect
from domain.call.input import (
    Abandoned,
    Answered,
    DeadlineReached,
    Failed,
    HungUp,
    Input,
    Offer,
    Progressed,
    ReofferAccepted,
    Reoffered,
    ReofferRefused,
    Unacknowledged,
)
from domain.call.leg import LegState
from domain.call.outcome import best_cause, outcome_of, spoken
from domain.call.resume import NO_ANSWER_DEADLINE, outstanding
from domain.call.scene import Scene, World, dialed, step_of
from domain.ids import leg_id
from domain.routing.route import route
from domain.values import (
    CANCELLED,
    LATE_ANSWER,
    NO_ANSWER,
    NORMAL,
    NOT_ACKNOWLEDGED,
    NOT_REGISTERED,
    VANISHED,
    Cause,
    Contact,
    Dialog,
)

__all__ = ["IGNORED", "TURNS", "Turn", "World", "decide", "fold", "take_turn"]

_HOLDING = frozenset({"sendonly", "inactive"})
_GONE = frozenset({408, 481})
"""Statuses of a request inside a dialog that end it (RFC 3261 12.2.1.2)."""
_NO_MEDIA = Cause(488, 65, "the answer described no media")


class Turn(NamedTuple):
    """One step of a call: `call` after it, the events that made it, and the effects that became outstanding."""

    call: Call | None
    events: tuple[Event, ...]
    effects: tuple[Effect, ...]


def decide(call: Call | None, inp: Input, world: World, now: datetime) -> tuple[Event, ...]:
    """The events that `inp` causes; none if it means nothing in the call's state. Pure.

    Raises KeyError for a pair that the table does not know, which is a defect of this module.
    """
    state = CallState.NEW if call is None else call.state
    handler = TURNS.get((state, type(inp)))
    if handler is None:
        if type(inp) not in IGNORED[state]:
            raise KeyError(f"no turn for {type(inp).__name__} in {state}")
        return ()
    return handler(Scene(call, world, now, step_of(call, inp, world, now)), inp)


def take_turn(call: Call | None, inp: Input, world: World, now: datetime) -> Turn:
    """Decide, fold the events into `call` (in place), and name what is owed now and was not before."""
    events = decide(call, inp, world, now)
    if not events:
        return Turn(call, (), ())
    before = outstanding(call, now) if call is not None else ()
    after = fold(call, events)
    effects = tuple(effect for effect in outstanding(after, now) if effect not in before)
    return Turn(after, events, effects)


def fold(call: Call | None, events: tuple[Event, ...]) -> Call:
    """The call after `events`. Raises the library's version errors if they do not follow on it."""
    for event in events:
        call = cast("Call | None", event.mutate(call))
    assert call is not None
    return call


def _offer(scene: Scene, inp: Offer) -> tuple[Event, ...]:
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
    legs = tuple(_dialed_leg(inp, plan.extension, n, contact, world) for n, contact in enumerate(contacts, 1))
    ring_until = scene.now + timedelta(seconds=plan.ring_s)
    events.append(scene.event(Call.LegsDialed, origin="route", ring_until=ring_until, legs=legs))
    return tuple(events)


def _dialed_leg(inp: Offer, number: str, index: int, contact: Contact, world: World) -> DialedLeg:
    leg = leg_id(inp.call, index)
    dialog = Dialog(
        call_id=world.identifiers.call_id(leg),
        local_tag=world.identifiers.tag(leg),
        remote_tag="",
        local_uri=f"sip:{inp.extension}@{inp.domain}",
        remote_uri=f"sip:{number}@{inp.domain}",
        remote_target=contact.uri,
        routes=contact.path,
        local_cseq=1,
        remote_cseq=0,
        flow=contact.flow,
        device=contact.device,
        instance=contact.instance,
    )
    return DialedLeg(leg, number, contact.device, contact.user_agent, dialog)


def _progress(scene: Scene, inp: Progressed) -> tuple[Event, ...]:
    """First alert of a leg, or early media that it did not have before."""
    leg = scene.call.legs.get(inp.leg)
    if leg is None or not leg.waiting:
        return ()
    if leg.state is LegState.RINGING and (not inp.sdp or inp.sdp == leg.sdp):
        return ()
    return (
        scene.event(
            Call.LegRinging,
            leg=inp.leg,
            dialog=inp.dialog,
            sdp=inp.sdp or leg.sdp,
            user_agent=inp.user_agent,
        ),
    )


def _connect(scene: Scene, inp: Answered) -> tuple[Event, ...]:
    call = scene.call
    leg = call.legs.get(inp.leg)
    if leg is None or not leg.waiting:
        return _late_answer(scene, inp)
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


def _late_answer(scene: Scene, inp: Answered) -> tuple[Event, ...]:
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
    hung_up = scene.event(Call.LegHungUp, leg=inp.leg, dialog=inp.dialog, why=_NO_MEDIA)
    if dialed(scene.call, but=inp.leg):
        return (hung_up,)
    why = best_cause(scene.call, _NO_MEDIA)
    return (hung_up, scene.ended("system", outcome_of(why), why, leg=inp.leg, but=inp.leg))


def _fail(scene: Scene, inp: Failed) -> tuple[Event, ...]:
    call = scene.call
    leg = call.legs.get(inp.leg)
    if leg is None or not leg.waiting:
        return ()
    failed = scene.event(Call.LegsFailed, legs=(inp.leg,), why=inp.why)
    if dialed(call, but=inp.leg) and inp.why.sip_status < 600:
        return (failed,)
    # A 6xx speaks for the person, not for the device: nobody else is asked any more (RFC 3261 16.7 step 5).
    why = best_cause(call, inp.why)
    by = "callee" if spoken(why) else "system"
    return (failed, scene.ended(by, outcome_of(why), why, leg=inp.leg, but=inp.leg))


def _abandon(scene: Scene, inp: Abandoned) -> tuple[Event, ...]:
    return (scene.ended("caller", "cancelled", CANCELLED, leg=inp.leg),)


def _hang_up_early(scene: Scene, inp: HungUp) -> tuple[Event, ...]:
    """A caller may end an early dialog by BYE (RFC 3261 15); a callee may not."""
    if inp.leg != scene.call.caller_leg:
        return ()
    return (scene.ended("caller", "cancelled", CANCELLED, leg=inp.leg, inp=inp),)


def _no_answer(scene: Scene, inp: DeadlineReached) -> tuple[Event, ...]:
    if inp.kind != NO_ANSWER_DEADLINE:
        return ()
    return (scene.ended("system", "no_answer", NO_ANSWER),)


def _hang_up(scene: Scene, inp: HungUp) -> tuple[Event, ...]:
    call = scene.call
    if inp.leg not in call.talked:
        return ()
    by = "caller" if inp.leg == call.caller_leg else "callee"
    other = call.other(inp.leg).id
    return (scene.ended(by, "answered", NORMAL, leg=inp.leg, inp=inp, hang_up=(other,)),)


def _lost(scene: Scene, inp: Unacknowledged) -> tuple[Event, ...]:
    if inp.leg not in scene.call.talked:
        return ()
    return (scene.ended("system", "lost", NOT_ACKNOWLEDGED, leg=inp.leg, hang_up=scene.call.talked),)


def _reoffer(scene: Scene, inp: Reoffered) -> tuple[Event, ...]:
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


def _renegotiated(scene: Scene, inp: ReofferAccepted) -> tuple[Event, ...]:
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


def _renegotiation_refused(scene: Scene, inp: ReofferRefused) -> tuple[Event, ...]:
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


_Handler = Callable[[Scene, Any], tuple[Event, ...]]

TURNS: Mapping[tuple[CallState, type[Input]], _Handler] = {
    (CallState.NEW, Offer): _offer,
    (CallState.RINGING, Progressed): _progress,
    (CallState.RINGING, Answered): _connect,
    (CallState.RINGING, Failed): _fail,
    (CallState.RINGING, Abandoned): _abandon,
    (CallState.RINGING, HungUp): _hang_up_early,
    (CallState.RINGING, DeadlineReached): _no_answer,
    (CallState.TALKING, Answered): _late_answer,
    (CallState.TALKING, HungUp): _hang_up,
    (CallState.TALKING, Reoffered): _reoffer,
    (CallState.TALKING, Unacknowledged): _lost,
    (CallState.RENEGOTIATING, Answered): _late_answer,
    (CallState.RENEGOTIATING, HungUp): _hang_up,
    (CallState.RENEGOTIATING, ReofferAccepted): _renegotiated,
    (CallState.RENEGOTIATING, ReofferRefused): _renegotiation_refused,
    (CallState.RENEGOTIATING, Unacknowledged): _lost,
    (CallState.ENDED, Answered): _late_answer,
}
_FROM_A_LEG: frozenset[type[Input]] = frozenset(
    {
        Progressed,
        Answered,
        Failed,
        Abandoned,
        HungUp,
        Reoffered,
        ReofferAccepted,
        ReofferRefused,
    }
)
IGNORED: Mapping[CallState, frozenset[type[Input]]] = {
    # Nothing but an offer can begin a call.
    CallState.NEW: frozenset({*_FROM_A_LEG, Unacknowledged, DeadlineReached}),
    # A re-INVITE before the answer is refused by the adapter with 491 (RFC 3261 14.2).
    CallState.RINGING: frozenset({Offer, Reoffered, ReofferAccepted, ReofferRefused, Unacknowledged}),
    # Failed: the 487 of a leg that we cancelled. Abandoned: a CANCEL after the final response has no effect (9.2).
    CallState.TALKING: frozenset(
        {
            Offer,
            Progressed,
            Failed,
            Abandoned,
            ReofferAccepted,
            ReofferRefused,
            DeadlineReached,
        }
    ),
    # Reoffered: glare, refused by the adapter with 491.
    CallState.RENEGOTIATING: frozenset({Offer, Progressed, Failed, Abandoned, Reoffered, DeadlineReached}),
    # HungUp: both sides' BYE; the adapter confirms it, the call is over already. Reoffered is refused with 481.
    CallState.ENDED: frozenset({Offer, *(_FROM_A_LEG - {Answered}), Unacknowledged, DeadlineReached}),
}
"""What means nothing in a state. Together with `TURNS` it covers every pair; a test keeps it so."""
