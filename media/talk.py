"""Who talks: by how loud each leg is, against the noise around it.

What may live here: levels and decisions about them, for all legs at once. No sound, only its peaks; time is counted in
steps of the caller.

A level follows peaks up at once and down slowly, over pauses between words. The floor under it follows down at once and
up slowly, so steady noise is not talk; but it never rises so far that somebody loud could go unnoticed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

STEP_MS = 80
_LEAST = 180.0
"""-45 dBFS: nobody talks so softly, and idle lines do not hiss so loud."""
_HIGHEST_FLOOR = 600.0
_ABOVE_FLOOR = 2.8
"""9 dB"""
_RELEASE = 0.8
"""a step: 24 dB a second"""
_RISE = 1.01
"""a step: 1 dB a second"""


class Talk:
    """Of legs 0 to rows-1."""

    def __init__(self, rows: int) -> None:
        self.level = np.zeros(rows)
        self._floor = np.full(rows, _LEAST)

    def reset(self, row: int) -> None:
        """Another leg is here from now on."""
        self.level[row] = 0
        self._floor[row] = _LEAST

    def hear(self, rows: NDArray[np.int64], peaks: NDArray[np.int64]) -> None:
        """A step of `STEP_MS`: the greatest magnitude that each of these legs said in it."""
        level = np.maximum(peaks, self.level[rows] * _RELEASE)
        self.level[rows] = level
        self._floor[rows] = np.clip(np.minimum(self._floor[rows] * _RISE, level), _LEAST / _ABOVE_FLOOR, _HIGHEST_FLOOR)

    def talking(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of these legs talk."""
        level = self.level[rows]
        found: NDArray[np.bool_] = (level >= _LEAST) & (level >= self._floor[rows] * _ABOVE_FLOOR)
        return found
