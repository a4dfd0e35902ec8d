"""Looks at all legs and rooms now and then: who is silent, whose socket is to be pointed, how good it is, who talks.

What may live here: whom to look at in which tick, and what is told of it. Not all at once: a tick would be long.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from media.batch import Network
from media.cells import Cells
from media.columns import Columns
from media.measure import measured
from media.report import Reports
from media.room import Room
from media.stream import Stream
from media.talk import Talk
from media.wire import FromWorker, Silent, Talking

LOOK_TICKS = 25
"""between two looks at a leg or a room"""
_AT_ONCE = 40
"""Rows or rooms that are looked at in one tick; of fewer the columns would be settled in too many."""
_MEASURE_LOOKS = 5
"""Looks between two measures of a leg that goes on, not all at one look"""
_POINTED_AFTER_S = 5.0
"""So long a leg is heard at an address that it did not say before nobody else is listened to."""
_GONE_S = 0.5
"""So long nothing comes before a leg may come from elsewhere (`media.latch`)."""
_FEWEST_TALKERS = 3
"""In a room of fewer who talks is not worth telling."""


class Look:
    """Of all contexts. What there is to say goes to `said`."""

    def __init__(
        self,
        columns: Columns,
        cells: Cells,
        reports: Reports,
        network: Network,
        talk: Talk,
        said: list[FromWorker],
    ) -> None:
        self._columns = columns
        self._cells = cells
        self._reports = reports
        self._network = network
        self._talk = talk
        self._said = said
        self.arrange(())

    def arrange(self, rooms: Iterable[Room]) -> None:
        """These are the contexts from now on."""
        self._due: list[tuple[list[Stream], list[Room]]] = [([], []) for _ in range(LOOK_TICKS)]
        for number, room in enumerate(rooms):
            for stream in room.streams.values():
                self._due[stream.row // _AT_ONCE % LOOK_TICKS][0].append(stream)
            if room.span is not None or (not room.is_relayed and len(room.streams) >= _FEWEST_TALKERS):
                self._due[number // _AT_ONCE % LOOK_TICKS][1].append(room)

    def is_due(self, tick: int) -> bool:
        """Whether there is something to look at in this tick: then the columns are to be settled."""
        return any(self._due[tick % LOOK_TICKS])

    def look(self, tick: int, now_s: float) -> None:
        """Look at all whose turn it is in this tick."""
        streams, rooms = self._due[tick % LOOK_TICKS]
        for stream in streams:
            self._watch(stream, now_s)
            party = self._reports.party(stream.row)
            if (unheard_ms := party.reach.news()) is not None:
                self._said.append(Silent(stream.context, stream.leg.id, unheard_ms, unheard=True))
            if (tick // LOOK_TICKS + stream.row) % _MEASURE_LOOKS == 0:
                self._said.append(measured(stream, self._columns, self._cells, party, so_far=True))
        for room in rooms:
            self._tell_talking(room)

    def _watch(self, stream: Stream, now_s: float) -> None:
        """Tell of silence, and let the socket take packets from everywhere while there is some."""
        last_s = float(self._columns.last_heard_s[stream.row])
        excused = last_s >= 0 and self._columns.silenced_s[stream.row] == last_s
        last_ms = last_s * 1000 if last_s >= 0 else -1
        told = stream.watch.check(now_s * 1000, last_ms, stream.leg.receives, bool(excused))
        if told is not None:
            self._said.append(Silent(stream.context, stream.leg.id, told))
        heard = last_s >= 0 and now_s - last_s < _GONE_S
        remote = stream.latch.remote
        if stream.pointed and not heard:
            self._network.unpoint(stream.row, remote)
            stream.pointed, stream.heard_since_s = False, now_s
        since_s = now_s - stream.heard_since_s
        if heard and not stream.pointed and stream.is_settled and remote is not None and since_s >= _POINTED_AFTER_S:
            self._network.point(stream.row, remote)
            stream.pointed = True

    def _tell_talking(self, room: Room) -> None:
        members = list(room.streams.values())
        rows = np.array([stream.row for stream in members], dtype=np.int64)
        talking = np.flatnonzero(self._talk.talking(rows)).tolist()
        found = [(members[place].leg.id, round(float(self._talk.level[rows[place]]))) for place in talking]
        if room.span is not None:
            room.span.talking = tuple(found)
            if not room.span.is_home:
                return
            found = room.span.all_talking()
        named = tuple(leg for leg, _ in sorted(found, key=lambda one: one[1], reverse=True))
        if named != room.talking:
            room.talking = named
            self._said.append(Talking(room.name, named))
