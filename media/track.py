"""16-bit PCM as it is in our own WAV files, and the head before it.

What may live here: what is known of samples without reading them; those who only serve files load nothing else.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

HEAD_BYTES = 44
LONGEST_DATA_BYTES = 2**32 - 1 - HEAD_BYTES
"""Lengths have 32 bits."""
MOST_CHANNELS = 8
RATES_HZ = (1_000, 384_000)
PCM = 1
"""The format's tag."""
FORMAT = struct.Struct("<HHIIHH")
"""What is in a `fmt ` chunk."""

_HEAD = struct.Struct("<4sI4s4sIHHIIHH4sI")


class WaveError(ValueError):
    """The file is no WAV that can be read; the text says what is wrong with it."""


class Track(NamedTuple):
    """16-bit PCM of so many channels."""

    clock_rate_hz: int
    channels: int

    @property
    def width_bytes(self) -> int:
        """Of one sample of all channels."""
        return 2 * self.channels

    def duration_ms(self, data_bytes: int) -> int:
        """Of so many bytes of it."""
        return data_bytes // self.width_bytes * 1000 // self.clock_rate_hz

    def __str__(self) -> str:
        return f"{self.channels} channels at {self.clock_rate_hz} Hz"


def head(track: Track, data_bytes: int) -> bytes:
    """The 44 bytes before so many of PCM."""
    return _HEAD.pack(
        b"RIFF",
        HEAD_BYTES - 8 + data_bytes,
        b"WAVE",
        b"fmt ",
        FORMAT.size,
        PCM,
        track.channels,
        track.clock_rate_hz,
        track.clock_rate_hz * track.width_bytes,
        track.width_bytes,
        16,
        b"data",
        data_bytes,
    )


def track_of(start: bytes) -> Track:
    """What a file holds that begins as `head` makes it, whatever its length. Raises WaveError."""
    if len(start) < HEAD_BYTES:
        raise WaveError("its head is cut short")
    _, _, _, _, _, _, channels, rate, *_ = _HEAD.unpack_from(start)
    track = Track(rate, channels)
    if not (1 <= channels <= MOST_CHANNELS and RATES_HZ[0] <= rate <= RATES_HZ[1]):
        raise WaveError("its head makes no sense")
    if start[8:40] != head(track, 0)[8:40]:
        raise WaveError("its head is not one of ours")
    return track
