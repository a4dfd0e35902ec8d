"""RTCP packets (RFC 3550 section 6): compounds of reports, descriptions and goodbyes, read and written.

What may live here: bytes to messages and back, and the formulas about their fields. No state, no clock: time is an
argument, in the 64-bit NTP format where a report carries it.
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct
from typing import Final, NamedTuple

SMALLEST_INTERVAL_S: Final = 5.0

_SENDER_REPORT, _RECEIVER_REPORT, _DESCRIPTION, _GOODBYE = 200, 201, 202, 203
_CNAME: Final = 1
_HEAD = Struct("!BBH")
_SSRC = Struct("!I")
_SENDER = Struct("!IQIII")
_BLOCK = Struct("!II4I")
_VERSION, _PADDING, _COUNT = 0xC0, 0x20, 0x1F
_VERSION_2: Final = 0x80
_MOST_BLOCKS: Final = 31
_NTP_EPOCH_S: Final = 2_208_988_800
"""1 January 1970 in seconds since 1 January 1900."""
_LONGEST_ROUND_TRIP_S: Final = 60


class Block(NamedTuple):
    """What one source's stream was like at its receiver (section 6.4.1)."""

    ssrc: int
    fraction_lost: int
    """of the packets since the last report, in 1/256"""
    lost: int
    """in all; negative where more came than were sent"""
    highest_sequence: int
    """with the number of times it wrapped in the upper 16 bits"""
    jitter: int
    """in ticks"""
    last_report: int = 0
    """the middle 32 bits of the NTP time of the last sender report that came; 0 for none"""
    delay: int = 0
    """how long ago that was, in 1/65536 s"""


class SenderReport(NamedTuple):
    """What a source sent, and what it receives."""

    ssrc: int
    ntp: int
    timestamp: int
    packets: int
    octets: int
    blocks: tuple[Block, ...] = ()


class ReceiverReport(NamedTuple):
    """What a participant receives who sends nothing."""

    ssrc: int
    blocks: tuple[Block, ...] = ()


class Description(NamedTuple):
    """The canonical name of a source. Its other items are not kept."""

    ssrc: int
    cname: str


class Goodbye(NamedTuple):
    """Sources that are no more."""

    ssrcs: tuple[int, ...]
    reason: str = ""


Message = SenderReport | ReceiverReport | Description | Goodbye


def parse(data: bytes) -> tuple[Message, ...]:
    """The messages of a compound packet, or of one of reduced size (RFC 5506). Other types are stepped over.

    None at all if anything in it is malformed: it is somebody else's packet then.
    """
    messages: list[Message] = []
    start = 0
    while start < len(data):
        if start + _HEAD.size > len(data):
            return ()
        first, kind, words = _HEAD.unpack_from(data, start)
        end = start + 4 + 4 * words
        if first & _VERSION != _VERSION_2 or end > len(data):
            return ()
        body = data[start + 4 : end]
        if first & _PADDING:
            # Only the last packet of a compound has padding (section 6.4.1).
            if end != len(data) or not body or not 0 < body[-1] <= len(body):
                return ()
            body = body[: -body[-1]]
        read = _READERS.get(kind)
        found = read(body, first & _COUNT) if read else ()
        if found is None:
            return ()
        messages += found
        start = end
    return tuple(messages)


def build(messages: Iterable[Message]) -> bytes:
    """A compound packet. The first message should be a report (section 6.1)."""
    return b"".join(_written(message) for message in messages)


def ntp(utc_s: float) -> int:
    """A moment, given in seconds since 1970, as NTP's 64 bits (RFC 5905)."""
    return int((utc_s + _NTP_EPOCH_S) * (1 << 32)) % (1 << 64)


def middle(ntp_time: int) -> int:
    """The middle 32 bits, as reports refer to each other."""
    return (ntp_time >> 16) % (1 << 32)


def round_trip_ms(block: Block, now_ntp: int) -> float | None:
    """How long a report of ours and its answer were on the way (section 6.4.1); None if it is no answer to one."""
    if not block.last_report:
        return None
    taken = (middle(now_ntp) - block.last_report - block.delay) % (1 << 32)
    return taken * 1000 / 65536 if taken < _LONGEST_ROUND_TRIP_S << 16 else None


def interval_s(chance: float, first: bool = False, members: int = 2, packet_bytes: int = 100) -> float:
    """How long to wait before the next report (section 6.3.1): `chance` is one of 0 to 1, even among all.

    The share of RTCP is 5 % of an 80 kbit/s stream; with few members the smallest interval is what counts.
    """
    calculated = members * packet_bytes * 8 / (0.05 * 80_000)
    smallest = SMALLEST_INTERVAL_S / 2 if first else SMALLEST_INTERVAL_S
    return max(calculated, smallest) * (0.5 + chance) / (2.71828 - 1.5)


def _report(body: bytes, count: int) -> tuple[Message, ...] | None:
    if len(body) < _SENDER.size + count * _BLOCK.size:
        return None
    ssrc, sent, timestamp, packets, octets = _SENDER.unpack_from(body)
    return (SenderReport(ssrc, sent, timestamp, packets, octets, _blocks(body, _SENDER.size, count)),)


def _reception(body: bytes, count: int) -> tuple[Message, ...] | None:
    if len(body) < _SSRC.size + count * _BLOCK.size:
        return None
    (ssrc,) = _SSRC.unpack_from(body)
    return (ReceiverReport(ssrc, _blocks(body, _SSRC.size, count)),)


def _blocks(body: bytes, start: int, count: int) -> tuple[Block, ...]:
    blocks = []
    for n in range(count):
        ssrc, losses, *rest = _BLOCK.unpack_from(body, start + n * _BLOCK.size)
        lost = losses & 0xFFFFFF
        blocks.append(Block(ssrc, losses >> 24, lost - (1 << 24) if lost >> 23 else lost, *rest))
    return tuple(blocks)


def _descriptions(body: bytes, count: int) -> tuple[Message, ...] | None:
    """Chunks of items: a type, a length and a text. A zero ends a chunk, the next starts at a word (section 6.5)."""
    found, place = [], 0
    for _ in range(count):
        if place + _SSRC.size > len(body):
            return None
        (ssrc,) = _SSRC.unpack_from(body, place)
        place, cname = place + 4, ""
        while place < len(body) and body[place]:
            text = body[place + 2 : place + 2 + body[place + 1]] if place + 1 < len(body) else b""
            if place + 1 >= len(body) or len(text) < body[place + 1]:
                return None
            if body[place] == _CNAME:
                cname = text.decode("utf-8", "replace")
            place += 2 + len(text)
        if place >= len(body):
            return None
        place += 4 - place % 4
        found.append(Description(ssrc, cname))
    return tuple(found)


def _goodbye(body: bytes, count: int) -> tuple[Message, ...] | None:
    if len(body) < 4 * count:
        return None
    rest = body[4 * count :]
    reason = rest[1 : 1 + rest[0]] if rest else b""
    if rest and len(reason) < rest[0]:
        return None
    return (
        Goodbye(tuple(ssrc for (ssrc,) in _SSRC.iter_unpack(body[: 4 * count])), reason.decode("utf-8", "replace")),
    )


_READERS = {
    _SENDER_REPORT: _report,
    _RECEIVER_REPORT: _reception,
    _DESCRIPTION: _descriptions,
    _GOODBYE: _goodbye,
}


def _written(message: Message) -> bytes:
    match message:
        case SenderReport(ssrc, sent, timestamp, packets, octets, blocks):
            sender = _SENDER.pack(ssrc, sent, timestamp, packets % (1 << 32), octets % (1 << 32))
            return _packet(_SENDER_REPORT, len(blocks[:_MOST_BLOCKS]), sender + _written_blocks(blocks))
        case ReceiverReport(ssrc, blocks):
            return _packet(_RECEIVER_REPORT, len(blocks[:_MOST_BLOCKS]), _SSRC.pack(ssrc) + _written_blocks(blocks))
        case Description(ssrc, cname):
            text = _text(cname)
            chunk = _SSRC.pack(ssrc) + bytes((_CNAME, len(text))) + text
            return _packet(_DESCRIPTION, 1, chunk + bytes(4 - len(chunk) % 4))
        case Goodbye(ssrcs, reason):
            text = _text(reason)
            said = bytes((len(text),)) + text if text else b""
            named = b"".join(map(_SSRC.pack, ssrcs[:_MOST_BLOCKS]))
            return _packet(_GOODBYE, len(ssrcs[:_MOST_BLOCKS]), named + said + bytes(-len(said) % 4))


def _packet(kind: int, count: int, body: bytes) -> bytes:
    return _HEAD.pack(_VERSION_2 | count, kind, len(body) // 4) + body


def _written_blocks(blocks: tuple[Block, ...]) -> bytes:
    return b"".join(
        _BLOCK.pack(
            one.ssrc,
            one.fraction_lost << 24 | max(-(1 << 23), min(one.lost, (1 << 23) - 1)) & 0xFFFFFF,
            one.highest_sequence % (1 << 32),
            one.jitter % (1 << 32),
            one.last_report,
            one.delay,
        )
        for one in blocks[:_MOST_BLOCKS]
    )


def _text(text: str) -> bytes:
    """At most 255 bytes of UTF-8, cut between characters."""
    return text.encode()[:255].decode("utf-8", "ignore").encode()
