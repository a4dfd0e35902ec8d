"""What a datagram on a media port is, by its first bytes (RFC 7983, and RFC 5761 for RTCP among RTP).

What may live here: telling protocols apart. Whether it is a well-formed one of its kind is that protocol's business.
"""

from __future__ import annotations

from enum import IntEnum


class Kind(IntEnum):
    """What shares a media port; ZRTP and TURN channels are known and of no use here."""

    UNKNOWN = 0
    STUN = 1
    ZRTP = 2
    DTLS = 3
    TURN = 4
    RTP = 5
    RTCP = 6


_RANGES = {
    Kind.STUN: range(4),
    Kind.ZRTP: range(16, 20),
    Kind.DTLS: range(20, 64),
    Kind.TURN: range(64, 80),
    Kind.RTP: range(128, 192),
}
_BY_FIRST = tuple(next((kind for kind, of in _RANGES.items() if byte in of), Kind.UNKNOWN) for byte in range(256))
_SHORTEST = 2
_RTCP = range(192, 224)
"""packet types of RTCP: payload types 64 to 95 with the marker bit, which RTP therefore leaves free"""


def kind(datagram: bytes | memoryview) -> Kind:
    """What it is, RTP and RTCP whether encrypted or not."""
    if len(datagram) < _SHORTEST:
        return Kind.UNKNOWN
    found = _BY_FIRST[datagram[0]]
    if found is Kind.RTP and datagram[1] in _RTCP:
        return Kind.RTCP
    return found
