"""Effects of calls on legs that end at our own media: each changes what a media worker is told of a context.

What may live here: the streams of such legs, and what their calls are told of them. What is made of the streams says
who attends to contexts of that kind. A context is said to its worker as a whole, so everything here is gathered until
`flush`. Sans-IO: bytes leave by the pool, inputs by `tell`.

Performing an effect again is harmless: a leg that is known is not made anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import structlog

from adapters.media.attend import Attendances
from adapters.media.context import Arrangement, ContextName, context_name
from adapters.media.move import Moves
from adapters.media.offer import Place, place_of
from adapters.media.parts import MediaParts
from adapters.media.port import NoPort
from adapters.media.room import silent
from adapters.media.stream import ACTOR, Stream, answered, cause_of, ended, moved, not_acceptable, released
from domain.call.call import Call, CallState
from domain.call.effect import Cancel, Dial, Effect, HangUp, Mix, Reoffer
from domain.call.input import Failed, Input, Released, ReofferAccepted, ReofferRefused
from domain.ids import shard_of
from domain.sdp import Sdp
from domain.values import Cause
from media.wire import (
    Dtmf,
    FromWorker,
    Inventory,
    Keyed,
    Latched,
    Leg,
    Load,
    NotKeyed,
    PlayDone,
    Ready,
    RecordClosed,
    Refused,
)

_log = structlog.get_logger(__name__)
_TRIES = 4
"""So many ports are tried for a leg: another program may have one of ours."""
_PATIENCE_S = 3
"""So long a call whose port is lost waits for it, in silence, before its party is told another one."""


class MediaPerformer:
    """Says to media workers what calls owe. Of one thread."""

    def __init__(self, parts: MediaParts, attendances: Attendances) -> None:
        self._parts, self._attendances = parts, attendances
        self._streams: dict[str, Stream] = {}
        self._contexts: dict[ContextName, dict[str, Stream]] = {}
        self._arrangements: dict[ContextName, Arrangement] = {}
        self._fresh: list[Stream] = []
        self._changed: dict[ContextName, None] = {}
        self._inputs: list[tuple[UUID, Input]] = []
        self._moves = Moves()
        self._effects: Mapping[type[Effect], Callable[[Call, Any], None]] = {
            Dial: self._dial,
            Mix: self._mix,
            Reoffer: self._reoffer,
            HangUp: self._leave,
            Cancel: self._leave,
        }
        self._messages: Mapping[type, Callable[[Any], None]] = {
            Dtmf: attendances.told,
            Keyed: self._keyed,
            NotKeyed: self._not_keyed,
            Latched: lambda message: _log.info("media", **msgspec.to_builtins(message)),
            PlayDone: attendances.told,
            RecordClosed: attendances.told,
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
            for one in message.keyed:
                self._keyed(one)
        elif isinstance(message, Load):
            self._parts.pool.loaded(worker, message)
            self._ask_again(worker)
        elif isinstance(message, Ready):
            self._ready(worker, message)
        elif isinstance(message, Refused):
            self._refused(worker, message)
        elif (how := self._messages.get(type(message))) is not None:
            how(message)

    def arrange(self, name: ContextName, arrangement: Arrangement | None) -> None:
        """What is made of a context from now on; with none its ports are open, and that is all."""
        if arrangement is not None:
            self._arrangements[name] = arrangement
        else:
            self._arrangements.pop(name, None)
        self._changed[name] = None

    def leave(self, shard: int) -> None:
        """Forget the calls of a shard that is not ours any more. What their workers make of them goes on."""
        self._parts.pool.leave(shard)
        for stream in [one for one in self._streams.values() if shard_of(one.call) == shard]:
            self._forget(stream)
            if stream.context not in self._contexts:
                self._arrangements.pop(stream.context, None)

    def flush(self) -> None:
        """Tell workers and calls what has changed."""
        while self._fresh or self._changed or self._inputs:
            changed, self._changed = self._changed, {}
            for name in changed:  # first: a leg that is to have another port is there no more then
                self._put(name)
            fresh, self._fresh = self._fresh, []
            for stream in fresh:
                if self._streams.get(stream.leg) is stream and stream.wire is None:
                    self._open(stream)
            inputs, self._inputs = self._inputs, []
            for call, inp in inputs:
                self._parts.tell(call, inp)
        self._parts.pool.sweep()

    # --- effects

    def _dial(self, call: Call, effect: Dial) -> None:
        stream = self._streams.get(effect.leg)
        refusal = self._attendances.refusal(call, effect.leg)
        if refusal is not None:
            if stream is not None:
                self._forget(stream)
            self._tell(call.id, Failed(cause_of(effect.leg), ACTOR, effect.leg, refusal))
        elif stream is None:
            stream = self._enter(call, effect.leg)
            stream.dialog, stream.offered = effect.dialog, effect.sdp
            stream.host = self._host(call)
            self._fresh.append(stream)
        elif stream.told:  # and the journal lost what its call made of it
            self._answer(stream)

    def _mix(self, call: Call, effect: Mix) -> None:
        try:
            if self._is_ours(call, effect.ours):
                wire = self._parts.keyring.known(self._parts.speaker.leg(effect.leg, effect.theirs, effect.ours))
                self._settle(call, wire, effect)
            else:
                self._take_in(call, effect.leg, effect.theirs, effect.ours)
        except ValueError as error:
            self._tell(call.id, Released(cause_of(effect.leg), ACTOR, effect.leg, not_acceptable(error)))
            return
        self._attendances.came(call, effect.leg)

    def _settle(self, call: Call, wire: Leg, effect: Mix) -> None:
        """The party knows where our end is."""
        stream = self._streams.get(effect.leg) or self._enter(call, effect.leg)
        if stream.wire is not None and stream.wire.port != wire.port:
            self._parts.ports.free(stream.wire.port)
        self._parts.ports.mark(wire.port)
        stream.settle(wire, effect.theirs, effect.ours)
        stream.host, stream.dialog = self._host(call), call.legs[effect.leg].dialog
        self._moves.over(stream.leg)
        self._changed[stream.context] = None

    def _reoffer(self, call: Call, effect: Reoffer) -> None:
        cause, cseq = f"{cause_of(effect.leg)}:{effect.dialog.local_cseq}", effect.dialog.local_cseq
        try:
            ours = self._said_again(call, effect)
            if not ours:
                return
        except ValueError as error:
            refused = ReofferRefused(cause, ACTOR, effect.leg, cseq, not_acceptable(error))
            self._tell(call.id, refused)
            return
        direction = Sdp.parse(ours).direction
        self._tell(call.id, ReofferAccepted(cause, ACTOR, effect.leg, cseq, "", ours, direction))

    def _said_again(self, call: Call, effect: Reoffer) -> str:
        """What we say to a new offer, or to the wish for one; nothing as long as the port is not open. Raises
        ValueError."""
        leg, before = effect.leg, call.legs[effect.leg].sdp
        stream, place = self._streams.get(leg), place_of(before)
        if stream is None and not self._is_ours(call, before):
            stream = self._take_in(call, leg, call.caller.sdp, before)
        if stream is not None:
            if not stream.told or stream.wire is None:
                stream.asked = call, effect
                return ""
            place = Place(self._host(call), stream.wire.port)
        return self._parts.speaker.again(leg, effect.sdp, place, before)

    def _leave(self, call: Call, effect: HangUp | Cancel) -> None:
        stream = self._streams.get(effect.leg)
        if stream is not None:
            self._forget(stream)
        self._parts.keyring.drop(effect.leg)
        self._attendances.gone(call, effect.leg)

    # --- streams

    def _enter(self, call: Call, leg: str) -> Stream:
        stream = Stream(call, leg, context_name(call, leg))
        self._streams[leg] = self._contexts.setdefault(stream.context, {})[leg] = stream
        return stream

    def _forget(self, stream: Stream) -> None:
        self._parts.gauges.left(stream.leg)
        del self._streams[stream.leg]
        legs = self._contexts[stream.context]
        del legs[stream.leg]
        if not legs:
            del self._contexts[stream.context]
        if stream.wire is not None:
            self._parts.ports.free(stream.wire.port)
        self._moves.over(stream.leg)
        self._changed[stream.context] = None

    def _open(self, stream: Stream) -> None:
        """Give it a port, and say what we answer; its call is told once the port is open."""
        parts = self._parts
        try:
            place = Place(stream.host, stream.promised or parts.ports.take())
        except NoPort as error:
            self._fail(stream, Cause(503, 44, str(error)))
            return
        parts.ports.mark(place.port)
        stream.promised = 0
        try:
            stream.ours, stream.wire = self._parts.speaker.first(stream, place)
        except ValueError as error:
            parts.ports.free(place.port)
            self._fail(stream, not_acceptable(error))
            return
        self._changed[stream.context] = None

    # --- what was elsewhere

    def _is_ours(self, call: Call, said: str) -> bool:
        """Whether our end of a stream is here. Raises ValueError."""
        host, port = place_of(said)
        return host == self._host(call) and port in self._parts.ports

    def _take_in(self, call: Call, leg: str, theirs: str, said: str) -> Stream:
        """Make a stream here whose party knows another place of ours; it is told once the port is open.

        Raises ValueError.
        """
        stream = self._streams.get(leg) or self._enter(call, leg)
        stream.moves, stream.theirs, stream.said = True, theirs, said
        stream.host, stream.dialog = self._host(call), call.legs[leg].dialog
        if stream.wire is None:
            stream.promised = self._promised(call, leg)
            self._fresh.append(stream)
        else:
            stream.ours, stream.wire = self._parts.speaker.first(stream, Place(stream.host, stream.wire.port))
            stream.told, stream.rev = False, 0
            self._changed[stream.context] = None
        return stream

    def _promised(self, call: Call, leg: str) -> int:
        """The port that the party of a leg is being told at the moment, 0 if it is not."""
        pending = call.renegotiation
        if call.state is CallState.RENEGOTIATING and pending is not None and pending.by == leg and pending.sdp:
            return place_of(pending.sdp).port if self._is_ours(call, pending.sdp) else 0
        return 0

    def _move(self, stream: Stream) -> None:
        """Its port is open: the party is offered the new place, or finds it in the answer that it waits for."""
        stream.told = True
        self._moves.told(stream.leg, self._parts.clock())
        if stream.asked is not None:
            call, effect = stream.asked
            stream.asked = None
            self._reoffer(call, effect)
            return
        self._tell(stream.call, moved(stream))

    def next_due(self) -> datetime | None:
        """When `on_due` is to be called."""
        return self._moves.next_due()

    def on_due(self, now: datetime) -> None:
        """Who has not taken the new place is told it again. `flush` is to follow."""
        for leg in self._moves.due(now):
            self._move(self._streams[leg])

    def _put(self, name: ContextName) -> None:
        streams = [one for one in self._contexts.get(name, {}).values() if one.wire is not None and not one.out]
        if not streams:
            self._parts.pool.drop(str(name))
            return
        wires = [one.wire for one in streams if one.wire is not None]
        rev = self._parts.pool.put(str(name), self._arrangements.get(name, silent)(wires))
        for stream in streams:
            stream.rev = stream.rev or rev

    def _answer(self, stream: Stream) -> None:
        stream.told = True
        self._tell(stream.call, answered(stream))

    def _fail(self, stream: Stream, why: Cause) -> None:
        self._forget(stream)
        self._tell(stream.call, ended(stream, why))

    # --- what workers say

    def _ready(self, worker: str, message: Ready) -> None:
        for stream in self._waiting(worker, message.context, message.rev):
            if stream.moves:
                self._move(stream)
            else:
                self._answer(stream)
        for stream in self._streams_at(worker, message.context):
            stream.lost_s *= stream.out

    def _refused(self, worker: str, message: Refused) -> None:
        """One leg is the reason, or the context as a whole: then each leg that is new in it may be."""
        waiting = self._waiting(worker, message.context, message.rev)
        culprits = [one for one in waiting if message.leg in ("", one.leg)]
        stream = self._streams.get(message.leg)
        if stream is not None and stream.told and not stream.out:
            self._lose(stream, message.reason)
        elif not culprits:
            _log.error("a media worker does not take a context as it is now", **msgspec.to_builtins(message))
        for stream in culprits:
            self._elsewhere(stream, message.reason)

    def _elsewhere(self, stream: Stream, reason: str) -> None:
        """Another port for a leg whose party does not know of it yet."""
        self._changed[stream.context] = None
        assert stream.wire is not None
        self._parts.ports.free(stream.wire.port)
        self._moves.over(stream.leg)
        stream.wire, stream.rev, stream.tries = None, 0, stream.tries + 1
        if stream.tries < _TRIES:
            self._fresh.append(stream)
        else:
            self._fail(stream, Cause(503, 47, f"the media worker refused: {reason}"))

    def _ask_again(self, worker: str) -> None:
        """Once a second: a port that was lost may be free by now."""
        for stream in self._streams.values():
            if stream.out and self._parts.pool.worker_of(str(stream.context)) in ("", worker):
                stream.out = False
                self._changed[stream.context] = None

    def _lose(self, stream: Stream, reason: str) -> None:
        """The others of its context do without it, until its port is free again."""
        stream.out, stream.lost_s = True, stream.lost_s + 1
        self._changed[stream.context] = None
        if stream.lost_s == 1:
            _log.error("a call has no audio: its port was lost, and is waited for", leg=stream.leg, reason=reason)
        if stream.lost_s > _PATIENCE_S:
            stream.uproot()
            self._elsewhere(stream, reason)

    def _waiting(self, worker: str, context: str, rev: int) -> list[Stream]:
        """The legs of which the worker now knows for the first time."""
        return [one for one in self._streams_at(worker, context) if not one.told and 0 < one.rev <= rev]

    def _streams_at(self, worker: str, context: str) -> list[Stream]:
        """Those of a context that a worker has."""
        streams = self._contexts.get(ContextName.of(context), {}).values()
        return [one for one in streams if self._parts.pool.carrier(context, one.leg) == worker]

    def _keyed(self, message: Keyed) -> None:
        """For a worker that has to take over."""
        stream = self._streams.get(message.leg)
        if stream is not None and stream.wire is not None and stream.learn(message.keys):
            self._parts.keyring.keep(stream.wire)
            self._changed[stream.context] = None

    def _not_keyed(self, message: NotKeyed) -> None:
        """It would be silent for ever: what is to be encrypted never goes in the clear."""
        if (stream := self._streams.get(message.leg)) is not None:
            self._tell(stream.call, released(stream, Cause(488, 47, f"no keys for SRTP: {message.reason}")))

    # --- parts

    def _host(self, call: Call) -> str:
        return self._parts.host(call.caller.dialog.flow)

    def _tell(self, call: UUID, inp: Input) -> None:
        self._inputs.append((call, inp))
