"""G.711: A-law and mu-law (ITU-T G.711, 1988), as tables that are looked up for whole arrays.

What may live here: the two laws. Arrays may have any shape, so one call serves a frame of one leg or, better, the
frames of all legs of a tick as a matrix of (legs, samples).

A code is a sign, an exponent e of three bits and a mantissa of four: 16 equal steps in each of eight segments, every
segment twice as wide as the one before it. The formulas below are those of the law's tables, in bit operations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from media.pcm import Samples, longest_packet

Codes = NDArray[np.uint8]
_Numbers = NDArray[np.int64]

SAMPLE_RATE_HZ = 8000
_LONGEST_BYTES = longest_packet(SAMPLE_RATE_HZ)


@dataclass(frozen=True, eq=False)
class Law:
    """One of the two laws: `decoded[code]` is its sample, `encoded[sample as uint16]` is its code."""

    name: str
    decoded: Samples
    encoded: Codes

    def decode(self, codes: Codes, out: Samples | None = None) -> Samples:
        """The samples of these codes, in their shape; into `out`, contiguous and of that shape, if it is given."""
        if out is None:
            return self.decoded.take(codes)
        return self.decoded.take(codes, out=out, mode="clip")  # no code can be out of range: `clip` only spares a copy

    def encode(self, samples: Samples, out: Codes | None = None) -> Codes:
        """The codes of these samples, in their shape; into `out` if it is given."""
        if out is None:
            return self.encoded.take(samples.view(np.uint16))
        return self.encoded.take(samples.view(np.uint16), out=out, mode="clip")


class Laws:
    """Of many streams, a row each, some of which may have one law and some the other."""

    def __init__(self, mu_law: NDArray[np.bool_]) -> None:
        """`mu_law` says which rows have mu-law."""
        self._mu_law, self._a_law = np.flatnonzero(mu_law), np.flatnonzero(~mu_law)

    def decode(self, codes: Codes) -> Samples:
        """The samples of these codes, (rows, codes)."""
        spoken = (MU_LAW if len(self._mu_law) else A_LAW).decode(codes)
        if len(self._mu_law) and len(self._a_law):
            spoken[self._a_law] = A_LAW.decode(codes[self._a_law])
        return spoken

    def encode(self, samples: Samples) -> Codes:
        """The codes of these samples, (rows, samples)."""
        codes = (MU_LAW if len(self._mu_law) else A_LAW).encode(samples)
        if len(self._mu_law) and len(self._a_law):
            codes[self._a_law] = A_LAW.encode(samples[self._a_law])
        return codes


class Decoder:
    """The stream from one leg."""

    sample_rate_hz = SAMPLE_RATE_HZ

    def __init__(self, law: Law) -> None:
        self._law = law

    def decode(self, payload: bytes) -> Samples:
        """A sample for each byte."""
        return self._law.decode(np.frombuffer(payload[:_LONGEST_BYTES], dtype=np.uint8))

    def conceal(self, samples: int, following: bytes = b"") -> Samples | None:
        """None: G.711 has no means of its own."""
        return None


class Encoder:
    """The stream to one leg."""

    sample_rate_hz = SAMPLE_RATE_HZ

    def __init__(self, law: Law) -> None:
        self._law = law

    def encode(self, frame: Samples) -> bytes:
        """A byte for each sample."""
        return self._law.encode(frame).tobytes()


def _bits(numbers: _Numbers) -> _Numbers:
    """How many bits each of these non-negative numbers needs."""
    return np.frexp(numbers)[1].astype(np.int64)


def _a_law() -> Law:
    """Magnitudes of 12 bits; of negative samples it is that of their complement. Even bits are inverted on the way."""
    codes = np.arange(256) ^ 0x55
    exponent, mantissa = codes >> 4 & 7, codes & 15
    half_steps = np.where(exponent == 0, 2 * mantissa + 1, 2 * mantissa + 33 << np.maximum(exponent - 1, 0))
    decoded = np.where(codes & 0x80, half_steps, -half_steps) * 8

    samples = np.arange(65536).astype(np.uint16).view(np.int16).astype(np.int64)
    magnitude = np.where(samples < 0, ~samples, samples) >> 4
    exponent = np.maximum(_bits(magnitude) - 4, 0)
    encoded = exponent << 4 | (magnitude >> np.maximum(exponent - 1, 0)) & 15
    encoded |= np.where(samples < 0, 0, 0x80)
    return Law("PCMA", decoded.astype(np.int16), (encoded ^ 0x55).astype(np.uint8))


def _mu_law() -> Law:
    """Magnitudes of 14 bits, moved by 33 so that each segment begins at a power of two. All bits are inverted."""
    codes = np.arange(256) ^ 0xFF
    exponent, mantissa = codes >> 4 & 7, codes & 15
    magnitude = ((2 * mantissa + 33) << exponent) - 33
    decoded = np.where(codes & 0x80, -magnitude, magnitude) * 4

    samples = np.arange(65536).astype(np.uint16).view(np.int16).astype(np.int64)
    magnitude = np.minimum((np.where(samples < 0, ~samples, samples) >> 2) + 33, 8191)
    exponent = _bits(magnitude) - 6
    encoded = exponent << 4 | (magnitude >> exponent + 1) & 15
    encoded |= np.where(samples < 0, 0x80, 0)
    return Law("PCMU", decoded.astype(np.int16), (encoded ^ 0xFF).astype(np.uint8))


A_LAW = _a_law()
MU_LAW = _mu_law()
