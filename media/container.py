"""The files that recordings are written into: a plain WAV.

What may live here: files and their form, for one thread. Each grows as `PATH.part`, which is whole at every moment, and
becomes `PATH` when it is closed. One that is there already, because its writer was killed, is gone on with.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Protocol

from media.wav import HEAD_BYTES, LONGEST_DATA_BYTES, WaveError, head, layout

_SLICE_BYTES = 1 << 20


class ContainerError(Exception):
    """The file cannot be made, gone on with or written; the text says why."""


class Container(Protocol):
    """16-bit PCM, its channels interleaved, on its way into a file."""

    data_bytes: int

    def append(self, data: bytes | memoryview) -> None:
        """Write behind what is there. Raises OSError, and then nothing of it counts."""

    def digest(self) -> bool:
        """Do a slice of the work on the SHA-256; whether it is done. Raises OSError."""

    def finish(self) -> str:
        """Make it durable under its name; SHA-256 in hex. Raises OSError."""

    def abandon(self) -> None:
        """Close it as it is."""


def part_of(path: Path) -> Path:
    """Under which name a recording grows."""
    return path.with_name(path.name + ".part")


class WaveFile:
    """A WAV whose head says after each piece how long it is: killed at any moment, it can be played.

    Between a piece and its head the length is that of the piece before; going on with it counts what is there.
    """

    def __init__(self, path: Path, clock_rate_hz: int, channels: int) -> None:
        """Make the file, and its folder, or go on with it. Raises ContainerError."""
        self._path, self._rate, self._channels = path, clock_rate_hz, channels
        self._hash = hashlib.sha256()
        self._hashed = 0
        self.data_bytes = 0
        if path.exists():
            raise ContainerError(f"{path} is there already")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(part_of(path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ContainerError(f"cannot write {path}: {error.strerror}") from error
        try:
            self._begin()
        except OSError as error:
            os.close(self._file)
            raise ContainerError(f"cannot write {path}: {error.strerror}") from error
        except ContainerError:
            os.close(self._file)
            raise

    def append(self, data: bytes | memoryview) -> None:
        """Raises OSError, also when a WAV cannot be longer."""
        if self.data_bytes + len(data) > LONGEST_DATA_BYTES:
            raise OSError(0, "a WAV file cannot be longer than 4 GB")
        _write_all(self._file, data, HEAD_BYTES + self.data_bytes)
        self.data_bytes += len(data)
        self._write_head()

    def digest(self) -> bool:
        end = HEAD_BYTES + self.data_bytes
        piece = os.pread(self._file, min(_SLICE_BYTES, end - self._hashed), self._hashed)
        self._hash.update(piece)
        self._hashed += len(piece)
        return not piece or self._hashed == end

    def finish(self) -> str:
        os.fsync(self._file)
        os.close(self._file)
        part_of(self._path).rename(self._path)
        _sync_folder(self._path.parent)
        return self._hash.hexdigest()

    def abandon(self) -> None:
        os.close(self._file)

    def _begin(self) -> None:
        size = os.fstat(self._file).st_size
        if size > HEAD_BYTES:
            self._go_on(size)
        else:
            self._write_head()

    def _go_on(self, size: int) -> None:
        try:
            found = layout(os.pread(self._file, HEAD_BYTES, 0))
        except WaveError as error:
            raise ContainerError(f"cannot go on with {part_of(self._path)}: {error}") from error
        if found != (self._rate, self._channels):
            raise ContainerError(
                f"cannot go on with {part_of(self._path)}: it has {found[1]} channels at {found[0]} Hz, "
                f"not {self._channels} at {self._rate} Hz"
            )
        width = 2 * self._channels
        self.data_bytes = (size - HEAD_BYTES) // width * width
        os.ftruncate(self._file, HEAD_BYTES + self.data_bytes)
        self._write_head()

    def _write_head(self) -> None:
        _write_all(self._file, head(self._rate, self._channels, self.data_bytes), 0)


def _write_all(file: int, data: bytes | memoryview, at: int) -> None:
    """A full disk may take a part first, and refuses the rest only then."""
    rest = memoryview(data)
    while rest:
        written = os.pwrite(file, rest, at)
        at += written
        rest = rest[written:]


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
