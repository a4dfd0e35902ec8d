"""How the silence of G.711 legs sounds, where they say it (RFC 3389): noise in place of the sound that does not come.

What may live here: which legs are silent on purpose, and since when. What noise is like is `media.conceal`'s; legs of
other codecs have theirs in `media.voice`.
"""

from __future__ import annotations

from media.cells import Taken
from media.columns import Columns
from media.conceal import ComfortNoise
from media.header import Numbers
from media.pcm import Samples

NOISE_FRAMES = 500
"""For so long it goes on with nothing said about it again, as in `media.jitter`."""
_APART = 977
"""Samples by which the noise of one row begins elsewhere than that of the next: together they would be one, louder."""


class _Silence:
    def __init__(self, described: bytes, noise: ComfortNoise) -> None:
        self.described, self.noise = described, noise
        self.frames = NOISE_FRAMES


class Hush:
    """Of legs by their rows."""

    def __init__(self, columns: Columns, sample_rate_hz: int) -> None:
        self._columns, self._rate_hz = columns, sample_rate_hz
        self._silences: dict[int, _Silence] = {}

    def describe(self, row: int, described: bytes) -> None:
        """A leg says how its silence sounds."""
        known = self._silences.get(row)
        if known is not None and known.described == described:
            known.frames = NOISE_FRAMES
        else:
            noise = ComfortNoise(described, self._rate_hz, row * _APART)
            self._silences[row] = _Silence(described, noise)

    def forget(self, row: int) -> None:
        """The row is nobody's."""
        self._silences.pop(row, None)

    def fill(self, spoken: Samples, rows: Numbers, taken: Taken) -> None:
        """Put noise where silent legs have no sound in this tick: there it is present, and nothing is lost."""
        if self._silences:
            self._columns.settle()
        for row, silence in list(self._silences.items()):
            for place in (rows == row).nonzero()[0].tolist():
                present = taken.present[place]
                spoke_since = self._columns.silenced_s[row] != self._columns.last_heard_s[row]
                if silence.frames <= 0 or (spoke_since and present.all()):
                    del self._silences[row]
                    continue
                silence.frames -= 1
                halves = spoken[place].reshape(len(present), -1)
                halves[~present] = silence.noise.frame(halves.size).reshape(halves.shape)[~present]
                present[:] = True
                taken.lost[place] = False
