"""How good a leg's stream is: what was received of it, what that means for who listens, and whether it is there at all.

What may live here: counters of packets and formulas about them. No clock, no payloads.
"""

from __future__ import annotations

from math import log2
from typing import Final

from media.rtcp import Block
from media.rtp import Packet

MISSING_MS: Final = 3000
"""So long nothing comes from a party that should send before it is told."""
EXCUSED_MS: Final = 30_000

BEST_R: Final = 93.2
CONCEALED_BPL: Final = 25.1
"""G.711 with concealment of lost packets (G.113 appendix I); all codecs here are concealed at least as well. Their Ie
is 0: on the scale of wide band, G.722 and what is better are nearer to the original than G.711, whose Ie is 0 here."""

_DROPOUT: Final = 3000
_MISORDER: Final = 100
"""A sequence number that is further ahead or behind is of a source that began anew (RFC 3550 A.1)."""
_LONGEST_DIFFERENCE_MS: Final = 10_000
"""A transit that changed by more is another time line, not jitter."""


class Reception:
    """What has been received of a leg, over all sources that it had (RFC 3550 A.1, A.3, A.8).

    Every RTP packet of the leg is counted, whatever its payload: all of a source share its sequence.
    """

    def __init__(self, clock_rate_hz: int) -> None:
        self.ssrc = -1
        self.received = 0
        """packets that are not repetitions"""
        self.repeated = 0
        self.strange = 0
        """packets of sources that are not believed yet"""
        self.jitter = 0.0
        """in ticks"""
        self.last_ms = -1.0
        """when the last packet came; -1 for never"""
        self._per_ms = clock_rate_hz / 1000
        self._longest_difference = _LONGEST_DIFFERENCE_MS * self._per_ms
        self._first = self._highest = 0
        self._here = 0
        """Packets of this source."""
        self._lost_before = 0
        self._missing: dict[int, None] = {}
        self._transit = 0.0
        self._next: tuple[int, int] | None = None
        """SSRC and sequence that the next packet of another source must have."""
        self._reported = (0, 0)

    @property
    def lost(self) -> int:
        """Packets that should have come and did not."""
        return self._lost_before + self._lost_here

    @property
    def jitter_ms(self) -> float:
        return self.jitter / self._per_ms

    @property
    def highest_sequence(self) -> int:
        """With how often it wrapped in the upper bits."""
        return self._highest

    def count(self, packet: Packet, now_ms: float, timed: bool = True) -> bool:
        """Whether a packet is to be used: it is none that was here already, and none of a source not believed yet.

        Another source is believed with its second packet in a row. `timed` says that the timestamp is of the moment
        when the packet was sent, which those of telephone-events and of silence are not.
        """
        _, _, sequence, timestamp, ssrc, _ = packet
        if ssrc != self.ssrc:
            if not self._believes(ssrc, sequence):
                return False
            self._begin(ssrc, sequence, now_ms * self._per_ms - timestamp)
        elif (sequence - self._highest) & 0xFFFF == 1:
            self._highest += 1
        elif not self._places(sequence):
            return False
        self._here += 1
        self.received += 1
        self.last_ms = now_ms
        if timed:
            transit = now_ms * self._per_ms - timestamp
            difference = abs(transit - self._transit)
            self._transit = transit
            if difference < self._longest_difference:
                self.jitter += (difference - self.jitter) / 16
        return True

    def block(self, last_report: int = 0, delay: int = 0) -> Block:
        """The report on this source since the one before (RFC 3550 6.4.1)."""
        expected, received = self._expected, self._here
        before_expected, before_received = self._reported
        self._reported = expected, received
        due, came = expected - before_expected, received - before_received
        fraction = (max(0, due - came) << 8) // due if due > 0 else 0
        return Block(
            self.ssrc, min(fraction, 255), expected - received, self._highest, round(self.jitter), last_report, delay
        )

    @property
    def _expected(self) -> int:
        return self._highest - self._first + 1 if self._here else 0

    @property
    def _lost_here(self) -> int:
        return max(0, self._expected - self._here)

    def _begin(self, ssrc: int, sequence: int, transit: float) -> None:
        self._lost_before += self._lost_here
        self.ssrc = ssrc
        self._first = self._highest = sequence
        self._here = 0
        self._missing.clear()
        self._transit = transit
        self._next = None
        self._reported = (0, 0)

    def _believes(self, ssrc: int, sequence: int) -> bool:
        if self.ssrc < 0 or self._next == (ssrc, sequence):
            return True
        self._next = ssrc, (sequence + 1) & 0xFFFF
        self.strange += 1
        return False

    def _places(self, sequence: int) -> bool:
        """A packet of our source that is not the next one: behind a gap, late, repeated, or after a jump."""
        ahead = (sequence - self._highest) & 0xFFFF
        if 0 < ahead < _DROPOUT:
            self._miss(max(self._highest + 1, self._highest + ahead - _MISORDER), self._highest + ahead)
            self._highest += ahead
            return True
        if 0 < ahead <= 0x10000 - _MISORDER:
            if not self._believes(self.ssrc, sequence):
                return False
            self._begin(self.ssrc, sequence, self._transit)
            return True
        number = self._highest - (-ahead & 0xFFFF)
        if number < self._first:
            self._miss(number + 1, self._first)
            self._first = number
            return True
        if number in self._missing:
            del self._missing[number]
            return True
        self.repeated += 1
        return False

    def _miss(self, start: int, end: int) -> None:
        """What may still come; only of the newest it is known whether it came."""
        self._missing.update(dict.fromkeys(range(start, end)))
        for old in list(self._missing)[: -2 * _MISORDER]:
            del self._missing[old]


class Watch:
    """Whether a party that should send does: told once when nothing has come for `MISSING_MS`, once when it has again.

    A party that said how its silence sounds (RFC 3389) may be silent for `EXCUSED_MS`.
    """

    def __init__(self) -> None:
        self.silent_ms = 0.0
        """how long it was missing, in all"""
        self._since_ms: float | None = None
        """Since when something should come and did not."""
        self._told = False
        self._counted_ms = 0.0

    def check(self, now_ms: float, last_ms: float, expected: bool, excused: bool = False) -> int | None:
        """What is to be told, at any pace: for how many ms nothing has come, or 0 for it does again; None for nothing.

        `last_ms` is when its last packet came, -1 for never; `expected` says whether it should send.
        """
        if not expected:
            self._since_ms = None
        elif self._since_ms is None or last_ms > self._since_ms:
            self._since_ms = last_ms if self._since_ms is not None else now_ms
        missing_ms = now_ms - self._since_ms if self._since_ms is not None else 0.0
        if missing_ms >= (EXCUSED_MS if excused else MISSING_MS):
            self.silent_ms += now_ms - self._counted_ms if self._told else missing_ms
            self._counted_ms = now_ms
            if self._told:
                return None
            self._told = True
            return round(missing_ms)
        if self._told and (missing_ms < MISSING_MS):
            self._told = False
            return 0
        return None


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
