"""What was received, counted for many legs at once: each leg as RFC 3550 would count it alone."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media import header
from media.columns import Columns
from media.rtp import write_headers

SETTINGS = settings(max_examples=50, deadline=None)
EVENTS = 101


def columns() -> Columns:
    """Four legs, of which the second and the third are heard."""
    found = Columns(4)
    found.event_type[:] = EVENTS
    return found


def count(into: Columns, rows: Sequence[int], numbers: Sequence[int], now_ms: float = 0, kind: int = 0) -> None:
    """Packets with these numbers come to these rows in one tick; the timestamp goes with the number."""
    packets = np.zeros((len(rows), 12), np.uint8)
    sequences = np.array(numbers, dtype=np.int64)
    write_headers(packets, kind, sequences, sequences * 160, into.source[rows])
    arrived_s = np.full(len(rows), now_ms / 1000)
    into.count_all(header.read(header.words(packets)), np.array(rows, dtype=np.int64), arrived_s)


def received(numbers: Sequence[int], start: int = 0) -> Columns:
    """One leg's packets, one a tick."""
    found = columns()
    found.hear(1, 7, (start + numbers[0]) % 65536)
    for n, number in enumerate(numbers):
        count(found, [1], [start + number], 20 * n)
    return found


@given(st.sets(st.integers(1, 400), max_size=200), st.integers(0, 65535))
@SETTINGS
def test_what_did_not_come_is_lost(lost: set[int], start: int) -> None:
    came = [number for number in range(402) if number not in lost]
    found = received(came, start)
    assert (found.received(1), found.lost(1)) == (len(came), len(lost))
    assert found.highest[1] == start + 401


@given(st.lists(st.integers(0, 7), min_size=120, max_size=120), st.integers(0, 65535))
@SETTINGS
def test_what_comes_late_is_not_lost(late: list[int], start: int) -> None:
    late[0] = 0
    found = received(sorted(range(120), key=lambda number: number + late[number]), start)
    assert (found.received(1), found.lost(1)) == (120, 0)


@given(st.lists(st.lists(st.tuples(st.sampled_from([1, 2]), st.integers(0, 9)), max_size=6), max_size=8))
@SETTINGS
def test_packets_of_one_tick_are_counted_as_one_after_the_other(ticks: list[list[tuple[int, int]]]) -> None:
    together, alone = columns(), columns()
    for into in (together, alone):
        into.hear(1, 7, 65530)
        into.hear(2, 8, 0)
    for tick in ticks:
        rows, numbers = [row for row, _ in tick], [65530 + ahead if row == 1 else ahead for row, ahead in tick]
        if tick:
            count(together, rows, numbers)
        for row, number in zip(rows, numbers, strict=True):
            count(alone, [row], [number])
    for row in (1, 2):
        assert together.highest[row] == alone.highest[row]
        assert (together.received(row), together.lost(row)) == (alone.received(row), alone.lost(row))


@pytest.mark.parametrize("jump", [4000, 20_000, 32_768, 40_000, 60_000])
def test_a_sender_that_begins_anew_has_lost_nothing_by_it(jump: int) -> None:
    found = received([*range(50), *range(jump, jump + 50)], start=100)
    assert (found.received(1), found.lost(1)) == (100, 0)


def test_one_stray_number_costs_nothing_but_itself() -> None:
    found = received([*range(50), 30_000, *range(50, 100)])
    assert found.received(1) == 101
    assert found.lost(1) == 0


def test_a_jump_among_others_packets_is_one_legs_alone() -> None:
    found = columns()
    found.hear(1, 7, 0)
    found.hear(2, 8, 0)
    for n in range(10):
        count(found, [1, 2], [n, n])
    count(found, [2, 1, 1, 2], [10, 25_000, 25_001, 12])
    assert (found.received(1), found.lost(1), found.highest[1]) == (12, 0, 25_001)
    assert (found.received(2), found.lost(2), found.highest[2]) == (12, 1, 12)


def test_losses_of_an_earlier_source_stay_counted() -> None:
    found = received([0, 1, 5])
    found.hear(1, 9, 0)
    for n in [*range(10), 14]:
        count(found, [1], [n], 100)
    assert (found.received(1), found.lost(1)) == (3 + 11, 3 + 4)
    assert found.block(1, 0, 0).lost == 4


def test_a_report_is_about_what_came_since_the_last() -> None:
    found = received([number for number in range(100) if number % 4 or not number])
    first = found.block(1, last_report=5, delay=6)
    assert (first.ssrc, first.fraction_lost, first.lost, first.highest_sequence) == (7, 24 * 256 // 100, 24, 99)
    assert (first.last_report, first.delay) == (5, 6)
    for n in range(100, 150):
        count(found, [1], [n])
    second = found.block(1, 0, 0)
    assert (second.fraction_lost, second.lost, second.highest_sequence) == (0, 24, 149)
    assert found.block(1, 0, 0).fraction_lost == 0


def test_jitter_is_that_of_the_formula() -> None:
    late_ms = np.random.default_rng(1).uniform(0, 60, 500).tolist()
    found, expected, before = columns(), 0.0, late_ms[0] * 8
    found.hear(1, 7, 0)
    for n, late in enumerate(late_ms):
        count(found, [1], [n], 20 * n + late)
        expected += (abs(late * 8 - before) - expected) / 16 if n else 0
        before = late * 8
    assert found.jitter[1] == pytest.approx(expected, rel=1e-6)
    assert found.jitter_us(1) == round(expected * 125)


def test_timestamps_that_jump_wrap_or_stand_are_no_jitter() -> None:
    found = columns()
    found.hear(1, 7, 0)
    for n in range(100):
        count(found, [1], [n], 20 * n)
    for n in range(100, 110):
        count(found, [1], [n], 20 * n + 500, kind=EVENTS)
        count(found, [1], [n], 20 * n + 900, kind=13)
    for n in range(110, 200):
        count(found, [1], [n], 20 * n)
    count(found, [1], [20_200], 4000)
    assert found.jitter[1] == pytest.approx(0, abs=0.01)


@given(st.lists(st.lists(st.tuples(st.sampled_from([1, 2]), st.integers(0, 65535)), min_size=1, max_size=8)))
@SETTINGS
def test_any_numbers_are_borne(ticks: list[list[tuple[int, int]]]) -> None:
    found = columns()
    found.hear(1, 7, 0)
    found.hear(2, 8, 0)
    for n, tick in enumerate(ticks):
        count(found, [row for row, _ in tick], [number for _, number in tick], 20 * n)
    assert found.received(1) + found.received(2) == sum(map(len, ticks))
    for row in (1, 2):
        assert found.lost(row) >= 0
        assert 0 <= found.block(row, 0, 0).fraction_lost <= 255
