"""What was received, what it is worth, and whether it is there."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.quality import EXCUSED_MS, MISSING_MS, Reception, Watch, mos_x100, rating
from media.rtp import Packet


def packet(number: int, ssrc: int = 1, start: int = 0) -> Packet:
    return Packet(0, False, (start + number) % 65536, number * 160 % 2**32, ssrc, b"")


def received(numbers: list[int], start: int = 0) -> Reception:
    reception = Reception(8000)
    for n, number in enumerate(numbers):
        reception.count(packet(number, start=start), 20.0 * n)
    return reception


@given(st.sets(st.integers(1, 400), max_size=200), st.integers(0, 65535))
def test_what_did_not_come_is_lost(lost: set[int], start: int) -> None:
    came = [number for number in range(402) if number not in lost]
    reception = received(came, start)
    assert (reception.received, reception.lost, reception.repeated) == (len(came), len(lost), 0)
    assert reception.highest_sequence == start + 401


@given(st.lists(st.integers(0, 7), min_size=120, max_size=120), st.integers(0, 65535))
def test_what_comes_late_is_not_lost_and_what_comes_twice_counts_once(late: list[int], start: int) -> None:
    order = sorted(range(120), key=lambda number: number + late[number])
    reception = received([number for number in order for _ in range(2)], start)
    assert (reception.received, reception.lost, reception.repeated) == (120, 0, 120)


def test_each_packet_is_used_once() -> None:
    reception = Reception(8000)
    assert [reception.count(packet(n), 0) for n in (0, 1, 3, 3, 2, 2, 1, 0)] == [
        True, True, True, False, True, False, False, False]  # fmt: skip


def test_packets_before_the_first_count_too() -> None:
    reception = received([2, 0, 1, 0, 3])
    assert (reception.received, reception.lost, reception.repeated) == (4, 0, 1)


def test_another_source_is_believed_with_its_second_packet() -> None:
    reception = received(list(range(100)))
    assert not reception.count(packet(5, ssrc=2), 2000)
    assert reception.count(packet(100), 2000)
    assert not reception.count(packet(7, ssrc=2), 2020)
    assert reception.count(packet(8, ssrc=2), 2040)
    assert not reception.count(packet(101), 2040)
    assert reception.ssrc == 2
    assert (reception.received, reception.lost, reception.strange) == (102, 0, 3)


def test_a_source_that_begins_anew_has_lost_nothing_by_it() -> None:
    reception = received([*range(50), *range(20_000, 20_050)])
    assert (reception.received, reception.lost) == (99, 0)


def test_losses_of_an_earlier_source_stay_counted() -> None:
    reception = received([0, 1, 5])
    for n in [*range(10), 14]:
        reception.count(packet(n, ssrc=2), 100 + n * 20)
    assert reception.lost == 3 + 4
    assert reception.block().lost == 4


@given(st.lists(st.tuples(st.integers(0, 65535), st.integers(0, 2**32 - 1), st.integers(1, 3)), max_size=100))
def test_garbage_does_no_harm(numbers: list[tuple[int, int, int]]) -> None:
    reception = Reception(8000)
    for n, (sequence, timestamp, ssrc) in enumerate(numbers):
        reception.count(Packet(0, False, sequence, timestamp, ssrc, b""), n)
    assert reception.received + reception.repeated + reception.strange == len(numbers)
    assert reception.lost >= 0
    assert 0 <= reception.block().fraction_lost <= 255


def test_jitter_is_that_of_the_rfc() -> None:
    """Packets that are in turn 8 ms early and late differ by 64 ticks each time: J tends to that."""
    reception = Reception(8000)
    for n in range(400):
        reception.count(packet(n), 20 * n + (8 if n % 2 else 0))
    assert reception.jitter == pytest.approx(64, abs=0.1)
    assert reception.jitter_ms == pytest.approx(8, abs=0.1)


def test_timestamps_that_wrap_jump_or_stand_are_no_jitter() -> None:
    reception = Reception(8000)
    for n in range(100):
        reception.count(Packet(0, False, n, (2**32 - 4000 + 160 * n) % 2**32, 1, b""), 20 * n)
    for n in range(100, 200):
        reception.count(Packet(101, False, n, 12_000, 1, b""), 20 * n, timed=False)
    for n in range(200, 300):
        reception.count(Packet(0, False, n, (160 * n + 2**31) % 2**32, 1, b""), 20 * n)
    assert reception.jitter == 0


def test_a_report_is_about_what_came_since_the_last() -> None:
    reception = received([number for number in range(100) if number % 4])
    first = reception.block(last_report=5, delay=6)
    assert (first.ssrc, first.fraction_lost, first.lost, first.highest_sequence) == (1, 24 * 256 // 99, 24, 99)
    assert (first.last_report, first.delay) == (5, 6)
    for n in range(100, 150):
        reception.count(packet(n), 20 * n)
    second = reception.block()
    assert (second.fraction_lost, second.lost, second.highest_sequence) == (0, 24, 149)
    assert reception.block().fraction_lost == 0


@pytest.mark.parametrize(
    ("loss", "delay_ms", "expected"),
    [(0, 0, 441), (0, 100, 441), (0, 150, 441), (0.01, 50, 433), (0.03, 50, 413), (0.1, 50, 341), (0, 400, 355)],
)
def test_opinions_are_those_of_the_model(loss: float, delay_ms: float, expected: int) -> None:
    """R = 93.2 is MOS 4.41; G.711 with concealment at 1 % loss has Ie,eff = 3.6, at 3 % 10.1, at 10 % 27.1."""
    assert mos_x100(rating(loss, delay_ms)) == pytest.approx(expected, abs=1)


@pytest.mark.parametrize(("delay_ms", "impairment"), [(100, 0), (200, 3.04), (400, 24.1), (800, 40.8)])
def test_delay_impairs_as_the_model_says(delay_ms: float, impairment: float) -> None:
    """Idd of ITU-T G.107 (7-27), worked out by hand: X is 0, 1, 2 and 3."""
    assert rating(0, delay_ms) == pytest.approx(93.2 - impairment, abs=0.05)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 2000), st.floats(0, 2000))
def test_more_loss_or_delay_is_never_better(a: float, b: float, c_ms: float, d_ms: float) -> None:
    better, worse = rating(min(a, b), min(c_ms, d_ms)), rating(max(a, b), max(c_ms, d_ms))
    assert 0 <= worse <= better <= 93.2
    assert 100 <= mos_x100(worse) <= mos_x100(better) <= 441


def test_what_is_missing_is_told_once_within_three_seconds_and_so_is_its_return() -> None:
    watch, last_ms, told = Watch(), -1.0, []
    for now_ms in range(0, 20_000, 100):
        if now_ms < 5000 or 12_000 <= now_ms < 15_000:
            last_ms = now_ms
        found = watch.check(now_ms, last_ms, expected=True)
        if found is not None:
            told.append((now_ms, found))
    assert told == [(7900, MISSING_MS), (12_000, 0), (17_900, MISSING_MS)]
    assert watch.silent_ms == (12_000 - 4900) + (19_900 - 14_900) - 100


def test_a_leg_that_never_sends_is_told() -> None:
    watch = Watch()
    assert [now_ms for now_ms in range(0, 10_000, 500) if watch.check(now_ms, -1, expected=True)] == [3000]


def test_who_need_not_send_is_not_missed() -> None:
    watch = Watch()
    assert not any(watch.check(now_ms, -1, expected=False) for now_ms in range(0, 10_000, 500))
    assert [watch.check(now_ms, -1, expected=True) for now_ms in (10_000, 12_900, 13_000)] == [None, None, 3000]
    assert watch.check(13_500, -1, expected=False) == 0


def test_a_party_that_told_of_its_silence_is_excused_for_longer() -> None:
    watch = Watch()
    found = [(now, watch.check(now, 0, expected=True, excused=True)) for now in range(0, 40_000, 1000)]
    assert [one for one in found if one[1] is not None] == [(EXCUSED_MS, EXCUSED_MS)]


def test_jitter_agrees_with_a_plain_reading_of_the_formula() -> None:
    late_ms = np.random.default_rng(1).uniform(0, 60, 500)
    reception, expected, before = Reception(8000), 0.0, None
    for n, late in enumerate(late_ms):
        reception.count(packet(n), 20 * n + float(late))
        transit = (20 * n + float(late)) * 8 - 160 * n
        expected += (abs(transit - (before if before is not None else transit)) - expected) / 16
        before = transit
    assert reception.jitter == pytest.approx(expected)
