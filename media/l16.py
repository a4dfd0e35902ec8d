"""L16: uncompressed 16-bit samples in network byte order, channels interleaved (RFC 3551 section 4.5.11)."""

from __future__ import annotations

import numpy as np

from media.pcm import Samples, clipped, longest_packet


class Decoder:
    """The stream from one leg; several channels become one, their mean."""

    def __init__(self, sample_rate_hz: int, channels: int) -> None:
        self.sample_rate_hz = sample_rate_hz
        self._channels = channels
        self._longest = longest_packet(sample_rate_hz)

    def decode(self, payload: bytes) -> Samples:
        """A sample for each whole group of two bytes a channel; a rest is left out."""
        frames = min(len(payload) // (2 * self._channels), self._longest)
        samples = np.frombuffer(payload, dtype=">i2", count=frames * self._channels)
        if self._channels == 1:
            return samples.astype(np.int16)
        return clipped(samples.reshape(frames, self._channels).mean(axis=1))

    def conceal(self, samples: int, following: bytes = b"") -> Samples | None:
        """None: L16 has no means of its own."""
        return None


class Encoder:
    """The stream to one leg; every channel carries the same."""

    def __init__(self, sample_rate_hz: int, channels: int) -> None:
        self.sample_rate_hz = sample_rate_hz
        self._channels = channels

    def encode(self, frame: Samples) -> bytes:
        """Two bytes for each sample and channel."""
        return frame.astype(">i2").repeat(self._channels).tobytes()
