"""The aggregate `Room`: a number inside a tenant by which a conference is joined.

PINs are sealed: whoever reads the journal alone cannot come in.
"""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from domain import base
from domain.base import Aggregate, Event, Step, fact
from domain.ids import CONFIG_SHARD, named_stream_id

NOTHING, TONES, WORDS = "none", "tones", "words"
ANNOUNCED = (NOTHING, TONES, WORDS)
"""What is heard of what happens in a room: nothing; a tone when somebody comes or leaves; that, and words, such as how
many others there are for who comes."""


def room_id(tenant: str, number: str) -> UUID:
    """The stream of the room."""
    return named_stream_id(CONFIG_SHARD, "room", tenant, number)


class Wanted(NamedTuple):
    """All that is declared of a room beside its number; the PINs are sealed, empty where none is asked for.

    `language` is what is spoken there, empty for that of its tenant; `announce` is one of `ANNOUNCED`.
    """

    name: str
    pin: str
    moderator_pin: str
    language: str = ""
    announce: str = NOTHING


class Room(Aggregate):
    """What is declared about a room."""

    TOPIC = "room"

    def __init__(self) -> None:
        self.tenant = ""
        self.number = ""
        self.furnish("", "", "", "", NOTHING)

    def furnish(self, name: str, pin: str, moderator_pin: str, language: str, announce: str) -> None:
        """For events only: all that is declared of it."""
        self.name, self.pin, self.moderator_pin = name, pin, moderator_pin
        self.language, self.announce = language, announce

    @fact
    class Created(base.Created):
        """The number can be called from now on."""

        TOPIC = "room.created.2"
        FORMER = ("room.created.1",)

        number: str
        name: str
        pin: str
        moderator_pin: str
        language: str = ""
        announce: str = NOTHING

        def apply(self, aggregate: Room) -> None:
            aggregate.tenant = self.context.tenant
            aggregate.number = self.number
            aggregate.furnish(self.name, self.pin, self.moderator_pin, self.language, self.announce)

    @fact
    class Changed(Event):
        """The room is declared otherwise; the fields are the whole new declaration."""

        TOPIC = "room.changed.2"
        FORMER = ("room.changed.1",)

        name: str
        pin: str
        moderator_pin: str
        language: str = ""
        announce: str = NOTHING

        def apply(self, aggregate: Room) -> None:
            aggregate.furnish(self.name, self.pin, self.moderator_pin, self.language, self.announce)


EVENTS: tuple[type[Event], ...] = (Room.Created, Room.Changed)


def declare(current: Room | None, number: str, wanted: Wanted, step: Step) -> Event | None:
    """The event that makes the room so; None if it is so already. A PIN that stays must be sealed as it was."""
    if current is None:
        return Room.Created(step.stream, step.version + 1, step.at, step.context, Room.TOPIC, number, *wanted)
    if Wanted(current.name, current.pin, current.moderator_pin, current.language, current.announce) == wanted:
        return None
    return Room.Changed(step.stream, step.version + 1, step.at, step.context, *wanted)
