"""When sound is due: what the last windows of transits needed. Down slowly, up at once. A tick is a millisecond."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.playout import LONGEST_TARGET_MS, Playout

EVEN = [0.0] * 25


def learnt(*windows: list[float]) -> Playout:
    playout = Playout(0.0, 1.0)
    for window in windows:
        playout.learn(list(window))
    return playout


def test_it_begins_a_frame_behind_the_first_packet_and_comes_down_by_steps() -> None:
    playout = Playout(7.0, 1.0)
    assert (playout.base, playout.target) == (7, 20)
    targets = []
    for _ in range(3):
        playout.learn([7.0] * 25)
        targets.append(playout.target)
    assert targets == [10, 0, 0]


def test_timestamps_of_another_clock_are_as_good() -> None:
    playout = Playout(0.0, 8.0)
    assert playout.target == 160
    playout.learn(EVEN)
    assert playout.target == 80


def test_the_first_window_counts_alone() -> None:
    assert learnt([0.0] * 20 + [120.0] * 5).target == 120


def test_one_stall_and_a_second_are_no_habit_three_are() -> None:
    late = [0.0] * 20 + [100.0] * 5
    assert learnt(EVEN, EVEN, late).target == learnt(EVEN, EVEN, EVEN, late).target == 0
    assert learnt(EVEN, EVEN, EVEN, late, late).target == 0
    assert learnt(EVEN, EVEN, EVEN, late, late, late).target == 100


@pytest.mark.parametrize(("packets", "expected"), [(9, 50), (10, 10)])
def test_of_many_packets_one_may_be_late(packets: int, expected: float) -> None:
    assert learnt([0.0] * (packets - 1) + [50.0]).target == expected


def test_what_was_late_is_forgotten_after_sixteen_windows() -> None:
    late = [0.0] * 20 + [100.0] * 5
    playout = learnt(*[late] * 16, *[EVEN] * 13)
    assert playout.target == 100
    playout.learn(EVEN)
    assert playout.target == 90


def test_a_longer_way_is_known_for_one_after_sixteen_windows_and_nothing_jumps() -> None:
    playout = learnt(EVEN, EVEN, *[[100.0] * 25] * 15)
    assert (playout.base, playout.due) == (0, 100)
    playout.learn([100.0] * 25)
    assert (playout.base, playout.due) == (100, 100)


def test_a_shorter_way_is_known_at_once_and_what_is_due_comes_down_by_steps() -> None:
    playout = learnt(*[[100.0] * 25] * 3)
    assert playout.base == 100
    due = playout.due
    playout.learn(EVEN)
    assert playout.base == 0
    assert due - playout.due <= 10


def test_a_way_that_is_longer_than_we_ever_wait_is_another_one() -> None:
    limit = float(LONGEST_TARGET_MS)
    assert learnt(EVEN, [limit] * 25).base == 0
    playout = learnt(EVEN, [limit + 1] * 25)
    assert (playout.base, playout.target) == (limit + 1, 0)
    assert learnt(EVEN, [limit + 1] * 9).base == 0


def test_a_much_quicker_packet_is_heeded_at_once() -> None:
    playout = learnt([1000.0] * 24 + [1030.0, 1030.0])
    playout.quicker(300)
    assert (playout.base, playout.due) == (300, 330)
    playout.quicker(500)
    assert (playout.base, playout.due) == (300, 330)


def test_a_packet_that_is_too_late_buys_a_frame_and_no_more_than_it_needs() -> None:
    playout = learnt(EVEN, EVEN, EVEN)
    playout.too_late(90)
    assert playout.due == 20
    playout.too_late(25)
    assert playout.due == 25
    playout.too_late(10)
    assert playout.due == 25
    for _ in range(100):
        playout.too_late(10_000)
    assert playout.due == LONGEST_TARGET_MS


@given(st.lists(st.lists(st.floats(-3000, 3000), min_size=1, max_size=30), max_size=30))
def test_the_target_is_bounded_whatever_comes(windows: list[list[float]]) -> None:
    playout = learnt(*windows)
    assert 0 <= playout.target <= LONGEST_TARGET_MS + 1e-6
