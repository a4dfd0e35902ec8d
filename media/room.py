"""A context as it is: who is in it, and whose word that was.

What may live here: the rules of `rev` and `epoch`. What a leg or a mix is, is not known here.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from media.stream import Stream
from media.wire import Context

_MOST_REMEMBERED = 10_000


@dataclass
class Room:
    """A context that is here."""

    epoch: int
    rev: int
    desired: Context
    streams: dict[str, Stream] = field(default_factory=dict)
    """by leg"""


class StaleError(ValueError):
    """Whoever wrote this lost the context to another, or was overtaken by what it wrote itself."""


class Rooms:
    """All contexts by name, and the epochs of some that were dropped: a loser's word may still be on its way."""

    def __init__(self) -> None:
        self.here: dict[str, Room] = {}
        self._dropped: OrderedDict[str, int] = OrderedDict()

    def check(self, context: str, epoch: int) -> None:
        """Raises StaleError if somebody with a newer epoch had the context since."""
        room = self.here.get(context)
        known = room.epoch if room is not None else self._dropped.get(context, 0)
        if epoch < known:
            raise StaleError(f"epoch {epoch} is over: {context} belongs to epoch {known}")

    def drop(self, context: str, epoch: int) -> Room | None:
        """Take a context away, if it is here; older epochs are refused from now on. Raises StaleError."""
        self.check(context, epoch)
        self._dropped[context] = epoch
        self._dropped.move_to_end(context)
        if len(self._dropped) > _MOST_REMEMBERED:
            self._dropped.popitem(last=False)
        return self.here.pop(context, None)

    def inventory(self) -> tuple[tuple[str, int, int], ...]:
        """(context, rev, epoch) of each."""
        return tuple((name, room.rev, room.epoch) for name, room in self.here.items())
