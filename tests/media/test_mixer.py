"""The laws of the mixer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from media import mixer, tone
from media.mixer import CEILING, FULL_SCALE, Rooms
from media.pcm import Samples

SAMPLES = 32
SIZES = st.lists(st.integers(1, 6), min_size=1, max_size=5)


@st.composite
def rooms_and_frames(draw: st.DrawFn, loudest: int = FULL_SCALE) -> tuple[list[int], Samples]:
    sizes = draw(SIZES)
    shape = (sum(sizes), SAMPLES)
    return sizes, draw(arrays(np.int16, shape, elements=st.integers(-loudest - 1, loudest)))


def heard(frames: Samples, sizes: list[int]) -> mixer.Sums:
    rooms = Rooms.of_sizes(sizes)
    return mixer.others(frames, rooms, mixer.sums(frames, rooms))


def gains(frames: NDArray[np.generic]) -> mixer.Gains:
    return np.ones(len(frames), dtype=np.float32)


@given(rooms_and_frames())
def test_each_hears_the_sum_of_the_others_in_its_room_exactly(case: tuple[list[int], Samples]) -> None:
    sizes, frames = case
    expected, start = [], 0
    for size in sizes:
        room = [[int(sample) for sample in frame] for frame in frames[start : start + size]]
        for own in range(size):
            expected.append([sum(column) - column[own] for column in zip(*room, strict=True)])
        start += size
    assert heard(frames, sizes).tolist() == expected


@given(rooms_and_frames(FULL_SCALE // 2), st.data())
def test_mixing_is_linear(case: tuple[list[int], Samples], data: st.DataObject) -> None:
    sizes, frames = case
    more = data.draw(arrays(np.int16, frames.shape, elements=st.integers(-(FULL_SCALE // 2), FULL_SCALE // 2)))
    assert np.array_equal(heard(frames + more, sizes), heard(frames, sizes) + heard(more, sizes))
    assert np.array_equal(heard(-2 * more, sizes), -2 * heard(more, sizes))


@given(rooms_and_frames(), st.data())
def test_the_order_of_legs_does_not_matter(case: tuple[list[int], Samples], data: st.DataObject) -> None:
    sizes, frames = case
    starts = np.cumsum([0, *sizes[:-1]])
    order = [
        int(start) + place
        for start, size in zip(starts, sizes, strict=True)
        for place in data.draw(st.permutations(range(size)))
    ]
    assert np.array_equal(heard(frames[order], sizes), heard(frames, sizes)[order])


@given(SIZES)
def test_silence_is_silence(sizes: list[int]) -> None:
    silence = np.zeros((sum(sizes), SAMPLES), np.int16)
    frames, after = mixer.limit(heard(silence, sizes), gains(silence))
    assert not frames.any()
    assert (after == 1).all()


@given(rooms_and_frames(CEILING))
def test_what_is_not_too_loud_leaves_as_it_is(case: tuple[list[int], Samples]) -> None:
    sizes, frames = case
    sums = heard(frames, sizes)
    out, after = mixer.limit(sums, gains(sums))
    fits = mixer.peaks(sums) <= CEILING
    assert np.array_equal(out[fits], sums[fits])
    assert (after[fits] == 1).all()


@given(
    arrays(np.int32, (3, SAMPLES), elements=st.integers(-(2**24), 2**24)),
    arrays(np.float32, 3, elements=st.floats(2**-9, 1, width=32)),
)
def test_too_loud_is_saturated_and_never_wraps(sums: mixer.Sums, before: mixer.Gains) -> None:
    out, after = mixer.limit(sums, before)
    assert (np.sign(out) * np.sign(sums) >= 0).all()
    assert (np.abs(out[np.abs(sums) * np.minimum(before, after)[:, None] > CEILING]) >= CEILING - 1).all()
    assert ((after > 0) & (after <= 1)).all()


def test_500_legs_at_full_scale_do_not_wrap() -> None:
    frames = np.full((500, SAMPLES), FULL_SCALE, np.int16)
    sums = heard(frames, [500])
    assert (sums == 499 * FULL_SCALE).all()
    out, _ = mixer.limit(sums, gains(frames))
    assert (out >= CEILING).all()


def test_loud_tones_that_last_are_brought_down_without_new_ones() -> None:
    loud = sum(tone.tone(hz, 1.0, level_dbfs=-1).astype(np.int32) for hz in (410.0, 730.0, 1130.0))
    assert isinstance(loud, np.ndarray)
    gain, frames = np.ones(1, np.float32), []
    for frame in loud.reshape(-1, 1, 160):
        out, gain = mixer.limit(frame, gain)
        frames.append(out[0])
    assert sorted(round(hz, -1) for hz in tone.tones(np.concatenate(frames[5:]), 8000, -30)) == [410, 730, 1130]


def test_the_gain_comes_back_when_it_is_quiet_again() -> None:
    loud, quiet = np.full((1, 160), 90_000, np.int32), np.full((1, 160), 1000, np.int32)
    _, gain = mixer.limit(loud, np.ones(1, np.float32))
    assert gain[0] == pytest.approx(CEILING / 90_000)
    levels = []
    for _ in range(30):
        out, gain = mixer.limit(quiet, gain)
        levels.append(int(out[0, -1]))
    assert levels == sorted(levels)
    assert levels[0] < 400
    assert levels[-1] == 1000
    assert gain[0] == 1


def test_gains_of_legs_saturate_too() -> None:
    frames = np.array([[30_000, -30_000], [100, -100]], np.int16)
    assert mixer.amplified(frames, np.array([2, 0.5], np.float32)).tolist() == [[32767, -32768], [50, -50]]
