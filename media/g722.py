"""G.722 at 64 kbit/s (ITU-T G.722): wide band in a byte for two samples, by Sippy's libg722.

The RTP clock is 8000 Hz by a mistake that became the rule (RFC 3551 section 4.5.2). At 8000 Hz of samples the codec
works on its lower band alone, which is all that a narrow-band room can carry, for half of the work.
"""

from __future__ import annotations

import numpy as np
from G722 import G722  # type: ignore[import-not-found]

from media.pcm import Samples, longest_packet

_BYTES_A_SECOND = 8000
_LONGEST_BYTES = longest_packet(_BYTES_A_SECOND)


class Decoder:
    """The stream from one leg; what it means depends on what came before."""

    def __init__(self, sample_rate_hz: int) -> None:
        self.sample_rate_hz = sample_rate_hz
        self._state = G722(sample_rate_hz, 8 * _BYTES_A_SECOND)

    def decode(self, payload: bytes) -> Samples:
        """Two samples for each byte, at 8000 Hz one."""
        return np.asarray(self._state.decode(payload[:_LONGEST_BYTES]), dtype=np.int16)

    def conceal(self, samples: int, following: bytes = b"") -> Samples | None:
        """None: G.722 has no means of its own."""
        return None


class Encoder:
    """The stream to one leg."""

    def __init__(self, sample_rate_hz: int) -> None:
        self.sample_rate_hz = sample_rate_hz
        self._samples_a_byte = sample_rate_hz // _BYTES_A_SECOND
        self._state = G722(sample_rate_hz, 8 * _BYTES_A_SECOND)

    def encode(self, frame: Samples) -> bytes:
        """A byte for two samples, at 8000 Hz for one. Raises ValueError if a sample is left over."""
        if len(frame) % self._samples_a_byte:
            raise ValueError(f"a frame of {len(frame)} samples has one too many for G.722: give an even number")
        return bytes(self._state.encode(frame))
