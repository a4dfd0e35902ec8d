"""The decisions of a conference: input -> events, as a table. Pure; PINs are unsealed by who is given for that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple, cast

from domain.base import Event, Step
from domain.conference.conference import Conference, Member, Standing
from domain.conference.input import Announce, Arrive, Deafen, EnterPin, Input, Kick, Leave, Lock, Mute, Tire, Wish
from domain.guess import TRIES
from domain.routing.directory import Room
from domain.values import Cause

PATIENCE = timedelta(seconds=60)
"""How long somebody may stand at the door."""
KICKED = Cause(403, 21, "a moderator ended this participation")
WRONG_PIN = Cause(403, 21, "the PIN was wrong too often")
NO_PIN = Cause(403, 21, "no PIN was entered in time")
LOCKED = Cause(403, 21, "the conference is locked")
GUESSED = Cause(403, 21, "too many wrong PINs were entered here: try again later")
GONE = Cause(404, 1, "this conference is no more")


class Door(NamedTuple):
    """What the room asks of those who come, and how its sealed PINs are read."""

    room: Room
    unseal: Callable[[str], str]
    declared: bool = True
    """whether there still is such a room: who is inside stays, and nobody comes in"""
    shut: bool = False
    """whether who is about to come in is not asked, as too many were wrong (`domain.guess`)"""

    @property
    def asks(self) -> bool:
        return bool(self.room.pin or self.room.moderator_pin)

    def moderates(self, digits: str) -> bool:
        return bool(self.room.moderator_pin) and digits == self.unseal(self.room.moderator_pin)

    def admits(self, digits: str) -> bool:
        """As anybody: with the PIN, or with none where only moderators have one."""
        return digits == (self.unseal(self.room.pin) if self.room.pin else "")

    def bars(self, digits: str = "") -> Cause | None:
        """Why nobody comes in with these digits, right or wrong; None if they may be right."""
        if not self.declared:
            return GONE
        return GUESSED if self.shut and (digits or self.room.pin) else None


def decide(conference: Conference | None, inp: Input, door: Door, step: Step) -> tuple[Event, ...]:
    """The events that `inp` causes; none if it means nothing now. None of a room is one where nobody is."""
    return _TURNS[type(inp)](_Scene(conference, door, step), inp)


def fold(conference: Conference | None, events: tuple[Event, ...]) -> Conference | None:
    """The conference after `events`."""
    for event in events:
        conference = cast("Conference | None", event.mutate(conference))
    return conference


def refusal(conference: Conference | None, door: Door) -> Cause | None:
    """Why who calls may not come in, whatever it enters; None if it may."""
    locked = conference is not None and conference.locked and not door.room.moderator_pin
    return door.bars() or (LOCKED if locked else None)


def expelled(conference: Conference) -> tuple[tuple[str, Cause], ...]:
    """The legs whose calls are to be ended, each with the reason: owed until they have left."""
    return tuple((one.leg, one.why) for one in conference.members.values() if one.why is not None)


def deadline(conference: Conference) -> tuple[datetime, str] | None:
    """When somebody has stood at the door for too long, and which leg that is."""
    waiting = [one for one in conference.members.values() if one.standing is Standing.DOOR]
    return min(((one.arrived_at + PATIENCE, one.leg) for one in waiting), default=None)


class _Scene:
    """What a handler reads, and the numbering of its events."""

    def __init__(self, conference: Conference | None, door: Door, step: Step) -> None:
        self.conference, self.door, self._step = conference, door, step
        self._count = 0

    @property
    def members(self) -> Mapping[str, Member]:
        return self.conference.members if self.conference else {}

    def at(self, leg: str, standing: Standing) -> Member | None:
        """The member, if it stands there."""
        member = self.members.get(leg)
        return member if member is not None and member.standing is standing else None

    def allows(self, wish: Wish, leg: str = "") -> bool:
        """Members may do things to themselves, moderators to all; who is not in the room was asked for its rights."""
        asker = self.at(wish.by, Standing.INSIDE)
        return not wish.by or (asker is not None and (asker.moderator or wish.by == leg))

    def event(self, kind: Callable[..., Event], *fields: Any) -> Event:
        step = self._step
        self._count += 1
        return kind(step.stream, step.version + self._count, step.at, step.context, *fields)


def _arrive(scene: _Scene, inp: Arrive) -> tuple[Event, ...]:
    if inp.leg in scene.members:
        return ()
    number = scene.door.room.number
    events = [] if scene.conference else [scene.event(Conference.Opened, Conference.TOPIC, number)]
    events.append(scene.event(Conference.Arrived, inp.leg, inp.number, inp.name))
    why = refusal(scene.conference, scene.door)
    if why is not None:
        events.append(scene.event(Conference.Expelled, inp.leg, why))
    elif not scene.door.asks:
        events.append(scene.event(Conference.Joined, inp.leg, False))
    return tuple(events)


def _leave(scene: _Scene, inp: Leave) -> tuple[Event, ...]:
    if inp.leg not in scene.members:
        return ()
    left = scene.event(Conference.Left, inp.leg)
    return (left,) if len(scene.members) > 1 else (left, scene.event(Conference.Closed))


def _enter_pin(scene: _Scene, inp: EnterPin) -> tuple[Event, ...]:
    member = scene.at(inp.leg, Standing.DOOR)
    if member is None:
        return ()
    why = scene.door.bars(inp.digits)
    if why is not None:
        return (scene.event(Conference.Expelled, inp.leg, why),)
    moderator = scene.door.moderates(inp.digits)
    if moderator or scene.door.admits(inp.digits):
        if scene.conference and scene.conference.locked and not moderator:
            return (scene.event(Conference.Expelled, inp.leg, LOCKED),)
        return (scene.event(Conference.Joined, inp.leg, moderator),)
    refused = scene.event(Conference.PinRefused, inp.leg)
    if member.tries + 1 < TRIES:
        return (refused,)
    return (refused, scene.event(Conference.Expelled, inp.leg, WRONG_PIN))


def _tire(scene: _Scene, inp: Tire) -> tuple[Event, ...]:
    if scene.at(inp.leg, Standing.DOOR) is None:
        return ()
    return (scene.event(Conference.Expelled, inp.leg, NO_PIN if scene.door.declared else GONE),)


def _mute(scene: _Scene, inp: Mute) -> tuple[Event, ...]:
    member = scene.at(inp.leg, Standing.INSIDE)
    if member is None or member.muted is inp.on or not scene.allows(inp, inp.leg):
        return ()
    return (scene.event(Conference.Muted if inp.on else Conference.Unmuted, inp.leg),)


def _deafen(scene: _Scene, inp: Deafen) -> tuple[Event, ...]:
    member = scene.at(inp.leg, Standing.INSIDE)
    if member is None or member.deaf is inp.on or not scene.allows(inp, inp.leg):
        return ()
    return (scene.event(Conference.Deafened if inp.on else Conference.Undeafened, inp.leg),)


def _announce(scene: _Scene, inp: Announce) -> tuple[Event, ...]:
    reached = scene.at(inp.leg, Standing.INSIDE) if inp.leg else scene.conference
    if reached is None or not scene.allows(inp):
        return ()
    return (scene.event(Conference.Announced, inp.leg, inp.text, inp.language),)


def _lock(scene: _Scene, inp: Lock) -> tuple[Event, ...]:
    conference = scene.conference
    if conference is None or conference.locked is inp.on or not scene.allows(inp):
        return ()
    return (scene.event(Conference.Locked if inp.on else Conference.Unlocked),)


def _kick(scene: _Scene, inp: Kick) -> tuple[Event, ...]:
    inside = [one.leg for one in scene.members.values() if one.standing is Standing.INSIDE and one.leg != inp.by]
    leg = inp.leg or (inside[-1] if inside else "")
    if leg not in inside or not scene.allows(inp):
        return ()
    return (scene.event(Conference.Expelled, leg, KICKED),)


_TURNS: Mapping[type[Input], Callable[[_Scene, Any], tuple[Event, ...]]] = {
    Arrive: _arrive,
    Leave: _leave,
    EnterPin: _enter_pin,
    Tire: _tire,
    Mute: _mute,
    Deafen: _deafen,
    Announce: _announce,
    Lock: _lock,
    Kick: _kick,
}
