"""Playout buffers of many streams: order, loss, jitter, drift, jumps, and that rows do not touch each other."""

from __future__ import annotations

import random
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from media.cells import CELL_BYTES, FRAME_BYTES, MOST_DELAY_CELLS, Cells

ROWS = 3
ROW = np.array([1])
WRAP = 1 << 32


class Line:
    """One stream of numbered cells to row 1, each filled with its number."""

    def __init__(self, start: int = WRAP - 5 * CELL_BYTES) -> None:
        self.cells = Cells(ROWS)
        self.start = start
        self.played: list[int] = []
        """cells by their numbers, -1 where there was none"""

    def put(self, numbers: Iterable[int], cells_a_packet: int = 2, row: int = 1) -> None:
        """Packets that begin with these cells arrive in one tick."""
        numbers = list(numbers)
        if not numbers:
            return
        stamps = [(self.start + number * CELL_BYTES) % WRAP for number in numbers]
        cells = np.array(numbers, np.uint16)[:, None] + np.arange(cells_a_packet, dtype=np.uint16)
        payloads = np.repeat(cells, CELL_BYTES // 2, axis=1).view(np.uint8)
        self.cells.put(np.full(len(numbers), row), np.array(stamps), payloads)

    def tick(self, numbers: Iterable[int] = (), cells_a_packet: int = 2) -> None:
        self.put(numbers, cells_a_packet)
        self.take(ROW)

    def take(self, rows: NDArray[np.int64]) -> None:
        """Play these rows, and keep what row 1 gave."""
        taken = self.cells.take(rows)
        place = int(np.flatnonzero(rows == 1)[0])
        sound = taken.codes[place].view(np.uint16).reshape(2, -1)
        assert (sound == sound[:, :1]).all()
        self.played += np.where(taken.present[place], sound[:, 0].astype(int), -1).tolist()
        self.cells.turn()

    @property
    def sound(self) -> list[int]:
        return [cell for cell in self.played if cell >= 0]


@pytest.mark.parametrize("cells_a_packet", [1, 2, 3, 4, 6])
def test_a_steady_stream_is_played_whole_in_order_whatever_its_packet_time(cells_a_packet: int) -> None:
    line, due = Line(), 0.0
    for _ in range(60):
        due += 2 / cells_a_packet
        numbers = [round(n) * cells_a_packet for n in np.arange(int(due - 2 / cells_a_packet + 1e-9), int(due + 1e-9))]
        line.tick(numbers, cells_a_packet)
    assert line.sound == list(range(len(line.sound)))
    assert len(line.sound) >= 100
    assert not line.cells.late.any()


def test_sound_is_heard_one_frame_behind_its_packet() -> None:
    line = Line()
    for n in range(3):
        line.tick([2 * n])
    assert line.played == [-1, -1, 0, 1, 2, 3]


@given(st.permutations(range(6)), st.lists(st.integers(0, 5), max_size=4))
def test_packets_of_a_tick_may_come_in_any_order_and_twice(order: list[int], again: list[int]) -> None:
    line = Line()
    line.tick([0])
    line.tick([2 * n + 2 for n in [*order, *again]])
    for _ in range(12):
        line.tick()
    assert line.sound == list(range(14))


@given(st.sets(st.integers(1, 40), max_size=25))
def test_what_is_lost_is_missing_in_its_place(lost: set[int]) -> None:
    line = Line()
    for n in range(50):
        line.tick([] if n in lost else [2 * n])
    expected = [cell if cell // 2 not in lost else -1 for cell in range(98)]
    longest = max((len(run) for run in "".join("x" if n in lost else " " for n in range(50)).split(" ")), default=0)
    if longest < 10:
        assert line.played == [-1, -1, *expected]


@given(st.integers(0, 1 << 32))
@settings(max_examples=20)
def test_jitter_of_300_ms_is_learnt(seed: int) -> None:
    delays = random.Random(seed).choices(range(15), k=200)
    line, arriving = Line(), dict[int, list[int]]()
    for n, delay in enumerate(delays):
        arriving.setdefault(n + delay, []).append(2 * n)
    late = []
    for tick in range(len(delays)):
        line.tick(arriving.get(tick, []))
        late.append(int(line.cells.late[1]))
    assert line.sound == sorted(set(line.sound))
    assert late[-1] <= 2 * (MOST_DELAY_CELLS // 2 + 1)


def test_delay_that_jitter_made_is_given_back_when_it_is_over() -> None:
    line = Line()
    for n in range(100):
        line.tick([2 * n] if n % 10 else [])
        if n % 10 == 8:
            line.put([2 * (n - 8)])
    behind = 200 - max(line.sound)
    for n in range(100, 500):
        line.tick([2 * n])
    assert behind > 10
    assert 1000 - line.played[-1] < 8


@pytest.mark.parametrize("every", [40, -40])
def test_drift_of_clocks_is_absorbed(every: int) -> None:
    """A sender that makes one packet more, or fewer, in 40 ticks is 2.5 % off: far more than any clock."""
    line, n = Line(), 0
    for tick in range(600):
        extra = tick % abs(every) == 1
        count = 1 + (extra if every > 0 else -extra)
        line.tick([2 * (n + k) for k in range(count)])
        n += count
    gaps = line.played[2:].count(-1)
    assert gaps <= (6 if every > 0 else 2 * 600 // 40 + 4)
    assert 0 <= 2 * n - 1 - line.sound[-1] < 16


def test_a_stream_that_begins_anew_after_a_pause_is_played_at_once() -> None:
    line = Line()
    for n in range(5):
        line.tick([2 * n])
    for _ in range(12):
        line.tick()
    assert not line.cells.playing[1]
    line.start = 12345
    line.tick([0])
    line.tick([2])
    assert line.played[-2:] == [0, 1]


def test_one_packet_far_off_is_not_believed_but_two_in_a_row_are() -> None:
    line = Line()
    for n in range(5):
        line.tick([2 * n])
    line.tick([10, 5000])
    line.tick([12])
    assert line.played[-2:] == [10, 11]
    line.tick([6000])
    line.tick([6002])
    line.tick([6004])
    assert line.played[-2:] == [6002, 6003]


def test_timestamps_off_the_cells_are_believed_likewise() -> None:
    line = Line()
    for n in range(5):
        line.tick([2 * n])
    line.start += 33
    for n in range(5, 9):
        line.tick([2 * n])
    assert line.played[-2:] == [14, 15]


def test_a_stall_of_two_seconds_ends_with_the_newest() -> None:
    line = Line()
    for n in range(20):
        line.tick([2 * n])
    for _ in range(100):
        line.tick()
    waiting = [2 * n for n in range(20, 120)]
    while waiting:
        line.tick(waiting[:16])
        del waiting[:16]
    for n in range(127, 400):
        line.tick([2 * n])
    assert 0 <= 2 * 399 + 1 - line.sound[-1] < 8


@given(st.data())
def test_rows_do_not_touch_each_other(data: st.DataObject) -> None:
    alone, among = Line(), Line()
    stamps = st.integers(0, WRAP - 1)
    for n in range(20):
        for row in (0, 2):
            among.cells.put(
                np.array([row]),
                np.array([data.draw(stamps)]),
                np.zeros((1, FRAME_BYTES), np.uint8),
            )
        alone.tick([2 * n])
        among.put([2 * n])
        among.take(np.array([2, 1, 0]))
    assert among.played == alone.played


@given(st.lists(st.tuples(st.integers(0, WRAP - 1), st.integers(1, 6)), max_size=60))
def test_any_timestamps_are_borne(packets: list[tuple[int, int]]) -> None:
    cells = Cells(ROWS)
    for stamp, count in packets:
        cells.put(ROW, np.array([stamp]), np.ones((1, count * CELL_BYTES), np.uint8))
        taken = cells.take(ROW)
        assert taken.codes.shape == (1, FRAME_BYTES)
        cells.turn()


def test_what_lies_ahead_of_a_stream_that_ran_dry_is_not_played() -> None:
    line = Line()
    line.tick([0])
    line.tick([60])
    for _ in range(40):
        line.tick()
    assert not line.cells.playing[1]
    assert line.sound == [0, 1]
