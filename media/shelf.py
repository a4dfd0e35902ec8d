"""Sounds that are made here, kept in a folder so that they are made once.

What may live here: files of bytes by name. A name stands for its content: another content has another name.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

MOST_BYTES = 256 << 20
"""So much is kept in each folder of one: whoever has words said that were never said before must not fill the disk."""
_log = logging.getLogger(__name__)


class Shelf:
    """A folder that several processes may share. Without one, nothing is kept."""

    def __init__(self, folder: Path | None, most_bytes: int = MOST_BYTES) -> None:
        self._folder, self._most_bytes = folder, most_bytes

    def content(self, name: str, make: Callable[[], bytes]) -> bytes:
        """What is under that relative name, made and put there if nothing is. Blocks. Raises what `make` raises.

        A folder that cannot be written costs the making each time, and a line in the log.
        """
        if self._folder is None:
            return make()
        path = self._folder / name
        try:
            return path.read_bytes()
        except OSError:
            made = make()
        try:
            _put(path, made)
            _tidy(path.parent, self._most_bytes)
        except OSError as error:
            _log.warning("a sound cannot be kept", extra={"path": str(path), "reason": error.strerror})
        return made


def _put(path: Path, content: bytes) -> None:
    """The name appears with the whole content or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        draft.write_bytes(content)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _tidy(folder: Path, most_bytes: int) -> None:
    """What was made first goes first; it can be made again."""
    found = [(path.stat(), path) for path in folder.iterdir() if path.is_file()]
    surplus = sum(about.st_size for about, _ in found) - most_bytes
    for about, path in sorted(found, key=lambda one: one[0].st_mtime_ns):
        if surplus <= 0:
            return
        path.unlink(missing_ok=True)
        surplus -= about.st_size
