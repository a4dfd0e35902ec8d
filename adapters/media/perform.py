"""Effects of calls on legs that end at our own media: each changes what a media worker is told of a room.

What may live here: the streams of such legs, and what their calls are told of them. A room is said to its worker as a
whole, so everything here is gathered until `flush`. Sans-IO: bytes leave by the pool, inputs by `tell`.

Performing an effect again is harmless: a leg that is known is not made anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol
from uuid import UUID

import msgspec
import structlog

from adapters.media.offer import Means, NoCommonMedia, Place, answer, leg_alone, leg_of, offer, offer_again, place_of
from adapters.media.pool import Pool
from adapters.media.port import NoPort, Ports
from adapters.media.room import RoomName, Seat, context_of
from domain.call.call import Call
from domain.call.effect import Cancel, Dial, Effect, HangUp, Mix, Reoffer
from domain.call.input import Answered, Failed, Input, Released, ReofferAccepted, ReofferRefused
from domain.ids import shard_of
from domain.sdp import Sdp, map_crypto
from domain.values import Ability, Cause, Dialog, Flow
from media.wire import Dtmf, FromWorker, Inventory, Latched, Leg, Load, Measured, Ready, Refused, Silent

_log = structlog.get_logger(__name__)
ACTOR = "media"
NAME = "Switchlog"
"""What the far end of a call to our media is called where a phone's make would be."""
_TRIES = 4
"""So many ports are tried for a leg: another program may have one of ours."""
_PATIENCE_S = 10
"""So long a call whose port is lost may wait for it, in silence."""
_UPDATES = Ability(updates=True)


class Attendance(Protocol):
    """Who is told what happens in rooms. It says who may be heard there by `MediaPerformer.seat`."""

    def refuses(self, room: RoomName) -> Cause | None:
        """Why nobody may come in now, before a call is answered; None if somebody may."""

    def came(self, call: Call, leg: str) -> None:
        """A leg's stream has begun; told again after a restart."""

    def gone(self, room: RoomName, leg: str) -> None:
        """A leg's call is over; told again after a restart."""

    def pressed(self, room: RoomName, leg: str, digit: str) -> None:
        """The party pressed a key."""


class MediaParts(NamedTuple):
    """What the performer is built from."""

    pool: Pool
    ports: Ports
    host: Callable[[Flow], str]
    """at which address the peer of a flow reaches our media"""
    unseal: Callable[[str], str]
    means: Means
    tell: Callable[[UUID, Input], None]
    """let a call decide on what happened"""


class _Stream:
    """A leg that ends here. `rev` is that of the room with which its port was opened first, 0 before that."""

    def __init__(self, call: UUID, leg: str, room: RoomName) -> None:
        self.call, self.leg, self.room = call, leg, room
        self.dialog: Dialog | None = None
        self.offered, self.host = "", ""
        self.ours = ""
        self.wire: Leg | None = None
        self.rev = self.tries = 0
        self.told = False
        """Whether its call knows what we answered."""
        self.out, self.lost_s = False, 0
        """Whether, and since how many seconds, its port is somebody else's: a worker that came new did not get it."""


class MediaPerformer:
    """Says to media workers what calls owe. Of one thread."""

    def __init__(self, parts: MediaParts, attendance: Attendance) -> None:
        self._parts, self._attendance = parts, attendance
        self._streams: dict[str, _Stream] = {}
        self._rooms: dict[RoomName, dict[str, _Stream]] = {}
        self._seats: dict[RoomName, Mapping[str, Seat]] = {}
        self._fresh: list[_Stream] = []
        self._changed: dict[RoomName, None] = {}
        self._inputs: list[tuple[UUID, Input]] = []
        self._effects: Mapping[type[Effect], Callable[[Call, Any], None]] = {
            Dial: self._dial,
            Mix: self._mix,
            Reoffer: self._reoffer,
            HangUp: self._leave,
            Cancel: self._leave,
        }
        self._messages: Mapping[type, Callable[[Any], None]] = {
            Ready: self._ready,
            Refused: self._refused,
            Dtmf: self._pressed,
            Latched: self._note,
            Silent: self._note,
            Measured: self._note,
        }

    def __len__(self) -> int:
        """How many legs end here."""
        return len(self._streams)

    def perform(self, call: Call, effects: tuple[Effect, ...]) -> None:
        """Of legs that end here. What needs no stream, such as a confirmation, is nothing to us."""
        for effect in effects:
            if (how := self._effects.get(type(effect))) is not None:
                how(call, effect)

    def heard(self, worker: str, message: FromWorker) -> None:
        """What a worker says. `flush` is to follow."""
        if isinstance(message, Inventory):
            self._parts.pool.arrived(worker, message)
        elif isinstance(message, Load):
            self._ask_again(worker)
        elif (how := self._messages.get(type(message))) is not None:
            how(message)

    def seat(self, room: RoomName, seats: Mapping[str, Seat]) -> None:
        """What the conference in a room says of its members, from now on."""
        if seats:
            self._seats[room] = seats
        else:
            self._seats.pop(room, None)
        self._changed[room] = None

    def leave(self, shard: int) -> None:
        """Forget the calls of a shard that is not ours any more. What their workers make of them goes on."""
        self._parts.pool.leave(shard)
        for stream in [one for one in self._streams.values() if shard_of(one.call) == shard]:
            self._forget(stream)
            if stream.room not in self._rooms:
                self._seats.pop(stream.room, None)

    def flush(self) -> None:
        """Tell workers and calls what has changed."""
        while self._fresh or self._changed or self._inputs:
            fresh, self._fresh = self._fresh, []
            for stream in fresh:
                if self._streams.get(stream.leg) is stream:
                    self._open(stream)
            changed, self._changed = self._changed, {}
            for room in changed:
                self._put(room)
            inputs, self._inputs = self._inputs, []
            for call, inp in inputs:
                self._parts.tell(call, inp)
        self._parts.pool.sweep()

    # --- effects

    def _dial(self, call: Call, effect: Dial) -> None:
        stream = self._streams.get(effect.leg)
        refusal = self._attendance.refuses(RoomName(call.tenant, call.room))
        if refusal is not None:
            if stream is not None:
                self._forget(stream)
            self._tell(call.id, Failed(_cause(effect.leg), ACTOR, effect.leg, refusal))
        elif stream is None:
            stream = self._enter(call, effect.leg)
            stream.dialog, stream.offered = effect.dialog, effect.sdp
            stream.host = self._parts.host(call.caller.dialog.flow)
            self._fresh.append(stream)
        elif stream.told:  # and the journal lost what its call made of it
            self._answer(stream)

    def _mix(self, call: Call, effect: Mix) -> None:
        try:
            wire = leg_of(effect.leg, self._bare(effect.theirs), self._bare(effect.ours))
        except ValueError as error:
            self._tell(call.id, Released(_cause(effect.leg), ACTOR, effect.leg, _not_acceptable(error)))
            return
        stream = self._streams.get(effect.leg) or self._enter(call, effect.leg)
        self._parts.ports.mark(wire.port)
        stream.wire, stream.ours, stream.told = wire, effect.ours, True
        self._changed[stream.room] = None
        self._attendance.came(call, effect.leg)

    def _reoffer(self, call: Call, effect: Reoffer) -> None:
        cause, cseq = f"{_cause(effect.leg)}:{effect.dialog.local_cseq}", effect.dialog.local_cseq
        try:
            ours = self._said_again(effect.leg, effect.sdp, call.legs[effect.leg].sdp)
        except ValueError as error:
            refused = ReofferRefused(cause, ACTOR, effect.leg, cseq, _not_acceptable(error))
            self._tell(call.id, refused)
            return
        direction = Sdp.parse(ours).direction
        self._tell(call.id, ReofferAccepted(cause, ACTOR, effect.leg, cseq, "", ours, direction))

    def _said_again(self, leg: str, offered: str, before: str) -> str:
        """What we say to a new offer, or to the wish for one. Raises ValueError."""
        if not offered:
            return offer_again(before)
        ours = answer(offered, place_of(before), self._parts.means, before)
        leg_of(leg, self._bare(offered), self._bare(ours))
        return ours

    def _leave(self, call: Call, effect: HangUp | Cancel) -> None:
        stream = self._streams.get(effect.leg)
        if stream is not None:
            self._forget(stream)
        self._attendance.gone(RoomName(call.tenant, call.room), effect.leg)

    # --- streams

    def _enter(self, call: Call, leg: str) -> _Stream:
        stream = _Stream(call.id, leg, RoomName(call.tenant, call.room))
        self._streams[leg] = self._rooms.setdefault(stream.room, {})[leg] = stream
        return stream

    def _forget(self, stream: _Stream) -> None:
        del self._streams[stream.leg]
        legs = self._rooms[stream.room]
        del legs[stream.leg]
        if not legs:
            del self._rooms[stream.room]
        if stream.wire is not None:
            self._parts.ports.free(stream.wire.port)
        self._changed[stream.room] = None

    def _open(self, stream: _Stream) -> None:
        """Give it a port, and say what we answer; its call is told once the port is open."""
        parts = self._parts
        try:
            place = Place(stream.host, parts.ports.take())
        except NoPort as error:
            self._fail(stream, Cause(503, 44, str(error)))
            return
        try:
            if stream.offered:
                stream.ours = answer(stream.offered, place, parts.means)
                stream.wire = leg_of(stream.leg, self._bare(stream.offered), self._bare(stream.ours))
            else:
                stream.ours = offer(place, parts.means)
                stream.wire = leg_alone(stream.leg, stream.ours)
        except ValueError as error:
            parts.ports.free(place.port)
            self._fail(stream, _not_acceptable(error))
            return
        self._changed[stream.room] = None

    def _put(self, room: RoomName) -> None:
        streams = [one for one in self._rooms.get(room, {}).values() if one.wire is not None and not one.out]
        if not streams:
            self._parts.pool.drop(str(room))
            return
        wires = [one.wire for one in streams if one.wire is not None]
        rev = self._parts.pool.put(str(room), context_of(wires, self._seats.get(room, {})))
        for stream in streams:
            stream.rev = stream.rev or rev

    def _answer(self, stream: _Stream) -> None:
        assert stream.dialog is not None
        stream.told = True
        dialog = msgspec.structs.replace(stream.dialog, remote_tag=ACTOR)
        inp = Answered(_cause(stream.leg), ACTOR, stream.leg, dialog, stream.ours, NAME, _UPDATES)
        self._tell(stream.call, inp)

    def _fail(self, stream: _Stream, why: Cause) -> None:
        self._forget(stream)
        self._tell(stream.call, Failed(_cause(stream.leg), ACTOR, stream.leg, why))

    # --- what workers say

    def _ready(self, message: Ready) -> None:
        for stream in self._waiting(message.context, message.rev):
            self._answer(stream)
        for stream in self._rooms.get(RoomName.of(message.context), {}).values():
            stream.lost_s *= stream.out

    def _refused(self, message: Refused) -> None:
        """One leg is the reason, or the room as a whole: then each leg that is new in it may be."""
        waiting = self._waiting(message.context, message.rev)
        culprits = [one for one in waiting if message.leg in ("", one.leg)]
        stream = self._streams.get(message.leg)
        if stream is not None and stream.told and not stream.out:
            self._lose(stream, message.reason)
        elif not culprits:
            _log.error("a media worker does not take a room as it is now", **msgspec.to_builtins(message))
        for stream in culprits:
            self._elsewhere(stream, message.reason)

    def _elsewhere(self, stream: _Stream, reason: str) -> None:
        """Another port for a leg whose call knows of none yet."""
        self._changed[stream.room] = None
        assert stream.wire is not None
        self._parts.ports.free(stream.wire.port)
        stream.wire, stream.rev, stream.tries = None, 0, stream.tries + 1
        if stream.tries < _TRIES:
            self._fresh.append(stream)
        else:
            self._fail(stream, Cause(503, 47, f"the media worker refused: {reason}"))

    def _ask_again(self, worker: str) -> None:
        """Once a second: a port that was lost may be free by now."""
        for stream in self._streams.values():
            if stream.out and self._parts.pool.worker_of(str(stream.room)) in ("", worker):
                stream.out = False
                self._changed[stream.room] = None

    def _lose(self, stream: _Stream, reason: str) -> None:
        """The others of its room do without it, until its port is free again."""
        stream.out, stream.lost_s = True, stream.lost_s + 1
        self._changed[stream.room] = None
        if stream.lost_s == 1:
            _log.error("a call has no audio: its port was lost, and is waited for", leg=stream.leg, reason=reason)
        if stream.lost_s > _PATIENCE_S:
            why = Cause(503, 41, f"the port of its audio was lost: {reason}")
            self._tell(stream.call, Released(_cause(stream.leg), ACTOR, stream.leg, why))

    def _waiting(self, context: str, rev: int) -> list[_Stream]:
        """The legs of which the worker now knows for the first time."""
        streams = self._rooms.get(RoomName.of(context), {}).values()
        return [one for one in streams if not one.told and 0 < one.rev <= rev]

    def _pressed(self, message: Dtmf) -> None:
        self._attendance.pressed(RoomName.of(message.context), message.leg, message.digit)

    def _note(self, message: Latched | Silent | Measured) -> None:
        _log.info("media", **msgspec.to_builtins(message))

    # --- parts

    def _bare(self, sdp: str) -> str:
        return map_crypto(sdp, self._parts.unseal)

    def _tell(self, call: UUID, inp: Input) -> None:
        self._inputs.append((call, inp))


def _cause(leg: str) -> str:
    return f"{ACTOR}:{leg}"


def _not_acceptable(error: ValueError) -> Cause:
    """RFC 3261 21.4.26; what is no description at all is no better."""
    return Cause(488, 65 if isinstance(error, NoCommonMedia) else 95, str(error))
