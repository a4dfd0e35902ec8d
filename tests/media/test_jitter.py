"""Laws of the jitter buffer, and how it takes what networks and phones do to a stream."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.jitter import JUMP_MS, Absent, JitterBuffer
from media.playout import LONGEST_TARGET_MS
from media.rtp import Packet
from tests.media.line import (
    FRAME,
    SSRC,
    TICKS_PER_MS,
    Arrival,
    absences,
    buffer,
    delays_ms,
    frames,
    hear,
    packets,
    positions,
    sent,
    sound,
)

PTIMES_MS = st.sampled_from([10, 20, 30, 40, 60])
SETTINGS = settings(max_examples=60, deadline=None)


@st.composite
def journeys(draw: st.DrawFn) -> tuple[int, list[Arrival]]:
    """A packet time and arrivals that were lost, late, out of order and repeated."""
    ptime_ms = draw(PTIMES_MS)
    spread = draw(st.sampled_from([0.0, 5.0, 30.0, 100.0, 300.0]))
    fate = st.tuples(st.floats(0, 1), st.sampled_from([0, 1, 1, 1, 1, 1, 2]))
    fates = draw(st.lists(fate, min_size=1, max_size=80))
    stream = packets(len(fates), ptime_ms, start=draw(st.sampled_from([0, 2**32 - 1000])))
    arrivals = []
    for n, (packet, (share, copies)) in enumerate(zip(stream, fates, strict=True)):
        arrivals += [(n * ptime_ms + share * spread + 30 * copy, packet) for copy in range(copies)]
    return ptime_ms, arrivals


@given(journeys(), st.booleans())
@SETTINGS
def test_nothing_is_heard_twice_or_in_another_order(journey: tuple[int, list[Arrival]], quiet: bool) -> None:
    _, arrivals = journey
    heard = hear(buffer(), arrivals, until_ms=6000, quiet=quiet)
    found = positions(heard)
    assert all(np.diff(found) > 0)
    assert all(isinstance(one.what, Absent) or len(one.what) == FRAME for one in heard)
    here = {packet.payload[:4] for _, packet in arrivals}
    assert {sound(position, 1) for position in found if sound(position, 1) in here} <= here


@given(journeys(), st.booleans())
@SETTINGS
def test_the_delay_is_bounded(journey: tuple[int, list[Arrival]], quiet: bool) -> None:
    ptime_ms, arrivals = journey
    delays = delays_ms(hear(buffer(), arrivals, until_ms=6000, quiet=quiet))
    assert max(delays, default=0) <= 300 + 30 + LONGEST_TARGET_MS + JUMP_MS + ptime_ms + 20


@given(journeys())
@SETTINGS
def test_after_the_end_is_silence(journey: tuple[int, list[Arrival]]) -> None:
    _, arrivals = journey
    heard = hear(buffer(), arrivals, until_ms=9000)
    assert {one.what for one in heard if one.now_ms > 6500 and isinstance(one.what, Absent)} == {Absent.SILENCE}
    assert not [one for one in heard if one.now_ms > 6500 and not isinstance(one.what, Absent)]


@given(PTIMES_MS, st.integers(0, 19), st.integers(0, 2**32 - 1), st.integers(0, 65535))
@SETTINGS
def test_an_even_stream_is_heard_whole(ptime_ms: int, phase_ms: int, start: int, sequence: int) -> None:
    stream = packets(60, ptime_ms, start, sequence=sequence)
    heard = hear(buffer(), sent(stream, ptime_ms, phase_ms), until_ms=60 * ptime_ms + 400)
    found = positions(heard)
    assert found == list(range(len(found)))
    assert len(found) > 60 * ptime_ms * TICKS_PER_MS - FRAME
    assert absences(heard) == []


@given(PTIMES_MS)
@SETTINGS
def test_an_even_stream_waits_no_longer_than_it_must(ptime_ms: int) -> None:
    heard = hear(buffer(), sent(packets(400, ptime_ms), ptime_ms, 3), until_ms=400 * ptime_ms, quiet=True)
    assert delays_ms(heard)[-1] <= 20 + (0 if ptime_ms % 20 == 0 else 20)


@given(journeys(), st.integers(0, 2**32 - 1))
@SETTINGS
def test_where_timestamps_start_makes_no_difference(journey: tuple[int, list[Arrival]], start: int) -> None:
    _, arrivals = journey
    shifted = [(when, one._replace(timestamp=(one.timestamp + start) % 2**32)) for when, one in arrivals]
    assert hear(buffer(), arrivals, 5000) == hear(buffer(), shifted, 5000)


@given(
    st.lists(
        st.tuples(
            st.builds(
                Packet,
                st.integers(0, 127),
                st.booleans(),
                st.integers(0, 65535),
                st.integers(0, 2**32 - 1) | st.integers(0, 5000),
                st.integers(1, 2),
                st.binary(max_size=3000),
            ),
            st.integers(0, 50),
            st.booleans(),
        ),
        max_size=150,
    ),
    st.booleans(),
)
@SETTINGS
def test_garbage_does_no_harm(given_packets: list[tuple[Packet, int, bool]], whole: bool) -> None:
    into = JitterBuffer(48000, measure=len) if whole else buffer()
    now_ms = 0
    for packet, step_ms, noise in given_packets:
        now_ms += step_ms
        into.put(packet, now_ms, noise)
        frame = into.take(now_ms)
        assert isinstance(frame, Absent) or whole or len(frame) == FRAME * 4


def test_what_is_never_taken_does_not_pile_up() -> None:
    into = buffer()
    for when, packet in sent(packets(5000)):
        into.put(packet, when)
    assert into.waiting_ms <= 256 * 20
    assert into.overflowed > 0


def test_packets_whose_turn_is_over_are_counted() -> None:
    stream = sent(packets(100))
    stream[50] = (stream[50][0] + 500, stream[50][1])
    into = buffer()
    assert len(positions(hear(into, stream, until_ms=2400))) == 99 * FRAME
    assert (into.late, into.repeated, into.overflowed) == (1, 0, 0)


def test_late_packets_are_heard_after_all_where_nothing_else_is_there() -> None:
    arrivals = sent(packets(100))
    arrivals[50:] = [(when + 60, packet) for when, packet in arrivals[50:]]
    heard = hear(buffer(), arrivals, until_ms=2400)
    assert positions(heard) == list(range(100 * FRAME))
    assert set(absences(heard)) == {Absent.LOST}


@pytest.mark.parametrize("share", [0.03, 0.4])
def test_each_lost_packet_is_told_and_all_others_are_heard(share: float) -> None:
    kept = np.random.default_rng(4).random(1000) > share
    arrivals = [arrival for arrival, keep in zip(sent(packets(1000)), kept, strict=True) if keep]
    heard = hear(buffer(), arrivals, until_ms=21_000)
    assert len(positions(heard)) == kept.sum() * FRAME
    lost = len(kept) - kept.sum()
    assert lost * 0.9 <= absences(heard).count(Absent.LOST) <= lost


def test_packets_out_of_order_are_put_in_order() -> None:
    stream = sent(packets(300))
    for n in range(100, 300, 5):
        stream[n], stream[n + 1] = (stream[n][0], stream[n + 1][1]), (stream[n + 1][0], stream[n][1])
    into = buffer()
    found = positions(hear(into, stream, until_ms=7000))
    assert len(found) > 295 * FRAME
    assert all(np.diff(found) > 0)
    assert into.late <= 3


def test_three_hundred_ms_of_jitter_are_waited_for() -> None:
    late = np.random.default_rng(5).uniform(0, 300, 2000)
    arrivals = [(when + later, packet) for (when, packet), later in zip(sent(packets(2000)), late, strict=True)]
    into = buffer()
    heard = hear(into, arrivals, until_ms=41_000)
    assert len(positions(heard)) > 0.99 * 2000 * FRAME
    assert len(absences(heard)) < 40
    assert 240 <= into.target_ms <= 300


def test_when_jitter_is_over_the_delay_goes_down_again() -> None:
    late = np.random.default_rng(6).uniform(0, 200, 2000)
    late[500:] = 3
    arrivals = [(when + later, packet) for (when, packet), later in zip(sent(packets(2000)), late, strict=True)]
    for quiet in (False, True):
        heard = hear(buffer(), arrivals, until_ms=40_000, quiet=quiet)
        assert delays_ms(heard)[-1] <= 40
        assert max(delays_ms(heard)) <= 240


@pytest.mark.parametrize("lost", [True, False], ids=["lost", "late"])
def test_two_seconds_of_nothing_leave_no_delay_behind(lost: bool) -> None:
    stream = sent(packets(400))
    arrivals = stream[:200] + ([] if lost else [(5999.0, packet) for _, packet in stream[200:300]]) + stream[300:]
    heard = hear(buffer(), arrivals, until_ms=9000)
    assert set(positions(heard)) >= set(range(300 * FRAME, 400 * FRAME))
    assert absences(heard).count(Absent.LOST) == 10
    assert absences(heard).count(Absent.SILENCE) >= 85
    assert delays_ms(heard)[-1] <= 60


def test_a_stall_of_seconds_that_comes_at_once_is_left_out_at_once() -> None:
    arrivals = sent(packets(500))
    arrivals[150:350] = [(7000.0, packet) for _, packet in arrivals[150:350]]
    into = buffer()
    heard = hear(into, arrivals, until_ms=10_500)
    assert max(delay for one, delay in zip(frames(heard), delays_ms(heard), strict=True) if one.now_ms >= 7000) <= 300
    assert into.skipped >= 180


def test_a_short_stall_is_caught_up_with_a_frame_at_a_time() -> None:
    arrivals = sent(packets(1000))
    arrivals[100:109] = [(2180.0, packet) for _, packet in arrivals[100:109]]
    into = buffer()
    heard = hear(into, arrivals, until_ms=20_500)
    found = positions(heard)
    assert found[: 109 * FRAME] == list(range(109 * FRAME))
    assert 5 <= into.skipped <= 8
    skips = [n for n, step in enumerate(np.diff(found)) if step > 1]
    assert min(np.diff(skips)) >= 8 * FRAME
    assert delays_ms(heard)[-1] <= 60


@pytest.mark.parametrize("later_ms", [-100, 100, 700])
def test_another_route_is_followed(later_ms: int) -> None:
    first = max(0, -later_ms)
    stream = sent(packets(1500), first_ms=first)
    arrivals = stream[:700] + [(when + later_ms, packet) for when, packet in stream[700:]]
    heard = hear(buffer(), arrivals, until_ms=31_000, quiet=True)
    assert delays_ms(heard)[-1] <= first + later_ms + 40
    assert len(positions(heard)) >= 1490 * FRAME


@pytest.mark.parametrize("quiet", [True, False], ids=["quiet", "never quiet"])
@pytest.mark.parametrize("drift", [0.9998, 1.0002, 0.999, 1.001])
def test_a_clock_that_is_fast_or_slow_is_absorbed(drift: float, quiet: bool) -> None:
    arrivals = [(3 + when * drift, packet) for when, packet in sent(packets(6000))]
    into = buffer()
    heard = hear(into, arrivals, until_ms=round(120_000 * drift))
    strays_ms = [
        delay - (drift - 1) * (one.now_ms - delay) for one, delay in zip(frames(heard), delays_ms(heard), strict=True)
    ]
    assert max(strays_ms) <= 65
    assert into.skipped + len(absences(heard)) <= abs(1 - drift) * 6000 * 2 + 4


def test_another_source_begins_afresh() -> None:
    first = sent(packets(100))
    second = sent(packets(100, start=0x9000_0000, ssrc=SSRC + 1, sequence=7), first_ms=2000)
    heard = hear(buffer(), first + second, until_ms=5000)
    found = positions(heard)
    assert found == list(range(99 * FRAME)) + list(range(100 * FRAME)) or found == list(range(100 * FRAME)) * 2


def test_a_time_line_that_jumps_is_followed_after_three_packets() -> None:
    before, after = packets(100), packets(100, start=0x7000_0000)
    heard = hear(buffer(), sent(before + after), until_ms=5000)
    assert positions(heard) == [*range(100 * FRAME), *range(2 * FRAME, 100 * FRAME)]


@pytest.mark.parametrize("offsets", [[0, 160], [640, 480, 320, 160, 0], [0, 0, 0, 0, 0]])
def test_a_stray_time_is_not_followed(offsets: list[int]) -> None:
    stream = sent(packets(200))
    stray = [
        (1990.0 + n, Packet(0, False, 9, 0x7000_0000 + offset, SSRC, sound(99, FRAME)))
        for n, offset in enumerate(offsets)
    ]
    heard = hear(buffer(), stream + stray, until_ms=4200)
    assert positions(heard) == list(range(200 * FRAME))


def test_comfort_noise_lasts_until_there_is_sound_again() -> None:
    into, answers = buffer(), []
    stream = packets(10) + packets(10, start=60 * FRAME, sequence=11)
    talk = dict(zip([*range(10), *range(60, 70)], stream, strict=True))
    for n in range(90):
        if n in talk:
            into.put(talk[n], n * 20)
        elif n == 10:
            into.put(Packet(13, False, 10, 10 * FRAME, SSRC, b"\x32"), n * 20, noise=True)
        answers.append(into.take(n * 20))
    kinds = [one.name if isinstance(one, Absent) else "sound" for one in answers]
    assert kinds == ["SILENCE"] + ["sound"] * 10 + ["NOISE"] * 49 + ["sound"] * 10 + ["LOST"] * 10 + ["SILENCE"] * 10
    assert into.noise == b"\x32"


def test_loss_after_comfort_noise_is_loss() -> None:
    into = buffer()
    into.put(Packet(13, False, 0, 0, SSRC, b"\x32"), 0, noise=True)
    for when, packet in sent(packets(5, start=FRAME, sequence=1), first_ms=20):
        into.put(packet, when)
        assert into.take(when) is Absent.NOISE or when > 20
    assert isinstance(into.take(120), bytes)
    assert [into.take(140), into.take(160)] == [Absent.LOST, Absent.LOST]


def test_a_pause_without_a_word_ends_as_soon_as_there_is_sound() -> None:
    stream = sent(packets(50)) + sent(packets(50, start=5000 * TICKS_PER_MS, sequence=50), first_ms=5000)
    heard = hear(buffer(), stream, until_ms=7000)
    assert len(positions(heard)) == 100 * FRAME
    assert next(one.now_ms for one in heard if one.now_ms > 2000 and not isinstance(one.what, Absent)) <= 5020


def test_packets_without_cutting_are_handed_out_whole() -> None:
    into = JitterBuffer(48_000, measure=lambda payload: payload[0] * 48)
    at_ms, out = 0, []
    lengths_ms = [20, 60, 10, 10, 40, 20]
    for n, length_ms in enumerate(lengths_ms):
        into.put(Packet(100 + n, False, n, at_ms * 48, SSRC, bytes([length_ms, n])), at_ms)
        at_ms += length_ms
    heard_ms = 20
    for _ in lengths_ms:
        frame = into.take(heard_ms)
        assert isinstance(frame, bytes)
        out.append(frame[1])
        assert into.payload_type == 100 + frame[1]
        heard_ms += frame[0]
    assert out == [0, 1, 2, 3, 4, 5]


def test_the_packet_behind_a_lost_one_is_shown_for_the_copy_inside() -> None:
    into = JitterBuffer(48_000, measure=lambda payload: 960)
    for n in (0, 2, 3):
        into.put(Packet(111, False, n, n * 960, SSRC, bytes([n])), 0)
    assert into.take(20) == b"\0"
    assert into.take(40) is Absent.LOST
    assert into.redundancy() == b"\2"
    assert [into.take(60), into.take(80)] == [b"\2", b"\3"]
    assert into.redundancy() is None


def test_each_frame_names_its_payload_type() -> None:
    into = JitterBuffer(8000, 160)
    types = []
    for n in range(20):
        into.put(Packet(0 if n < 10 else 9, False, n, n * FRAME, SSRC, bytes(160)), n * 20)
        if isinstance(into.take(n * 20), bytes):
            types.append(into.payload_type)
    assert types == [0] * 10 + [9] * 9


def test_payloads_of_no_length_and_half_samples_are_no_sound() -> None:
    into = JitterBuffer(8000, 320)
    into.put(Packet(11, False, 0, 0, SSRC, b""), 0)
    into.put(Packet(11, False, 1, 0, SSRC, bytes(321)), 0)
    assert into.overflowed == 1
    assert into.take(20) == bytes(320)
    assert into.take(40) is Absent.LOST
