"""Gaps in the sound of many streams at once, concealed: of streams without a gap it only keeps what was heard last.

Frames are kept as they were given, so whoever gives them must not change them afterwards.

What may live here: which streams have a gap, and for how long. How one is concealed is `media.conceal`'s.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import numpy as np
from numpy.typing import NDArray

from media.conceal import HISTORY_MS, Gap
from media.pcm import NOTHING, Samples
from media.quick import any_set

_FRAME_MS: Final = 20
_FRAMES: Final = HISTORY_MS // _FRAME_MS
_NOBODY: Final = -1


class Seam:
    """Of one stream, whole frames of any length each."""

    def __init__(self, sample_rate_hz: int) -> None:
        self._rate_hz = sample_rate_hz
        self._heard: deque[Samples] = deque(maxlen=_FRAMES)
        """the last frames"""
        self._gap: Gap | None = None

    def join(self, frame: Samples) -> Samples:
        """A frame that came, as it is heard: after a gap it is blended with that."""
        if self._gap is not None:
            frame, self._gap = self._gap.join(frame), None
        self._heard.append(frame)
        return frame

    def conceal(self, samples: int) -> Samples:
        """What is heard in place of so many samples that did not come."""
        if self._gap is None:
            self._gap = Gap(np.concatenate(self._heard) if self._heard else NOTHING, self._rate_hz)
        made = self._gap.frame(samples)
        self._heard.append(made)
        return made


class Mender:
    """Of streams 0 to rows-1, frame by frame of 20 ms."""

    def __init__(self, rows: int, sample_rate_hz: int) -> None:
        self._rate_hz = sample_rate_hz
        self._samples = sample_rate_hz * _FRAME_MS // 1000
        self._heard: deque[tuple[NDArray[np.int64], Samples]] = deque(maxlen=_FRAMES)
        """The last frames, the oldest first, and of which rows each is."""
        self._gaps: dict[int, Gap] = {}
        self._open = np.zeros(rows, dtype=np.bool_)
        """Which rows have a gap."""
        self.mended = np.zeros(rows, dtype=np.int64)
        """frames of each row of which something was concealed"""

    def reset(self, row: int) -> None:
        """The row is another stream's from now on."""
        for number, (rows, frames) in enumerate(self._heard):
            self._heard[number] = np.where(rows == row, _NOBODY, rows), frames
        self._gaps.pop(row, None)
        self._open[row] = False
        self.mended[row] = 0

    def mend(
        self, frames: Samples, rows: NDArray[np.int64], present: NDArray[np.bool_], lost: NDArray[np.bool_]
    ) -> None:
        """Conceal in place what is missing in `frames` (n, samples), the next ones of these rows.

        `present` (n, parts) says which equal parts of a frame came, `lost` (n) which rows should have had all: what is
        missing of others is silence, and is to be 0 already.
        """
        if self._gaps or any_set(lost):
            for index in np.flatnonzero(lost | self._open[rows]).tolist():
                self._mend(frames[index], int(rows[index]), present[index].tolist(), bool(lost[index]))
        self._heard.append((rows, frames))

    def splice(self, frame: Samples, row: int) -> None:
        """Join in place the next frame of a row, before which something was left out, to what was heard last."""
        if not self._open[row]:
            frame[:] = Gap(self._history(row), self._rate_hz).join(frame)

    def _mend(self, frame: Samples, row: int, present: list[bool], lost: bool) -> None:
        part = len(frame) // len(present)
        for number, here in enumerate(present):
            start, end = number * part, (number + 1) * part
            gap = self._gaps.get(row)
            if here and gap is not None:
                frame[start:end] = self._gaps.pop(row).join(frame[start:end])
            elif not here and lost:
                if gap is None:
                    gap = self._gaps[row] = Gap(np.concatenate((self._history(row), frame[:start])), self._rate_hz)
                frame[start:end] = gap.frame(part)
        if not lost and not present[-1]:
            self._gaps.pop(row, None)  # What follows is silence.
        self._open[row] = row in self._gaps
        self.mended[row] += lost

    def _history(self, row: int) -> Samples:
        heard = np.zeros((_FRAMES, self._samples), dtype=np.int16)
        for number, (rows, frames) in enumerate(reversed(self._heard), 1):
            place = np.flatnonzero(rows == row)
            if len(place):
                heard[-number] = frames[place[-1]]
        return heard.ravel()
