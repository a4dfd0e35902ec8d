"""Decisions on a call that goes on: its end, and changes of its media."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from domain.base import Event
from domain.call.call import Call, CallState
from domain.call.input import (
    AnswerGiven,
    HungUp,
    Released,
    ReofferAccepted,
    Reoffered,
    ReofferRefused,
    Unacknowledged,
    Withdrawn,
)
from domain.call.resume import unanswered_at
from domain.call.scene import Scene
from domain.call.state import Renegotiation
from domain.call.terms import LONGEST_S, REDIALS, Terms, granted
from domain.values import CANCELLED, GONE, NOT_ACKNOWLEDGED, VANISHED, Cause

NO_MEDIA = Cause(488, 65, "the answer described no media")
NOT_ANSWERED = Cause(488, 65, "the acknowledgement held no answer to the offer")
SILENT = Cause(504, 102, "the other phone did not answer the change in time")
_HOLDING = frozenset({"sendonly", "inactive"})


def hang_up(scene: Scene, inp: HungUp) -> tuple[Event, ...]:
    call = scene.call
    if inp.leg not in call.talked:
        return ()
    by = "caller" if inp.leg == call.caller_leg else "callee"
    other = call.other(inp.leg).id
    if call.unaccepted:  # the caller's request is refused instead, whoever ends the call
        hang_up = (other,) if by == "caller" else ()
        return (scene.ended(by, "cancelled", CANCELLED, leg=inp.leg, inp=inp, hang_up=hang_up),)
    return (scene.ended(by, "answered", inp.why, leg=inp.leg, inp=inp, hang_up=(other,)),)


def release(scene: Scene, inp: Released) -> tuple[Event, ...]:
    """Our own media ends the call: who was in it is hung up on."""
    call = scene.call
    if inp.leg != call.callee_leg or not call.callee.media:
        return ()
    return (scene.ended("system", "answered", inp.why, leg=inp.leg, hang_up=call.talked),)


def lost(scene: Scene, inp: Unacknowledged) -> tuple[Event, ...]:
    if inp.leg not in scene.call.talked:
        return ()
    return (scene.ended("system", "lost", NOT_ACKNOWLEDGED, leg=inp.leg, hang_up=scene.call.talked),)


def reoffer(scene: Scene, inp: Reoffered) -> tuple[Event, ...]:
    call = scene.call
    if inp.leg not in call.talked or call.crossing(inp.leg):
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
            prompt_by=inp.prompt,
            prompt_to=inp.prompt and to.ability.updates,
            terms=granted(inp.wish, scene.world.session_s, by.terms),
        ),
    )


def withdrawn(scene: Scene, inp: Withdrawn) -> tuple[Event, ...]:
    """RFC 3261 9.2: what is not answered yet is taken back from the other party, whose answer decides what became."""
    pending = scene.call.renegotiation
    if pending is None or pending.by != inp.leg or pending.answer or pending.withdrawn or pending.prompt_by:
        return ()
    return (scene.event(Call.RenegotiationWithdrawn, by=pending.by, to=pending.to),)


def unanswered(scene: Scene) -> tuple[Event, ...]:
    """RFC 3311 5.2: an UPDATE is answered at once, also where it was passed on as a request that may take its time."""
    pending, due = scene.call.renegotiation, unanswered_at(scene.call)
    if pending is None or due is None or scene.now < due:
        return ()
    return (scene.event(Call.RenegotiationWithdrawn, by=pending.by, to=pending.to, why=SILENT),)


def _taken_too_late(scene: Scene, pending: Renegotiation, why: Cause) -> tuple[Event, ...]:
    """Who made the offer was told that it is refused: the party that took it is asked back to the media before it."""
    dialog = scene.call.legs[pending.to].next_dialog(scene.world.epoch)
    return (
        scene.event(Call.RenegotiationRefused, by=pending.by, to=pending.to, why=why, acknowledged=True),
        scene.event(Call.RefreshRequested, leg=pending.to, dialog=dialog, prompt=False),
    )


def _answers(pending: Renegotiation, inp: ReofferAccepted | ReofferRefused) -> bool:
    """Whether this is the answer to the offer as it was passed on last, and not to an older request of ours."""
    return (pending.to, pending.dialog.local_cseq) == (inp.leg, inp.cseq)


def renegotiated(scene: Scene, inp: ReofferAccepted) -> tuple[Event, ...]:
    call = scene.call
    pending = call.renegotiation
    if pending is None or not _answers(pending, inp) or call.answer_owed:
        return ()
    if pending.refusal is not None:
        return _taken_too_late(scene, pending, pending.refusal)
    if not inp.sdp:
        taken = not pending.prompt_to
        refused = scene.event(Call.RenegotiationRefused, by=pending.by, to=pending.to, why=NO_MEDIA, acknowledged=taken)
        return (refused,)
    to_dialog = msgspec.structs.replace(call.legs[pending.to].dialog, remote_target=inp.remote_target)
    if not pending.sdp:
        return (
            scene.event(
                Call.CounterOffered,
                by=pending.by,
                to=pending.to,
                to_dialog=to_dialog,
                sdp=inp.sdp,
                direction=inp.direction,
                terms=inp.terms,
            ),
        )
    return (
        scene.event(
            Call.Renegotiated,
            by=pending.by,
            to=pending.to,
            to_dialog=to_dialog,
            sdp=inp.sdp,
            held_by=_holding(call, {pending.by: pending.direction}),
            terms=inp.terms,
        ),
    )


def answer_given(scene: Scene, inp: AnswerGiven) -> tuple[Event, ...]:
    """The answer to an offer that we had passed on in an answer (RFC 3261 13.2.1, RFC 3264)."""
    call = scene.call
    if inp.leg != call.answer_owed:
        return ()
    if not inp.sdp:
        return (scene.ended("system", "failed", NOT_ANSWERED, leg=inp.leg, hang_up=call.talked),)
    pending = call.renegotiation
    if call.state is not CallState.RENEGOTIATING or pending is None:
        return (scene.event(Call.AnswerGiven, leg=inp.leg, sdp=inp.sdp),)
    # Who is told not to send answers by `inactive`, but does not hold for that.
    answered = "sendrecv" if pending.direction in _HOLDING else inp.direction
    return (
        scene.event(
            Call.Renegotiated,
            by=pending.by,
            to=pending.to,
            to_dialog=call.legs[pending.to].dialog,
            sdp=pending.answer,
            held_by=_holding(call, {pending.to: pending.direction, pending.by: answered}),
            by_sdp=inp.sdp,
            terms=pending.to_terms,
        ),
    )


def _holding(call: Call, directions: Mapping[str, str]) -> tuple[str, ...]:
    """The legs that hold the other one, now that some have said which way their media go."""
    said = {leg for leg, direction in directions.items() if direction in _HOLDING}
    return tuple(sorted((call.held_by - directions.keys()) | said))


def renegotiation_refused(scene: Scene, inp: ReofferRefused) -> tuple[Event, ...]:
    call = scene.call
    pending = call.renegotiation
    if pending is None or not _answers(pending, inp) or call.answer_owed:
        return ()
    to = call.legs[pending.to]
    longer = pending.to_terms.interval_s < inp.minimum_s <= LONGEST_S and pending.retries < REDIALS
    if longer and not pending.withdrawn:  # RFC 4028 section 7.3
        terms = Terms(inp.minimum_s, to.terms.ours, inp.minimum_s)
        dialog = to.next_dialog(scene.world.epoch)
        return (scene.event(Call.RenegotiationRetried, by=pending.by, to=pending.to, to_dialog=dialog, terms=terms),)
    why = pending.refusal or inp.why
    refused = scene.event(Call.RenegotiationRefused, by=pending.by, to=pending.to, why=why)
    if inp.why.sip_status not in GONE:
        return (refused,)
    return (
        refused,
        scene.ended("system", "lost", VANISHED, leg=pending.to, hang_up=call.talked),
    )
