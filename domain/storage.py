"""Files that must last: recordings, messages, greetings. A port, and what its names look like."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import msgspec

LONGEST_NAME = 1000
_SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}")


class StorageError(Exception):
    """The storage cannot do it; the text says why and what to do. Perhaps it can later."""


class MissingFileError(StorageError):
    """There is no file of that name."""


class StoredFile(msgspec.Struct, frozen=True):
    """A file's name, and how many bytes it has."""

    name: str
    size: int


class Storage(Protocol):
    """Files by name. All methods block and may be called by several threads; they raise StorageError.

    A name is segments between slashes, the first of them the tenant: letters, digits, `.`, `_` and `-`, and no dot or
    dash at the beginning of a segment. Others raise ValueError before anything is done.
    """

    def put(self, name: str, source: Path) -> None:
        """Keep a copy of the file; durable, and seen by all, when this returns. It replaces another one whole."""

    def open(self, name: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """The bytes from `start` on, so many or up to the end, in pieces. Raises MissingFileError at once."""

    def size(self, name: str) -> int:
        """How many bytes it has. Raises MissingFileError."""

    def delete(self, name: str) -> None:
        """It is gone for good when this returns, also if it was not there."""

    def list(self, prefix: str = "") -> Iterator[StoredFile]:
        """All files below the segments of `prefix`, in no certain order."""

    def close(self) -> None:
        """Nothing more will be asked."""


def checked(name: str) -> str:
    """The name, if it is one. Raises ValueError."""
    if len(name) > LONGEST_NAME or not all(map(_SEGMENT.fullmatch, name.split("/"))):
        raise ValueError(f"{name[:100]!r} is no name of a file: letters, digits, '.', '_' and '-' between slashes")
    return name


def checked_prefix(prefix: str) -> str:
    """Whole segments of a name, or nothing. Raises ValueError."""
    return checked(prefix) if prefix else ""
