"""How often a PIN may be guessed: wrong ones are counted by what they were to open, over all calls.

What may live here: bounded counts in memory, as pure functions of the time that is given. In no event, as any failed
proof of identity is in none: whoever guesses must not write the journal. So a restart begins to count anew, as does
another process to which a room or a mailbox moves; nobody who only calls can bring that about.

After `MOST` wrong ones within `WINDOW` a place is shut: nobody is asked, right or wrong, until the first of them is so
long ago. Who was right there before has `TRIES` all the same, so that no guesser locks out those who belong there.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from datetime import datetime, timedelta
from typing import Any

TRIES = 3
"""So many wrong PINs end a call."""
MOST = 10
"""So many wrong PINs shut a place."""
WINDOW = timedelta(hours=1)
_PLACES = 16_384
"""Remembered: of more, the one is forgotten where the last wrong PIN is the longest ago."""
_KNOWN = 65_536
"""Callers remembered who were right: of more, the one that was right the longest ago is a stranger again."""

Place = tuple[str, str]
"""Tenant and number: of rooms or of mailboxes, each with `Guesses` of their own."""


class Guesses:
    """Of all places of a kind in one process; a caller is a number of the tenant's, which its phone has proved."""

    def __init__(self) -> None:
        self._wrong: OrderedDict[Place, deque[datetime]] = OrderedDict()
        self._known: OrderedDict[tuple[Place, str], int] = OrderedDict()
        """-> how often each may still be wrong where a place is shut"""

    def __len__(self) -> int:
        return len(self._wrong) + len(self._known)

    def wrong(self, place: Place, caller: str, now: datetime) -> None:
        """A PIN was no PIN of this place."""
        self._wrong.setdefault(place, deque(maxlen=MOST)).append(now)
        _keep(self._wrong, place, _PLACES)
        if (left := self._known.get((place, caller))) is not None:
            self._known[place, caller] = left - 1

    def right(self, place: Place, caller: str, now: datetime) -> None:
        """A PIN was one of this place. While it is shut that gives nobody tries again: who knows one PIN of a room is
        not to guess the other one."""
        if not self._is_shut(place, now):
            self._known[place, caller] = TRIES
            _keep(self._known, (place, caller), _KNOWN)

    def shut(self, place: Place, caller: str, now: datetime) -> bool:
        """Whether this caller is not asked now."""
        return self._is_shut(place, now) and self._known.get((place, caller), 0) <= 0

    def _is_shut(self, place: Place, now: datetime) -> bool:
        wrong = self._wrong.get(place)
        return wrong is not None and len(wrong) == MOST and now - wrong[0] < WINDOW


def _keep(table: OrderedDict[Any, Any], key: object, limit: int) -> None:
    """Something was learned of `key`."""
    table.move_to_end(key)
    while len(table) > limit:
        table.popitem(last=False)
