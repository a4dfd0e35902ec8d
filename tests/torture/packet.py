"""What comes to a media port, as targets: any bytes are a stream of packets, each with the time at which it came.

A target raises only for our faults: a law that does not hold, or an exception at all.
"""

from __future__ import annotations

from collections.abc import Iterator

from media import demux, rtcp, rtp
from media.dtmf import DIGITS, EventReceiver
from media.jitter import Absent, JitterBuffer
from media.latch import Claim, Latch
from media.quality import Watch

_SIGNALLED = ("192.0.2.1", 4000)
_FRAME_BYTES = 160
_LONGEST_WAIT_MS = 10_000
_COMFORT_NOISE = 13


def packets(data: bytes) -> None:
    """All that one leg does with RTP. A piece begins with its length, the time since the one before, and its port."""
    latch, events, watch = Latch(_SIGNALLED), EventReceiver(), Watch()
    cut, whole = JitterBuffer(8000, _FRAME_BYTES), JitterBuffer(48_000, measure=len)
    for now_ms, port, piece in _pieces(data):
        packet = rtp.parse(piece)
        if packet is None:
            continue
        assert rtp.parse(rtp.build(packet)) == packet
        believed = latch.accept((_SIGNALLED[0], _SIGNALLED[1] + port), packet, now_ms)
        assert not believed or latch.claim > Claim.NONE
        assert all(digit.digit in DIGITS for digit in events.receive(packet, now_ms))
        cut.put(packet, now_ms, noise=packet.payload_type == _COMFORT_NOISE)
        whole.put(packet, now_ms)
        frame = cut.take(now_ms)
        assert isinstance(frame, Absent) or len(frame) == _FRAME_BYTES
        assert isinstance(whole.take(now_ms), (Absent, bytes))
        watch.check(now_ms, now_ms if believed else -1, expected=True)
        assert cut.waiting_ms <= _LONGEST_WAIT_MS


def reports(data: bytes) -> None:
    """RTCP: what is understood is written and read the same again, and any block gives a round trip or none."""
    demux.kind(data)
    found = rtcp.parse(data)
    assert rtcp.parse(rtcp.build(found)) == found
    for message in found:
        if isinstance(message, (rtcp.SenderReport, rtcp.ReceiverReport)):
            for block in message.blocks:
                assert (rtcp.round_trip_ms(block, rtcp.ntp(1.8e9)) or 0) >= 0


def _pieces(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    place, now_ms = 0, 0
    while place + 3 <= len(data):
        length, step_ms, port = data[place], data[place + 1], data[place + 2] & 3
        now_ms += step_ms
        yield now_ms, port, data[place + 3 : place + 3 + length]
        place += 3 + length
