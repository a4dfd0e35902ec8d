"""Whether a media worker still does its work: one that does says something several times a second.

What may live here: the count. It counts looks and not seconds: whoever looks late itself, since its loop or the whole
machine stood still, looks once, and then finds what was said meanwhile.
"""

from __future__ import annotations

LOOK_EVERY_S = 0.2
_LOOKS = 5
_FIRST_LOOKS = 50
"""A worker listens before it is ready to speak."""


class Heart:
    """Of one connection."""

    def __init__(self) -> None:
        self._patience = _FIRST_LOOKS
        self._unheard = 0
        self._excused = False

    def beat(self) -> None:
        """It said something."""
        self._patience, self._unheard = _LOOKS, 0

    def excuse(self) -> None:
        """It ends, and may be silent while it writes what there is to write."""
        self._excused = True

    def stands_still(self) -> bool:
        """Asked every `LOOK_EVERY_S`."""
        self._unheard += 1
        return not self._excused and self._unheard > self._patience
