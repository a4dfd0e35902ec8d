"""What is recorded: the right samples in the right places, and storages that fail disturb nobody."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.container import Container, complete, contain
from media.part import part_of
from media.pcm import Samples
from media.record import Recorder, Recording
from media.sealed import SealedWave
from media.tone import levels, tone
from media.track import Track, track_of
from media.wav import parse
from media.wire import Record, RecordClosed
from tests.fixtures.disk import full_disk

KEY = bytes(range(32))
KEYS = pytest.mark.parametrize("key", [b"", KEY], ids=["plain", "sealed"])
LIMIT_BYTES = 60_000


def recorded(recorder: Recorder) -> list[RecordClosed]:
    """What was closed once all that was handed over is written."""
    recorder.close()
    return recorder.closed()


def write(recording: Recording, *sides: Samples) -> None:
    """All frames of what is heard on each side."""
    frame = recording.track.clock_rate_hz // 50
    for at in range(0, len(sides[0]), frame):
        recording.write(*(side[at : at + frame] for side in sides))


def channels(path: Path, count: int) -> np.ndarray[tuple[int, int], np.dtype[np.int16]]:
    return np.frombuffer(path.read_bytes()[44:], "<i2").reshape(-1, count).T


class Storage:
    """A file in memory of a storage that waits while it is told to, and fails from its Nth action on."""

    def __init__(self, fails_at: int = 1_000_000) -> None:
        self.goes_on = threading.Event()
        self.goes_on.set()
        self.track = Track(8000, 1)
        self.data = bytearray()
        self.abandoned = False
        self._left = fails_at

    def make(self, path: Path, track: Track, key: bytes) -> Container:
        self.track = track
        self._act()
        return self

    @property
    def data_bytes(self) -> int:
        return len(self.data)

    def append(self, data: bytes | memoryview) -> None:
        self.goes_on.wait(20)
        self._act()
        self.data += data

    def finish(self) -> str | None:
        self._act()
        return hashlib.sha256(self.data).hexdigest()

    def leave(self) -> None:
        self._act()

    def abandon(self) -> None:
        self.abandoned = True

    def _act(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise OSError(5, "Input/output error")


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(1, 70), st.booleans(), st.booleans()), max_size=6))
def test_what_is_masked_is_silence_and_what_is_paused_is_not_there(stretches: list[tuple[int, bool, bool]]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "a.wav")
        record = Record("r", str(path), "stereo", ("a", "b"))
        recorder, expected, number = Recorder(), list[tuple[int, int]](), 0
        recording = recorder.open("room", record, 1000)
        for frames, masked, paused in stretches:
            recording.update(msgspec.structs.replace(record, masked=masked, paused=paused))
            for _ in range(frames):
                number += 1
                recording.write(np.full(20, number, np.int16), np.full(20, -number, np.int16))
                if not paused:
                    expected.append((0, 0) if masked else (number, -number))
        recording.close()
        (closed,) = recorded(recorder)
        assert channels(path, 2).T.tolist() == [list(sides) for sides in expected for _ in range(20)]
        content = path.read_bytes()
        assert closed == RecordClosed("room", "r", str(path), hashlib.sha256(content).hexdigest(), 20 * len(expected))


def test_a_mixed_file_holds_what_was_written(tmp_path: Path) -> None:
    recorder, sound, path = Recorder(), tone(440, 2.5), tmp_path / "folder" / "a.wav"
    recording = recorder.open("room", Record("r", str(path)), 8000)
    write(recording, sound)
    recording.close()
    recording.close()
    recording.write(sound[:160])
    assert [one.duration_ms for one in recorded(recorder)] == [2500]
    assert (parse(path.read_bytes()).samples == sound).all()


def test_a_frame_may_be_overwritten_once_it_was_handed_over(tmp_path: Path) -> None:
    recorder, frame = Recorder(), np.zeros(160, np.int16)
    recording = recorder.open("room", Record("r", str(tmp_path / "a.wav")), 8000)
    for number in range(60):
        frame[:] = number
        recording.write(frame)
    recording.close()
    recorded(recorder)
    assert channels(tmp_path / "a.wav", 1)[0].tolist() == np.repeat(range(60), 160).tolist()


def test_a_side_that_says_nothing_is_silent(tmp_path: Path) -> None:
    recorder, sound = Recorder(), tone(440, 0.02)
    recording = recorder.open("room", Record("r", str(tmp_path / "a.wav"), "stereo"), 8000)
    recording.write(None, sound)
    recording.write(sound, None)
    recording.close()
    recorded(recorder)
    left, right = channels(tmp_path / "a.wav", 2)
    assert not left[:160].any() and (left[160:] == sound).all()
    assert not right[160:].any() and (right[:160] == sound).all()


def test_a_sealed_recording_is_no_wav_and_holds_one(tmp_path: Path) -> None:
    recorder, sound, path = Recorder(), tone(440, 1.5), tmp_path / "a.swl"
    recording = recorder.open("room", Record("r", str(path), key=KEY), 8000)
    write(recording, sound)
    recording.close()
    (closed,) = recorded(recorder)
    stored = path.read_bytes()
    opened = SealedWave(KEY, len(stored), lambda at, length: stored[at : at + length])
    wave = opened.read(0, len(opened))
    assert closed.sha256 == hashlib.sha256(wave).hexdigest()
    assert (parse(wave).samples == sound).all()
    assert b"RIFF" not in stored and sound.tobytes()[:64] not in stored


def test_a_room_whose_rate_changes_goes_on_in_the_same_file(tmp_path: Path) -> None:
    recorder = Recorder()
    recording = recorder.open("room", Record("r", str(tmp_path / "a.wav")), 8000)
    write(recording, tone(440, 1.0))
    wide = tone(1000, 1.0, 16000)
    for at in range(0, len(wide), 320):
        recording.write(wide[at : at + 320])
    recording.close()
    assert [one.duration_ms for one in recorded(recorder)] == [2000]
    found = parse((tmp_path / "a.wav").read_bytes())
    assert levels(found.samples[9000:], 8000, [1000])[0] == pytest.approx(-13, abs=0.5)


def test_what_a_slow_storage_has_no_room_for_is_silence_of_the_same_length() -> None:
    storage = Storage()
    recorder = Recorder(most_waiting_bytes=40_000, make=storage.make)
    storage.goes_on.clear()
    recording = recorder.open("room", Record("r", "/nowhere"), 8000)
    for second in range(1, 7):
        write(recording, np.full(8000, second, np.int16))
    storage.goes_on.set()
    recording.close()
    assert [one.duration_ms for one in recorded(recorder)] == [6000]
    assert np.frombuffer(storage.data, np.int16)[::8000].tolist() == [1, 2, 0, 0, 0, 0]


def test_after_a_storage_was_slow_what_comes_is_recorded_at_its_time() -> None:
    storage = Storage()
    recorder = Recorder(most_waiting_bytes=20_000, make=storage.make)
    storage.goes_on.clear()
    recording = recorder.open("room", Record("r", "/nowhere"), 8000)
    for second in range(1, 4):
        write(recording, np.full(8000, second, np.int16))
    storage.goes_on.set()
    while recorder.waiting_bytes:
        pass
    write(recording, np.full(8000, 4, np.int16))
    recording.close()
    recorded(recorder)
    assert np.frombuffer(storage.data, np.int16)[::8000].tolist() == [1, 0, 0, 4]


@pytest.mark.parametrize("fails_at", range(6))
def test_whatever_of_a_storage_fails_that_file_ends_with_a_reason_and_no_other(fails_at: int, tmp_path: Path) -> None:
    storage = Storage(fails_at)

    def make(path: Path, track: Track, key: bytes) -> Container:
        return storage.make(path, track, key) if path.name == "bad" else contain(path, track, key)

    recorder = Recorder(make=make)
    bad = recorder.open("room", Record("bad", "bad"), 8000)
    good = recorder.open("room", Record("good", str(tmp_path / "good.wav")), 8000)
    sound = tone(440, 2.5)
    write(bad, sound)
    write(good, sound)
    bad.close()
    good.close()
    closed = {one.record: one for one in recorded(recorder)}
    assert closed["good"].duration_ms == 2500 and not closed["good"].reason
    assert (closed["bad"].reason == "the storage failed: Input/output error") == (fails_at < 5)
    assert closed["bad"].duration_ms == len(storage.data) // 16
    assert closed["bad"].sha256 == ("" if fails_at < 5 else hashlib.sha256(storage.data).hexdigest())
    assert bad.ended


@KEYS
def test_a_full_disk_ends_the_recording_and_what_there_was_room_for_is_a_whole_file(key: bytes, tmp_path: Path) -> None:
    recorder, sound, path = Recorder(), tone(440, 5.0), tmp_path / "a"
    with full_disk(LIMIT_BYTES):
        recording = recorder.open("room", Record("r", str(path), key=key), 8000)
        write(recording, sound)
        recording.close()
        (closed,) = recorded(recorder)
    assert closed.reason == "the storage failed: File too large"
    assert closed.duration_ms == 3000
    found = complete(path, key)
    assert (found.sha256, found.duration_ms) == (closed.sha256, 3000)
    assert path.stat().st_size <= LIMIT_BYTES


def test_a_folder_that_cannot_be_made_ends_the_recording_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    recorder = Recorder()
    recording = recorder.open("room", Record("r", str(tmp_path / "file" / "a.wav")), 8000)
    (closed,) = recorded(recorder)
    assert closed.reason.startswith("cannot write") and not closed.sha256
    assert recording.ended


def test_what_was_not_closed_is_left_to_be_gone_on_with(tmp_path: Path) -> None:
    first, path = Recorder(), tmp_path / "a.wav"
    write(first.open("room", Record("r", str(path)), 8000), tone(440, 2.0))
    assert recorded(first) == []
    assert part_of(path).exists()
    second = Recorder()
    recording = second.open("room", Record("r", str(path)), 8000)
    write(recording, tone(880, 1.0))
    recording.close()
    assert [one.duration_ms for one in recorded(second)] == [3000]
    assert (parse(path.read_bytes()).samples == np.concatenate([tone(440, 2.0), tone(880, 1.0)])).all()


@KEYS
def test_what_another_worker_goes_on_with_has_all_that_was_said_here(tmp_path: Path, key: bytes) -> None:
    """To the frame: what is not a whole second yet waits in memory as long as nobody leaves."""
    record, sound, path = Record("r", str(tmp_path / "a"), key=key), tone(440, 1.52), tmp_path / "a"
    for last, frames in ((False, sound[: 66 * 160]), (True, sound[66 * 160 :])):
        recorder = Recorder()
        recording = recorder.open("room", record, 8000)
        write(recording, frames)
        if last:
            recording.close()
        else:
            recording.leave()
        closed = recorded(recorder)
        assert (len(closed), recording.ended) == (last, True)
    stored = path.read_bytes()
    opened = SealedWave(key, len(stored), lambda at, length: stored[at : at + length]) if key else None
    assert (parse(opened.read(0, len(opened)) if opened else stored).samples == sound).all()


@KEYS
@pytest.mark.parametrize(("before_hz", "after_hz"), [(8000, 48000), (48000, 8000)])
def test_a_spare_worker_goes_on_in_a_file_of_another_rate(
    key: bytes, before_hz: int, after_hz: int, tmp_path: Path
) -> None:
    """The call changed its codec before the first worker died, whose file has the rate of before."""
    first, path = Recorder(), tmp_path / "a"
    record = Record("r", str(path), "stereo", ("a", "b"), key=key)
    write(first.open("relay", record, before_hz), *(tone(440, 2.0, before_hz),) * 2)
    assert recorded(first) == []
    second = Recorder()
    recording = second.open("relay", record, after_hz)
    write(recording, tone(1000, 1.5, after_hz), tone(2000, 1.5, after_hz))
    recording.close()
    (closed,) = recorded(second)
    assert (closed.reason, closed.duration_ms) == ("", 3500)
    stored = path.read_bytes()
    opened = SealedWave(key, len(stored), lambda at, length: stored[at : at + length]) if key else None
    wav = opened.read(0, len(opened)) if opened else stored
    assert track_of(wav) == Track(before_hz, 2)
    sides = np.frombuffer(wav[44:], "<i2").reshape(-1, 2)[int(2.1 * before_hz) :].T
    assert [levels(side, before_hz, [hz])[0] for side, hz in zip(sides, (1000, 2000), strict=True)] == pytest.approx(
        [-13, -13], abs=0.5
    )


def test_what_was_lost_is_as_long_in_a_file_of_another_rate() -> None:
    storage = Storage()

    def make(path: Path, track: Track, key: bytes) -> Container:
        file = storage.make(path, track, key)
        storage.track = Track(16000, 1)
        return file

    recorder = Recorder(most_waiting_bytes=20_000, make=make)
    storage.goes_on.clear()
    recording = recorder.open("room", Record("r", "/nowhere"), 8000)
    write(recording, np.zeros(4 * 8000, np.int16))
    storage.goes_on.set()
    recording.close()
    assert [one.duration_ms for one in recorded(recorder)] == [4000]
    assert len(storage.data) == 4 * 2 * 16000


def test_the_end_of_a_recording_is_told_while_others_go_on(tmp_path: Path) -> None:
    recorder = Recorder()
    recordings = [recorder.open("room", Record(str(n), str(tmp_path / f"{n}.wav")), 8000) for n in range(20)]
    for recording in recordings:
        write(recording, tone(440, 1.5))
    for recording in recordings[::2]:
        recording.close()
    names = sorted(int(one.record) for one in recorded(recorder))
    assert names == list(range(0, 20, 2))


def test_a_mistake_of_ours_in_the_thread_ends_one_recording_only(tmp_path: Path) -> None:
    def make(path: Path, track: Track, key: bytes) -> Container:
        if path.name == "bad":
            raise KeyError("a mistake")
        return contain(path, track, key)

    recorder = Recorder(make=make)
    for name in ("bad", "good"):
        recording = recorder.open("room", Record(name, str(tmp_path / name)), 8000)
        write(recording, tone(440, 1.0))
        recording.close()
    reasons: Sequence[tuple[str, str]] = sorted((one.record, one.reason) for one in recorded(recorder))
    assert reasons == [
        ("bad", "a fault of Switchlog's own, please report it: KeyError('a mistake')"),
        ("good", ""),
    ]
