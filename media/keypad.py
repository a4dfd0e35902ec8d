"""Digits that are pressed in band: pairs of tones found in the sound of a leg (ITU-T Q.23, Q.24).

What may live here: the detector. Making the tones is `media.dtmf`'s.

Goertzel's filters, all at once: each window of 25 ms is projected on every frequency by one product of matrices. There
is one every 5 ms, for it takes several that agree. A tone may be off by 1.5 %, so each frequency is tried a little
lower and higher as well.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from media.dtmf import COLUMNS_HZ, KEYS, ROWS_HZ, Digit
from media.pcm import Samples

_STEP_MS: Final = 5
_STEPS: Final = 5
"""In a window: 25 ms are enough to tell 697 from 770 Hz and too little to tell 1.5 % from nothing."""
_LOWER, _EXACT, _HIGHER = 0.988, 1.0, 1.012
_LEAST_DBFS: Final = -40.0
_MOST_TWIST_DB, _LEAST_TWIST_DB = 6.0, -10.0
"""How much louder the column may be than the row (Q.24: at least 4 and -8 are to be accepted)."""
_DOMINANCE_DB: Final = 6.0
"""How much louder a tone is than any other of its group."""
_SHARE: Final = 0.85
"""Of the window's power the two tones have at least this: speech has more of other frequencies."""
_HITS: Final = 4
"""Windows in a row: a tone of 40 ms makes four or five, one of 23 ms at most two."""
_MISSES: Final = 7
"""Windows in a row: a break of 10 ms makes five or six, a pause of 40 ms eleven."""
_EDGE_MS: Final = 17
"""What of a tone the windows do not see that are not filled by it."""


def _power_ratio(decibels: float) -> float:
    return float(10 ** (decibels / 10))


class Detector:
    """The digits in the sound of one leg. Frames have whole steps of 5 ms."""

    def __init__(self, sample_rate_hz: int) -> None:
        self._step = sample_rate_hz * _STEP_MS // 1000
        length = self._step * _STEPS
        turns = (
            np.outer(np.arange(length), np.outer((_LOWER, _EXACT, _HIGHER), ROWS_HZ + COLUMNS_HZ))
            * 2
            * np.pi
            / sample_rate_hz
        )
        self._basis = np.hstack((np.cos(turns), np.sin(turns))) * (np.sqrt(2) / length)
        """Projects a window on cosines, then sines: the sum of their squares is a tone's power."""
        self._places = np.arange(length)
        self._before: NDArray[np.float64] = np.zeros(length - self._step)
        self._least = _power_ratio(_LEAST_DBFS) * 32767**2 / 2
        self._digit = ""
        """What the last windows heard, in how many, and how many since then did not."""
        self._hits = self._misses = 0

    def detect(self, frame: Samples) -> tuple[Digit, ...]:
        """The digits that ended in this frame."""
        found = [self._follow(key) for key in self._keys(frame)]
        return tuple(digit for digit in found if digit is not None)

    def _keys(self, frame: Samples) -> list[str]:
        """The key that each window hears, or none."""
        sound: NDArray[np.float64] = np.concatenate((self._before, frame))
        self._before = sound[len(sound) - len(self._before) :]
        windows = sound[np.arange(0, len(frame), self._step)[:, None] + self._places]
        waves = (windows @ self._basis) ** 2
        middle = waves.shape[1] // 2
        lower, exact, higher = (waves[:, :middle] + waves[:, middle:]).reshape(len(windows), 3, -1).swapaxes(0, 1)
        best = np.maximum(np.maximum(lower, higher), exact).reshape(len(windows), 2, -1)
        return self._read(best, np.einsum("wn,wn->w", windows, windows) / len(self._places))

    def _read(self, best: NDArray[np.float64], whole: NDArray[np.float64]) -> list[str]:
        """`best` has the power of each tone, rows and columns apart: (windows, 2, 4); `whole` that of each window."""
        first = best.max(axis=2)
        row, column = first.T
        heard = (row + column >= _SHARE * whole) & (np.minimum(row, column) >= self._least)
        if not heard.any():
            return [""] * len(heard)
        second = np.sort(best, axis=2)[:, :, -2]
        twist = column / np.maximum(row, self._least)
        heard &= (first >= second * _power_ratio(_DOMINANCE_DB)).all(axis=1)
        heard &= (twist <= _power_ratio(_MOST_TWIST_DB)) & (twist >= _power_ratio(_LEAST_TWIST_DB))
        return [
            KEYS[row][column] if one else ""
            for one, (row, column) in zip(heard.tolist(), best.argmax(axis=2).tolist(), strict=True)
        ]

    def _follow(self, key: str) -> Digit | None:
        """The digit that has ended with this window."""
        held = self._hits >= _HITS
        if key and key == self._digit:
            self._hits += 1 + (self._misses if held else 0)
            self._misses = 0
            return None
        self._misses += 1
        if held and self._misses < _MISSES:
            return None
        ended = Digit(self._digit, self._hits * _STEP_MS + _EDGE_MS) if held else None
        self._digit, self._hits, self._misses = key, 1 if key else 0, 0
        return ended
