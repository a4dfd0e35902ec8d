"""What a media worker is to make of a room: the streams of its legs, and who of them may be heard and may hear.

What may live here: that, as values and pure functions. Which stream a leg has is known from its call, who it is in the
room from the conference.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from adapters.media.context import ContextName
from domain.values import ROOM
from media.wire import Context, Leg, Play


class RoomName(NamedTuple):
    """A room anywhere."""

    tenant: str
    number: str

    @property
    def context(self) -> ContextName:
        return ContextName(ROOM, *self)

    @classmethod
    def of(cls, name: ContextName) -> RoomName:
        """The room that a context of this kind is."""
        return cls(name.tenant, name.name)


class Seat(NamedTuple):
    """What the conference says of a leg. `plays` are heard by it alone, one after the other, in the room's place."""

    muted: bool = True
    deaf: bool = True
    plays: tuple[Play, ...] = ()


NO_SEAT = Seat()
"""A leg of which nobody says anything yet: its port is open, and that is all."""


def context_of(streams: Iterable[Leg], seats: Mapping[str, Seat], plays: tuple[Play, ...] = ()) -> Context:
    """The room as its worker shall make it; `plays` are heard by all."""
    return Context(tuple(_seated(stream, seats.get(stream.id, NO_SEAT)) for stream in streams), plays=plays)


def silent(streams: Iterable[Leg]) -> Context:
    """Nobody hears anything."""
    return context_of(streams, {})


def _seated(stream: Leg, seat: Seat) -> Leg:
    return msgspec.structs.replace(
        stream,
        muted=stream.muted or seat.muted,
        deaf=seat.deaf,
        inband_dtmf=stream.dtmf < 0 and stream.receives,
        plays=seat.plays,
    )
