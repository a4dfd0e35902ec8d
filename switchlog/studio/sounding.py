"""What sounds in rooms and is soon over: tones and words about who comes and goes, and announcements.

What may live here: what follows from events, and which of it there is now. It is nowhere else: after a restart of this
process nobody wants to hear what was new before.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from adapters.media.room import RoomName, Seat
from domain.base import Event
from domain.conference.conference import Conference
from domain.room import NOTHING, WORDS
from media.wire import Play

_MOST = 4
"""At once, for all or for one: when there is more, the oldest is not heard to its end."""


class Sound(NamedTuple):
    """Something to be heard by the member `leg` in the room's place, or by all who are inside if that is empty."""

    leg: str
    play: Play


class Manner(NamedTuple):
    """How a room says what happens in it: how much (`domain.room.ANNOUNCED`), and in which language."""

    announce: str
    language: str


def sounds(events: Iterable[Event], inside: Iterable[str], manner: Manner) -> tuple[Sound, ...]:
    """What is heard of `events`, which happened when the legs `inside` were there."""
    here, found = set(inside), list[Sound]()
    for event in events:
        for leg, source in (*_said(event, manner.language), *_told(event, here, manner)):
            found.append(Sound(leg, Play(f"{event.originator_version}-{len(found)}", source)))
        if isinstance(event, Conference.Joined):
            here.add(event.leg)
        elif isinstance(event, (Conference.Expelled, Conference.Left)):
            here.discard(event.leg)
    return tuple(found)


def _said(event: Event, language: str) -> Iterable[tuple[str, str]]:
    if isinstance(event, Conference.Announced):
        yield event.leg, f"say:{event.language or language}:{event.text}"


def _told(event: Event, here: set[str], manner: Manner) -> Iterable[tuple[str, str]]:
    if manner.announce == NOTHING:
        return
    if isinstance(event, Conference.Joined):
        yield "", "tone:join"
    elif isinstance(event, (Conference.Expelled, Conference.Left)) and event.leg in here:
        yield "", "tone:leave"
    if manner.announce == WORDS and (words := _words(event, len(here))) is not None:
        leg, sentence, number = words
        yield leg, f"prompt:{sentence}:{manner.language}{number}"


def _words(event: Event, others: int) -> tuple[str, str, str] | None:
    """Who is told which sentence, and the number in it."""
    match event:
        case Conference.Joined():
            sentence = ("conference-first", "conference-one", "conference-others")[min(others, 2)]
            return event.leg, sentence, f":{others}" if others > 1 else ""
        case Conference.Muted():
            return event.leg, "muted", ""
        case Conference.Unmuted():
            return event.leg, "unmuted", ""
        case Conference.Locked():
            return "", "conference-locked", ""
    return None


class Sounding:
    """All sounds that there are now."""

    def __init__(self) -> None:
        self._now: dict[RoomName, tuple[Sound, ...]] = {}

    def add(self, room: RoomName, new: tuple[Sound, ...]) -> None:
        """These begin now."""
        kept = self._now.get(room, ()) + new
        for leg in {one.leg for one in new}:
            surplus = [one for one in kept if one.leg == leg][:-_MOST]
            kept = tuple(one for one in kept if one not in surplus)
        self._keep(room, kept)

    def over(self, room: RoomName, leg: str, play: str) -> bool:
        """The media say that one has ended; False if it was none of these."""
        before = self._now.get(room, ())
        self._keep(room, tuple(one for one in before if (one.leg, one.play.id) != (leg, play)))
        return len(self._now.get(room, ())) < len(before)

    def forget(self, room: RoomName) -> None:
        """What happens there is not ours to say any more."""
        self._now.pop(room, None)

    def seats(self, room: RoomName, seats: dict[str, Seat]) -> dict[str, Seat]:
        """The seats of a room with what each hears alone; what is for those who have left is forgotten."""
        self._keep(room, tuple(one for one in self._now.get(room, ()) if seats and (not one.leg or one.leg in seats)))
        return {leg: seat._replace(plays=seat.plays + self._for(room, leg)) for leg, seat in seats.items()}

    def plays(self, room: RoomName) -> tuple[Play, ...]:
        """What all hear."""
        return self._for(room, "")

    def _for(self, room: RoomName, leg: str) -> tuple[Play, ...]:
        return tuple(one.play for one in self._now.get(room, ()) if one.leg == leg)

    def _keep(self, room: RoomName, now: tuple[Sound, ...]) -> None:
        if now:
            self._now[room] = now
        else:
            self._now.pop(room, None)
