"""Telephone-events: each digit once whatever is lost, repeated or late; what is sent is received."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.dtmf import (
    DIGITS,
    LAPSE_MS,
    LENGTH_MS,
    MOST_AT_ONCE,
    MOST_PER_MS,
    PAUSE_MS,
    Digit,
    EventReceiver,
    EventSender,
    dual_tone,
)
from media.rtp import Packet
from media.tone import tones

TEXT = st.text(DIGITS, min_size=1, max_size=6)
LENGTHS_MS = st.integers(2, 20).map(lambda ticks: 20 * ticks)
RATES_HZ = st.sampled_from([8000, 16000, 48000])


def sent(digits: str, length_ms: int = LENGTH_MS, rate_hz: int = 8000, start: int = 0) -> list[tuple[int, Packet]]:
    """Packets with the time at which each is sent."""
    sender = EventSender(rate_hz)
    sender.send(digits, length_ms)
    found: list[tuple[int, Packet]] = []
    now_ms = 0
    while sender.busy:
        event = sender.tick((start + now_ms * rate_hz // 1000) % 2**32)
        if event is not None:
            packet = Packet(101, event.marker, len(found), event.timestamp, 7, event.payload)
            found.append((now_ms, packet))
        now_ms += 20
    return found


def received(arrivals: list[tuple[int, Packet]], rate_hz: int = 8000) -> list[Digit]:
    receiver = EventReceiver(rate_hz)
    found: list[Digit] = []
    for now_ms, packet in arrivals:
        found += receiver.lapse(now_ms)
        found += receiver.receive(packet, now_ms)
    return found + list(receiver.lapse(arrivals[-1][0] + LAPSE_MS if arrivals else 0))


@given(TEXT, LENGTHS_MS, RATES_HZ, st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_what_is_sent_is_received(digits: str, length_ms: int, rate_hz: int, start: int) -> None:
    assert received(sent(digits, length_ms, rate_hz, start), rate_hz) == [Digit(one, length_ms) for one in digits]


def test_a_digit_is_packets_that_grow_and_three_ends_and_a_pause() -> None:
    packets = [packet for _, packet in sent("5#", 60)]
    assert [packet.payload.hex() for packet in packets] == [
        "050a00a0", "050a0140", "058a01e0", "058a01e0", "058a01e0",
        "0b0a00a0", "0b0a0140", "0b8a01e0", "0b8a01e0", "0b8a01e0",
    ]  # fmt: skip
    assert [packet.marker for packet in packets] == [True, False, False, False, False] * 2
    assert [packet.timestamp for packet in packets] == [0] * 5 + [(60 + PAUSE_MS) * 8] * 5


@given(TEXT, st.lists(st.booleans(), min_size=60, max_size=60), st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_a_digit_of_which_one_packet_came_is_heard_once(digits: str, kept: list[bool], start: int) -> None:
    arrivals = [arrival for arrival, keep in zip(sent(digits, start=start), kept, strict=False) if keep]
    alive = sorted({packet.timestamp: packet.payload[0] for _, packet in arrivals}.items(),
                   key=lambda one: (one[0] - start) % 2**32)  # fmt: skip
    assert [digit.digit for digit in received(arrivals)] == [DIGITS[code] for _, code in alive]


@given(TEXT, st.lists(st.integers(0, 2), min_size=60, max_size=60))
@settings(deadline=None)
def test_repeated_and_swapped_packets_make_no_digit_of_their_own(digits: str, late: list[int]) -> None:
    arrivals = [(when + 25 * later, packet) for (when, packet), later in zip(sent(digits), late, strict=False)]
    arrivals = sorted([*arrivals, *arrivals], key=lambda arrival: arrival[0])
    assert [digit.digit for digit in received(arrivals)] == list(digits)


def test_the_length_is_the_last_that_was_told_where_the_end_is_lost() -> None:
    arrivals = [(when, packet) for when, packet in sent("12") if not packet.payload[1] & 0x80]
    assert received(arrivals) == [Digit("1", 80), Digit("2", 80)]


def test_an_end_that_is_lost_is_told_when_nothing_more_comes() -> None:
    receiver = EventReceiver()
    (_, first), *_ = sent("9")
    assert receiver.receive(first, 0) == ()
    assert receiver.lapse(LAPSE_MS - 1) == ()
    assert receiver.lapse(LAPSE_MS) == (Digit("9", 20),)
    assert receiver.lapse(LAPSE_MS * 2) == ()


def test_an_event_too_long_for_one_packet_goes_on_in_segments() -> None:
    """RFC 4733 2.5.1.3: the next segment's timestamp is the last one's plus its length of 65535."""
    receiver = EventReceiver()
    for timestamp, duration in [(0, 65000), (0, 65535), (65535, 160), (65535, 8000)]:
        packet = Packet(101, False, 0, timestamp, 1, bytes([3, 10]) + duration.to_bytes(2, "big"))
        assert receiver.receive(packet, 0) == ()
    end = Packet(101, False, 0, 65535, 1, bytes([3, 0x8A]) + (8160).to_bytes(2, "big"))
    assert receiver.receive(end, 0) == (Digit("3", round((65535 + 8160) / 8)),)


def test_the_same_key_again_right_after_a_lost_end_is_two_digits() -> None:
    arrivals = [(when, packet) for when, packet in sent("55") if not packet.payload[1] & 0x80]
    assert [digit.digit for digit in received(arrivals)] == ["5", "5"]


def test_events_that_are_no_digits_and_payloads_too_short_are_nothing() -> None:
    receiver = EventReceiver()
    for payload in (b"", b"\x05\x8a\x00", bytes([16, 0x8A, 0, 160]), bytes([255, 0x8A, 0, 160])):
        assert receiver.receive(Packet(101, True, 0, 0, 1, payload), 0) == ()
    assert receiver.lapse(10_000) == ()


@given(
    st.lists(
        st.builds(
            Packet,
            st.just(101),
            st.booleans(),
            st.integers(0, 65535),
            st.integers(0, 2**32 - 1),
            st.integers(1, 2),
            st.binary(max_size=8),
        )
    )
)
def test_garbage_does_no_harm(packets: list[Packet]) -> None:
    receiver = EventReceiver()
    for n, packet in enumerate(packets):
        assert all(digit.digit in DIGITS for digit in receiver.receive(packet, n))


def test_no_more_digits_are_told_than_anybody_presses() -> None:
    receiver = EventReceiver()
    ends = [Packet(101, True, n, 160 * n, 7, bytes([1, 0x8A, 1, 0])) for n in range(5000)]
    told = [digit for n, end in enumerate(ends) for digit in receiver.receive(end, n)]
    assert len(told) == pytest.approx(MOST_AT_ONCE + 5000 * MOST_PER_MS, abs=1)
    (later,) = receiver.receive(Packet(101, True, 5000, 160 * 5000, 7, bytes([2, 0x8A, 1, 0])), 10_000)
    assert later.digit == "2"


def test_another_source_may_have_any_timestamp() -> None:
    receiver = EventReceiver()
    for ssrc, timestamp in [(1, 5000), (2, 100), (2, 100), (1, 5000)]:
        receiver.receive(Packet(101, True, 0, timestamp, ssrc, bytes([1, 10, 0, 160])), 0)
    assert receiver.receive(Packet(101, True, 0, 5000, 1, bytes([1, 0x8A, 0, 160])), 0) == (Digit("1", 20),)


@pytest.mark.parametrize(("digits", "length_ms"), [("12x", 100), ("1 2", 100), ("1", 30), ("1", 20), ("1", 9000)])
def test_what_cannot_be_sent_is_refused(digits: str, length_ms: int) -> None:
    sender = EventSender()
    with pytest.raises(ValueError, match="digit"):
        sender.send(digits, length_ms)
    assert not sender.busy


def test_digits_wait_behind_each_other_and_letters_may_be_small() -> None:
    sender = EventSender()
    sender.send("a")
    sender.send("1")
    codes = [event.payload[0] for n in range(40) if (event := sender.tick(n * 160)) is not None]
    assert codes == [12] * 7 + [1] * 7
    assert not sender.busy
    assert sender.tick(0) is None


@pytest.mark.parametrize("rate_hz", [8000, 16000, 48000])
@pytest.mark.parametrize(
    ("digit", "pair"), [("1", (697, 1209)), ("0", (941, 1336)), ("D", (941, 1633)), ("b", (770, 1633))]
)
def test_a_digits_sound_is_its_two_tones(digit: str, pair: tuple[int, int], rate_hz: int) -> None:
    sound = dual_tone(digit, 500, rate_hz)
    assert len(sound) == rate_hz // 2
    assert sorted(tones(sound, rate_hz)) == pytest.approx(pair, abs=1)
    assert np.abs(sound).max() < 32767


@pytest.mark.parametrize("digit", ["", "E", "12"])
def test_what_is_no_digit_has_no_sound(digit: str) -> None:
    with pytest.raises(ValueError, match="digit"):
        dual_tone(digit)
