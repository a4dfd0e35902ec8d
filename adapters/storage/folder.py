"""Files in a folder; implements `domain.storage.Storage`.

What may live here: what makes a file appear at once, whole and durable. Drafts stand beside, under names that no file
can have.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from domain.storage import MissingFileError, StorageError, StoredFile, checked, checked_prefix

_PIECE_BYTES = 1 << 18


class FolderStorage:
    """All below one folder, which is made; it and its files are for us alone."""

    def __init__(self, folder: Path) -> None:
        """Raises StorageError."""
        self._folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"cannot make the folder {folder}: {error.strerror}") from error

    def put(self, name: str, source: Path) -> None:
        path = self._folder / checked(name)
        draft = path.with_name(f".{secrets.token_hex(8)}")
        try:
            made = _make_folders(path.parent)
            try:
                _copy(source, draft)
                draft.replace(path)
            finally:
                draft.unlink(missing_ok=True)
            for folder in (path.parent, *made):
                _sync(folder)
        except OSError as error:
            raise StorageError(f"cannot keep {name} in {self._folder}: {error.strerror}") from error

    def open(self, name: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        size = self.size(name)
        end = size if length is None else min(start + length, size)
        return self._pieces(name, start, end)

    def size(self, name: str) -> int:
        path = self._folder / checked(name)
        try:
            found = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            raise _missing(name) from None
        except OSError as error:
            raise StorageError(f"cannot read {name} in {self._folder}: {error.strerror}") from error
        if not path.is_file():
            raise _missing(name)
        return found.st_size

    def delete(self, name: str) -> None:
        path = self._folder / checked(name)
        try:
            path.unlink()
            _sync(path.parent)
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise StorageError(f"cannot delete {name} in {self._folder}: {error.strerror}") from error

    def list(self, prefix: str = "") -> Iterator[StoredFile]:
        try:
            yield from _files(self._folder / checked_prefix(prefix), prefix)
        except OSError as error:
            raise StorageError(f"cannot list {self._folder}: {error.strerror}") from error

    def close(self) -> None:
        pass

    def _pieces(self, name: str, start: int, end: int) -> Iterator[bytes]:
        try:
            with (self._folder / name).open("rb") as file:
                file.seek(start)
                while start < end and (piece := file.read(min(_PIECE_BYTES, end - start))):
                    start += len(piece)
                    yield piece
        except FileNotFoundError:
            raise _missing(name) from None
        except OSError as error:
            raise StorageError(f"cannot read {name} in {self._folder}: {error.strerror}") from error


def _missing(name: str) -> MissingFileError:
    return MissingFileError(f"there is no file {name}")


def _make_folders(folder: Path) -> list[Path]:
    """Make what is missing; the folders in which something new is, so that they can be made durable."""
    if folder.is_dir():
        return []
    changed = _make_folders(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    return [folder.parent, *changed]


def _copy(source: Path, draft: Path) -> None:
    with (
        source.open("rb") as given,
        os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as kept,
    ):
        shutil.copyfileobj(given, kept, _PIECE_BYTES)
        kept.flush()
        os.fsync(kept.fileno())


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _files(folder: Path, name: str) -> Iterator[StoredFile]:
    try:
        entries = list(os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        below = f"{name}/{entry.name}" if name else entry.name
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _files(Path(entry.path), below)
        else:
            yield StoredFile(below, entry.stat().st_size)
