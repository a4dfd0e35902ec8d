"""What is recorded, and how a file ends."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from media.record import Recorder
from media.tone import tone
from media.wav import parse
from media.wire import Record, RecordClosed


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    made = Recorder()
    yield made
    made.close()


def the_closed(recorder: Recorder) -> RecordClosed:
    recorder.close()
    (one,) = recorder.closed()
    return one


def test_a_closed_file_holds_what_was_written_and_its_hash_is_told(recorder: Recorder, tmp_path: Path) -> None:
    path = tmp_path / "folder" / "a.wav"
    sound = tone(440, 2.5)
    recording = recorder.open("room", Record("r", str(path)), 8000)
    for frame in sound.reshape(-1, 160):
        recording.write(frame)
    recording.close()
    closed = the_closed(recorder)
    content = path.read_bytes()
    assert closed == RecordClosed("room", "r", str(path), hashlib.sha256(content).hexdigest(), 2500)
    assert (parse(content).samples == sound).all()


def test_each_side_has_its_channel(recorder: Recorder, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    recording = recorder.open("room", Record("r", str(path), "stereo", ("a", "b")), 8000)
    left, right = tone(440, 0.02), tone(880, 0.02)
    recording.write(left, right)
    recording.write(None, right)
    recording.close()
    the_closed(recorder)
    sides = np.frombuffer(path.read_bytes()[44:], "<i2").reshape(-1, 2)
    assert (sides[:160, 0] == left).all() and not sides[160:, 0].any()
    assert (sides[:, 1] == np.tile(right, 2)).all()
