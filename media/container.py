"""The files that recordings are written into: a plain WAV, or sealed.

What may live here: how each grows so that a killed writer leaves a file whose length is true, how one is gone on with,
and how it ends. For one thread.
"""

from __future__ import annotations

import hashlib
import os
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

from media.part import Part, PartError, part_of
from media.sealed import (
    NONCE_BYTES,
    OVERHEAD_BYTES,
    SALT_BYTES,
    SEALED_HEAD_BYTES,
    Form,
    SealedError,
    SealedWave,
    Sealing,
)
from media.track import HEAD_BYTES, LONGEST_DATA_BYTES, Track, WaveError, head, track_of

_SLICE_BYTES = 1 << 18


class ContainerError(Exception):
    """The file cannot be made, gone on with or written; the text says why."""


class Container(Protocol):
    """16-bit PCM, its channels interleaved, on its way into a file. Methods raise OSError and ContainerError."""

    track: Track

    @property
    def data_bytes(self) -> int:
        """How much counts by now."""

    def append(self, data: bytes | memoryview) -> None:
        """Write behind what is there: all of it, or it does not count."""

    def finish(self) -> str | None:
        """Do a slice of the work of making it whole and durable; when all is done, SHA-256 of its WAV in hex."""

    def leave(self) -> None:
        """Close it so that another writer goes on with it, all that was written in it."""

    def abandon(self) -> None:
        """Close it as it is."""


def contain(path: Path, track: Track | None, key: bytes = b"") -> Container:
    """A new file, or one that was begun and not finished; without a `track` that alone. Raises ContainerError.

    What was begun goes on at its own rate, which its `track` says: whoever wrote it may have had another one.
    """
    try:
        part = Part(path)
    except PartError as error:
        raise ContainerError(str(error)) from error
    try:
        container: Container = SealedFile(part, track, key) if key else WaveFile(part, track)
        if track is not None and track.channels != container.track.channels:
            raise ContainerError(f"it has {container.track}, not {track}")
    except (ContainerError, SealedError, WaveError) as error:
        part.close()
        raise ContainerError(f"cannot go on with {part.path}: {error}") from error
    except OSError as error:
        part.close()
        raise ContainerError(f"cannot write {part.path}: {error.strerror}") from error
    return container


class Completed(NamedTuple):
    """A whole file: SHA-256 of its WAV in hex, and how long it is."""

    sha256: str
    duration_ms: int


def complete(path: Path, key: bytes = b"") -> Completed:
    """What became of a file whose writer died: finish it, or read it if that was done. Blocks.

    Raises ContainerError, also if there is none, and OSError.
    """
    if path.exists():
        return _read(path, key)
    if not part_of(path).exists():
        raise ContainerError(f"there is no {path}, nor the beginning of one")
    container = contain(path, None, key)
    while (sha256 := container.finish()) is None:
        pass
    return Completed(sha256, container.track.duration_ms(container.data_bytes))


def _read(path: Path, key: bytes) -> Completed:
    with path.open("rb") as file:
        try:
            wave = SealedWave(key, path.stat().st_size, partial(_read_at, file)) if key else None
            digest = hashlib.sha256()
            track = wave.track if wave else track_of(file.read(HEAD_BYTES))
            size = len(wave) if wave else path.stat().st_size
            for at in range(0, size, _SLICE_BYTES):
                digest.update(wave.read(at, _SLICE_BYTES) if wave else _read_at(file, at, _SLICE_BYTES))
        except (SealedError, WaveError) as error:
            raise ContainerError(f"cannot read {path}: {error}") from error
    return Completed(digest.hexdigest(), track.duration_ms(size - HEAD_BYTES))


def _read_at(file: BinaryIO, at: int, length: int) -> bytes:
    file.seek(at)
    return file.read(length)


class WaveFile:
    """A WAV whose head says after each piece how long it is: killed at any moment, it can be played as it is.

    A piece whose head was not written yet counts when the file is gone on with.
    """

    def __init__(self, part: Part, track: Track | None) -> None:
        self._part = part
        self._hash = hashlib.sha256()
        self._hashed = 0
        self._data_bytes = 0
        size = part.size()
        if size >= HEAD_BYTES:
            self.track = track_of(part.read(0, HEAD_BYTES))
            self._data_bytes = (size - HEAD_BYTES) // self.track.width_bytes * self.track.width_bytes
        elif track is None:
            raise ContainerError("nothing was written there")
        else:
            self.track = track
        self._write_head()

    @property
    def data_bytes(self) -> int:
        return self._data_bytes

    def append(self, data: bytes | memoryview) -> None:
        _check_length(self.data_bytes + len(data))
        self._part.write(HEAD_BYTES + self.data_bytes, data)
        self._data_bytes += len(data)
        self._write_head()

    def finish(self) -> str | None:
        end = HEAD_BYTES + self.data_bytes
        if not self._hashed:
            self._part.cut(end)
        if self._hashed < end:
            piece = self._part.read(self._hashed, min(_SLICE_BYTES, end - self._hashed))
            self._hash.update(piece)
            self._hashed += len(piece)
            return None
        self._part.publish()
        return self._hash.hexdigest()

    def leave(self) -> None:
        self._part.close()

    def abandon(self) -> None:
        self._part.close()

    def _write_head(self) -> None:
        self._part.write(0, head(self.track, self.data_bytes))


class SealedFile:
    """A sealed recording that grows by whole chunks; what is no chunk yet waits in memory, a second at most."""

    def __init__(self, part: Part, track: Track | None, key: bytes) -> None:
        self._part = part
        self._hash = hashlib.sha256()
        self._hashed = 0
        self._wave: SealedWave | None = None
        self._wholes = 0
        self._tail = bytearray()
        self._key = key
        start = part.read(0, SEALED_HEAD_BYTES)
        if len(start) == SEALED_HEAD_BYTES:
            self._sealing = Sealing.opening(key, start)
            self._go_on(part.size() - SEALED_HEAD_BYTES)
        elif track is None:
            raise ContainerError("nothing was written there")
        else:
            self._sealing = Sealing(key, Form.of(os.urandom(SALT_BYTES), track))
            part.write(0, self._sealing.head)
        self.track = self._sealing.form.track

    @property
    def data_bytes(self) -> int:
        return self._wholes * self._sealing.form.chunk_bytes + len(self._tail)

    def append(self, data: bytes | memoryview) -> None:
        _check_length(self.data_bytes + len(data))
        self._tail += data
        size = self._sealing.form.chunk_bytes
        while len(self._tail) >= size:
            chunk = bytes(self._tail[:size])
            del self._tail[:size]
            self._part.write(self._end(), self._sealing.seal(self._wholes, chunk, os.urandom(NONCE_BYTES)))
            self._wholes += 1

    def finish(self) -> str | None:
        if self._wave is None:
            self._wave = self._conclude()
        piece = self._wave.read(self._hashed, _SLICE_BYTES)
        if piece:
            self._hash.update(piece)
            self._hashed += len(piece)
            return None
        self._part.publish()
        return self._hash.hexdigest()

    def leave(self) -> None:
        self._conclude()  # who goes on with it takes the last chunk out again
        self._part.close()

    def abandon(self) -> None:
        self._part.close()

    def _end(self) -> int:
        return SEALED_HEAD_BYTES + self._wholes * self._sealing.form.stored_bytes

    def _conclude(self) -> SealedWave:
        """Write the last chunk: without what waits if a full disk has no room for that."""
        self._part.cut(self._end())
        try:
            self._write_last()
        except OSError:
            self._tail.clear()
            self._part.cut(self._end())
            self._write_last()
        return SealedWave(self._key, self._part.size(), self._part.read)

    def _write_last(self) -> None:
        last = self._sealing.seal(self._wholes, bytes(self._tail), os.urandom(NONCE_BYTES), last=True)
        self._part.write(self._end(), last)

    def _go_on(self, stored_bytes: int) -> None:
        """Behind the last chunk that is what was written: a loss of power may have left less than the length says."""
        form = self._sealing.form
        self._wholes, rest = divmod(stored_bytes, form.stored_bytes)
        if rest >= OVERHEAD_BYTES:
            try:
                self._tail += self._sealing.unseal(self._wholes, self._part.read(self._end(), rest), last=True)
            except SealedError:
                pass  # a chunk that was being written
        while self._wholes and not self._is_whole(self._wholes - 1):
            self._tail.clear()
            self._wholes -= 1
        self._part.cut(self._end())

    def _is_whole(self, number: int) -> bool:
        form = self._sealing.form
        try:
            self._sealing.unseal(
                number, self._part.read(SEALED_HEAD_BYTES + number * form.stored_bytes, form.stored_bytes)
            )
        except SealedError:
            return False
        return True


def _check_length(data_bytes: int) -> None:
    if data_bytes > LONGEST_DATA_BYTES:
        raise ContainerError("a WAV file cannot be longer than 4 GB")
