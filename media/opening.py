"""SRTP of a whole batch, decrypted where it lies.

What may live here: which packets are to be decrypted, by whose keys. What is done with a packet then is
`media.inbound`'s, what keys are is `media.srtp`'s.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from media.batch import Batch
from media.columns import NOBODY
from media.header import Flags, Numbers
from media.stream import Stream

_RTP_VERSION = 2
_RTCP_TYPES = (192, 224)
"""The first two bits, and second bytes, that tell RTP and RTCP from the rest and each other (RFC 7983, RFC 5761)."""


def opened(batch: Batch, words: Numbers, secure: Flags, streams: Sequence[Stream | None]) -> tuple[Flags, int]:
    """Decrypt what came to rows that are `secure`; which packets were, and how many were refused.

    These have length 0 from now on. `words` are those of the headers, `streams` has the legs by their rows.
    """
    first, second = words[:, 0] >> 24, words[:, 0] >> 16 & 0xFF
    rtcp_packets = (second >= _RTCP_TYPES[0]) & (second < _RTCP_TYPES[1])
    encrypted: Flags = secure[batch.rows] & (batch.rows != NOBODY) & (first >> 6 == _RTP_VERSION) & ~rtcp_packets
    indices, lengths = np.flatnonzero(encrypted), []
    fields = (indices, batch.rows[indices], batch.lengths[indices], words[indices, 2])
    for index, row, length, source in zip(*(field.tolist() for field in fields), strict=True):
        stream = streams[row]
        srtp = stream.srtp if stream is not None else None
        lengths.append(srtp.unprotect_in(batch.places[index], length, source) if srtp is not None else 0)
    batch.lengths[indices] = lengths
    return encrypted & (batch.lengths > 0), lengths.count(0)
