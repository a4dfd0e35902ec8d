"""What a call owes the world and when it must act, both functions of its folded state alone.

`outstanding` is the whole of a call's output: a turn's effects are what became outstanding in it, and a restart says
again what still is. Nothing may be sent for a call that is not computed here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime, timedelta

import msgspec

from domain.call.call import Call, CallState
from domain.call.effect import (
    Accept,
    Acknowledge,
    Cancel,
    CloseRelay,
    Conclude,
    Confirm,
    Dial,
    Effect,
    HangUp,
    KeepRecording,
    Mix,
    Proceed,
    Refuse,
    Reoffer,
    Ring,
)
from domain.call.leg import Leg, LegState
from domain.call.resume_relay import relay_deadlines, relayed
from domain.call.terms import lost_at
from domain.values import ANSWERED_ELSEWHERE, CANCELLED, LATE_ANSWER, NO_ANSWER, Cause, Transaction

REPEAT_S = 32
"""64*T1 (RFC 3261 17.1.1.2): how long a peer may still ask for what was said to it."""

CLOSE_S = 5
"""How long after a call's end it is waited for what its audio was like."""

NO_ANSWER_DEADLINE = "no_answer"
FORGET_DEADLINE = "forget"
CLOSE_DEADLINE = "close"
REFRESH = "refresh"
EXPIRED = "expired"
"""These two are followed by a blank and the leg."""
UNANSWERED = "unanswered"

_REPEAT = timedelta(seconds=REPEAT_S)
_CLOSE = timedelta(seconds=CLOSE_S)
_PROMPT = timedelta(seconds=REPEAT_S * 3 / 4)
"""How long a party is waited for whose answer is due at once: who asked must still hear the refusal (RFC 4321)."""


class Deadline(msgspec.Struct, frozen=True):
    """At `at` the call must be told `DeadlineReached(kind)`; `forget` means that its owner may drop it."""

    kind: str
    at: datetime


def outstanding(call: Call, now: datetime) -> tuple[Effect, ...]:
    """Everything that the call owes at `now`, in the order in which it is to be said."""
    return tuple(_OWED[call.state](call, now))


def deadlines(call: Call) -> tuple[Deadline, ...]:
    """The moments at which the call must act by itself."""
    if call.state is CallState.RINGING and call.ring_until is not None:
        return (*_of_relay(call), Deadline(NO_ANSWER_DEADLINE, call.ring_until))
    if call.state in (CallState.TALKING, CallState.RENEGOTIATING):
        return (*_of_relay(call), *_session_deadlines(call))
    if call.state is CallState.ENDED:
        return tuple(_last_deadlines(call))
    return ()


def _of_relay(call: Call) -> Iterator[Deadline]:
    return (Deadline(*due) for due in relay_deadlines(call))


def closes_at(call: Call) -> datetime | None:
    """When a call that is over waits no longer for what its audio was like; None if it does not wait."""
    return call.ended_at + _CLOSE if call.ended_at is not None and call.expected else None


def _last_deadlines(call: Call) -> Iterator[Deadline]:
    assert call.ended_at is not None
    if not call.recordings:
        yield Deadline(FORGET_DEADLINE, max(call.ended_at, call.late_at or call.ended_at) + _REPEAT)
    at = closes_at(call)
    if at is not None:
        yield Deadline(CLOSE_DEADLINE, at)


def unanswered_at(call: Call) -> datetime | None:
    """When an offer is refused whose answer is due at once, but which was passed on as one that may take its time."""
    pending = call.renegotiation
    if call.state is not CallState.RENEGOTIATING or pending is None or pending.refusal is not None:
        return None
    return pending.at + _PROMPT if pending.prompt_by and not pending.prompt_to and not pending.answer else None


def _session_deadlines(call: Call) -> Iterator[Deadline]:
    at = unanswered_at(call)
    if at is not None:
        yield Deadline(UNANSWERED, at)
    for name in call.talked:
        leg = call.legs[name]
        if leg.refreshed_at is None:
            continue
        yield Deadline(f"{EXPIRED} {name}", lost_at(leg.terms, leg.refreshed_at))
        if leg.refresh_at is not None and not call.crossing(name):
            yield Deadline(f"{REFRESH} {name}", leg.refresh_at)


def live_until(call: Call) -> float | None:
    """Until when an owner must hold the call: Unix seconds, or None while it goes on."""
    if call.state is not CallState.ENDED or call.recordings:
        return None
    return deadlines(call)[0].at.timestamp()


def offers(call: Call) -> Iterator[tuple[str, Transaction]]:
    """The invitations by which a call may be found, each with its leg: the caller's own, the last change of the call,
    and each party's last refresh of its session."""
    if call.caller.transaction is not None:
        yield call.caller_leg, call.caller.transaction
    if call.renegotiation is not None:
        yield call.renegotiation.by, call.renegotiation.transaction
    for name in call.talked:
        renewal = call.legs[name].renewal
        if renewal is not None:
            yield name, renewal.transaction


def _none(call: Call, now: datetime) -> Iterator[Effect]:
    yield from ()


def _ringing(call: Call, now: datetime) -> Iterator[Effect]:
    caller = call.caller
    assert caller.transaction is not None
    alerting = [leg for leg in call.legs.values() if leg.state is LegState.RINGING]
    if not alerting:
        yield Proceed(caller.id, caller.transaction)
    yield from relayed(call)
    for leg in alerting:
        yield from _ring(call, leg, now)
    if call.unreached:
        return
    for leg in call.legs.values():
        if leg.state is LegState.DIALED:
            yield Dial(leg.id, leg.dialog, call.display, caller.sdp, confirmable(call), leg.terms)
            yield from _confirmed(call, leg, now)
        yield from _renewal(leg, now)
    yield from _cancels(call, NO_ANSWER)
    yield from _early(call, now)
    yield from _late(call, now)


def _early(call: Call, now: datetime) -> Iterator[Effect]:
    """A change of media before the answer: passed on, or its outcome."""
    change = call.early
    if change is None:
        return
    if change.pending:
        yield Reoffer(change.to, change.dialog, change.sdp, prompt=True)
    elif now < change.at + _REPEAT:
        tag = change.dialog.local_tag if change.to == call.caller_leg else call.legs[change.leg].dialog.local_tag
        if change.refusal is not None:
            yield Refuse(change.by, change.transaction, tag, change.refusal)
        else:
            yield Accept(change.by, change.transaction, tag, change.answer)


def confirmable(call: Call) -> bool:
    """Whether dialled devices may ask that their progress be confirmed.

    Where they are to make the offer it would come with that, and the caller must be able to answer it then.
    """
    return not call.late_offer or call.caller.ability.confirms


def _ring(call: Call, leg: Leg, now: datetime) -> Iterator[Effect]:
    """What a device that rings gave reason to say, to it and to the caller."""
    transaction = call.caller.transaction
    assert transaction is not None
    progress = leg.progress
    if progress is not None and now < progress.at + _REPEAT and (leg.answer or not progress.offers):
        sdp = leg.answer if progress.offers else ""
        yield Confirm(leg.id, progress.dialog, progress.serial, leg.invited.local_cseq, sdp)
    yield from _confirmed(call, leg, now)
    if leg.rung is None:
        yield Ring(call.caller_leg, transaction, leg.dialog.local_tag, leg.sdp)
    elif leg.unconfirmed:
        yield Ring(call.caller_leg, transaction, leg.dialog.local_tag, leg.rung.sdp, leg.rung.serial)


def _confirmed(call: Call, leg: Leg, now: datetime) -> Iterator[Effect]:
    """The answer to the caller's confirmation of a leg's progress."""
    if leg.confirmed_by is not None and leg.confirmed_at is not None and now < leg.confirmed_at + _REPEAT:
        yield Conclude(call.caller_leg, leg.confirmed_by)


def _talking(call: Call, now: datetime) -> Iterator[Effect]:
    yield from relayed(call)
    yield from _early(call, now)
    if call.agreed_at is not None and now < call.agreed_at + _REPEAT:
        yield from _confirmed(call, call.callee, now)
        yield from _answer(call)
    if call.answered_at is not None and now < call.answered_at + _REPEAT:
        yield from _cancels(call, NO_ANSWER if call.voicemail.state else ANSWERED_ELSEWHERE)
    yield from _late(call, now)
    yield from _renegotiation(call, now)
    yield from _refresh(call, now)
    if call.venue and call.callee.media and call.caller.sdp:
        yield Mix(call.callee_leg, call.venue, call.caller.sdp, call.callee.sdp)


def _refresh(call: Call, now: datetime) -> Iterator[Effect]:
    """Sessions that are being refreshed, or were lately."""
    for name in call.talked:
        leg = call.legs[name]
        yield from _renewal(leg, now)
        if leg.settled is not None and now < leg.settled.at + _REPEAT:
            yield Acknowledge(name, leg.settled.dialog)
    pending = call.refresh
    if pending is not None and not pending.done:
        yield Reoffer(pending.leg, pending.dialog, pending.sdp, pending.prompt, pending.terms)
    elif pending is not None and not pending.prompt and now < pending.at + _REPEAT:
        yield Acknowledge(pending.leg, pending.dialog)


def _renewal(leg: Leg, now: datetime) -> Iterator[Effect]:
    renewal = leg.renewal
    if renewal is not None and now < renewal.at + _REPEAT:
        yield Accept(leg.id, renewal.transaction, leg.dialog.local_tag, renewal.sdp, renewal.terms)


def _answer(call: Call) -> Iterator[Effect]:
    """The caller's 200 and the callee's ACK, until another offer has overtaken them."""
    caller, callee = call.caller, call.callee
    assert caller.transaction is not None
    if call.renegotiation is None and not (call.relay is not None and call.relay.raised):
        rung, tag = callee.rung, caller.dialog.local_tag
        if call.unaccepted and rung is not None:  # RFC 3262 section 3: its media first
            yield Ring(caller.id, caller.transaction, tag, rung.sdp, rung.serial)
        else:
            settled = rung is not None and rung.confirmed and rung.sdp == callee.sdp
            yield Accept(caller.id, caller.transaction, tag, "" if settled else callee.sdp, call.first_terms)
        if not call.answer_owed and not (call.late_offer and call.unaccepted):
            yield Acknowledge(callee.id, callee.invited, caller.sdp if call.late_offer and not callee.answer else "")


def _renegotiation(call: Call, now: datetime) -> Iterator[Effect]:
    pending = call.renegotiation
    if pending is None:
        return
    tag = call.legs[pending.by].dialog.local_tag
    if call.answer_owed:
        yield Accept(pending.by, pending.transaction, tag, pending.answer, pending.by_terms)
    elif call.state is CallState.RENEGOTIATING:
        if pending.refusal is not None:
            yield Refuse(pending.by, pending.transaction, tag, pending.refusal)
        elif not pending.prompt_by:
            yield Proceed(pending.by, pending.transaction)
        yield Reoffer(pending.to, pending.dialog, pending.sdp, pending.prompt_to, pending.to_terms)
        if pending.withdrawn:
            yield Cancel(pending.to, pending.dialog, CANCELLED)
    elif now >= pending.at + _REPEAT:
        return
    elif pending.refusal is not None:
        yield Refuse(pending.by, pending.transaction, tag, pending.refusal)
        if pending.acknowledged:
            yield Acknowledge(pending.to, pending.dialog)
    else:
        yield Accept(pending.by, pending.transaction, tag, pending.answer, pending.by_terms)
        if not pending.prompt_to:
            yield Acknowledge(pending.to, pending.dialog, pending.acknowledgement)


def _ended(call: Call, now: datetime) -> Iterator[Effect]:
    ended_at, why = call.ended_at, call.end_cause
    assert ended_at is not None
    assert why is not None
    if now < ended_at + _REPEAT:
        yield from _early(call, now)
        for name, transaction in call.concluding:
            yield Conclude(name, transaction)
        if call.relay is not None or call.voicemail.unrelayed:
            yield CloseRelay(call.caller_leg)
        for leg in call.legs.values():
            yield from _confirmed(call, leg, now)
        yield from _refusals(call, why, now)
        yield from _cancels(call, ANSWERED_ELSEWHERE if call.answered_at and not call.voicemail.state else why)
        if call.unanswered is not None:
            yield Acknowledge(call.unanswered.leg, call.unanswered.dialog)
        hang_ups = [ended for ended in call.hang_ups if ended.leg in call.talked]
        yield from _answer_before_end(call, {ended.leg for ended in hang_ups}, now)
        for ended in hang_ups:
            yield HangUp(ended.leg, ended.dialog, why)
    for recording in call.recordings:
        yield KeepRecording(call.caller_leg, recording.id)
    yield from _late(call, now)


def _answer_before_end(call: Call, legs: Collection[str], now: datetime) -> Iterator[Effect]:
    """The 200 to a caller that may not have heard it yet, before it hears its BYE (RFC 3261 15)."""
    if call.answered_at is not None and now < call.answered_at + _REPEAT and not call.unaccepted:
        yield from (effect for effect in _answer(call) if effect.leg in legs and isinstance(effect, Accept))


def _refusals(call: Call, why: Cause, now: datetime) -> Iterator[Effect]:
    """The final answer to the caller's INVITE, or to a re-INVITE that was still under way (RFC 3261 15.1.2)."""
    caller = call.caller
    assert caller.transaction is not None
    if call.answered_at is None or call.unaccepted:
        yield Refuse(caller.id, caller.transaction, caller.dialog.local_tag, why)
    pending = call.renegotiation
    if pending is None or pending.answer:
        return
    if pending.refusal is None or now < pending.at + _REPEAT:
        terminated = Cause(487, 31, "the call ended before the change was agreed")
        yield Refuse(
            pending.by,
            pending.transaction,
            call.legs[pending.by].dialog.local_tag,
            pending.refusal or terminated,
        )


def _cancels(call: Call, why: Cause) -> Iterator[Effect]:
    if call.unreached:
        return
    for leg in call.legs.values():
        if leg.state is LegState.CANCELLED:
            yield Cancel(leg.id, leg.invited, why)


def _late(call: Call, now: datetime) -> Iterator[Effect]:
    """Legs that answered when they were no longer wanted: confirmed, then ended (RFC 3261 16.7 and 15)."""
    if call.late_at is None or now >= call.late_at + _REPEAT:
        return
    for ended in call.hang_ups:
        if ended.leg not in call.talked:
            leg = call.legs[ended.leg]
            yield Acknowledge(ended.leg, leg.invited)
            yield HangUp(ended.leg, ended.dialog, LATE_ANSWER)
    for fork in call.forks:
        yield Acknowledge(fork.leg, fork.dialog)
        yield HangUp(fork.leg, fork.bye, LATE_ANSWER)


_OWED: Mapping[CallState, Callable[[Call, datetime], Iterator[Effect]]] = {
    CallState.NEW: _none,
    CallState.RINGING: _ringing,
    CallState.TALKING: _talking,
    CallState.RENEGOTIATING: _talking,
    CallState.ENDED: _ended,
}
