"""What is played, frame by frame, and what the library keeps."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.pcm import Samples
from media.play import Library, Playback
from media.sound import Sound, SoundError
from media.source import Sources
from media.wav import wave
from media.wire import Play


class Records:
    """Sounds by name, each rate's at that rate; counts what was loaded, and waits while it is told to."""

    def __init__(self) -> None:
        self.sounds: dict[str, Samples] = {}
        self.loaded: list[tuple[str, int]] = []
        self.goes_on = threading.Event()
        self.goes_on.set()

    def load(self, play: Play, clock_rate_hz: int) -> Sound:
        self.goes_on.wait(20)
        self.loaded.append((play.source, clock_rate_hz))
        if play.source not in self.sounds:
            raise SoundError(f"there is no {play.source}")
        samples = self.sounds[play.source].repeat(clock_rate_hz // 1000)
        samples.setflags(write=False)
        return Sound(samples, clock_rate_hz)


@pytest.fixture
def records() -> Records:
    return Records()


@pytest.fixture
def library(records: Records) -> Iterator[Library]:
    made = Library(records.load, most_bytes=10_000)
    yield made
    made.close()


def numbers(count: int) -> Samples:
    return np.arange(1, count + 1, dtype=np.int16)


def heard(playback: Playback, most: int = 100_000) -> Samples:
    """All frames up to the end, or so many."""
    frames: list[Samples] = []
    limit_s = time.monotonic() + 10
    while len(frames) < most and not playback.done:
        assert time.monotonic() < limit_s, "nothing comes"
        frame = playback.frame()
        if frame is not None:
            frames.append(frame)
    return np.concatenate(frames) if frames else np.zeros(0, np.int16)


@settings(max_examples=50)
@given(st.integers(1, 200), st.booleans())
def test_frames_are_the_sound_and_silence_fills_the_last_or_it_begins_again(length: int, loop: bool) -> None:
    records = Records()
    records.sounds["a"] = numbers(length)
    library = Library(records.load)
    playback = library.play(Play("p", "a", loop=loop), 1000)
    wanted = -(-length // 20)
    got = heard(playback, most=wanted + 3)
    library.close()
    if loop:
        assert got.tolist() == np.resize(numbers(length), 20 * (wanted + 3)).tolist()
    else:
        assert got.tolist() == [*range(1, length + 1), *[0] * (20 * wanted - length)]
    assert playback.done is not loop
    assert not playback.reason


def test_while_a_sound_is_not_there_nothing_is_heard_and_nothing_waits(records: Records, library: Library) -> None:
    records.sounds["a"] = numbers(20)
    records.goes_on.clear()
    playback = library.play(Play("p", "a"), 1000)
    assert [playback.frame() for _ in range(5)] == [None] * 5
    assert not playback.done
    records.goes_on.set()
    assert heard(playback).tolist() == numbers(20).tolist()
    assert playback.frame() is None


def test_a_sound_that_cannot_be_had_ends_its_play_with_the_reason(library: Library) -> None:
    playback = library.play(Play("p", "none"), 1000)
    assert not len(heard(playback))
    assert (playback.done, playback.reason) == (True, "there is no none")


def test_a_mistake_in_loading_ends_that_play_only() -> None:
    def load(play: Play, clock_rate_hz: int) -> Sound:
        if play.source == "bad":
            raise KeyError("a mistake")
        return Sound(numbers(20), clock_rate_hz)

    library = Library(load)
    bad, good = (library.play(Play("p", name), 1000) for name in ("bad", "good"))
    assert len(heard(bad)) == 0 and "a mistake" in bad.reason
    assert len(heard(good)) == 20
    library.close()


def test_an_empty_sound_is_no_sound(records: Records, library: Library) -> None:
    records.sounds["a"] = numbers(0)
    playback = library.play(Play("p", "a", loop=True), 1000)
    assert not len(heard(playback))
    assert playback.reason == "a holds no sound"


def test_a_sound_is_loaded_once_for_each_rate_gain_and_key(records: Records, library: Library) -> None:
    records.sounds["a"] = numbers(20)
    for rate_hz in (1000, 2000, 1000, 2000):
        heard(library.play(Play("p", "a"), rate_hz))
    heard(library.play(Play("p", "a", gain_db=3.0), 1000))
    heard(library.play(Play("p", "a", key=b"k"), 1000))
    assert records.loaded == [("a", 1000), ("a", 2000), ("a", 1000), ("a", 1000)]


def test_what_was_used_longest_ago_makes_room(records: Records, library: Library) -> None:
    for name in "abc":
        records.sounds[name] = numbers(2000)
    for name in "abacab":
        heard(library.play(Play("p", name), 1000))
    assert [name for name, _ in records.loaded] == ["a", "b", "c", "b"]


def test_a_sound_that_is_larger_than_all_room_is_played_all_the_same(records: Records, library: Library) -> None:
    records.sounds["a"] = numbers(9000)
    assert len(heard(library.play(Play("p", "a"), 1000))) == 9000


def test_a_play_goes_on_at_another_rate_from_the_same_moment(records: Records, library: Library) -> None:
    records.sounds["a"] = numbers(200)
    playback = library.play(Play("p", "a"), 1000)
    before = heard(playback, most=4)
    library.retune(playback, 2000)
    assert playback.clock_rate_hz == 2000
    after = heard(playback)
    assert before.tolist() == list(range(1, 81))
    assert after.tolist() == np.arange(81, 201).repeat(2).tolist()


def test_nobody_can_change_a_sound_that_others_hear(library: Library, records: Records) -> None:
    records.sounds["a"] = numbers(40)
    playback = library.play(Play("p", "a"), 1000)
    while (frame := playback.frame()) is None:
        pass
    with pytest.raises(ValueError, match="read-only"):
        frame[0] = 7


def test_a_file_that_changed_is_read_again(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("sounds") / "a.wav"
    library = Library(Sources().load)
    for count in (160, 320):
        path.write_bytes(wave(numbers(count), 8000))
        assert len(heard(library.play(Play("p", str(path)), 8000))) == count
    library.close()


def test_what_is_asked_for_while_it_closes_is_never_heard(records: Records) -> None:
    library = Library(records.load)
    records.goes_on.clear()
    first, second = (library.play(Play("p", "a"), 1000) for _ in range(2))
    records.goes_on.set()
    library.close()
    assert first.frame() is None and second.frame() is None
    assert second.reason in {"the worker ends", "there is no a"}
