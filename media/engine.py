"""All contexts of a worker: what they shall be, and what they are.

What may live here: how contexts and legs come, change and go. What they do in a tick is `media.cycle`'s. Time is an
argument, chance is injected, sockets are behind `Network`, files behind the library and the recorder.
"""

from __future__ import annotations

from collections.abc import Callable

from media.batch import Network
from media.cycle import Cycle
from media.dtls import DtlsSrtp
from media.keying import Silence, handshake
from media.play import Library
from media.port import PortTakenError
from media.record import Recorder
from media.room import Room, Rooms, StaleError
from media.span import spanned
from media.srtp import Srtp
from media.stream import Stream, UnfitLegError, agreement_of, check, keys_of
from media.studio import Studio
from media.ties import Alone, Ties
from media.wire import Drop, Dtls, FromWorker, Inventory, Keyed, Left, Leg, Put, Ready, Refused


class NoPlaceError(Exception):
    """There is no port or no room for `leg`; the other legs of its context are not to blame."""

    def __init__(self, leg: str, reason: str) -> None:
        super().__init__(reason)
        self.leg = leg


class Engine:
    """Up to `rows` legs. What it has to say is in `said`, until somebody takes it."""

    def __init__(
        self,
        network: Network,
        chance: Callable[[int], int],
        rows: int,
        library: Library,
        recorder: Recorder,
        ties: Ties | None = None,
    ) -> None:
        """`chance` gives a number of so many bits that nobody can guess; without `ties` there are no other workers."""
        self.said: list[FromWorker] = []
        self._network = network
        self._free = list(range(rows))[::-1]
        self._rows = rows
        self._ties = ties or Alone()
        self._chance = chance
        self._cycle = Cycle(network, self._ties, chance, rows, self.said)
        self._studio = Studio(library, recorder)
        self._rooms = Rooms()
        self._legs: dict[str, Stream] = {}
        self._changed = False

    @property
    def legs(self) -> int:
        """How many there are."""
        return self._rows - len(self._free)

    @property
    def contexts(self) -> int:
        """How many there are, those included that are about to be elsewhere."""
        return len(self._rooms.here) + self._studio.leaving

    def inventory(self) -> Inventory:
        """What there is."""
        keyed = (self._keyed(stream) for stream in self._legs.values() if isinstance(stream.leg.secure, Dtls))
        keys = tuple(one for one in keyed if one is not None)
        return Inventory(self._rooms.inventory(), self._rows, keys, spans=self._rooms.spans())

    @property
    def relays(self) -> bool:
        """Whether there are relayed contexts, whose packets should not wait for the tick."""
        return self._cycle.relays

    def idle(self, now_s: float) -> bool:
        """Do a step of what can wait until there is time; whether there is more."""
        self._cycle.keying.work(now_s)
        return self._cycle.keying.busy

    def pulse(self, now_s: float) -> None:
        """Between two ticks: take what came, and pass on what is only passed on."""
        self._cycle.pulse(now_s)

    def tick(self, now_s: float) -> None:
        """20 ms of all contexts: what came is heard, what is heard is sent."""
        if self._changed:
            self._changed = False
            self._cycle.arrange(self._rooms.here.values())
        self._cycle.run(now_s)
        self.said += self._studio.closed()
        self.said += self._studio.left()

    def close(self, now_s: float) -> None:
        """End everything, in order: legs are measured, ports let go.

        Recordings are left as they are, to be gone on with: calls may outlive the worker, and a file that was finished
        takes no more.
        """
        for room in list(self._rooms.here.values()):
            self.drop(Drop(room.name, room.epoch, moves=True), now_s)
        self.said += self._studio.close()
        self._network.close_all()
        self._ties.close()

    # --- what shall be

    def put(self, put: Put, now_s: float) -> None:
        """Make a context so, whole or not at all; `Ready` or `Refused` is said."""
        self._cycle.settle()
        try:
            self._rooms.check(put.context, put.epoch)
            room = self._rooms.here.get(put.context)
            if room is None or (put.epoch, put.rev) > (room.epoch, room.rev):
                self._change(put, room, now_s)
            elif put.rev < room.rev:
                raise StaleError(f"rev {put.rev} of {put.context} is over: it is at {room.rev}")
        except (StaleError, UnfitLegError) as error:
            self.said.append(Refused(put.context, put.rev, str(error)))
        except NoPlaceError as error:
            self.said.append(Refused(put.context, put.rev, str(error), error.leg))
        else:
            self.said.append(Ready(put.context, put.rev))

    def drop(self, drop: Drop, now_s: float) -> None:
        """End a context, if it is here; its recordings are closed, unless it `moves`, and its legs measured."""
        self._cycle.settle()
        try:
            room = self._rooms.drop(drop.context, drop.epoch)
        except StaleError as error:
            self.said.append(Refused(drop.context, 0, str(error)))
            return
        if room is not None:
            if drop.moves:
                self._studio.leave(room)
            else:
                self._studio.clear(room)
            for stream in room.streams.values():
                self._leave(stream, now_s)
            self._changed = True
        elif drop.moves:
            self.said.append(Left(drop.context))

    def _change(self, put: Put, room: Room | None, now_s: float) -> None:
        wanted = self._checked(put)
        shaking = self._handshakes(wanted, now_s)
        news = room is None or room.rev != put.rev
        room = room or Room(put.context, put.epoch, put.rev, put.desired)
        joining = [leg for leg in wanted.values() if leg.id not in self._legs]
        joined: dict[str, Stream] = {}
        try:
            for leg in joining:
                joined[leg.id] = self._join(leg, put.context, shaking.get(leg.id), now_s)
        except (UnfitLegError, PortTakenError) as error:
            for stream in joined.values():
                self._release(stream)
            raise NoPlaceError(leg.id, str(error)) from error
        for leg_id in room.streams.keys() - wanted.keys():
            self._leave(room.streams.pop(leg_id), now_s)
        for leg in wanted.values():
            self._move(self._legs[leg.id], room.name)
            self._adapt(self._legs[leg.id], leg, shaking.get(leg.id))
        room.streams = {leg_id: self._legs[leg_id] for leg_id in wanted}
        room.epoch, room.rev, room.desired = put.epoch, put.rev, put.desired
        room.span = spanned(room.span, room.name, room.rate_hz, put.desired.span, self._chance(32))
        self._rooms.here[put.context] = room
        self._studio.furnish(room)
        for stream in room.streams.values() if news else ():
            self._press(stream)
        self._changed = True

    def _checked(self, put: Put) -> dict[str, Leg]:
        """The legs by their names. Raises UnfitLegError before anything is changed."""
        wanted = {leg.id: leg for leg in put.desired.legs}
        if len(wanted) != len(put.desired.legs):
            raise UnfitLegError(f"{put.context} names a leg twice")
        for leg in wanted.values():
            check(leg)
            here = self._legs.get(leg.id)
            if here is not None and here.leg.port != leg.port:
                raise UnfitLegError(f"leg {leg.id} cannot change its port: give the new one another name")
        return wanted

    def _handshakes(self, wanted: dict[str, Leg], now_s: float) -> dict[str, DtlsSrtp]:
        """Those that have to begin now: of new agreements, and of those that came to nothing. Raises UnfitLegError."""
        found = {}
        for leg in wanted.values():
            here = self._legs.get(leg.id)
            if isinstance(leg.secure, Dtls) and leg.secure.keys is None and not self._has_begun(leg, here):
                found[leg.id] = handshake(leg, leg.secure, now_s)
        return found

    def _has_begun(self, leg: Leg, here: Stream | None) -> bool:
        if here is None or agreement_of(here.leg) != agreement_of(leg):
            return False
        return here.srtp is not None or self._cycle.keying.shakes(here.row)

    def _keyed(self, stream: Stream) -> Keyed | None:
        keys = self._cycle.keying.keyed(stream.row) or keys_of(stream.leg)
        return Keyed(stream.context, stream.leg.id, keys) if keys is not None else None

    # --- legs

    def _join(self, leg: Leg, context: str, shaking: DtlsSrtp | None, now_s: float) -> Stream:
        if not self._free:
            raise UnfitLegError(f"leg {leg.id}: this worker has {self._rows} legs, which is all that it carries")
        row = self._free[-1]
        self._network.open(row, leg.port)
        self._free.pop()
        stream = Stream(leg, row, context)
        self._cycle.begin(stream, now_s)
        stream.heard_since_s = now_s
        self._cycle.renew(stream)
        self._legs[leg.id] = stream
        self._describe(stream)
        self._aim(stream, shaking)
        return stream

    def _move(self, stream: Stream, context: str) -> None:
        """Take a leg into this context; the one that it was in has it no more, whatever its `rev` says yet."""
        if stream.context != context:
            before = self._rooms.here.get(stream.context)
            if before is not None:
                before.streams.pop(stream.leg.id, None)
            stream.context = context

    def _adapt(self, stream: Stream, leg: Leg, shaking: DtlsSrtp | None) -> None:
        before = stream.leg
        if leg == before and shaking is None:
            return
        late = stream.srtp is None and keys_of(leg) is not None
        rekeyed = shaking is not None or late or agreement_of(leg) != agreement_of(before)
        if rekeyed:
            self._rekey(stream, leg)
        if leg.codecs[0] != before.codecs[0]:
            self._cycle.renew(stream)
        if leg.rtcp_mux != before.rtcp_mux:
            self._cycle.reports.forget(stream.row)
        stream.apply(leg)
        self._describe(stream)
        if rekeyed or (leg.remote, leg.fixed) != (before.remote, before.fixed):
            stream.relatch()
            self._aim(stream, shaking)

    def _describe(self, stream: Stream) -> None:
        """Tell the arrays of a leg."""
        columns, row, leg = self._cycle.columns, stream.row, stream.leg
        columns.sent_type[row] = leg.codecs[0].payload_type
        columns.event_type[row] = leg.dtmf
        columns.secure[row] = leg.secure is not None
        columns.coded_type[row] = -1  # until it is seen that it is the same codec's still
        if stream.codec(int(columns.payload_type[row])) is None:
            columns.expect(row, -1)

    def _rekey(self, stream: Stream, leg: Leg) -> None:
        before, keys = keys_of(stream.leg), keys_of(leg)
        self._cycle.keying.end(stream.row)
        if keys is None:
            stream.srtp = None
        elif stream.srtp is None:
            stream.srtp = Srtp(keys)
        else:
            stream.srtp.rekey(keys)
        if before is None or keys is None or before.local_key != keys.local_key:
            self._cycle.renew(stream)

    def _aim(self, stream: Stream, shaking: DtlsSrtp | None) -> None:
        """Send where the leg said that it is, until it is known better."""
        guard = Silence() if stream.leg.secure is not None else None
        self._network.guard(stream.row, stream.srtp or guard)
        if shaking is not None:
            self._cycle.keying.begin(stream, shaking)
        self._network.unpoint(stream.row, stream.leg.remote)
        stream.pointed = False

    def _press(self, stream: Stream) -> None:
        if stream.leg.send_digits:
            self._cycle.press(stream, stream.leg.send_digits)

    def _leave(self, stream: Stream, now_s: float) -> None:
        party = self._cycle.reports.leave(stream, now_s)
        self.said.append(self._cycle.measure(stream, party))
        self._release(stream)

    def _release(self, stream: Stream) -> None:
        del self._legs[stream.leg.id]
        self._network.close(stream.row)
        self._cycle.end(stream)
        self._free.append(stream.row)
        self._changed = True
