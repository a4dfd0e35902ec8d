"""Music for those who are on hold, from a formula: chords that follow one another round and round.

What may live here: the notes and how they sound. Nothing is recorded and nothing is borrowed: the order of chords is
that of countless songs, and what is made of them here is ours (licence as of the project).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from media.pcm import Samples, clipped
from media.tone import FULL_SCALE

CLOCK_RATE_HZ = 16_000
LEVEL_DBFS = -24.0
"""Root of the mean square: as loud as speech on the telephone is to be (ITU-T P.56: -26 dBov)."""

_BEAT_S = 0.75
_A4, _A4_HZ = 69, 440.0
# Numbers of MIDI notes: bass, and three notes above it, four beats each.
_CHORDS: Sequence[tuple[int, int, int, int]] = (
    (48, 60, 64, 67),
    (45, 60, 64, 69),
    (53, 60, 65, 69),
    (55, 59, 62, 67),
    (52, 59, 64, 67),
    (45, 60, 64, 69),
    (50, 62, 65, 69),
    (55, 59, 65, 67),
)
# Which note of a chord begins at which eighth of it, an octave higher; None rests.
_FIGURES: Sequence[Sequence[int | None]] = ((1, 2, 3, 2, 1, 2, 3, None), (3, 2, 1, 2, 3, None, 2, 1))
_PARTIALS = (1.0, 0.35, 0.15, 0.06)


def hold_music() -> Samples:
    """A loop of 24 seconds at 16000 Hz: what rings on at its end is heard at its beginning."""
    bar = round(4 * _BEAT_S * CLOCK_RATE_HZ)
    heard = np.zeros(bar * len(_CHORDS))
    for number, (bass, *notes) in enumerate(_CHORDS):
        start = number * bar
        _add(heard, start, _pluck(bass, 4 * _BEAT_S, 1.6), 0.45)
        for note in notes:
            _add(heard, start, _pad(note, 4 * _BEAT_S), 0.18)
        for eighth, which in enumerate(_FIGURES[number % len(_FIGURES)]):
            if which is not None:
                _add(heard, start + eighth * bar // 8, _pluck(notes[which - 1] + 12, _BEAT_S * 2, 0.5), 0.5)
    loudness = np.sqrt(np.mean(heard**2))
    return clipped(heard * (FULL_SCALE * 10 ** (LEVEL_DBFS / 20) / loudness))


def _add(heard: NDArray[np.float64], start: int, sound: NDArray[np.float64], share: float) -> None:
    places = np.arange(start, start + len(sound)) % len(heard)
    heard[places] += share * sound


def _pluck(note: int, duration_s: float, fades_s: float) -> NDArray[np.float64]:
    """A string: the higher a partial the sooner it is gone."""
    times_s = np.arange(round(duration_s * CLOCK_RATE_HZ)) / CLOCK_RATE_HZ
    sound = np.zeros(len(times_s))
    for number, strength in enumerate(_PARTIALS, start=1):
        sound += strength * np.sin(2 * np.pi * number * _hz(note) * times_s) * np.exp(-times_s * number / fades_s)
    return sound * _slopes(len(sound), 0.008)


def _pad(note: int, duration_s: float) -> NDArray[np.float64]:
    """Two voices a little out of tune, which come and go slowly and overlap with the next chord's."""
    times_s = np.arange(round((duration_s + 0.5) * CLOCK_RATE_HZ)) / CLOCK_RATE_HZ
    voices = np.sin(2 * np.pi * _hz(note) * times_s) + np.sin(2 * np.pi * _hz(note) * 1.003 * times_s)
    return voices * _slopes(len(voices), 0.5)


def _slopes(length: int, edge_s: float) -> NDArray[np.float64]:
    edge = min(round(edge_s * CLOCK_RATE_HZ), length // 2)
    slope = np.sin(np.pi / 2 * np.arange(edge) / edge) ** 2
    return np.concatenate([slope, np.ones(length - 2 * edge), slope[::-1]])


def _hz(note: int) -> float:
    return float(_A4_HZ * 2 ** ((note - _A4) / 12))
