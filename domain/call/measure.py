"""What a stream of audio was like, as measured where it went through media of our own."""

from __future__ import annotations

from enum import Enum

import msgspec


class Figures(msgspec.Struct, frozen=True):
    """Of one stream between a phone and our media, from its begin to its end; whole numbers.

    `received`, `lost` and `discarded` (too late to be heard) are packets from the phone, `sent` those to it. What is
    None was not measured: `remote_lost` of those to it and `round_trip_ms` are the phone's word (RTCP), `mos_x100` is
    of what was heard of it, by the E-model (ITU-T G.107), times 100.
    """

    codec: str
    received: int
    sent: int
    lost: int
    discarded: int
    jitter_us: int
    remote_lost: int | None = None
    round_trip_ms: int | None = None
    mos_x100: int | None = None
    silent_ms: int = 0
    """how long nothing came of it that should have come, in all"""
    whole: bool = True
    """False of what was known when the media worker was killed: the last seconds are not in it"""

    @property
    def empty(self) -> bool:
        """Nothing came, and nothing went."""
        return not (self.received or self.sent)


class Way(Enum):
    """Which way audio goes, as seen from the phone."""

    FROM_PHONE = "from_phone"
    TO_PHONE = "to_phone"
