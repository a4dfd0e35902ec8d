"""What is played, frame by frame."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from media.pcm import Samples
from media.play import Library, Playback
from media.sound import load
from media.tone import tone
from media.wav import wave
from media.wire import Play


@pytest.fixture
def library() -> Iterator[Library]:
    made = Library(load)
    yield made
    made.close()


def heard(playback: Playback, most: int = 100_000) -> Samples:
    """All frames up to the end, or so many."""
    frames: list[Samples] = []
    limit_s = time.monotonic() + 10
    while len(frames) < most:
        assert time.monotonic() < limit_s, "nothing comes"
        frame = playback.frame()
        if frame is not None:
            frames.append(frame)
        elif playback.done:
            break
    return np.concatenate(frames) if frames else np.zeros(0, np.int16)


def test_a_file_is_heard_whole_and_silence_fills_its_last_frame(library: Library, tmp_path: Path) -> None:
    sound = tone(440, 0.05)
    (tmp_path / "a.wav").write_bytes(wave(sound, 8000))
    playback = library.play(Play("p", str(tmp_path / "a.wav")), 8000)
    got = heard(playback)
    assert playback.done and not playback.reason
    assert len(got) == 480
    assert (got[:400] == sound).all() and not got[400:].any()


def test_what_loops_has_no_seam(library: Library, tmp_path: Path) -> None:
    sound = tone(440, 0.0301)
    (tmp_path / "a.wav").write_bytes(wave(sound, 8000))
    got = heard(library.play(Play("p", str(tmp_path / "a.wav"), loop=True), 8000), most=50)
    assert (got == np.resize(sound, 8000)).all()


def test_a_file_that_is_not_there_ends_its_play_with_a_reason(library: Library, tmp_path: Path) -> None:
    playback = library.play(Play("p", str(tmp_path / "none.wav")), 8000)
    assert not len(heard(playback))
    assert playback.done
    assert playback.reason == f"cannot read {tmp_path / 'none.wav'}: No such file or directory"
