"""The decisions of a call: (state, input) -> events, as a table. Everything that may happen to a call is in `TURNS`.

A handler (in `early` and `media`) reads the folded call and returns events; it changes nothing. What the call then says
to the world is not decided here: it is the difference in `resume.outstanding`, so that no effect can exist that a
restart would forget.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple, cast

from domain.base import Event
from domain.call.call import Call, CallState
from domain.call.decision import early, early_media, media, passing, quality, recording, relay, session
from domain.call.effect import Effect
from domain.call.input import (
    Abandoned,
    Answered,
    AnswerGiven,
    AudioLost,
    AudioRestored,
    Checked,
    DeadlineReached,
    Failed,
    HungUp,
    Input,
    Measured,
    Offer,
    PassedOn,
    ProgressConfirmed,
    Progressed,
    ProgressUnconfirmed,
    RecordingAnnounced,
    RecordingAsked,
    RecordingErased,
    RecordingKept,
    Redirected,
    Refreshed,
    RelayFailed,
    RelayOpened,
    Released,
    ReofferAccepted,
    Reoffered,
    ReofferRefused,
    TooBrief,
    Unacknowledged,
    Vanished,
    Withdrawn,
)
from domain.call.resume import outstanding
from domain.call.scene import Scene, World, step_of

__all__ = ["IGNORED", "TURNS", "Turn", "World", "advance", "decide", "fold", "take_turn"]


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
    return advance(call, events, outstanding(call, now) if call is not None else (), now)


def advance(call: Call | None, events: tuple[Event, ...], owed: tuple[Effect, ...], now: datetime) -> Turn:
    """Fold what was decided into `call`, which owed `owed` until now. Where this raises, `call` is good for nothing."""
    after = fold(call, events)
    effects = tuple(effect for effect in outstanding(after, now) if effect not in owed)
    return Turn(after, events, effects)


def fold(call: Call | None, events: tuple[Event, ...]) -> Call:
    """The call after `events`. Raises the library's version errors if they do not follow on it."""
    for event in events:
        call = cast("Call | None", event.mutate(call))
    assert call is not None
    return call


_Handler = Callable[[Scene, Any], tuple[Event, ...]]

TURNS: Mapping[tuple[CallState, type[Input]], _Handler] = {
    (CallState.NEW, Offer): early.offer,
    (CallState.RINGING, Progressed): early.progress,
    (CallState.RINGING, ProgressConfirmed): early.confirm_progress,
    (CallState.RINGING, ProgressUnconfirmed): early.unconfirmed,
    (CallState.RINGING, Refreshed): session.refreshed,
    (CallState.RINGING, TooBrief): session.redial,
    (CallState.RINGING, Answered): early.connect,
    (CallState.RINGING, Failed): early.fail,
    (CallState.RINGING, Redirected): early.redirect,
    (CallState.RINGING, Abandoned): early.abandon,
    (CallState.RINGING, HungUp): early.hang_up_early,
    (CallState.RINGING, DeadlineReached): early.no_answer,
    (CallState.RINGING, Reoffered): early_media.reoffer,
    (CallState.RINGING, ReofferAccepted): early_media.agreed,
    (CallState.RINGING, ReofferRefused): early_media.refused,
    (CallState.RINGING, PassedOn): passing.pass_on_early,
    (CallState.RINGING, RelayOpened): relay.opened,
    (CallState.RINGING, RelayFailed): relay.failed,
    (CallState.TALKING, Abandoned): early.abandon_unaccepted,
    (CallState.TALKING, ProgressConfirmed): early.confirm_progress,
    (CallState.TALKING, ProgressUnconfirmed): early.unconfirmed,
    (CallState.TALKING, Refreshed): session.refreshed,
    (CallState.TALKING, DeadlineReached): session.due,
    (CallState.TALKING, ReofferAccepted): session.accepted,
    (CallState.TALKING, ReofferRefused): session.refused,
    (CallState.TALKING, Answered): early.late_answer,
    (CallState.TALKING, HungUp): media.hang_up,
    (CallState.TALKING, Reoffered): media.reoffer,
    (CallState.TALKING, AnswerGiven): media.answer_given,
    (CallState.TALKING, Unacknowledged): media.lost,
    (CallState.TALKING, PassedOn): passing.pass_on,
    (CallState.TALKING, Checked): passing.check,
    (CallState.TALKING, Vanished): passing.vanished,
    (CallState.TALKING, Released): media.release,
    (CallState.TALKING, RelayOpened): relay.opened,
    (CallState.TALKING, RelayFailed): relay.failed,
    (CallState.TALKING, Measured): quality.measured,
    (CallState.TALKING, AudioLost): quality.lost,
    (CallState.TALKING, AudioRestored): quality.restored,
    (CallState.TALKING, RecordingAsked): recording.asked,
    (CallState.TALKING, RecordingAnnounced): recording.announced,
    (CallState.TALKING, RecordingKept): recording.kept,
    (CallState.TALKING, RecordingErased): recording.erased,
    (CallState.RENEGOTIATING, Refreshed): session.refreshed,
    (CallState.RENEGOTIATING, DeadlineReached): session.due,
    (CallState.RENEGOTIATING, Withdrawn): media.withdrawn,
    (CallState.RENEGOTIATING, Answered): early.late_answer,
    (CallState.RENEGOTIATING, HungUp): media.hang_up,
    (CallState.RENEGOTIATING, ReofferAccepted): media.renegotiated,
    (CallState.RENEGOTIATING, ReofferRefused): media.renegotiation_refused,
    (CallState.RENEGOTIATING, AnswerGiven): media.answer_given,
    (CallState.RENEGOTIATING, Unacknowledged): media.lost,
    (CallState.RENEGOTIATING, PassedOn): passing.pass_on,
    (CallState.RENEGOTIATING, Checked): passing.check,
    (CallState.RENEGOTIATING, Vanished): passing.vanished,
    (CallState.RENEGOTIATING, Released): media.release,
    (CallState.RENEGOTIATING, RelayOpened): relay.opened,
    (CallState.RENEGOTIATING, RelayFailed): relay.failed,
    (CallState.RENEGOTIATING, Measured): quality.measured,
    (CallState.RENEGOTIATING, AudioLost): quality.lost,
    (CallState.RENEGOTIATING, AudioRestored): quality.restored,
    (CallState.RENEGOTIATING, RecordingAsked): recording.asked,
    (CallState.RENEGOTIATING, RecordingAnnounced): recording.announced,
    (CallState.RENEGOTIATING, RecordingKept): recording.kept,
    (CallState.RENEGOTIATING, RecordingErased): recording.erased,
    (CallState.ENDED, Answered): early.late_answer,
    (CallState.ENDED, Measured): quality.measured,
    (CallState.ENDED, DeadlineReached): quality.close,
    (CallState.ENDED, RecordingKept): recording.kept,
    (CallState.ENDED, RecordingErased): recording.erased,
}
_FROM_A_LEG: frozenset[type[Input]] = frozenset(
    {
        Progressed,
        ProgressConfirmed,
        ProgressUnconfirmed,
        Answered,
        Failed,
        Abandoned,
        HungUp,
        Reoffered,
        ReofferAccepted,
        ReofferRefused,
        AnswerGiven,
        PassedOn,
        Checked,
        Vanished,
        Redirected,
        Refreshed,
        TooBrief,
        Withdrawn,
    }
)
_FROM_MEDIA: frozenset[type[Input]] = frozenset({RelayOpened, RelayFailed})
_OF_AUDIO: frozenset[type[Input]] = frozenset({Measured, AudioLost, AudioRestored})
_OF_RECORDINGS: frozenset[type[Input]] = frozenset({RecordingAnnounced, RecordingAsked, RecordingErased, RecordingKept})
IGNORED: Mapping[CallState, frozenset[type[Input]]] = {
    # Nothing but an offer can begin a call.
    CallState.NEW: frozenset(
        {*_FROM_A_LEG, *_FROM_MEDIA, *_OF_AUDIO, *_OF_RECORDINGS, Released, Unacknowledged, DeadlineReached}
    ),
    # Of audio: a port of ours is open before the answer, and nobody need speak to it yet.
    CallState.RINGING: frozenset(
        {
            *_OF_AUDIO,
            *_OF_RECORDINGS,
            Offer,
            AnswerGiven,
            Released,
            Unacknowledged,
            Checked,
            Vanished,
            Withdrawn,
        }
    ),
    # Failed: the 487 of a leg that we cancelled. Abandoned: a CANCEL after the final response has no effect (9.2).
    CallState.TALKING: frozenset(
        {
            Offer,
            Progressed,
            Failed,
            Redirected,
            TooBrief,
            Withdrawn,
        }
    ),
    # Reoffered: glare, refused by the adapter with 491.
    CallState.RENEGOTIATING: frozenset(
        {
            Offer,
            Progressed,
            ProgressConfirmed,
            ProgressUnconfirmed,
            Failed,
            Redirected,
            TooBrief,
            Abandoned,
            Reoffered,
        }
    ),
    # HungUp: both sides' BYE; the adapter confirms it, the call is over already. Reoffered is refused with 481.
    CallState.ENDED: frozenset(
        {
            Offer,
            *(_FROM_A_LEG - {Answered}),
            *_FROM_MEDIA,
            RecordingAnnounced,
            RecordingAsked,
            *(_OF_AUDIO - {Measured}),
            Released,
            Unacknowledged,
        }
    ),
}
"""What means nothing in a state. Together with `TURNS` it covers every pair; a test keeps it so."""
