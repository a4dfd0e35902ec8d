"""Opus in Ogg files (RFC 3533, RFC 7845): the packets of the first stream, and their sound.

What may live here: bytes to samples. No files.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from media.opus import Decoder
from media.pcm import NOTHING, clipped
from media.rate import OPUS_CLOCK_RATE_HZ
from media.wav import Wave

MAGIC = b"OggS"
MOST_SAMPLES = 3600 * OPUS_CLOCK_RATE_HZ

_PAGE = struct.Struct("<4sBBqIIIB")
_HEAD = struct.Struct("<8sBBHIhB")
_CONTINUED = 0x01
_WHOLE_SEGMENT = 255
_HEADERS = 2
"""OpusHead and OpusTags come before the sound."""


class OggError(ValueError):
    """The file holds no Opus that can be read; the text says what is wrong with it."""


class _Page(NamedTuple):
    """Segments of packets; `granule` is the time at its end, in samples of 48000 Hz."""

    continued: bool
    granule: int
    serial: int
    segments: tuple[bytes, ...]


def parse(content: bytes) -> Wave:
    """The sound of a whole file at 48000 Hz, mono. Raises OggError.

    A packet that is damaged is left out, a file that is cut is heard as far as it goes.
    """
    pages = list(_pages(content))
    packets = list(_packets(pages))
    if not packets or packets[0][:8] != b"OpusHead" or len(packets[0]) < _HEAD.size:
        raise OggError("its first stream is no Opus")
    _, version, _, skip, _, gain, _ = _HEAD.unpack_from(packets[0])
    if version >> 4:
        raise OggError(f"it has version {version} of its format, which is not known")
    decoder, parts, length = Decoder(OPUS_CLOCK_RATE_HZ), [NOTHING], 0
    for packet in packets[_HEADERS:]:
        part = decoder.decode(packet)
        parts.append(part)
        length += len(part)
        if length > MOST_SAMPLES:
            raise OggError(f"it lasts longer than {MOST_SAMPLES // OPUS_CLOCK_RATE_HZ} s")
    end = max(page.granule for page in pages)
    samples = np.concatenate(parts)[skip : end if 0 < end < length else None]
    return Wave(clipped(samples * 10 ** (gain / (20 * 256))) if gain else samples, OPUS_CLOCK_RATE_HZ)


def _pages(content: bytes) -> Iterator[_Page]:
    """Those of the first stream, up to one that is not whole."""
    at, first = 0, -1
    while at + _PAGE.size <= len(content):
        magic, version, flags, granule, serial, _, _, count = _PAGE.unpack_from(content, at)
        if magic != MAGIC or version:
            raise OggError("it is broken: a page does not begin where it should")
        lengths = content[at + _PAGE.size : at + _PAGE.size + count]
        at += _PAGE.size + count
        if at + sum(lengths) > len(content):
            return
        first = serial if first < 0 else first
        segments = []
        for length in lengths:
            segments.append(content[at : at + length])
            at += length
        if serial == first:
            yield _Page(bool(flags & _CONTINUED), granule, serial, tuple(segments))


def _packets(pages: list[_Page]) -> Iterator[bytes]:
    """A packet ends with the first segment that is shorter than 255 bytes."""
    packet: list[bytes] = []
    for page in pages:
        if not page.continued:
            packet = []
        for segment in page.segments:
            packet.append(segment)
            if len(segment) < _WHOLE_SEGMENT:
                yield b"".join(packet)
                packet = []
