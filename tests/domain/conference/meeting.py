"""A conference that is played, and remembers all that happened."""

from __future__ import annotations

from typing import Any

from domain.base import Context, Event, Step
from domain.conference.conference import Conference
from domain.conference.input import Arrive, Input
from domain.conference.turn import Door, decide, fold
from domain.ids import conference_id
from domain.routing.directory import Room
from tests.domain.world import START

OPEN = Room("acme", "7000", "Board room")
CLOSED = Room("acme", "7000", "Board room", "sealed.1234", "sealed.9999")
HOSTED = Room("acme", "7000", "Board room", "", "sealed.9999")
STREAM = conference_id("acme", "7000", 1_700_000_000_000, b"12345678")


class Meeting:
    """Plays one room and remembers all that happened."""

    def __init__(self, room: Room = OPEN) -> None:
        self.door = Door(room, lambda sealed: sealed.removeprefix("sealed."))
        self.now = START
        self.conference: Conference | None = None
        self.events: list[Event] = []

    def play(self, kind: type[Input], *fields: Any, **named: Any) -> list[str]:
        """The types of the events that follow."""
        context = Context("acme", "i", "c", "x", "node", 1)
        step = Step(STREAM, self.conference.version if self.conference else 0, self.now, context)
        events = decide(self.conference, kind("c", "x", *fields, **named), self.door, step)
        self.conference = fold(self.conference, events)
        self.events += events
        return [type(event).__name__ for event in events]

    def arrive(self, *legs: str) -> None:
        for leg in legs:
            self.play(Arrive, leg, f"10{leg}", f"Name {leg}")

    def member(self, leg: str) -> Any:
        assert self.conference is not None
        return self.conference.members[leg]
