"""Names of media contexts, and what is made of one: for all kinds of them.

What may live here: names as values, and the shape of the functions by which those who decide on contexts say what they
are to be.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from domain.call.call import Call
from domain.ids import call_of_leg, is_leg_id, shard_of, shard_of_room
from domain.values import ROOM
from media.wire import Context, Leg


class ContextName(NamedTuple):
    """A context anywhere; `str` of it is what workers call it. The kind says who is told what happens there.

    `name` is the number of a venue that all callers share, such as a room, else the leg that has the context alone.
    """

    kind: str
    tenant: str
    name: str

    def __str__(self) -> str:
        return "/".join(self)

    @classmethod
    def of(cls, text: str) -> ContextName:
        """None of the parts has a slash in it."""
        kind, _, rest = text.partition("/")
        tenant, _, name = rest.partition("/")
        return cls(kind, tenant, name)

    @property
    def shard(self) -> int:
        """Whose owner says what becomes of it: that of its room, or of its call."""
        if self.kind == ROOM or not is_leg_id(self.name):
            return shard_of_room(self.tenant, self.name)
        return shard_of(call_of_leg(self.name))


def context_name(call: Call, leg: str) -> ContextName:
    """That of the context in which a leg of the call is that ends at our media."""
    assert call.venue is not None
    return ContextName(call.venue.kind, call.tenant, call.venue.number if call.venue.kind == ROOM else leg)


Arrangement = Callable[[Sequence[Leg]], Context]
"""(streams) -> the context, with all of them in it: their ports stay open"""
