"""The folder in which recordings and messages grow, seen from outside: what lies there.

What may live here: the names of those files, and removing them. Whether one may go is not decided here. What touches
the disk blocks.
"""

from __future__ import annotations

from heapq import nsmallest
from pathlib import Path
from typing import NamedTuple

from domain.call.recording import call_of_recording
from domain.ids import is_leg_id
from media.part import part_of

RECORDING, MESSAGE, DRAFT = "recording", "message", "draft"
_KINDS = {".rec": MESSAGE, ".play": MESSAGE, ".draft": DRAFT}
_PART = part_of(Path("x")).suffix


class SpoolFile(NamedTuple):
    """One file of a recording of a call, of a message or of a copy that is being fetched (`kind`) by its `id`.

    `sound` says that it is what was recorded, whole; else it is the beginning of that, or a `copy` to be played.
    """

    name: str
    kind: str
    id: str
    sound: bool = False
    copy: bool = False


def read_name(name: str) -> SpoolFile | None:
    """What a file there is; None for one that is none of ours."""
    whole = name.removesuffix(_PART)
    kind = _KINDS.get(Path(whole).suffix)
    if kind is not None:
        message = whole.partition(".")[0]
        is_sound, is_copy = name.endswith(".rec"), name.endswith(".play")
        return SpoolFile(name, kind, message, is_sound, is_copy) if is_leg_id(message) else None
    try:
        call_of_recording(whole)
    except ValueError:
        return None
    return SpoolFile(name, RECORDING, whole, whole == name)


class Spool:
    """Of any thread. Methods raise OSError."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def files(self, after: str, most: int) -> list[SpoolFile]:
        """The first so many of ours, by name, behind that one."""
        try:
            found = [file for path in self._folder.iterdir() if (file := read_name(path.name)) and file.name > after]
        except FileNotFoundError:
            return []  # nothing was ever recorded
        return nsmallest(most, found)

    def size(self, file: SpoolFile) -> int:
        return (self._folder / file.name).stat().st_size

    def written_at(self, file: SpoolFile) -> float:
        """Unix time."""
        return (self._folder / file.name).stat().st_mtime

    def remove(self, file: SpoolFile) -> None:
        """It may be gone already."""
        (self._folder / file.name).unlink(missing_ok=True)
