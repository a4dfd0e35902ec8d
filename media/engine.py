"""All contexts of a worker, and its tick: packets in, mix, packets out.

What may live here: what happens in which order. Time is an argument, chance is injected, sockets are behind `Network`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from media import g711, layout, mixer
from media.batch import Network
from media.cells import Cells, Taken
from media.columns import Columns
from media.inbound import Inbound
from media.layout import Layout
from media.outbound import Outbound
from media.pcm import Samples
from media.port import PortTakenError
from media.room import Room, Rooms, StaleError
from media.stream import Stream, UnfitLegError
from media.wire import Drop, FromWorker, Inventory, Latched, Leg, Measured, Put, Ready, Refused

TICK_S = 0.02


class Engine:
    """Up to `rows` legs. What it has to say is in `said`, until somebody takes it."""

    def __init__(self, network: Network, chance: Callable[[int], int], rows: int) -> None:
        """`chance` gives a number of so many bits that nobody can guess."""
        self._network = network
        self._chance = chance
        self._free = list(range(rows))[::-1]
        self._rows = rows
        self._columns = Columns(rows)
        self._cells = Cells(rows)
        self._streams: list[Stream | None] = [None] * rows
        self._inbound = Inbound(self._columns, self._cells, self._streams, network)
        self._outbound = Outbound(self._columns, network)
        self._gains = np.ones(rows, dtype=np.float32)
        self._rooms = Rooms()
        self._layout: Layout | None = None
        self._changed = False
        self.said: list[FromWorker] = []

    @property
    def legs(self) -> int:
        """How many there are."""
        return self._rows - len(self._free)

    def inventory(self) -> Inventory:
        """What there is."""
        return Inventory(self._rooms.inventory(), self._rows)

    # --- what shall be

    def put(self, put: Put, now_s: float) -> None:
        """Make a context so, whole or not at all; `Ready` or `Refused` is said."""
        try:
            self._rooms.check(put.context, put.epoch)
            room = self._rooms.here.get(put.context)
            if room is None or (put.epoch, put.rev) > (room.epoch, room.rev):
                self._change(put, room)
            elif put.rev < room.rev:
                raise StaleError(f"rev {put.rev} of {put.context} is over: it is at {room.rev}")
        except (StaleError, UnfitLegError, PortTakenError) as error:
            self.said.append(Refused(put.context, put.rev, str(error)))
        else:
            self.said.append(Ready(put.context, put.rev))

    def drop(self, drop: Drop) -> None:
        """End a context, if it is here; its legs are measured."""
        try:
            room = self._rooms.drop(drop.context, drop.epoch)
        except StaleError as error:
            self.said.append(Refused(drop.context, 0, str(error)))
            return
        for stream in room.streams.values() if room is not None else ():
            self._leave(stream)
        self._changed = True

    def close(self) -> None:
        """Let go of all ports."""
        self._network.close_all()

    def _change(self, put: Put, room: Room | None) -> None:
        wanted = {leg.id: leg for leg in put.desired.legs}
        if len(wanted) != len(put.desired.legs):
            raise UnfitLegError(f"{put.context} names a leg twice")
        had = dict(room.streams) if room is not None else {}
        joined: dict[str, Stream] = {}
        try:
            for leg in wanted.values():
                if leg.id not in had:
                    joined[leg.id] = self._join(leg, put.context)
            for leg_id, stream in had.items():
                if leg_id in wanted:
                    self._adapt(stream, wanted[leg_id])
        except (UnfitLegError, PortTakenError):
            for stream in joined.values():
                self._release(stream)
            raise
        for leg_id in had.keys() - wanted.keys():
            self._leave(had.pop(leg_id))
        streams = {leg_id: joined.get(leg_id) or had[leg_id] for leg_id in wanted}
        self._rooms.here[put.context] = Room(put.epoch, put.rev, put.desired, streams)
        self._changed = True

    def _join(self, leg: Leg, context: str) -> Stream:
        if not self._free:
            raise UnfitLegError(f"leg {leg.id}: this worker has {self._rows} legs, which is all that it carries")
        row = self._free[-1]
        stream = Stream(leg, row, context)
        self._network.open(row, leg.port, leg.rtcp_mux)
        self._free.pop()
        self._streams[row] = stream
        self._gains[row] = 1
        self._columns.clear(row)
        self._cells.reset(row)
        self._columns.send_as(row, *map(self._chance, (32, 15, 32)))
        self._columns.sent_type[row] = leg.codecs[0].payload_type
        self._network.unpoint(row, leg.remote)
        return stream

    def _adapt(self, stream: Stream, leg: Leg) -> None:
        before = stream.leg
        if leg == before:
            return
        if (leg.port, leg.rtcp_mux) != (before.port, before.rtcp_mux):
            raise UnfitLegError(f"leg {leg.id} cannot change its port: give the new one another name")
        stream.apply(leg)
        self._columns.sent_type[stream.row] = leg.codecs[0].payload_type
        if (leg.remote, leg.fixed) != (before.remote, before.fixed):
            stream.pointed = False
            self._network.unpoint(stream.row, leg.remote)

    def _leave(self, stream: Stream) -> None:
        columns, row = self._columns, stream.row
        self.said.append(
            Measured(
                stream.context,
                stream.leg.id,
                stream.leg.codecs[0].name,
                received=int(columns.received[row]),
                sent=int(columns.sent[row]),
                lost=columns.lost(row),
                discarded=int(self._cells.late[row]),
                jitter_us=0,
            )
        )
        self._release(stream)

    def _release(self, stream: Stream) -> None:
        self._network.close(stream.row)
        self._columns.clear(stream.row)
        self._cells.reset(stream.row)
        self._streams[stream.row] = None
        self._free.append(stream.row)
        self._changed = True

    # --- the tick

    def tick(self, now_s: float) -> None:
        """20 ms of all contexts: what came is heard, what is heard is sent."""
        self._network.receive()
        self._inbound.accept(self._network.batch(), now_s)
        for stream, (host, number) in self._inbound.moved:
            self.said.append(Latched(stream.context, stream.leg.id, host, number))
        self._inbound.moved.clear()
        if self._changed:
            self._arrange()
        if self._layout is not None:
            self._mix(self._layout)
        self._cells.turn()

    def _arrange(self) -> None:
        self._changed = False
        rooms = [(name, tuple(room.streams.values())) for name, room in self._rooms.here.items()]
        self._layout = layout.arrange([(name, members) for name, members in rooms if members])

    def _mix(self, plan: Layout) -> None:
        taken = self._cells.take(plan.rows)
        spoken = self._decode(taken, plan)
        if not plan.plain:
            spoken = mixer.amplified(spoken, plan.gains)
        heard = mixer.others(spoken, plan.rooms, mixer.sums(spoken, plan.rooms))
        if len(plan.deaf):
            heard[plan.deaf] = 0
        frames, self._gains[plan.rows] = mixer.limit(heard, self._gains[plan.rows])
        self._outbound.send(frames, plan.sending)

    def _decode(self, taken: Taken, plan: Layout) -> Samples:
        mu_law = self._columns.mu_law[plan.rows]
        if mu_law.all():
            spoken = g711.MU_LAW.decode(taken.codes)
        else:
            spoken = g711.A_LAW.decode(taken.codes)
            spoken[mu_law] = g711.MU_LAW.decode(taken.codes[mu_law])
        if not taken.present.all():
            spoken.reshape(*taken.present.shape, -1)[~taken.present] = 0
        return spoken
