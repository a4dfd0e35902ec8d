"""Files of recordings: whatever became of their writer, they hold what was written, and their length is true."""

from __future__ import annotations

import hashlib
import io
import os
import signal
import subprocess
import sys
import wave as stdlib
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.container import Completed, Container, ContainerError, complete, contain
from media.part import part_of
from media.sealed import OVERHEAD_BYTES, SEALED_HEAD_BYTES, SealedWave
from media.track import HEAD_BYTES, LONGEST_DATA_BYTES, Track, head

TRACK = Track(1000, 2)
SECOND = TRACK.clock_rate_hz * TRACK.width_bytes
KEY = bytes(range(32))
KEYS = pytest.mark.parametrize("key", [b"", KEY], ids=["plain", "sealed"])
ENDLESS = """
import sys
from pathlib import Path
from media.container import contain
from media.wav import Track
container = contain(Path(sys.argv[1]), Track(1000, 2), bytes.fromhex(sys.argv[2]))
second = bytes(number % 251 for number in range(4000))
while True:
    container.append(second)
"""


def finished(container: Container) -> str:
    while (sha256 := container.finish()) is None:
        pass
    return sha256


def served(path: Path, key: bytes) -> bytes:
    """The WAV of a finished file."""
    stored = path.read_bytes()
    if not key:
        return stored
    return SealedWave(key, len(stored), lambda at, length: stored[at : at + length]).read(0, len(stored))


def pattern(length: int) -> bytes:
    """Whole seconds, all the same, and of the last one its beginning."""
    return (bytes(number % 251 for number in range(SECOND)) * -(-length // SECOND))[:length]


@KEYS
@settings(max_examples=30)
@given(st.lists(st.binary(max_size=300).map(lambda data: data[: len(data) // 4 * 4]), max_size=5), st.booleans())
def test_what_is_served_is_a_wav_of_all_pieces_and_the_hash_is_its_own(
    key: bytes, pieces: list[bytes], interrupted: bool
) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "a.wav")
        container = contain(path, TRACK, key)
        for piece in pieces:
            container.append(piece * 50)
        if interrupted and not key:
            container.abandon()
            container = contain(path, TRACK, key)
        sha256 = finished(container)
        data = b"".join(piece * 50 for piece in pieces)
        content = served(path, key)
        assert content == head(TRACK, len(data)) + data
        assert sha256 == hashlib.sha256(content).hexdigest()
        assert complete(path, key) == Completed(sha256, len(data) // 4)
        assert not part_of(path).exists()


@KEYS
def test_a_writer_that_is_killed_leaves_what_can_be_played_and_gone_on_with(key: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with subprocess.Popen([sys.executable, "-c", ENDLESS, str(path), key.hex()]) as writer:
        while not part_of(path).exists() or part_of(path).stat().st_size < 100 * SECOND:
            assert writer.poll() is None
        os.kill(writer.pid, signal.SIGKILL)
    left = part_of(path).read_bytes()
    if not key:
        with stdlib.open(io.BytesIO(left)) as file:
            played = file.readframes(file.getnframes())
        assert len(played) >= 99 * SECOND and played == pattern(len(played))
    container = contain(path, TRACK, key)
    assert len(left) - container.data_bytes < SECOND + OVERHEAD_BYTES * len(left) // SECOND
    before = container.data_bytes  # the kernel may end a write of a process that is killed at any page
    container.append(pattern(SECOND))
    sha256 = finished(container)
    content = served(path, key)
    assert content == head(TRACK, before + SECOND) + pattern(before) + pattern(SECOND)
    assert sha256 == hashlib.sha256(content).hexdigest()


@KEYS
@settings(max_examples=30)
@given(st.integers(0, 3 * (SECOND + OVERHEAD_BYTES) + SEALED_HEAD_BYTES))
def test_wherever_a_file_was_cut_its_beginning_is_kept(key: bytes, length: int) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "a.wav")
        container = contain(path, TRACK, key)
        container.append(pattern(2 * SECOND))
        container.append(pattern(SECOND)[: SECOND // 2])
        finished(container)
        part_of(path).write_bytes(path.read_bytes()[:length])
        path.unlink()
        if length < (SEALED_HEAD_BYTES if key else HEAD_BYTES):
            with pytest.raises(ContainerError, match="nothing was written there"):
                complete(path, key)
            return
        found = complete(path, key)
        content = served(path, key)
        data = content[HEAD_BYTES:]
        assert data == pattern(3 * SECOND)[: len(data)]
        assert found == Completed(hashlib.sha256(content).hexdigest(), len(data) // 4)
        assert len(data) > length - SECOND - 3 * OVERHEAD_BYTES - SEALED_HEAD_BYTES


def test_a_sealed_file_that_a_loss_of_power_made_holes_in_is_kept_up_to_the_first(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    container = contain(path, TRACK, KEY)
    container.append(pattern(4 * SECOND))
    container.abandon()
    with part_of(path).open("r+b") as file:
        file.seek(SEALED_HEAD_BYTES + 2 * (SECOND + OVERHEAD_BYTES))
        file.write(bytes(2 * SECOND))
    assert complete(path, KEY).duration_ms == 2000
    assert served(path, KEY)[HEAD_BYTES:] == pattern(2 * SECOND)


@pytest.mark.parametrize(
    ("key", "track", "other_key", "other_track", "reason"),
    [
        (b"", TRACK, b"", Track(8000, 1), "it has 2 channels at 1000 Hz, not 1 channels at 8000 Hz"),
        (KEY, TRACK, KEY, Track(1000, 1), "it has 2 channels at 1000 Hz, not 1 channels"),
        (b"", TRACK, KEY, TRACK, "does not begin as a sealed"),
        (KEY, TRACK, b"", TRACK, "head makes no sense"),
        (KEY, TRACK, bytes(32), TRACK, "another key"),
    ],
)
def test_a_file_of_another_kind_is_not_gone_on_with_and_stays_as_it_is(
    tmp_path: Path, key: bytes, track: Track, other_key: bytes, other_track: Track, reason: str
) -> None:
    path = tmp_path / "a.wav"
    container = contain(path, track, key)
    container.append(pattern(2 * SECOND))
    container.abandon()
    before = part_of(path).read_bytes()
    with pytest.raises(ContainerError, match=reason):
        contain(path, other_track, other_key)
    assert part_of(path).read_bytes() == before
    contain(path, track, key).abandon()


@KEYS
def test_a_file_goes_on_at_its_own_rate_whatever_the_next_writer_has(key: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    contain(path, TRACK, key).abandon()
    container = contain(path, Track(48000, TRACK.channels), key)
    assert container.track == TRACK
    container.append(pattern(SECOND))
    finished(container)
    assert complete(path, key).duration_ms == 1000


def test_a_finished_file_is_never_written_again(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"precious")
    with pytest.raises(ContainerError, match="is there already"):
        contain(tmp_path / "a.wav", TRACK)
    assert (tmp_path / "a.wav").read_bytes() == b"precious"


def test_a_file_has_one_writer(tmp_path: Path) -> None:
    first = contain(tmp_path / "a.wav", TRACK)
    with pytest.raises(ContainerError, match="being written by another process"):
        contain(tmp_path / "a.wav", TRACK)
    first.abandon()
    contain(tmp_path / "a.wav", TRACK).abandon()


def test_what_was_never_begun_cannot_be_completed(tmp_path: Path) -> None:
    with pytest.raises(ContainerError, match="nor the beginning of one"):
        complete(tmp_path / "a.wav")


def test_a_wav_ends_before_its_length_has_more_than_32_bits(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with part_of(path).open("wb") as file:
        file.write(head(TRACK, 0))
        file.truncate(HEAD_BYTES + LONGEST_DATA_BYTES // 4 * 4)
    container = contain(path, TRACK)
    with pytest.raises(ContainerError, match="longer than 4 GB"):
        container.append(bytes(SECOND))
    container.abandon()
