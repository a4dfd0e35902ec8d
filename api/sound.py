"""Sound as an answer: read and sent piece by piece."""

from __future__ import annotations

from collections.abc import Iterator

from api.ports import Sound

_PIECE_BYTES = 1 << 18


def pieces(sound: Sound, start: int, end: int) -> Iterator[bytes]:
    """The bytes from `start` to before `end`."""
    for at in range(start, end, _PIECE_BYTES):
        yield sound.read(at, min(_PIECE_BYTES, end - at))
