"""WAV files (RIFF/WAVE; Microsoft, "Multimedia Programming Interface and Data Specifications 1.0"): reading, and heads.

What may live here: bytes to samples and back. No files, no rates but the file's own.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from media.pcm import Samples, clipped

HEAD_BYTES = 44
LONGEST_DATA_BYTES = 2**32 - 1 - HEAD_BYTES
"""Lengths have 32 bits."""
MOST_CHANNELS = 8
RATES_HZ = (1_000, 384_000)

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_FORMAT = struct.Struct("<HHIIHH")
_HEAD = struct.Struct("<4sI4s4sIHHIIHH4sI")
_FULL_SCALE = 32768.0


class WaveError(ValueError):
    """The file is no WAV that can be read; the text says what is wrong with it."""


class Wave(NamedTuple):
    """What a file holds: mono, the mean of its channels, at its own rate."""

    samples: Samples
    clock_rate_hz: int


class _Format(NamedTuple):
    tag: int
    channels: int
    clock_rate_hz: int
    bits: int


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
        _FORMAT.size,
        _PCM,
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


def wave(samples: Samples, clock_rate_hz: int) -> bytes:
    """A whole file of 16-bit PCM, mono."""
    data = samples.astype("<i2").tobytes()
    return head(Track(clock_rate_hz, 1), len(data)) + data


def parse(content: bytes) -> Wave:
    """The sound of a whole file: PCM of 8 to 32 bits, or float. Raises WaveError.

    A length of nothing, or of more than there is, means all there is: programs leave that when they are killed, or
    write into a pipe.
    """
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        raise WaveError("it does not begin as a WAV file does")
    kind: _Format | None = None
    for name, body in _chunks(content):
        if name == b"fmt ":
            kind = _format(body)
        elif name == b"data":
            if kind is None:
                raise WaveError("its sound comes before its format")
            return Wave(_mono(body, kind), kind.clock_rate_hz)
    raise WaveError("it has no sound (no `data` chunk)")


def _chunks(content: bytes) -> Iterator[tuple[bytes, memoryview]]:
    whole, at = memoryview(content), 12
    while at + 8 <= len(content):
        name, size = struct.unpack_from("<4sI", content, at)
        if name == b"data" and not size:
            size = len(content)
        yield name, whole[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


def _format(body: memoryview) -> _Format:
    if len(body) < _FORMAT.size:
        raise WaveError("its format is cut short")
    tag, channels, rate, _, _, bits = _FORMAT.unpack_from(body)
    if tag == _EXTENSIBLE:
        if len(body) < 26:
            raise WaveError("its format is cut short")
        (tag,) = struct.unpack_from("<H", body, 24)
    if not 0 < channels <= MOST_CHANNELS:
        raise WaveError(f"it has {channels} channels, which is not 1 to {MOST_CHANNELS}")
    if not RATES_HZ[0] <= rate <= RATES_HZ[1]:
        raise WaveError(f"it has {rate} samples a second, which is not {RATES_HZ[0]} to {RATES_HZ[1]}")
    if (tag, bits) not in _READERS:
        raise WaveError(f"format {tag} with {bits} bits is not among those that are read: PCM of 8 to 32 bits, float")
    return _Format(tag, channels, rate, bits)


def _mono(body: memoryview, kind: _Format) -> Samples:
    """Cut to whole samples of all channels; beyond full scale is clipped, what is no number is silence."""
    width = kind.channels * kind.bits // 8
    usable = body[: len(body) // width * width]
    if (kind.tag, kind.bits, kind.channels) == (_PCM, 16, 1):
        return np.frombuffer(usable, "<i2").astype(np.int16)
    values = _READERS[kind.tag, kind.bits](usable)
    mixed = np.nan_to_num(values.reshape(-1, kind.channels).mean(axis=1) * _FULL_SCALE, nan=0.0)
    return clipped(mixed)


def _bytes(body: memoryview) -> NDArray[np.float32]:
    """8 bits are unsigned, unlike all others."""
    return (np.frombuffer(body, np.uint8).astype(np.float32) - np.float32(128)) / np.float32(128)


def _halves(body: memoryview) -> NDArray[np.float32]:
    return np.frombuffer(body, "<i2").astype(np.float32) / np.float32(2**15)


def _three_bytes(body: memoryview) -> NDArray[np.float32]:
    wide = np.zeros((len(body) // 3, 4), np.uint8)
    wide[:, 1:] = np.frombuffer(body, np.uint8).reshape(-1, 3)
    return _words(wide.reshape(-1).data)


def _words(body: memoryview) -> NDArray[np.float32]:
    return np.frombuffer(body, "<i4").astype(np.float32) / np.float32(2**31)


_READERS: Mapping[tuple[int, int], Callable[[memoryview], NDArray[np.float32]]] = {
    (_PCM, 8): _bytes,
    (_PCM, 16): _halves,
    (_PCM, 24): _three_bytes,
    (_PCM, 32): _words,
    (_FLOAT, 32): lambda body: np.frombuffer(body, "<f4"),
    (_FLOAT, 64): lambda body: np.frombuffer(body, "<f8").astype(np.float32),
}
