"""One leg's SRTP: what is taken, what is refused and counted, and keys that change in mid-call."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.libsrtp import LONGEST_PACKET, LONGEST_TRAILER, SUITES, Place
from media.srtp import OLD_KEY_PACKETS, SOURCES_LIMIT, KeyingError, Srtp
from media.wire import Sdes

NAMES = sorted(SUITES)
SUITE = "AES_CM_128_HMAC_SHA1_80"
SSRC = 0xDECAFBAD


def keying(seed: int, suite: str = SUITE) -> bytes:
    return random.Random(seed).randbytes(SUITES[suite].keying_bytes)


def ends(local: int = 1, remote: int = 2, suite: str = SUITE) -> tuple[Sdes, Sdes]:
    """What the two ends are told: our own, and the peer's."""
    ours, theirs = keying(local, suite), keying(remote, suite)
    return Sdes(suite, ours, theirs), Sdes(suite, theirs, ours)


def pair(suite: str = SUITE) -> tuple[Srtp, Srtp]:
    near, far = ends(suite=suite)
    return Srtp(near), Srtp(far)


def rtp(sequence: int, ssrc: int = SSRC, payload: bytes = b"sound" * 32) -> bytes:
    sequence %= 1 << 16
    return (
        b"\x80\x00"
        + sequence.to_bytes(2, "big")
        + (160 * sequence).to_bytes(4, "big")
        + ssrc.to_bytes(4, "big")
        + payload
    )


def rtcp(ssrc: int = SSRC) -> bytes:
    return b"\x80\xc8\x00\x06" + ssrc.to_bytes(4, "big") + bytes(20)


def counts(leg: Srtp) -> tuple[int, int, int]:
    return leg.forged, leg.replayed, leg.malformed


def sent(leg: Srtp, *packets: bytes) -> list[bytes]:
    wire = [leg.protect(packet) for packet in packets]
    assert None not in wire
    return [packet for packet in wire if packet is not None]


@pytest.mark.parametrize("suite", NAMES)
@given(payload=st.binary(max_size=1400), sequence=st.integers(0, 65535), ssrc=st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_what_one_end_sends_the_other_reads_and_nobody_else_sees(
    suite: str, payload: bytes, sequence: int, ssrc: int
) -> None:
    near, far = pair(suite)
    packet = rtp(sequence, ssrc, payload)
    (wire,) = sent(near, packet)
    assert wire[:12] == packet[:12]
    assert len(wire) == len(packet) + SUITES[suite].tag_bytes
    assert len(payload) < 8 or payload not in wire
    assert far.unprotect(wire) == packet
    assert far.unprotect(memoryview(wire)) is None
    assert counts(far) == (0, 1, 0)


@pytest.mark.parametrize("suite", NAMES)
def test_rtcp_goes_the_same_way(suite: str) -> None:
    near, far = pair(suite)
    wire = near.protect_rtcp(rtcp())
    assert wire is not None and wire[8:28] != bytes(20)
    assert far.unprotect_rtcp(wire) == rtcp()
    assert far.unprotect_rtcp(wire) is None
    assert near.unprotect_rtcp(wire) is None
    assert counts(far) == (0, 1, 0)
    assert counts(near) == (1, 0, 0)


@pytest.mark.parametrize("suite", NAMES)
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_no_changed_bit_goes_through(suite: str, data: st.DataObject) -> None:
    near, far = pair(suite)
    first, second = sent(near, rtp(1), rtp(2))
    assert far.unprotect(first) == rtp(1)
    # Not the first byte: a packet of another version or shape is malformed rather than forged.
    bit = data.draw(st.integers(8, 8 * len(second) - 1))
    changed = (int.from_bytes(second, "big") ^ 1 << (8 * len(second) - 1 - bit)).to_bytes(len(second), "big")
    assert far.unprotect(changed) is None
    assert sum(counts(far)) == 1
    assert far.unprotect(second) == rtp(2)


@given(st.permutations(range(100)))
@settings(max_examples=20, deadline=None)
def test_packets_that_overtake_each_other_are_taken_once_each(order: list[int]) -> None:
    near, far = pair()
    wire = sent(near, *map(rtp, range(100)))
    assert [far.unprotect(wire[n]) for n in order] == [rtp(n) for n in order]
    assert [far.unprotect(wire[n]) for n in order] == [None] * 100
    assert counts(far) == (0, 100, 0)


def test_a_packet_from_before_the_window_is_not_told_from_a_repeated_one() -> None:
    near, far = pair()
    late, *others = sent(near, *map(rtp, range(200)))
    assert all(far.unprotect(packet) for packet in others)
    assert far.unprotect(late) is None
    assert counts(far) == (0, 1, 0)


def test_numbers_wrap_and_a_wrapped_source_is_found_by_an_end_that_comes_later() -> None:
    near, far = pair()
    last, later = b"", Srtp(ends()[1])
    for sequence in range(0, 5 << 16, 1000):
        (last,) = sent(near, rtp(sequence))
        assert far.unprotect(last) == rtp(sequence)
    assert later.unprotect(last) == rtp(sequence)
    (after,) = sent(near, rtp(sequence + 1))
    assert later.unprotect(after) == rtp(sequence + 1)
    assert later.unprotect(last) is None
    assert counts(later) == (0, 1, 0)


def test_a_flood_of_forgeries_does_not_keep_a_wrapped_source_from_being_found_for_long() -> None:
    near, _ = pair()
    for sequence in range(0, 3 << 16, 1000):
        (last,) = sent(near, rtp(sequence))
    later = Srtp(ends()[1])
    assert [later.unprotect(b"\x80" + n.to_bytes(200, "little")) for n in range(1000)] == [None] * 1000
    tries = next(n for n in range(4 * 64) if later.unprotect(last) is not None)
    assert tries > 4, "each search costs as much as fifty forgeries"
    assert later.forged == 1000 + tries


def test_each_new_ssrc_is_a_source_up_to_a_limit_that_strangers_do_not_use_up() -> None:
    near, far = pair()
    for ssrc in range(5 * SOURCES_LIMIT):
        assert far.unprotect(rtp(1, ssrc)) is None
    first = sent(near, rtp(1, 0))[0]
    assert far.unprotect(first) == rtp(1, 0)
    for ssrc in range(1, SOURCES_LIMIT):
        assert far.unprotect(sent(near, rtp(1, ssrc))[0]) == rtp(1, ssrc)
    forged = far.forged
    assert far.unprotect(sent(near, rtp(1, SOURCES_LIMIT))[0]) is None
    assert far.forged == forged + 1
    assert far.unprotect(first) is None
    assert far.unprotect(sent(near, rtp(2, 0))[0]) == rtp(2, 0)


def test_after_a_change_of_keys_packets_of_both_are_taken_until_the_old_ones_are_through() -> None:
    near, far = pair()
    before = sent(near, *map(rtp, range(10)))
    assert far.unprotect(before[0]) == rtp(0)
    new_near, new_far = ends(3, 4)
    far.rekey(new_far)
    assert far.unprotect(before[1]) == rtp(1)
    near.rekey(new_near)
    after = sent(near, *(rtp(n, SSRC + 1) for n in range(OLD_KEY_PACKETS)))
    assert far.unprotect(after[0]) == rtp(0, SSRC + 1)
    assert far.unprotect(before[2]) == rtp(2)
    assert far.unprotect(before[1]) is None
    assert counts(far) == (0, 1, 0)
    assert all(far.unprotect(packet) for packet in after[1:])
    assert far.unprotect(before[3]) is None
    assert counts(far) == (1, 1, 0)


def test_the_same_keys_again_change_nothing() -> None:
    near, far = pair()
    wire = sent(near, rtp(1))[0]
    assert far.unprotect(wire) == rtp(1)
    near.rekey(ends()[0])
    far.rekey(ends()[1])
    assert far.unprotect(wire) is None
    assert near.protect(rtp(1)) is None
    assert counts(far) == (0, 1, 0)


def test_a_change_of_keys_that_is_taken_back_remembers_what_was_used() -> None:
    near, far = pair()
    wire = sent(near, rtp(1))[0]
    assert far.unprotect(wire) == rtp(1)
    for leg, keys in zip((near, far), ends(3, 4), strict=True):
        leg.rekey(keys)
    for leg, keys in zip((near, far), ends(), strict=True):
        leg.rekey(keys)
    assert far.unprotect(wire) is None
    assert near.protect(rtp(1)) is None
    assert far.unprotect(sent(near, rtp(2))[0]) == rtp(2)


def test_keys_that_nothing_came_under_do_not_push_out_those_in_use() -> None:
    near, far = pair()
    first, second = sent(near, rtp(1), rtp(2))
    assert far.unprotect(first) == rtp(1)
    far.rekey(ends(3, 4)[1])
    far.rekey(ends(5, 6)[1])
    assert far.unprotect(second) == rtp(2)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (Sdes("F8_128_HMAC_SHA1_80", bytes(30), bytes(30)), "suite 'F8_128_HMAC_SHA1_80' is none of AES_CM_128"),
        (Sdes(SUITE, bytes(29), bytes(30)), "wants 30 bytes of key and salt, not 29"),
        (Sdes("AEAD_AES_256_GCM", bytes(44), bytes(46)), "wants 44 bytes of key and salt, not 46"),
    ],
)
def test_keys_that_cannot_be_are_refused_and_those_in_use_stay(keys: Sdes, said: str) -> None:
    near, far = pair()
    with pytest.raises(KeyingError, match=said):
        Srtp(keys)
    with pytest.raises(KeyingError, match=said):
        far.rekey(keys)
    assert far.unprotect(sent(near, rtp(1))[0]) == rtp(1)


@pytest.mark.parametrize("suite", NAMES)
@given(noise=st.one_of(st.binary(max_size=300), st.binary(max_size=300).map(lambda tail: b"\x80" + tail)))
@settings(max_examples=100, deadline=None)
def test_noise_is_refused_and_counted_whatever_it_is(suite: str, noise: bytes) -> None:
    near, far = pair(suite)
    assert far.unprotect(noise) is None
    assert far.unprotect_rtcp(noise) is None
    assert sum(counts(far)) == 2
    near.protect(noise)
    near.protect_rtcp(noise)
    assert far.unprotect(sent(near, rtp(1, 1))[0]) == rtp(1, 1)


def test_truncated_and_oversize_packets_are_malformed_or_forged_on_both_ways() -> None:
    near, far = pair()
    wire = sent(near, rtp(1))[0]
    assert [far.unprotect(wire[:length]) for length in range(len(wire))] == [None] * len(wire)
    assert counts(far) == (len(wire) - 22, 0, 22), "what cannot hold a header and a tag is malformed"
    assert [far.unprotect_rtcp(wire[:length]) for length in range(len(wire))] == [None] * len(wire)
    assert sum(counts(far)) == 2 * len(wire)
    huge = rtp(2, payload=bytes(LONGEST_PACKET))
    ways: list[Callable[[bytes], bytes | None]] = [far.unprotect, far.unprotect_rtcp, far.protect, far.protect_rtcp]
    malformed = far.malformed
    assert [way(huge) for way in ways] == [None] * 4
    assert far.malformed == malformed + 4
    longest = rtp(2, payload=bytes(LONGEST_PACKET - 22))
    assert far.unprotect(sent(near, longest)[0]) == longest


def placed(packet: bytes, room: int = LONGEST_TRAILER) -> Place:
    memory = np.zeros(len(packet) + room, np.uint8)
    memory[: len(packet)] = np.frombuffer(packet, np.uint8)
    return Place(memory)


@pytest.mark.parametrize("suite", NAMES)
def test_in_its_place_a_packet_becomes_the_same_and_is_refused_likewise(suite: str) -> None:
    (near, far), (other_near, other_far) = pair(suite), pair(suite)
    for number in range(5):
        packet = rtp(number)
        (wire,) = sent(near, packet)
        place = placed(packet)
        size = other_near.protect_in(place, len(packet))
        assert place.view[:size] == wire
        if number == 2:
            place.view[20] ^= 1
            assert (other_far.unprotect_in(place, size, SSRC), far.unprotect(bytes(place.view[:size]))) == (0, None)
            continue
        size = other_far.unprotect_in(place, size, SSRC)
        assert far.unprotect(wire) == packet
        assert place.view[:size] == packet
    assert other_far.unprotect_in(placed(wire), len(wire), SSRC) == 0
    assert counts(other_far) == (1, 1, 0)


def test_in_its_place_a_packet_of_the_old_keys_is_taken_too() -> None:
    near, far = pair()
    first, late, new = sent(near, rtp(1), rtp(2), rtp(3))
    assert far.unprotect_in(placed(first), len(first), SSRC)
    far.rekey(ends(3, 4)[1])
    place = placed(late)
    size = far.unprotect_in(place, len(late), SSRC)
    assert place.view[:size] == rtp(2)
    assert far.unprotect_in(placed(new), len(new), SSRC + 1), "whatever the caller takes its source for"


def test_without_room_behind_it_nothing_is_protected_in_its_place() -> None:
    near, _ = pair()
    assert near.protect_in(placed(rtp(1), LONGEST_TRAILER - 1), len(rtp(1))) == 0
    assert counts(near) == (0, 0, 1)
