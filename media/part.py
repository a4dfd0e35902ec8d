"""A file on its way: it grows as `PATH.part`, and becomes `PATH` once it is whole.

What may live here: what the kernel does with such a file. Nothing of what is in it.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


def part_of(path: Path) -> Path:
    """Where the file grows."""
    return path.with_name(path.name + ".part")


class PartError(Exception):
    """The file cannot be made, gone on with or written; the text says why."""


class Part:
    """Bytes at places. One writer; for one thread at a time. All methods but the first raise OSError."""

    def __init__(self, path: Path) -> None:
        """Make the file and its folder, or take it up where it was left. Raises PartError."""
        self._path = path
        self.path = part_of(path)
        if path.exists():
            raise PartError(f"{path} is there already: it is never overwritten")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise PartError(f"cannot write {self.path}: {error.strerror}") from error
        try:
            # Until it is closed, or its writer dies: one that hangs and comes back writes beside nobody.
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            raise PartError(f"{self.path} is being written by another process") from error

    def size(self) -> int:
        return os.fstat(self._file).st_size

    def read(self, at: int, length: int) -> bytes:
        """Fewer bytes at the end."""
        return os.pread(self._file, length, at)

    def write(self, at: int, data: bytes | memoryview) -> None:
        """All of it: a full disk takes a part first, and refuses the rest only then."""
        rest = memoryview(data)
        while rest:
            written = os.pwrite(self._file, rest, at)
            at += written
            rest = rest[written:]

    def cut(self, size: int) -> None:
        """Let it be so long."""
        os.ftruncate(self._file, size)

    def publish(self) -> None:
        """Make it durable under its name, and close it."""
        os.fsync(self._file)
        self.path.rename(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        self.close()

    def close(self) -> None:
        """Leave it as it is. Once only."""
        os.close(self._file)
