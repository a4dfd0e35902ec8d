"""The conferences of this process's shards: decided and journaled as calls are, told to the media that make them.

What may live here: the one way in which a conference changes, and what it owes: who sits where is told to the media,
who is expelled to its call. Both are said again after a restart, and whoever left meanwhile is found to be gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

import structlog

from adapters.media.attend import Happening
from adapters.media.context import ContextName
from adapters.media.room import RoomName, Seat
from domain.base import Context, Event, Step
from domain.call.call import Call, CallState
from domain.call.input import Released
from domain.conference.conference import Conference, Member, Standing, live_until
from domain.conference.input import Arrive, EnterPin, Input, Leave, Tire
from domain.conference.keypad import press
from domain.conference.turn import Door, deadline, decide, expelled, fold, refusal
from domain.guess import Guesses
from domain.ids import call_of_leg, conference_id, shard_of, shard_of_room, text_of
from domain.ports import JournalError
from domain.room import NOTHING
from domain.routing.directory import Directory, Room
from domain.switchboard import NotOwned
from domain.values import Cause
from media.wire import Play, PlayDone
from switchlog.session.board import Board
from switchlog.session.submission import nothing
from switchlog.studio.sounding import Manner, Sounding, sounds

_log = structlog.get_logger(__name__)
_TALKING = frozenset({CallState.TALKING, CallState.RENEGOTIATING})


class HallParts(NamedTuple):
    """What a hall is built from."""

    board: Board
    directory: Callable[[], Directory]
    unseal: Callable[[str], str]
    node: str
    clock: Callable[[], datetime]
    chance: Callable[[int], bytes]
    seat: Callable[[RoomName, Mapping[str, Seat], tuple[Play, ...]], None]
    """tell the media who may be heard in a room, and may hear, and what is played to all"""
    told: Callable[[tuple[Event, ...]], None]
    """events of a conference that are durable now, for the log"""


class Hall:
    """All methods are of the loop's thread. It is the `Attendance` of rooms."""

    def __init__(self, parts: HallParts) -> None:
        self._parts = parts
        self._keys: dict[tuple[RoomName, str], str] = {}
        """(room, leg) -> what its party pressed and means nothing yet; a PIN is nowhere else, and not for long"""
        self._doors: dict[RoomName, tuple[datetime, str]] = {}
        """rooms with somebody at the door: until when, and whose leg that is"""
        self._seated: dict[RoomName, dict[str, Seat]] = {}
        """what the media were told of each member, but for what sounds now"""
        self._sounding = Sounding()
        self._guesses = Guesses()

    def conferences(self) -> Iterator[Conference]:
        """All that go on here."""
        for shard in self._parts.board.shards:
            yield from shard.conferences.values()

    def find(self, room: RoomName) -> Conference | None:
        """What goes on in a room, None if nobody is there."""
        shard = self._parts.board.shard(shard_of_room(*room))
        return shard.conferences.get(room) if shard else None

    def handle(
        self,
        room: RoomName,
        inp: Input,
        done: Callable[[bool], None] = lambda accepted: None,
        lost: Callable[[], None] = nothing,
    ) -> None:
        """Let the conference in a room decide; `done(True)` once the events are durable, `done(False)` if it meant
        nothing, `lost` if the shard was lost meanwhile.

        Raises JournalError and NotOwned.
        """
        board, now = self._parts.board, self._parts.clock()
        shard = board.owned(shard_of_room(*room))
        before = shard.conferences.get(room)
        stream = before.id if before else conference_id(*room, int(now.timestamp() * 1000), self._parts.chance(8))
        context = Context(room.tenant, text_of(stream), inp.cause, inp.actor, self._parts.node, shard.epoch)
        caller = _caller(before, inp)
        events = decide(
            before, inp, self._door(room, caller), Step(stream, before.version if before else 0, now, context)
        )
        if not events:
            done(False)
            return
        if isinstance(inp, EnterPin) and inp.digits:
            self._learn(room, caller, events)
        heard = sounds(events, _inside(before), self._manner(room))
        with board.submissions.ahead(shard):
            after = fold(before, events)
            assert after is not None
            shard.hold_conference(after)
            self._watch(room, after)
            seats, going = self._seats(room, after), expelled(after)

        def durable() -> None:
            done(True)
            self._sounding.add(room, heard)
            self._seat(room, seats)
            self._release(going)
            self._parts.told(events)

        board.submissions.submit(shard, events, live_until(after), durable, lost)

    def resume(self) -> None:
        """Say again what all conferences owe; after the calls of their shards have done so."""
        for conference in list(self.conferences()):
            room = RoomName(conference.tenant, conference.number)
            for leg in list(conference.members):
                if self._is_over(leg):
                    self._try(room, Leave("resume", "system", leg))
            self._watch(room, conference)
            self._seat(room, self._seats(room, conference))
            self._release(expelled(conference))

    # --- adapters.media.attend.Attendance

    def refuses(self, call: Call) -> Cause | None:
        room = _room_of(call)
        return refusal(self.find(room), self._door(room, call.caller.number))

    def came(self, call: Call, leg: str) -> None:
        caller = call.caller
        arrive = Arrive(f"call:{call.id}", f"leg:{leg}", leg, caller.number, call.display)
        self._try(_room_of(call), arrive)

    def gone(self, name: ContextName, leg: str) -> None:
        room = RoomName.of(name)
        self._keys.pop((room, leg), None)
        self._try(room, Leave(f"call:{call_of_leg(leg)}", f"leg:{leg}", leg))

    def heard(self, name: ContextName, message: Happening) -> None:
        room = RoomName.of(name)
        if isinstance(message, PlayDone) and self._sounding.over(room, message.leg, message.play):
            self._seat(room, self._seated.get(room, {}))

    def pressed(self, name: ContextName, leg: str, digit: str) -> None:
        room = RoomName.of(name)
        conference = self.find(room)
        member = conference.members.get(leg) if conference else None
        if conference is None or member is None:
            return
        self._keys[room, leg], meant = press(conference, member, self._keys.get((room, leg), ""), digit)
        if meant is not None:
            self._try(room, meant)

    def leave(self, shard: int) -> None:
        """Forget the rooms of a shard that is not ours any more, but not the wrong PINs: it may be back soon."""
        self._keys = {key: waiting for key, waiting in self._keys.items() if shard_of_room(*key[0]) != shard}
        for room in [one for one in (*self._seated, *self._doors) if shard_of_room(*one) == shard]:
            self._doors.pop(room, None)
            self._seated.pop(room, None)
            self._sounding.forget(room)

    # --- time

    def next_due(self) -> datetime | None:
        """When `on_due` is to be called."""
        return min((at for at, _ in self._doors.values()), default=None)

    def on_due(self, now: datetime) -> None:
        """Nobody stands at the door for ever."""
        for room, (at, leg) in list(self._doors.items()):
            if at <= now:
                del self._doors[room]
                self._try(room, Tire("deadline:door", "system", leg))

    def _watch(self, room: RoomName, conference: Conference) -> None:
        due = deadline(conference)
        if due is not None:
            self._doors[room] = due
        else:
            self._doors.pop(room, None)

    # --- parts

    def _try(self, room: RoomName, inp: Input) -> None:
        """What cannot be written down now is found again when the shard is taken again."""
        try:
            self.handle(room, inp)
        except (JournalError, NotOwned) as error:
            _log.warning("what happens in a conference has to wait", room=str(room), reason=str(error))

    def _door(self, room: RoomName, caller: str) -> Door:
        """As it is for a caller; of a room that is no longer declared none is left."""
        declared = self._parts.directory().room(*room)
        shut = self._guesses.shut(room, caller, self._parts.clock())
        return Door(declared or Room(*room, room.number), self._parts.unseal, declared is not None, shut)

    def _learn(self, room: RoomName, caller: str, events: tuple[Event, ...]) -> None:
        """What was entered was right or wrong, and that holds whether or not the journal hears of it."""
        for event in events:
            if isinstance(event, Conference.PinRefused):
                self._guesses.wrong(room, caller, event.timestamp)
            elif isinstance(event, Conference.Joined):
                self._guesses.right(room, caller, event.timestamp)

    def _seats(self, room: RoomName, conference: Conference) -> dict[str, Seat]:
        """What the media make of each member."""
        language = self._manner(room).language
        return {leg: _seat(member, language) for leg, member in conference.members.items()}

    def _seat(self, room: RoomName, seats: dict[str, Seat]) -> None:
        if seats:
            self._seated[room] = seats
        else:
            self._seated.pop(room, None)
        self._parts.seat(room, self._sounding.seats(room, seats), self._sounding.plays(room))

    def _manner(self, room: RoomName) -> Manner:
        directory = self._parts.directory()
        declared = directory.room(*room)
        return Manner(declared.announce if declared else NOTHING, directory.language(*room))

    def _is_over(self, leg: str) -> bool:
        """Not known, and so no, while the shard of its call is not owned: it comes a moment before or after."""
        board, stream = self._parts.board, call_of_leg(leg)
        call = board.find(stream)
        return board.owns(shard_of(stream)) and (call is None or call.state not in _TALKING)

    def _release(self, going: tuple[tuple[str, Cause], ...]) -> None:
        for leg, why in going:
            inp = Released(f"conference:{leg}", "system", leg, why)
            try:
                self._parts.board.handle(call_of_leg(leg), inp, lambda accepted: None)
            except (JournalError, NotOwned) as error:
                _log.warning("who is expelled stays for the moment", leg=leg, reason=str(error))


def _room_of(call: Call) -> RoomName:
    assert call.venue is not None
    return RoomName(call.tenant, call.venue.number)


def _caller(conference: Conference | None, inp: Input) -> str:
    """The number of who comes, or of who is at the door; empty if it is about nobody like that."""
    if isinstance(inp, Arrive):
        return inp.number
    member = conference.members.get(inp.leg) if conference and isinstance(inp, EnterPin) else None
    return member.number if member else ""


def _inside(conference: Conference | None) -> tuple[str, ...]:
    members = conference.members.values() if conference else ()
    return tuple(one.leg for one in members if one.standing is Standing.INSIDE)


def _seat(member: Member, language: str) -> Seat:
    if member.standing is Standing.INSIDE:
        return Seat(member.muted, member.deaf)
    if member.standing is Standing.DOOR:
        sentence = "pin-wrong" if member.tries else "conference-pin"
        return Seat(plays=(Play(f"door-{member.tries}", f"prompt:{sentence}:{language}"),))
    return Seat()
