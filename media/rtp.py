"""RTP packets (RFC 3550 section 5): bytes to fields and back, and arithmetic on numbers that wrap.

What may live here: pure functions of bytes and arrays. Nothing of streams, of codecs, or of time.
"""

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

HEADER_BYTES: Final = 12
SEQUENCES: Final = 1 << 16
TIMESTAMPS: Final = 1 << 32

_HEADER = Struct("!BBHII")
_PLAIN: Final = 0x80
"""Version 2 with no padding, no extension and no contributing sources: the first byte of nearly every packet."""
_VERSION, _PADDING, _EXTENSION, _SOURCES, _MARKER = 0xC0, 0x20, 0x10, 0x0F, 0x80
_HEADERS = np.dtype([("first", "u1"), ("second", "u1"), ("sequence", ">u2"), ("timestamp", ">u4"), ("ssrc", ">u4")])


class Packet(NamedTuple):
    """What a packet says. Contributing sources and header extensions are not kept."""

    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes


def parse(data: bytes) -> Packet | None:
    """The packet, or None if it is not one: too short, another version, or lengths inside that do not fit."""
    if len(data) < HEADER_BYTES:
        return None
    first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
    if first == _PLAIN:
        return Packet(second & 0x7F, second > 0x7F, sequence, timestamp, ssrc, data[HEADER_BYTES:])
    bounds = _bounds(data, first)
    if bounds is None:
        return None
    return Packet(second & 0x7F, second > 0x7F, sequence, timestamp, ssrc, data[bounds[0] : bounds[1]])


def _bounds(data: bytes, first: int) -> tuple[int, int] | None:
    """Where the payload starts and ends behind CSRCs and an extension, before padding (sections 5.1, 5.3.1)."""
    if first & _VERSION != _PLAIN:
        return None
    start, end = HEADER_BYTES + 4 * (first & _SOURCES), len(data)
    if first & _EXTENSION:
        if start + 4 > end:
            return None
        start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4], "big")
    if start > end:
        return None
    if first & _PADDING:
        padding = data[-1]
        if padding == 0 or start + padding > end:
            return None
        end -= padding
    return start, end


def header(payload_type: int, sequence: int, timestamp: int, ssrc: int, marker: bool = False) -> bytes:
    """The twelve bytes before a payload. Sequence and timestamp may have run past their width: they wrap."""
    second = payload_type | _MARKER if marker else payload_type
    return _HEADER.pack(_PLAIN, second, sequence % SEQUENCES, timestamp % TIMESTAMPS, ssrc)


def build(packet: Packet) -> bytes:
    """The bytes of a packet: what `parse` reads back."""
    return header(packet.payload_type, packet.sequence, packet.timestamp, packet.ssrc, packet.marker) + packet.payload


def write_headers(
    packets: NDArray[np.uint8],
    payload_types: ArrayLike,
    sequences: ArrayLike,
    timestamps: ArrayLike,
    ssrcs: ArrayLike,
    markers: ArrayLike = False,
) -> None:
    """Write the headers of many packets at once: into the first twelve bytes of each row of `packets` (n, 12 or more).

    The rest are n whole numbers each, or one for all; those that ran past their width wrap. A row must be contiguous.
    """
    fields = packets[:, :HEADER_BYTES].view(_HEADERS)[:, 0]
    fields["first"] = _PLAIN
    fields["second"] = np.asarray(payload_types) | (np.asarray(markers, dtype=np.uint8) << 7)
    fields["sequence"] = np.asarray(sequences) % SEQUENCES
    fields["timestamp"] = np.asarray(timestamps) % TIMESTAMPS
    fields["ssrc"] = ssrcs


def sequence_difference(later: int, earlier: int) -> int:
    """How far a sequence number is ahead of another, the shorter way round: -32768 to 32767."""
    return (later - earlier + (SEQUENCES >> 1)) % SEQUENCES - (SEQUENCES >> 1)


def timestamp_difference(later: int, earlier: int) -> int:
    """How far a timestamp is ahead of another, the shorter way round: -2**31 to 2**31 - 1."""
    return (later - earlier + (TIMESTAMPS >> 1)) % TIMESTAMPS - (TIMESTAMPS >> 1)
