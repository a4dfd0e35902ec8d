"""What a network lets a caller hear, by country, and signs of our own.

What may live here: the table and how a row of it sounds. Frequencies and cadences are those of ITU-T E.180,
Supplement 2 ("Various tones used in national networks", list of 2003); the level is E.180's: -10 dBm0, however many
frequencies.

A tone's name is `KIND:COUNTRY` with the country as in ISO 3166, `KIND` alone for what most of Europe has, the name of a
sign, or a number of hertz.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from media.pcm import Samples, clipped
from media.tone import FULL_SCALE, TONE_LEVEL_DBFS

USUAL = ""
"""The country whose tones are heard where one is not listed."""

_EDGE_S = 0.005


class Tone(NamedTuple):
    """Frequencies together, for so many seconds on, off, on, off...; without a cadence for a second.

    A tone that is modulated swells so many times a second; `by_turns` sounds one frequency after the other.
    """

    frequencies_hz: tuple[float, ...]
    cadence_s: Sequence[float] = ()
    modulated_hz: float = 0.0
    by_turns: bool = False


class Network(NamedTuple):
    """The tones of a country."""

    dial: Tone
    ringback: Tone
    busy: Tone
    congestion: Tone


def _network(
    hz: float,
    ringback: Sequence[float] = (1, 4),
    busy: Sequence[float] = (0.5, 0.5),
    congestion: Sequence[float] = (0.25, 0.25),
    dial: Sequence[float] = (),
) -> Network:
    """Of one frequency."""
    return Network(*(Tone((hz,), cadence) for cadence in (dial, ringback, busy, congestion)))


_TWICE = (0.4, 0.2, 0.4, 2)
_AMERICAN = Network(
    Tone((350, 440)), Tone((440, 480), (2, 4)), Tone((480, 620), (0.5, 0.5)), Tone((480, 620), (0.25, 0.25))
)
_INDIAN = _network(400, busy=(0.75, 0.75))

NETWORKS: Mapping[str, Network] = {
    USUAL: _network(425),
    "at": _network(420, (1, 5), (0.4, 0.4), (0.2, 0.2)),
    "au": _network(425, busy=(0.375, 0.375), congestion=(0.375, 0.375))._replace(
        dial=Tone((413, 438)), ringback=Tone((413, 438), _TWICE)
    ),
    "be": _network(425, (1, 3), congestion=(0.167, 0.167)),
    "br": _network(425, busy=(0.25, 0.25), congestion=(0.25, 0.25, 0.75, 0.25)),
    "ca": _AMERICAN,
    "ch": _network(425, congestion=(0.2, 0.2)),
    "cl": _network(400, (1, 3), congestion=(0.2, 0.2)),
    "cn": _network(450, busy=(0.35, 0.35), congestion=(0.7, 0.7)),
    "cz": _network(425, busy=(0.33, 0.33), congestion=(0.165, 0.165), dial=(0.33, 0.33, 0.66, 0.66)),
    "de": _network(425, busy=(0.48, 0.48), congestion=(0.24, 0.24)),
    "dk": _network(425, congestion=(0.2, 0.2)),
    "ee": _network(425, busy=(0.3, 0.3), congestion=(0.2, 0.2)),
    "es": _network(425, (1.5, 3), (0.2, 0.2), (0.2, 0.2, 0.2, 0.2, 0.2, 0.6)),
    "fi": _network(425, busy=(0.3, 0.3), congestion=(0.2, 0.2)),
    "fr": _network(440, (1.5, 3.5)),
    "gb": _network(400, busy=(0.375, 0.375), congestion=(0.4, 0.35, 0.225, 0.525))._replace(
        dial=Tone((350, 440)), ringback=Tone((400, 450), _TWICE)
    ),
    "gr": _network(425, busy=(0.3, 0.3), congestion=(0.2, 0.2), dial=(0.2, 0.3, 0.7, 0.8)),
    "hk": _AMERICAN._replace(ringback=Tone((440, 480), (0.4, 0.2, 0.4, 3))),
    "hu": _network(425, (1.25, 3.75), (0.3, 0.3), (0.3, 0.3)),
    "ie": _network(425)._replace(ringback=Tone((400, 450), _TWICE)),
    "in": _INDIAN._replace(dial=Tone((400,), (), 25), ringback=Tone((400,), _TWICE, 25)),
    "it": _network(425, congestion=(0.2, 0.2), dial=(0.2, 0.2, 0.6, 1)),
    "jp": _network(400, congestion=(0.5, 0.5))._replace(ringback=Tone((400,), (1, 2), 16)),
    "lt": _network(425, busy=(0.35, 0.35), congestion=(0.2, 0.2)),
    "mx": _network(425, busy=(0.25, 0.25)),
    "my": _network(425, _TWICE, congestion=(0.5, 0.5)),
    "nl": _network(425),
    "no": _network(425, congestion=(0.2, 0.2)),
    "nz": _network(400)._replace(ringback=Tone((400, 450), _TWICE)),
    "pl": _network(425, congestion=(0.5, 0.5)),
    "pt": _network(425, (1, 5), congestion=(0.2, 0.2)),
    "ru": _network(425, (0.8, 3.2), (0.4, 0.4), (0.2, 0.2)),
    "se": _network(425, (1, 5), (0.25, 0.25), (0.25, 0.75)),
    "sg": _network(425, busy=(0.75, 0.75))._replace(ringback=Tone((425,), _TWICE, 24)),
    "th": _network(400, congestion=(0.3, 0.3)),
    "tr": _network(450, (2, 4), congestion=(0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.6, 0.2)),
    "tw": _AMERICAN._replace(ringback=Tone((440, 480), (1, 2))),
    "us": _AMERICAN,
    "za": _network(400)._replace(dial=Tone((400,), (), 33), ringback=Tone((400,), _TWICE, 33)),
}

SIGNS: Mapping[str, Tone] = {
    "attention": Tone((784,), (0.15, 0.1, 0.15, 0.4)),
    "beep": Tone((1000,), (0.4,)),
    "join": Tone((523.25, 783.99), (0.15, 0, 0.2), by_turns=True),
    "leave": Tone((783.99, 523.25), (0.15, 0, 0.2), by_turns=True),
    "special": Tone((950, 1400, 1800), (0.33, 0.03, 0.33, 0.03, 0.33, 1), by_turns=True),
}
"""`special` is the special information tone of E.180; the others are our own. `attention` stands for words that cannot
be spoken."""


def progress_tone(name: str, clock_rate_hz: int) -> Samples:
    """One round of the tone's cadence, to be looped without a seam. Raises ValueError."""
    tone = _tone(name)
    if max(tone.frequencies_hz) >= clock_rate_hz / 2:
        raise ValueError(f"{max(tone.frequencies_hz)} Hz cannot be sampled at {clock_rate_hz} Hz")
    if not tone.cadence_s:
        return clipped(_wave(tone, 0, clock_rate_hz, clock_rate_hz))
    parts = []
    for number, duration_s in enumerate(tone.cadence_s):
        length = round(duration_s * clock_rate_hz)
        beat = np.zeros(length) if number % 2 else _wave(tone, number // 2, length, clock_rate_hz)
        parts.append(_edged(beat, round(_EDGE_S * clock_rate_hz)))
    return clipped(np.concatenate(parts))


def _tone(name: str) -> Tone:
    if name in SIGNS:
        return SIGNS[name]
    if name.isascii() and name.isdecimal() and len(name) <= 5 and int(name) > 0:
        return Tone((int(name),))
    kind, _, country = name.partition(":")
    if kind not in Network._fields:
        known = ", ".join([*Network._fields, *SIGNS])
        raise ValueError(f"no tone is called {name}: there are {known}, and numbers of hertz")
    found: Tone = getattr(NETWORKS.get(country.lower(), NETWORKS[USUAL]), kind)
    return found


def _wave(tone: Tone, beat: int, length: int, clock_rate_hz: int) -> NDArray[np.float64]:
    hz = tone.frequencies_hz
    sounding = (hz[beat % len(hz)],) if tone.by_turns else hz
    times_s = np.arange(length) / clock_rate_hz
    each = FULL_SCALE * 10 ** (TONE_LEVEL_DBFS / 20) / np.sqrt(len(sounding))
    total = np.zeros(length)
    for one in sounding:
        total += each * np.sin(2 * np.pi * one * times_s)
    if tone.modulated_hz:
        # The mean square of 1 + cos is 1.5: the power stays what it is.
        total *= (1 + np.cos(2 * np.pi * tone.modulated_hz * times_s)) / np.sqrt(1.5)
    return total


def _edged(wave: NDArray[np.float64], edge: int) -> NDArray[np.float64]:
    """It begins and ends within so many samples: at once would be a click."""
    edge = min(edge, len(wave) // 2)
    slope = np.sin(np.pi / 2 * (np.arange(edge) + 0.5) / max(edge, 1)) ** 2
    wave[:edge] *= slope
    wave[len(wave) - edge :] *= slope[::-1]
    return wave
