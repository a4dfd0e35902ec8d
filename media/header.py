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

_PLAIN = 0x80
_MARKER = 0x80
_LAYOUT = np.dtype(
    [("first", "u1"), ("second", "u1"), ("sequence", ">u2"), ("timestamp", ">u4"), ("ssrc", ">u4")], align=False
)


class Headers(NamedTuple):
    """One entry for each packet. `plain`: version 2 without padding, extension or contributing sources."""

    plain: Flags
    payload_type: Numbers
    sequence: Numbers
    timestamp: Numbers
    ssrc: Numbers


def read(packets: Bytes) -> Headers:
    """The headers of packets, a row each of at least 12 bytes; what is in a row that is no packet means nothing."""
    fields = packets[:, :HEADER_BYTES].view(_LAYOUT)[:, 0]
    return Headers(
        fields["first"] == _PLAIN,
        (fields["second"] & ~np.uint8(_MARKER)).astype(np.int64),
        fields["sequence"].astype(np.int64),
        fields["timestamp"].astype(np.int64),
        fields["ssrc"].astype(np.int64),
    )
