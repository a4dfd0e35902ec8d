"""Decisions on what media say of the audio of a call: which of it is written down, and when a record is complete."""

from __future__ import annotations

from datetime import timedelta

from domain.base import Event
from domain.call.call import Call, CallState
from domain.call.input import AudioLost, AudioRestored, DeadlineReached, Measured
from domain.call.resume import CLOSE_DEADLINE, closes_at
from domain.call.scene import Scene

MOST_LOSSES = 20
"""Of one call: audio that comes and goes all the time is known by then, and must not fill the journal."""
_SETTLED = timedelta(seconds=2)
"""So long after the answer nothing is missed: what was silent until then was so because nobody had answered."""


def measured(scene: Scene, inp: Measured) -> tuple[Event, ...]:
    """A stream is over. After the call's end only what it waits for counts: its record is final then."""
    call = scene.call
    leg = call.phone_of(inp.leg)
    awaited = leg in call.expected
    if call.state is CallState.ENDED and not awaited:
        return ()
    if leg not in call.legs or (inp.figures.empty and not awaited):
        return ()
    return (scene.event(Call.LegMeasured, leg=leg, figures=inp.figures),)


def lost(scene: Scene, inp: AudioLost) -> tuple[Event, ...]:
    call = scene.call
    leg = call.phone_of(inp.leg)
    if leg not in call.talked or leg in call.held_by or (leg, inp.direction) in call.audio_lost:
        return ()
    if call.relay is not None and leg in call.relay.direct:  # its phone does not know our end yet, or no longer
        return ()
    if call.answered_at is None or scene.now < call.answered_at + _SETTLED or call.audio_losses >= MOST_LOSSES:
        return ()
    return (scene.event(Call.AudioLost, leg=leg, direction=inp.direction, missing_ms=inp.missing_ms),)


def restored(scene: Scene, inp: AudioRestored) -> tuple[Event, ...]:
    call = scene.call
    leg = call.phone_of(inp.leg)
    if (leg, inp.direction) not in call.audio_lost:
        return ()
    return (scene.event(Call.AudioRestored, leg=leg, direction=inp.direction),)


def close(scene: Scene, inp: DeadlineReached) -> tuple[Event, ...]:
    """What is not here by now never comes: the record is final without it."""
    at = closes_at(scene.call)
    if inp.kind != CLOSE_DEADLINE or at is None or scene.now < at:
        return ()
    return (scene.event(Call.Closed, missing=scene.call.expected),)
