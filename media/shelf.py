"""Sounds that are made here, kept in a folder so that they are made once.

What may live here: files of bytes by name. A name stands for its content: another content has another name.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import structlog

_log = structlog.get_logger(__name__)


class Shelf:
    """A folder that several processes may share. Without one, nothing is kept."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

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
        except OSError as error:
            _log.warning("a sound cannot be kept", path=str(path), reason=error.strerror)
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
