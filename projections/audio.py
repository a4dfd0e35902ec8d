"""What the audio of a leg was like, over all its streams. What may live here: how figures of several become one.

Packets and times are summed up. The jitter and the opinion are means, weighted by the packets that came; the round trip
is the last one that is known. Whole numbers, so that it is the same wherever it is computed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from domain.call.measure import Figures

_UINT16, _UINT32 = 0xFFFF, 0xFFFFFFFF


class Heard(NamedTuple):
    """What the row of a leg says of its audio, with the names of its columns."""

    codec: str
    packets_received: int | None
    packets_sent: int | None
    packets_lost: int | None
    packets_discarded: int | None
    packets_lost_by_phone: int | None
    jitter_ms: int | None
    round_trip_ms: int | None
    mos_x100: int | None
    silent_ms: int | None


UNHEARD = Heard("", None, None, None, None, None, None, None, None, None)
"""Of most legs: their audio never came to us."""


class Audio:
    """Of one leg; None is what was never measured."""

    __slots__ = ("losses", "streams")

    def __init__(self) -> None:
        self.losses = 0
        """how often it was missing"""
        self.streams: tuple[Figures, ...] = ()

    @property
    def codec(self) -> str:
        """Of the last stream."""
        return self.streams[-1].codec if self.streams else ""

    @property
    def heard(self) -> Heard:
        """All of it together."""
        if not self.streams:
            return UNHEARD
        return Heard(
            codec=self.codec,
            packets_received=self.total("received"),
            packets_sent=self.total("sent"),
            packets_lost=self.total("lost"),
            packets_discarded=self.total("discarded"),
            packets_lost_by_phone=self.total("remote_lost"),
            jitter_ms=self.jitter_ms,
            round_trip_ms=self.round_trip_ms,
            mos_x100=self.mos_x100,
            silent_ms=self.total("silent_ms"),
        )

    def total(self, field: str) -> int | None:
        """The sum of what is known."""
        return _sum(getattr(one, field) for one in self.streams)

    @property
    def jitter_ms(self) -> int | None:
        mean_us = self._mean("jitter_us")
        return None if mean_us is None else min((mean_us + 500) // 1000, _UINT32)

    @property
    def round_trip_ms(self) -> int | None:
        known = [one.round_trip_ms for one in self.streams if one.round_trip_ms is not None]
        return min(max(known[-1], 0), _UINT32) if known else None

    @property
    def mos_x100(self) -> int | None:
        mean = self._mean("mos_x100")
        return None if mean is None else min(mean, _UINT16)

    def _mean(self, field: str) -> int | None:
        every = ((getattr(one, field), max(one.received, 0)) for one in self.streams)
        known = [(max(value, 0), weight) for value, weight in every if value is not None]
        weights = sum(weight for _, weight in known)
        if not known or not weights:
            return None
        return int(sum(value * weight for value, weight in known) // weights)


def _sum(values: Iterable[int | None]) -> int | None:
    known = [max(value, 0) for value in values if value is not None]
    return sum(known) if known else None
