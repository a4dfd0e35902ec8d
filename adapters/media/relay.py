"""Calls of which the media go through us: our two ends, and what a media worker makes of what both parties have said.

What may live here: the contexts of such calls, and the ports that they use. Sans-IO: bytes leave by the pool, inputs by
`tell`. What phones are told is a pure function of the call (`describe`), so that it is the same after a restart.

A context has two legs, one a side: the caller's by its own name, the other one's by that of the leg that was dialled
first, whoever answers. Both are there before anybody is called: what comes early meets an open port.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol
from uuid import UUID

import msgspec
import structlog

from adapters.media.context import ContextName
from adapters.media.described import described, end_of
from adapters.media.offer import CODECS, leg_of
from adapters.media.parts import MediaParts
from adapters.media.port import NoPort
from adapters.media.shown import End, Wide, can_pass, shown
from domain.call.call import Call
from domain.call.effect import CloseRelay, KeepRecording, MediaEffect, OpenRelay, Relay
from domain.call.input import Input, RecordingAnnounced, RelayFailed, RelayOpened
from domain.call.recording import Recording
from domain.call.relay import RelayPlace
from domain.ids import call_of_leg, leg_id, shard_of
from domain.sdp import map_crypto
from domain.values import Cause
from media.wire import (
    Codec,
    Context,
    Dtmf,
    FromWorker,
    Latched,
    Leg,
    Play,
    PlayDone,
    Ready,
    Record,
    RecordClosed,
    Refused,
)

_log = structlog.get_logger(__name__)
ACTOR = "media"
RELAYED = "call"
"""The kind of the contexts here; each is named by its caller's leg."""
_SECRET_BYTES = 32
_PATIENCE_S = 3
"""So long a call waits for ports that were lost, in silence, before its phones are told others."""
_TRIES = 4
"""So many pairs of ports are tried: another program may have one of ours."""
_SILENT = (Codec("PCMU", 0),)
_NOTICE = "notice-"
_NOTHING_IN_COMMON = Cause(488, 65, "nothing that is offered can go through our media")


class Reels(Protocol):
    """Who knows where recordings grow, and sees to it that they stay."""

    def record(self, tenant: str, recording: Recording, sides: tuple[str, str]) -> Record:
        """The file of a recording, for the media worker; the legs `sides` are the caller's and the other one's."""

    def closed(self, message: RecordClosed) -> None:
        """Nothing is written to a file any more."""

    def keep(self, call: Call, recording: str) -> None:
        """A recording is over; told again after a restart."""


Side = Literal["caller", "callee"]


class Keys(Protocol):
    """Who is told of keys that the parties of a call press."""

    def pressed(self, call_id: UUID, side: Side, digit: str) -> None: ...

    def forget(self, call_id: UUID) -> None:
        """Nothing of that call is relayed any more."""


class _Relayed:
    """A call here. `rev` is that of its context when it was opened; `told` says whether the call knows its place, and
    `again` whether it knows another one, which is lost."""

    def __init__(self, place: RelayPlace, again: bool = False) -> None:
        self.place, self.again = place, again
        self.rev = 0
        self.tries = 1
        self.lost_s = 0
        """since how many seconds its worker does not take it with these ports"""
        self.told = False
        self.desired: Context | None = None


class RelayPerformer:
    """Says to media workers what calls between phones owe. Of one thread."""

    def __init__(self, parts: MediaParts, reels: Reels, keys: Keys) -> None:
        self._parts, self._reels, self._keys = parts, reels, keys
        self._calls: dict[UUID, _Relayed] = {}
        self._out: dict[UUID, str] = {}
        """calls that their workers do not take as they are now, such as for a port that is taken -> contexts"""
        self._inputs: list[tuple[UUID, Input]] = []
        self._effects: Mapping[type[MediaEffect], Callable[[Call, Any], None]] = {
            OpenRelay: self._open,
            Relay: self._relay,
            CloseRelay: self._close,
            KeepRecording: lambda call, effect: reels.keep(call, effect.recording),
        }
        self._messages: Mapping[type, Callable[[Any], None]] = {
            Ready: self._ready,
            Refused: self._refused,
            Dtmf: self._pressed,
            RecordClosed: reels.closed,
            PlayDone: self._played,
            Latched: self._note,
        }

    def __len__(self) -> int:
        """How many calls there are."""
        return len(self._calls)

    def perform(self, call: Call, effects: tuple[MediaEffect, ...]) -> None:
        """`flush` is to follow."""
        for effect in effects:
            self._effects[type(effect)](call, effect)

    def heard(self, message: FromWorker) -> None:
        """What a worker says of a context of our kind. `flush` is to follow."""
        if (how := self._messages.get(type(message))) is not None:
            how(message)

    def ask_again(self, worker: str) -> None:
        """Once a second of each worker: what one did not take it may take by now."""
        for call, context in list(self._out.items()):
            one = self._calls.get(call)
            if one is None or one.desired is None:
                del self._out[call]
            elif self._parts.pool.worker_of(context) in ("", worker):
                self._parts.pool.put(context, one.desired)

    def flush(self) -> None:
        """Tell calls what has happened."""
        while self._inputs:
            inputs, self._inputs = self._inputs, []
            for call, inp in inputs:
                self._parts.tell(call, inp)

    def describe(self, call: Call, leg: str, theirs: str, tag: str) -> str:
        """What the phone of a leg is told of `theirs`, which the other party said; keys are bare.

        `tag` is ours in the dialog where it is told so: a caller has one with each phone that rings.
        """
        assert call.relay is not None
        assert call.relay.place is not None
        return described(call, leg, theirs, tag, self._end(call, leg, call.relay.place), CODECS)

    # --- effects

    def _open(self, call: Call, effect: OpenRelay) -> None:
        one = self._calls.get(call.id)
        if one is not None:
            if one.told:  # and the journal lost what the call made of it
                self._opened(call.id, one)
            return
        if all(map(_passes, (effect.offered, effect.answered))):
            self._take(call)
        else:
            self._fail(call.id, _NOTHING_IN_COMMON)

    def _relay(self, call: Call, effect: Relay) -> None:
        one = self._calls.get(call.id)
        if one is None:
            if not self._is_ours(call, effect.place):
                self._move(call)
                return
            one = self._calls[call.id] = _Relayed(effect.place)
            for port in _ports(effect.place):
                self._parts.ports.mark(port)
        elif one.place != effect.place:
            if one.told:  # and the journal lost what the call made of it
                self._opened(call.id, one)
            return
        one.told = True
        try:
            desired = self._context(call, effect)
        except ValueError as error:
            if call.talked and (call.renegotiation is None or call.detour is not None):
                self._fail(call.id, Cause(488, 65, str(error)))
                return
            # One that rings says this, and another one may answer; or both agreed on no audio, and may again on some.
            desired = self._context(call, msgspec.structs.replace(effect, callee=""))
        if desired != one.desired:
            one.desired = desired
            self._parts.pool.put(name_of(call.tenant, call.id), desired)

    def _close(self, call: Call, effect: CloseRelay) -> None:
        one = self._calls.pop(call.id, None)
        self._keys.forget(call.id)
        for end in (0, 1):
            self._parts.gauges.left(leg_id(call.id, end))
        self._parts.pool.drop(name_of(call.tenant, call.id))
        if one is not None:
            self._free(one.place)

    def leave(self, shard: int) -> None:
        """Forget the calls of a shard that is not ours any more. What their workers make of them goes on."""
        for call in [one for one in self._calls if shard_of(one) == shard]:
            self._keys.forget(call)
            self._free(self._calls.pop(call).place)

    # --- contexts

    def _is_ours(self, call: Call, place: RelayPlace) -> bool:
        """Whether our ends are here: at another node, or before a start with other settings, they may have been."""
        here = place.host in ("", self._parts.host(call.caller.dialog.flow))
        return here and all(port in self._parts.ports for port in _ports(place))

    def _move(self, call: Call) -> None:
        """The phones know ends that are not ours, or are lost: they get others, and are told once those are open."""
        self._parts.pool.drop(name_of(call.tenant, call.id))
        self._take(call, again=True)

    def _take(self, call: Call, tries: int = 1, again: bool = False) -> None:
        """Open two ports, whichever are free; the call is told once they are open."""
        parts = self._parts
        try:
            ports = [parts.ports.take()]
            try:
                ports.append(parts.ports.take())
            except NoPort:
                parts.ports.free(ports[0])
                raise
        except NoPort as error:
            self._fail(call.id, Cause(503, 44, str(error)))
            return
        secret = parts.means.seal(parts.means.chance(_SECRET_BYTES).hex())
        one = _Relayed(RelayPlace(ports[0], ports[1], secret, parts.host(call.caller.dialog.flow)), again)
        one.tries, self._calls[call.id] = tries, one
        one.rev = parts.pool.put(name_of(call.tenant, call.id), _silent(call.id, one.place))

    def _context(self, call: Call, effect: Relay) -> Context:
        """Raises ValueError if what the parties said does not fit."""
        place, unseal = effect.place, self._parts.unseal
        names = leg_id(call.id, 0), leg_id(call.id, 1)
        recording = effect.recording
        records = (self._reels.record(call.tenant, recording, names),) if recording is not None else ()
        if not effect.caller or not effect.callee:
            return msgspec.structs.replace(_silent(call.id, place), records=records)
        said = map_crypto(effect.caller, unseal), map_crypto(effect.callee, unseal)
        ends = self._end(call, call.caller_leg, place), self._end(call, effect.other, place)
        wide = Wide.ALL if call.relay is not None and call.relay.wide else Wide.NOT
        caller = _audible(leg_of(names[0], said[0], shown(said[1], ends[0], said[0], CODECS, wide=wide)))
        callee = _audible(leg_of(names[1], said[1], shown(said[0], ends[1], said[1], CODECS, wide=wide)))
        plays = _notice(recording) if recording is not None else ()
        return Context((_in_order_of(callee, caller), callee), relayed=True, records=records, plays=plays)

    def _end(self, call: Call, leg: str, place: RelayPlace) -> End:
        """Ours towards a leg's party."""
        host = self._parts.host(call.legs[leg].dialog.flow)
        return end_of(call, leg, host, place, bytes.fromhex(self._parts.unseal(place.secret)))

    # --- what workers say

    def _ready(self, message: Ready) -> None:
        call = call_of(message.context)
        one = self._calls.get(call)
        self._out.pop(call, None)
        if one is not None:
            one.lost_s = 0
        if one is not None and not one.told and one.rev and message.rev >= one.rev:
            self._opened(call, one)

    def _refused(self, message: Refused) -> None:
        """One that its call knows waits for its ports, but not for ever; one that it does not gets others at once."""
        call = call_of(message.context)
        one, known = self._calls.get(call), self._parts.find(call)
        if one is None or known is None:
            return
        if one.told and one.lost_s < _PATIENCE_S:
            if call not in self._out and not one.lost_s:
                _log.error("a media worker does not relay a call as it is now", **msgspec.to_builtins(message))
            one.lost_s += 1
            self._out[call] = message.context
            return
        del self._calls[call]
        self._out.pop(call, None)
        self._free(one.place)
        self._parts.pool.drop(message.context)  # a worker may have it with ports that it had before
        if one.told:
            self._take(known, again=True)
        elif one.tries < _TRIES:
            self._take(known, one.tries + 1, one.again)
        else:
            self._fail(call, Cause(503, 47, f"the media worker refused: {message.reason}"))

    def _played(self, message: PlayDone) -> None:
        recording = message.play.removeprefix(_NOTICE)
        inp = RecordingAnnounced(f"{ACTOR}:{message.play}", ACTOR, recording, message.reason)
        self._inputs.append((call_of(message.context), inp))

    def _pressed(self, message: Dtmf) -> None:
        call = call_of(message.context)
        if call in self._calls:
            self._keys.pressed(call, "caller" if message.leg == leg_id(call, 0) else "callee", message.digit)

    @staticmethod
    def _note(message: Latched) -> None:
        _log.info("media", **msgspec.to_builtins(message))

    # --- parts

    def _opened(self, call: UUID, one: _Relayed) -> None:
        one.told = True
        self._inputs.append((call, RelayOpened(_cause(call), ACTOR, one.place, one.again)))

    def _fail(self, call: UUID, why: Cause) -> None:
        self._inputs.append((call, RelayFailed(_cause(call), ACTOR, why)))

    def _free(self, place: RelayPlace) -> None:
        for port in _ports(place):
            self._parts.ports.free(port)


def _ports(place: RelayPlace) -> tuple[int, int]:
    return place.caller_port, place.callee_port


def _passes(said: str) -> bool:
    """Whether media can go through us that a party describes so; who has said nothing yet may say so."""
    try:
        return not said or can_pass(said, CODECS)
    except ValueError:
        return False


def name_of(tenant: str, call: UUID) -> str:
    """The name of a call's context."""
    return str(ContextName(RELAYED, tenant, leg_id(call, 0)))


def call_of(context: str) -> UUID:
    """The call of a context that is named so."""
    return call_of_leg(ContextName.of(context).name)


def _silent(call: UUID, place: RelayPlace) -> Context:
    """Both ends open, and no more than that."""
    legs = _bare(leg_id(call, 0), place.caller_port), _bare(leg_id(call, 1), place.callee_port)
    return Context(legs, relayed=True)


def _bare(leg: str, port: int) -> Leg:
    """An end of which the party has said nothing yet: its port is open, and silent."""
    return Leg(leg, port, None, _SILENT, sends=False, receives=False)


def _in_order_of(other: Leg, leg: Leg) -> Leg:
    """With the same codec first, if there is one: then packets pass as they are."""
    names = [(codec.name, codec.clock_rate_hz) for codec in other.codecs]
    known = [codec for codec in leg.codecs if (codec.name, codec.clock_rate_hz) in names]
    first = sorted(known, key=lambda codec: names.index((codec.name, codec.clock_rate_hz)))
    return msgspec.structs.replace(leg, codecs=(*first, *(codec for codec in leg.codecs if codec not in known)))


def _notice(recording: Recording) -> tuple[Play, ...]:
    """What both parties are told of it."""
    if not recording.notice:
        return ()
    return (Play(f"{_NOTICE}{recording.id}", f"prompt:recorded:{recording.notice}"),)


def _audible(leg: Leg) -> Leg:
    """A party that holds the other one may play music to it."""
    return msgspec.structs.replace(leg, muted=False)


def _cause(call: UUID) -> str:
    return f"{ACTOR}:{call}"
