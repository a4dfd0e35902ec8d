"""Partial sums: a room over several workers sounds as it would in one, but for the delay of what is elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media import mixer
from media.mixer import Sums
from media.pcm import Samples
from media.span import BRIEF_WINDOW_TICKS, GONE_TICKS, MOST_WAITING, WINDOW_TICKS, Lane, Partial, Span, spanned
from media.wire import Span as Wanted

RATE_HZ = 8000
SAMPLES = RATE_HZ // 50
NAMES = ("one", "two", "three", "four")


def partial(number: int, level: int | Sums = 0, run: int = 1) -> Partial:
    """A frame of one value; its number unless another one is given."""
    frame = np.full(SAMPLES, level or number, dtype=np.int32) if isinstance(level, int) else level
    return Partial("room", run, number, RATE_HZ, (), frame.tobytes())


def flat(frame: Sums | None) -> int | None:
    """The value of a frame that has but one."""
    if frame is None:
        return None
    assert frame.min() == frame.max()
    return int(frame[0])


def begun(level: int = 1000) -> Lane:
    """One of which a frame of this level was taken."""
    lane = Lane(SAMPLES)
    lane.put(partial(1, level))
    lane.take()
    lane.put(partial(2, level))
    assert flat(lane.take()) == level
    return lane


def test_what_comes_is_taken_in_order_each_tick() -> None:
    lane = begun()
    for number in range(3, 100):
        lane.put(partial(number))
        assert flat(lane.take()) == number


def test_what_is_late_is_faded_out_of_and_waited_for_and_from_then_on_there_is_one_to_spare() -> None:
    lane = begun()
    missing = lane.take()
    assert missing is not None
    assert (missing[0], missing[-1]) == (1000, 0)
    assert (np.diff(missing) <= 0).all()
    lane.put(partial(3))
    lane.put(partial(4))
    back = lane.take()
    assert back is not None
    assert (back[0], back[-1]) == (0, 3)
    assert flat(lane.take()) == 4, "the next one may be late by a tick"
    lane.put(partial(5))
    lane.put(partial(6))
    assert [flat(lane.take()), flat(lane.take())] == [5, 6]


def test_what_is_lost_is_left_out() -> None:
    lane = begun()
    lane.put(partial(4))
    assert lane.take() is not None, "the frame before, fading"
    back = lane.take()
    assert back is not None
    assert back[-1] == 4


def test_what_is_always_to_spare_becomes_one_with_the_next() -> None:
    lane = begun()
    lane.put(partial(3))
    taken = []
    for number in range(4, 3 * WINDOW_TICKS):
        lane.put(partial(number))
        frame = lane.take()
        assert frame is not None
        taken.append(int(frame[-1]))
    steps = np.diff(taken)
    assert sorted(set(steps.tolist())) == [1, 2]
    assert (steps == 2).sum() == 1, "once, and then there is none to spare any more"


def test_after_a_standstill_what_came_all_at_once_is_not_played_late() -> None:
    lane = begun()
    for number in range(3, 40):
        lane.put(partial(number))
    taken = []
    for number in range(40, 40 + 3 * BRIEF_WINDOW_TICKS):
        frame = lane.take()
        assert frame is not None
        taken.append(int(frame[-1]))
        lane.put(partial(number))
    assert taken[0] >= 39 - MOST_WAITING
    assert taken[-1] >= number - 2, "what is to spare is used up soon"


def test_what_is_older_than_its_turn_is_nothing() -> None:
    lane = begun()
    lane.put(partial(1))
    assert lane.take() is not None
    assert lane.take() is None


def test_a_worker_that_is_gone_talks_no_more() -> None:
    lane = begun()
    lane.talking = (("a", 1),)
    for _ in range(GONE_TICKS):
        lane.take()
    assert not lane.talking


def test_another_worker_in_its_place_begins_anew() -> None:
    lane = begun()
    lane.put(partial(1, 7, run=2))
    assert flat(lane.take()) == 7


@given(st.lists(st.integers(0, 2 * MOST_WAITING), max_size=60))
def test_however_they_come_none_is_taken_twice_or_out_of_order(coming: list[int]) -> None:
    lane, number, taken = Lane(SAMPLES), 0, []
    for many in coming:
        for _ in range(many):
            number += 1
            lane.put(partial(number))
        frame = lane.take()
        if frame is not None and frame[-1]:
            taken.append(int(frame[-1]))
    assert taken == sorted(set(taken))


def test_of_another_rate_or_length_or_worker_nothing_is_heard() -> None:
    span = Span("room", 1, RATE_HZ, Wanted(True, ("two",)))
    span.hear("two", Partial("room", 1, 1, 16000, (), bytes(2 * SAMPLES * 4)))
    span.hear("two", Partial("room", 1, 1, RATE_HZ, (), bytes(SAMPLES)))
    span.hear("three", partial(1, 9))
    total = np.ones(SAMPLES, dtype=np.int32)
    span.exchange(total)
    assert flat(total) == 1


def test_it_goes_on_with_the_workers_that_stay() -> None:
    span = spanned(None, "room", RATE_HZ, Wanted(False, ("two", "three")), 5)
    assert span is not None
    for peer in ("two", "three"):
        span.hear(peer, partial(1, 4))
    after = spanned(span, "room", RATE_HZ, Wanted(True, ("two",)), 6)
    assert after is span
    assert after.is_home
    total = np.zeros(SAMPLES, dtype=np.int32)
    span.exchange(total)
    assert total[-1] == 4
    assert spanned(span, "room", 16000, Wanted(True, ("two",)), 7) is not span
    assert spanned(span, "room", RATE_HZ, None, 8) is None


def split(spoken: Samples, workers: int) -> Sums:
    """What legs hear, (ticks, legs, samples), of what they say when they are at so many workers in turn."""
    ticks, legs, _ = spoken.shape
    members = [np.arange(worker, legs, workers) for worker in range(workers)]
    names = NAMES[:workers]
    spans = [Span("room", n, RATE_HZ, Wanted(n == 0, (*names[:n], *names[n + 1 :]))) for n in range(workers)]
    heard: Sums = np.zeros(spoken.shape, dtype=np.int32)
    for tick in range(ticks):
        said = []
        for worker, span in enumerate(spans):
            frames = spoken[tick, members[worker]]
            rooms = mixer.Rooms.of_sizes([len(frames)])
            totals = mixer.sums(frames, rooms)
            span.exchange(totals[0])
            heard[tick, members[worker]] = mixer.others(frames, rooms, totals)
            said.append(span.said())
        for worker, one in enumerate(said):
            assert one is not None
            for other in spans:
                other.hear(names[worker], one)
    return heard


@given(st.integers(4, 9), st.integers(2, 4), st.integers(0, 1 << 30))
def test_a_room_over_several_workers_is_what_it_is_in_one_but_a_tick_later(legs: int, workers: int, seed: int) -> None:
    """To the sample: what is at the same worker at once, what is elsewhere a tick later; the first of that fades in."""
    spoken = np.random.default_rng(seed).integers(-32768, 32768, (6, legs, SAMPLES)).astype(np.int16)
    heard, said = split(spoken, workers), spoken.astype(np.int32)
    at = np.arange(legs) % workers
    for leg in range(legs):
        here, there = (at == at[leg]) & (np.arange(legs) != leg), at != at[leg]
        wanted = said[2:, here].sum(axis=1) + said[1:-1, there].sum(axis=1)
        assert (heard[2:, leg] == wanted).all()


@pytest.mark.parametrize("workers", [2, 4])
def test_legs_that_go_on_with_one_sound_hear_exactly_the_others(workers: int) -> None:
    levels = np.arange(1, 9, dtype=np.int16) ** 2
    spoken = np.broadcast_to(levels[None, :, None], (6, 8, SAMPLES)).astype(np.int16)
    heard = split(spoken, workers)
    assert (heard[2:] == (levels.sum() - levels)[None, :, None]).all()
