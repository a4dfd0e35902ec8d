"""What a datagram is by its first bytes: every pair of them has one answer."""

from __future__ import annotations

import pytest

from media.demux import Kind, kind

FIRST = {
    **dict.fromkeys(range(0, 4), Kind.STUN),
    **dict.fromkeys(range(16, 20), Kind.ZRTP),
    **dict.fromkeys(range(20, 64), Kind.DTLS),
    **dict.fromkeys(range(64, 80), Kind.TURN),
}


@pytest.mark.parametrize("first", range(256))
def test_the_first_byte_tells_protocols_apart_and_the_second_rtcp_from_rtp(first: int) -> None:
    for second in range(256):
        found = kind(bytes((first, second)) + bytes(20))
        if 128 <= first < 192:
            assert found == (Kind.RTCP if 192 <= second <= 223 else Kind.RTP)
        else:
            assert found == FIRST.get(first, Kind.UNKNOWN)


@pytest.mark.parametrize(
    ("datagram", "expected"),
    [
        (bytes.fromhex("000100002112a442"), Kind.STUN),  # binding request
        (bytes.fromhex("16fefd0000000000000000"), Kind.DTLS),  # handshake
        (bytes.fromhex("14fefd0000000000000000"), Kind.DTLS),  # change cipher spec
        (bytes.fromhex("80e00001"), Kind.RTP),  # payload type 96 with its marker
        (bytes.fromhex("8000"), Kind.RTP),  # G.711
        (bytes.fromhex("81c90007"), Kind.RTCP),  # receiver report
        (bytes.fromhex("80c80006"), Kind.RTCP),  # sender report
        (b"\x80", Kind.UNKNOWN),
        (b"", Kind.UNKNOWN),
        (b"\xff" * 20, Kind.UNKNOWN),
        (b"\r\n\r\n", Kind.UNKNOWN),
    ],
)
def test_packets_of_each_kind(datagram: bytes, expected: Kind) -> None:
    assert kind(datagram) == kind(memoryview(datagram)) == expected
