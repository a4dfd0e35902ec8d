"""What a network lets a caller hear: the tones of countries, and signs of our own.

What may live here: the table and how a row of it sounds. Frequencies and cadences are those of ITU-T E.180,
Supplement 2 ("Various tones used in national networks"); the level is E.180's: -10 dBm0, however many frequencies.

A name is `KIND:COUNTRY`, `KIND` alone for the usual one of Europe, or `SIGN`. What comes out is one round of the
cadence, which is to be looped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from media.pcm import Samples
from media.tone import FULL_SCALE, TONE_LEVEL_DBFS

COUNTRY = "eu"
"""Whose tones are heard where a country has none here, or none of this kind."""


class Part(NamedTuple):
    """So many seconds of frequencies together, none for silence.."""

    duration_s: float
    frequencies_hz: tuple[float, ...] = ()


Cadence = Sequence[Part]


def on(duration_s: float, *frequencies_hz: float) -> Part:
    return Part(duration_s, frequencies_hz)


def off(duration_s: float) -> Part:
    return Part(duration_s)


TONES: Mapping[str, Mapping[str, Cadence]] = {
    COUNTRY: {
        "dial": (on(1, 425),),
        "ringback": (on(1, 425), off(4)),
        "busy": (on(0.5, 425), off(0.5)),
        "congestion": (on(0.25, 425), off(0.25)),
    },
    "gb": {
        "dial": (on(1, 350, 440),),
        "ringback": (on(0.4, 400, 450), off(0.2), on(0.4, 400, 450), off(2)),
        "busy": (on(0.375, 400), off(0.375)),
        "congestion": (on(0.4, 400), off(0.35), on(0.225, 400), off(0.525)),
    },
    "us": {
        "dial": (on(1, 350, 440),),
        "ringback": (on(2, 440, 480), off(4)),
        "busy": (on(0.5, 480, 620), off(0.5)),
        "congestion": (on(0.25, 480, 620), off(0.25)),
    },
}

SIGNS: Mapping[str, Cadence] = {
    "beep": (on(0.4, 1000),),
    "join": (on(0.12, 523.25), on(0.2, 783.99)),
    "leave": (on(0.12, 783.99), on(0.2, 523.25)),
}

_EDGE_S = 0.004


def progress_tone(name: str, clock_rate_hz: int) -> Samples:
    """One round of the tone of that name. Raises ValueError."""
    kind, _, country = name.partition(":")
    cadence = SIGNS.get(name) or TONES.get(country or COUNTRY, {}).get(kind) or TONES[COUNTRY].get(kind)
    if cadence is None:
        known = ", ".join([*TONES[COUNTRY], *SIGNS])
        raise ValueError(f"no tone is called {name}: there are {known}")
    return np.concatenate([_sound(part, clock_rate_hz) for part in cadence])


def _sound(part: Part, clock_rate_hz: int) -> Samples:
    times_s = np.arange(round(part.duration_s * clock_rate_hz)) / clock_rate_hz
    if not part.frequencies_hz:
        return np.zeros(len(times_s), np.int16)
    each = FULL_SCALE * 10 ** (TONE_LEVEL_DBFS / 20) / np.sqrt(len(part.frequencies_hz))
    total = each * np.sum([np.sin(2 * np.pi * hz * times_s) for hz in part.frequencies_hz], axis=0)
    return np.asarray(np.rint(total), dtype=np.int16)
