"""WAV files (RIFF/WAVE; Microsoft, "Multimedia Programming Interface and Data Specifications 1.0"): read and written.

What may live here: bytes to samples and back. No files, no rates but the file's own.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from media.pcm import Samples, clipped
from media.track import FORMAT, MOST_CHANNELS, PCM, RATES_HZ, Track, WaveError, head

_FLOAT, _EXTENSIBLE = 3, 0xFFFE
_FULL_SCALE = 32768.0
_AT_ONCE = 1 << 18
"""Samples that are floats at a time: those of a whole file would be ten times as large as it is."""


class Wave(NamedTuple):
    """What a file holds: mono, the mean of its channels, at its own rate."""

    samples: Samples
    clock_rate_hz: int


class _Format(NamedTuple):
    tag: int
    channels: int
    clock_rate_hz: int
    bits: int


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
    if len(body) < FORMAT.size:
        raise WaveError("its format is cut short")
    tag, channels, rate, _, _, bits = FORMAT.unpack_from(body)
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
    if (kind.tag, kind.bits, kind.channels) == (PCM, 16, 1):
        return np.frombuffer(usable, "<i2").astype(np.int16)
    mixed, read = np.empty(len(usable) // width, np.int16), _READERS[kind.tag, kind.bits]
    for start in range(0, len(mixed), _AT_ONCE):
        values = read(usable[start * width : (start + _AT_ONCE) * width])
        means = values.reshape(-1, kind.channels).mean(axis=1)
        mixed[start : start + _AT_ONCE] = clipped(np.nan_to_num(means * _FULL_SCALE, nan=0.0))
    return mixed


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
    (PCM, 8): _bytes,
    (PCM, 16): _halves,
    (PCM, 24): _three_bytes,
    (PCM, 32): _words,
    (_FLOAT, 32): lambda body: np.frombuffer(body, "<f4"),
    (_FLOAT, 64): lambda body: np.frombuffer(body, "<f8").astype(np.float32),
}
