"""How good a leg's stream is for who listens, and whether it is there at all.

What may live here: formulas and a watch over when packets came. They are counted by `media.columns`.
"""

from __future__ import annotations

from math import log2
from typing import Final

MISSING_MS: Final = 2400
"""So long nothing comes from a party that should send before it is told: with half a second between two looks, and what
it takes to write it down, within three seconds."""
EXCUSED_MS: Final = 30_000
BACK_MS: Final = 900
"""So long it must come again before that is told: a packet now and then is no audio."""
_UNHEARD_PACKETS = 100
"""So many of ours a party must not have heard: fewer may have been on their way still."""
_PACKET_MS = 20
_GAP_MS = 700
"""Audio that comes has come within this time before a look."""

BEST_R: Final = 93.2
CONCEALED_BPL: Final = 25.1
"""G.711 with concealment of lost packets (G.113 appendix I); all codecs here are concealed at least as well. Their Ie
is 0: on the scale of wide band, G.722 and what is better are nearer to the original than G.711, whose Ie is 0 here."""


class Watch:
    """Whether a party that should send does: told once when nothing has come for `MISSING_MS`, once when it does again.

    A party that said how its silence sounds (RFC 3389) may be silent for `EXCUSED_MS`.
    """

    def __init__(self) -> None:
        self.silent_ms = 0.0
        """how long it was missing, in all"""
        self._since_ms: float | None = None
        """Since when something should come and did not."""
        self._told = False
        self._back_ms: float | None = None
        """since when it comes again"""
        self._counted_ms = 0.0
        self.missing_ms = -1
        """for how long by the last look, once it is told; 0 if it comes, -1 if it is too early to say"""

    def check(self, now_ms: float, last_ms: float, expected: bool, excused: bool = False) -> int | None:
        """What is to be told, at any pace: for how many ms nothing has come, or 0 for it does again; None for nothing.

        `last_ms` is when its last packet came, -1 for never; `expected` says whether it should send.
        """
        if not expected:
            self._since_ms, self.missing_ms = None, 0
            return self._end()
        if self._since_ms is None or last_ms > self._since_ms:
            self._since_ms = last_ms if self._since_ms is not None else now_ms
        missing_ms = now_ms - self._since_ms
        if self._told:
            return self._look_for_its_return(now_ms, missing_ms)
        if missing_ms < (EXCUSED_MS if excused else MISSING_MS):
            if excused or (last_ms >= 0 and now_ms - last_ms < _GAP_MS):
                self.missing_ms = 0
            return None
        self.silent_ms += missing_ms
        self._counted_ms = now_ms
        self._told, self.missing_ms = True, round(missing_ms)
        return self.missing_ms

    def _look_for_its_return(self, now_ms: float, missing_ms: float) -> int | None:
        if missing_ms >= _GAP_MS:
            self._back_ms = None
            self.silent_ms += now_ms - self._counted_ms
            self._counted_ms, self.missing_ms = now_ms, round(missing_ms)
            return None
        self._back_ms = now_ms if self._back_ms is None else self._back_ms
        self._counted_ms = now_ms
        if now_ms - self._back_ms < BACK_MS:
            return None
        self.missing_ms = 0
        return self._end()

    def _end(self) -> int | None:
        """Nothing is missing; 0 if it was."""
        told, self._told, self._back_ms = self._told, False, None
        return 0 if told else None


class Reach:
    """Whether what we send reaches a party, by the party's reports (RFC 3550 section 6.4), which come in some seconds.

    A party that has never said that it hears us may be one that never says so: of its silence nothing follows.
    """

    def __init__(self) -> None:
        self.unheard_ms = -1
        """for how long nothing of ours has reached it; 0 if it does, -1 if it has never said so"""
        self._told = False
        self._highest = -1
        self._sent = 0

    def learn(self, highest: int | None, sent: int) -> None:
        """A report: the highest number that came of ours, None if it is not about us; `sent` is ours up to now."""
        if highest is not None and highest != self._highest:
            self._highest, self._sent, self.unheard_ms = highest, sent, 0
        elif self._highest >= 0 and sent - self._sent >= _UNHEARD_PACKETS:
            self.unheard_ms = (sent - self._sent) * _PACKET_MS

    def news(self) -> int | None:
        """What is to be told: for how long nothing has reached it, 0 for it does again; None for nothing."""
        if (self.unheard_ms > 0) == self._told:
            return None
        self._told = self.unheard_ms > 0
        return self.unheard_ms


def rating(loss: float, delay_ms: float, impairment: float = 0.0, robustness: float = CONCEALED_BPL) -> float:
    """The E-model's R, 0 to 93.2, with the defaults of ITU-T G.107 for all that is not known here.

    `loss` is the share of packets that were not heard, `delay_ms` is from mouth to ear. `impairment` (Ie) and
    `robustness` (Bpl) are the codec's (G.113). Echo counts as cancelled.
    """
    percent = 100 * min(max(loss, 0.0), 1.0)
    equipment = impairment + (95 - impairment) * percent / (percent + robustness)
    return max(0.0, BEST_R - _delay_impairment(delay_ms) - equipment)


def mos_x100(r: float) -> int:
    """The mean opinion that a rating stands for, times 100: 100 to 450 (G.107 annex B)."""
    if r <= 0:
        return 100
    r = min(r, 100.0)
    return max(100, round(100 * (1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6)))


def _delay_impairment(delay_ms: float) -> float:
    """Idd of G.107 (7-27): nothing up to 100 ms."""
    if delay_ms <= 100:
        return 0.0
    x = log2(delay_ms / 100)
    return float(25 * ((1 + x**6) ** (1 / 6) - 3 * (1 + (x / 3) ** 6) ** (1 / 6) + 2))
