"""Samples as they pass between the parts of the worker: signed 16-bit PCM, mono, in frames.

What may live here: what all codecs share about plain samples. No codec, no state.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]

LONGEST_PACKET_MS = 200
"""A receiver should accept packets of up to so much audio (RFC 3551 section 4.2); what is beyond it is not decoded."""

NOTHING: Samples = np.empty(0, dtype=np.int16)
NOTHING.flags.writeable = False


def clipped(samples: NDArray[np.signedinteger] | NDArray[np.floating]) -> Samples:
    """Rounded and held within 16 bits: too loud becomes full scale, it never wraps round."""
    return np.asarray(np.clip(np.rint(samples), -32768, 32767), dtype=np.int16)


def longest_packet(sample_rate_hz: int) -> int:
    """The samples of the longest packet that is decoded whole."""
    return sample_rate_hz * LONGEST_PACKET_MS // 1000
