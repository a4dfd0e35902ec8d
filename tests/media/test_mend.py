"""Gaps in many streams at once: each is concealed as it would be alone, and nobody else hears of it."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from media.conceal import Gap
from media.mend import Mender, Seam
from media.pcm import Samples
from media.tone import tone

ROWS, FRAME, PARTS = 5, 160, 2
ALL = np.arange(ROWS)
SETTINGS = settings(max_examples=50, deadline=None)


def sounds(frames: int) -> Samples:
    """A tone of its own for each row: (frames, rows, samples)."""
    rows = [tone(200 + 110 * row, frames * 0.02, 8000) for row in range(ROWS)]
    return np.ascontiguousarray(np.array(rows).reshape(ROWS, frames, FRAME).swapaxes(0, 1))


def mended(sound: Samples, present: NDArray[np.bool_], lost: NDArray[np.bool_] | None = None) -> Samples:
    """What is heard of (frames, rows, samples) of which these parts (frames, rows, parts) came."""
    mender, heard = Mender(ROWS, 8000), sound.copy()
    heard.reshape(*present.shape, -1)[~present] = 0
    for number, frames in enumerate(heard):
        missing = ~present[number].all(axis=1) if lost is None else lost[number]
        mender.mend(frames, ALL, present[number], missing)
    return heard


@given(st.lists(st.lists(st.booleans(), min_size=2, max_size=2), min_size=20, max_size=20), st.integers(0, ROWS - 1))
@SETTINGS
def test_one_rows_gaps_are_not_heard_by_others(came: list[list[bool]], row: int) -> None:
    sound, present = sounds(20), np.ones((20, ROWS, PARTS), np.bool_)
    present[:, row] = came
    heard = mended(sound, present)
    others = row != ALL
    assert np.array_equal(heard[:, others], sound[:, others])
    alone = mended(sound[:, [row] * ROWS], np.repeat(present[:, row : row + 1], ROWS, axis=1))
    assert np.array_equal(heard[:, row], alone[:, 0])


def test_a_gap_is_concealed_as_one_stream_alone_would_be() -> None:
    sound, present = sounds(10), np.ones((10, ROWS, PARTS), np.bool_)
    present[5, 2, 1] = present[6, 2] = False
    heard = mended(sound, present)
    whole = sound[:, 2].ravel()
    gap = Gap(whole[: 5 * FRAME + 80], 8000)
    made = gap.frame(240)
    joined = gap.join(whole[7 * FRAME : 7 * FRAME + 80])
    expected = np.concatenate((whole[: 5 * FRAME + 80], made, joined, whole[7 * FRAME + 80 :]))
    assert np.array_equal(heard[:, 2].ravel(), expected)


def test_what_is_missing_and_not_lost_is_silence() -> None:
    sound, present = sounds(6), np.ones((6, ROWS, PARTS), np.bool_)
    present[3:, 1] = False
    heard = mended(sound, present, lost=np.zeros((6, ROWS), np.bool_))
    assert not heard[3:, 1].any()


def test_a_gap_that_becomes_silence_is_over() -> None:
    sound, present, lost = sounds(8), np.ones((8, ROWS, PARTS), np.bool_), np.zeros((8, ROWS), np.bool_)
    present[3:6, 1] = False
    lost[3, 1] = True
    heard = mended(sound, present, lost)
    assert heard[3, 1].any()
    assert not heard[4:6, 1].any()
    assert np.array_equal(heard[6:], sound[6:])


def test_rows_come_and_go_and_only_those_that_are_asked_for_are_touched() -> None:
    mender, sound = Mender(ROWS, 8000), sounds(6)
    for frames in sound[:4]:
        mender.mend(frames.copy(), ALL, np.ones((ROWS, PARTS), np.bool_), np.zeros(ROWS, np.bool_))
    few, nothing = np.array([3, 0]), np.zeros((2, FRAME), np.int16)
    mender.mend(nothing, few, np.zeros((2, PARTS), np.bool_), np.array([True, False]))
    assert np.array_equal(nothing[0], Gap(sound[:4, 3].ravel(), 8000).frame(FRAME))
    assert not nothing[1].any()
    assert mender.mended.tolist() == [0, 0, 0, 1, 0]


def test_another_stream_on_a_row_has_no_history() -> None:
    mender, sound = Mender(ROWS, 8000), sounds(6)
    for frames in sound[:4]:
        mender.mend(frames.copy(), ALL, np.ones((ROWS, PARTS), np.bool_), np.zeros(ROWS, np.bool_))
    mender.reset(3)
    frames = np.zeros((ROWS, FRAME), np.int16)
    mender.mend(frames, ALL, np.zeros((ROWS, PARTS), np.bool_), np.ones(ROWS, np.bool_))
    assert not frames[3].any()
    assert frames[2].any()


def test_another_stream_on_a_row_has_no_gap() -> None:
    mender, sound = Mender(ROWS, 8000), sounds(6)
    all_here, none_lost = np.ones((ROWS, PARTS), np.bool_), np.zeros(ROWS, np.bool_)
    for frames in sound[:4]:
        mender.mend(frames.copy(), ALL, all_here, none_lost)
    mender.mend(np.zeros((ROWS, FRAME), np.int16), ALL, ~all_here, ~none_lost)
    assert mender.mended.tolist() == [1] * ROWS
    mender.reset(3)
    frames = sound[5].copy()
    mender.mend(frames, ALL, all_here, none_lost)
    assert np.array_equal(frames[3], sound[5, 3])
    assert not np.array_equal(frames[2], sound[5, 2])
    assert mender.mended.tolist() == [1, 1, 1, 0, 1]


@given(st.lists(st.booleans(), min_size=12, max_size=12))
@SETTINGS
def test_one_stream_of_whole_frames_is_mended_as_among_many(came: list[bool]) -> None:
    sound, present = sounds(12), np.ones((12, ROWS, PARTS), np.bool_)
    present[:, 3] = np.array(came)[:, None]
    among, seam = mended(sound, present)[:, 3], Seam(8000)
    alone = [seam.join(frame) if here else seam.conceal(FRAME) for frame, here in zip(sound[:, 3], came, strict=True)]
    assert np.array_equal(np.array(alone), among)
