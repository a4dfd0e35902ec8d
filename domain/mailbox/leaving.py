"""A caller who leaves a message: what it hears, and when it is recorded, as a table. Pure.

What may live here: the order of things. What sounds how is known to who gives the sounds to the media.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

import msgspec


class Place(Enum):
    """Where in its visit a caller is; the rows of the table."""

    GREETING = "greeting"
    BEEP = "beep"
    RECORDING = "recording"
    SAVED = "saved"
    FULL = "full"
    OVER = "over"


class Cue(Enum):
    """What may happen: a sound has ended, the caller pressed `#`, or has spoken for as long as one may."""

    PLAYED = "played"
    HASH = "hash"
    LIMIT = "limit"


class Sound(msgspec.Struct, frozen=True):
    """Something to be heard: `kind` is `prompt`, `text`, `tone`, `message` or `greeting`, `name` says which (of a
    greeting its state), `number` what it tells."""

    kind: str
    name: str
    number: int = -1


TURNS: Mapping[tuple[Place, Cue], Place] = {
    (Place.GREETING, Cue.PLAYED): Place.BEEP,
    (Place.GREETING, Cue.HASH): Place.BEEP,
    (Place.BEEP, Cue.PLAYED): Place.RECORDING,
    (Place.RECORDING, Cue.HASH): Place.SAVED,
    (Place.RECORDING, Cue.LIMIT): Place.SAVED,
    (Place.SAVED, Cue.PLAYED): Place.OVER,
    (Place.FULL, Cue.PLAYED): Place.OVER,
}
"""(where, what) -> where then; what is not here means nothing."""

_STATES = {"busy": "voicemail-busy", "away": "voicemail-away", "none": "voicemail"}


def begins(full: bool, recording: bool) -> Place:
    """Where a visit begins, or goes on after a restart in the middle of a recording."""
    if recording:
        return Place.RECORDING
    return Place.FULL if full else Place.GREETING


def turn(place: Place, cue: Cue) -> Place:
    return TURNS.get((place, cue), place)


def sound_at(place: Place, state: str) -> Sound | None:
    """What is heard at a place, the greeting being that of the state (`busy`, `away`, `none`)."""
    return Sound("greeting", state) if place is Place.GREETING else _SOUNDS.get(place)


def greeting(state: str, texts: Mapping[str, str], recorded: Mapping[str, str] = {}) -> Sound | None:
    """The greeting of a state: the message that is `recorded` for it, else what `texts` or our own say; None if it is
    to be none."""
    if state in recorded:
        return Sound("message", recorded[state])
    text = texts.get(state)
    if text is None:
        return Sound("prompt", _STATES[state])
    return Sound("text", text) if text else None


_SOUNDS = {
    Place.BEEP: Sound("tone", "beep"),
    Place.SAVED: Sound("prompt", "voicemail-saved"),
    Place.FULL: Sound("prompt", "voicemail-full"),
}
