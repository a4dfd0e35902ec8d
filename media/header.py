"""RTP fixed headers (RFC 3550 section 5.1) of many packets at once.

What may live here: reading the headers in a matrix of bytes, a packet a row, as far as nearly all packets have them.
`media.rtp` reads one packet with all that a header may have, and writes many.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from media.rtp import HEADER_BYTES

Bytes = NDArray[np.uint8]
Numbers = NDArray[np.int64]
Flags = NDArray[np.bool_]
Seconds = NDArray[np.float64]

KINDS = 128
_PLAIN_UNMARKED = 0x8000
_ALL_BUT_MARKER = 0xFF7F


def words(packets: Bytes) -> Numbers:
    """The three words of the headers of packets, (packets, 3): rows of at least 12 bytes each."""
    return packets[:, :HEADER_BYTES].view(">u4").astype(np.int64)


class Headers(NamedTuple):
    """One entry for each packet.

    `kind` is the payload type of packets with a plain header (version 2 without padding, extension or contributing
    sources), and `KINDS` or more of others.
    """

    kind: Numbers
    sequence: Numbers
    timestamp: Numbers
    ssrc: Numbers

    def of(self, chosen: Numbers) -> Headers:
        """Those of some packets."""
        return Headers(*(field[chosen] for field in self))


def read(words: Numbers) -> Headers:
    """The headers that these words are; what is in those of a row that is no packet means nothing."""
    first = words[:, 0]
    return Headers((first >> 16 & _ALL_BUT_MARKER) ^ _PLAIN_UNMARKED, first & 0xFFFF, words[:, 1], words[:, 2])


def first_words(kinds: Numbers, sequences: Numbers) -> Numbers:
    """The first word of headers that are plain and not marked."""
    return (kinds ^ _PLAIN_UNMARKED) << 16 | sequences
