"""The tick: what came is heard, mixed, and what is heard is sent, for all contexts at once.

What may live here: what happens in which order, and the arrays that pass from one step to the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import groupby

import numpy as np

from media import g711
from media.batch import Network
from media.cells import FRAME_BYTES, Cells
from media.columns import Columns
from media.g711 import Laws
from media.group import Group
from media.header import Numbers
from media.hush import Hush
from media.inbound import Inbound
from media.keying import Keying
from media.look import Look
from media.measure import measured
from media.mend import Mender
from media.mixer import peaks
from media.outbound import Outbound
from media.pcm import Samples
from media.play import Playback
from media.relay import Relay
from media.report import Party, Reports
from media.room import Room
from media.span import Partial, Span
from media.stream import Stream
from media.talk import STEP_MS, Talk
from media.ties import Ties
from media.wire import Dtmf, FromWorker, Measured, PlayDone

TICK_S = 0.02
_TICK_MS = 20
_TALK_TICKS = STEP_MS // _TICK_MS
_KEYING_TICKS = _REPORT_TICKS = 5


class Cycle:
    """Up to `rows` legs. What there is to say goes to `said`; `chance` gives a number of so many bits."""

    def __init__(
        self, network: Network, ties: Ties, chance: Callable[[int], int], rows: int, said: list[FromWorker]
    ) -> None:
        self.columns = Columns(rows)
        self.cells = Cells(rows)
        self.streams: list[Stream | None] = [None] * rows
        self.reports = Reports(self.columns, self.streams, network, chance)
        self.pressing: set[Stream] = set()
        """legs to which digits are being sent"""
        self._network = network
        self._ties = ties
        self._chance = chance
        self._said = said
        self._talk = Talk(rows)
        self._look = Look(self.columns, self.cells, self.reports, network, self._talk, said)
        self._relay = Relay(self.columns, network, rows)
        self.keying = Keying(self.columns, network, self.renew, said)
        self._hush = Hush(self.columns, g711.SAMPLE_RATE_HZ)
        self._inbound = Inbound(
            self.columns,
            self.cells,
            self.streams,
            network,
            self._relay,
            self.keying,
            self._hush,
            self._hear_report,
            self.press,
            said,
        )
        self._outbound = Outbound(self.columns, network)
        self._mender = Mender(rows, g711.SAMPLE_RATE_HZ)
        self._gains = np.ones(rows, dtype=np.float32)
        self._rooms: tuple[Room, ...] = ()
        self._spans: dict[str, Span] = {}
        self._groups: dict[int, Group] = {}
        self._incoming: Numbers = np.zeros(0, dtype=np.int64)
        self._outgoing: Numbers = np.zeros(0, dtype=np.int64)
        self._laws = Laws(np.zeros(0, dtype=np.bool_))
        """of what comes"""
        self._sent: Samples = np.zeros((0, FRAME_BYTES), dtype=np.int16)
        self._told: set[Playback] = set()
        """plays whose end was told"""
        self._ticks = 0
        self._now_s = 0.0

    def begin(self, stream: Stream, now_s: float) -> None:
        """A leg is at its row from now on."""
        row = stream.row
        self.streams[row] = stream
        self.columns.clear(row)
        self.cells.reset(row)
        self._mender.reset(row)
        self._talk.reset(row)
        self._gains[row] = 1
        self.reports.join(row, now_s)

    def settle(self) -> None:
        """Bring the columns up to date: before they are read or changed from outside of a tick."""
        self.columns.settle()
        self._outbound.settle()
        self._relay.settle()

    def press(self, stream: Stream, digits: str) -> None:
        """Send digits to a leg in its sound's place, behind those that wait; none if it takes none."""
        if stream.leg.dtmf >= 0 and stream.leg.sends and self.streams[stream.row] is stream:
            stream.keys.send(digits)
            self.pressing.add(stream)

    def renew(self, stream: Stream) -> None:
        """Begin a new stream to a party: no key may ever see one of its numbers again (`media.srtp`)."""
        self.settle()
        self._outbound.stale = True
        self.columns.send_as(stream.row, *map(self._chance, (32, 15, 32)))

    def end(self, stream: Stream) -> None:
        """The row is nobody's."""
        self.streams[stream.row] = None
        self.columns.clear(stream.row)
        self.cells.reset(stream.row)
        self.keying.end(stream.row)
        self.pressing.discard(stream)
        self._inbound.forget(stream)
        self._hush.forget(stream.row)

    def measure(self, stream: Stream, party: Party, so_far: bool = False) -> Measured:
        """What a leg's stream was like; `settle` first."""
        return measured(stream, self.columns, self.cells, party, so_far)

    def arrange(self, rooms: Iterable[Room]) -> None:
        """From the next tick on these are the contexts, as they are now."""
        self._rooms = tuple(room for room in rooms if room.streams)
        self._look.arrange(self._rooms)
        self._spans = {room.name: room.span for room in self._rooms if room.span is not None}
        streams = (stream for room in self._rooms for stream in room.streams.values() if not room.is_relayed)
        opus = [stream.speaking for stream in streams if stream.speaking is not None and stream.speaking.is_opus]
        for speaking in opus:
            speaking.share(len(opus))
        pairs = [tuple(room.streams.values()) for room in self._rooms if room.is_relayed]
        self._relay.arrange([(one, other) for one, other in pairs])
        for room in self._rooms:
            for stream, partner in room.partners():
                stream.partner = partner
        mixed = sorted((room for room in self._rooms if not room.is_relayed), key=lambda room: room.rate_hz)
        before, self._groups = self._groups, {}
        self._told &= {playback for group in before.values() for _, _, playback in group.playbacks()}
        starts = (0, 0)
        for rate_hz, members in groupby(mixed, key=lambda room: room.rate_hz):
            group = self._groups[rate_hz] = Group(rate_hz, list(members), starts)
            if rate_hz in before:
                group.follow(before[rate_hz])
            starts = group.incoming.part.stop, group.outgoing.part.stop
        nobody: list[Numbers] = [np.zeros(0, dtype=np.int64)]
        self._incoming = np.concatenate([group.incoming.rows for group in self._groups.values()] or nobody)
        outgoing = np.concatenate([group.outgoing.rows for group in self._groups.values()] or nobody)
        laws = [stream.law if (stream := self.streams[row]) is not None else None for row in outgoing.tolist()]
        self.settle()
        self._outbound.board(outgoing, np.array([law is g711.MU_LAW for law in laws], dtype=np.bool_))
        self._outgoing, self.columns.laws_changed = outgoing, True
        self._sent = np.zeros((len(outgoing), FRAME_BYTES), dtype=np.int16)

    @property
    def relays(self) -> bool:
        """Whether there are packets that only pass, so that `pulse` is worth calling."""
        return self._relay.busy

    def pulse(self, now_s: float) -> None:
        """Take what came; relayed packets go on at once."""
        self._now_s = now_s
        self._network.receive(now_s)
        self._inbound.accept(self._network.batch())

    def run(self, now_s: float) -> None:
        """20 ms of all contexts."""
        self.pulse(now_s)
        if self._inbound.changed:
            self._inbound.changed = False
            self.arrange(self._rooms)
        self._ticks += 1
        for peer, partial in self._ties.receive():
            if (span := self._spans.get(partial.context)) is not None:
                span.hear(peer, partial)
        if self._groups:
            self._mix(now_s)
        if self._spans:
            self._tell_sums()
        self.cells.turn()
        if self._look.is_due(self._ticks):
            self.settle()
            self._look.look(self._ticks, now_s)
        if self._ticks % _KEYING_TICKS == 0:
            self.keying.check(now_s)
            self._inbound.lapse(now_s)
        if self._ticks % _REPORT_TICKS == 1 and self.reports.are_due(now_s):
            self.settle()
            self.reports.send_due(now_s)

    def _mix(self, now_s: float) -> None:
        narrow = self._decode()
        for group in self._groups.values():
            frames = group.gather(narrow, now_s * 1000)
            self._tell_pressed(group)
            if self._ticks % _TALK_TICKS == 0:
                self._talk.hear(group.rows, peaks(frames))
            heard = group.mix(frames, self._gains)
            group.hand_out(heard, self._sent)
            if group.speaking:
                self._speak(group, heard)
            self._tell_played(group)
        self._send(self._sent)

    def _speak(self, group: Group, heard: Samples) -> None:
        """Send what they hear to legs with codecs of their own."""
        places = group.speaking
        if self.pressing:
            places = [place for place in places if not self._presses(group.streams[place])]
        self._outbound.send_coded([group.streams[place] for place in places], [heard[place] for place in places])

    def _decode(self) -> Samples:
        rows = self._incoming
        taken = self.cells.take(rows)
        if self.columns.laws_changed:
            self.columns.laws_changed = False
            self._laws = Laws(self.columns.mu_law[rows])
        spoken = self._laws.decode(taken.codes)
        if not taken.whole:
            spoken.reshape(*taken.present.shape, -1)[~taken.present] = 0
        self._hush.fill(spoken, rows, taken)
        for row in self.cells.skipped:
            for place in np.flatnonzero(rows == row).tolist():
                self._mender.splice(spoken[place], row)
        self.cells.skipped.clear()
        self._mender.mend(spoken, rows, taken.present, taken.lost)
        return spoken

    def _send(self, frames: Samples) -> None:
        if not len(frames):
            return
        pressing = [stream for stream in self.pressing if stream.law is not None]
        if not pressing:
            self._outbound.send_all(frames)
            return
        self.settle()
        self._outbound.send_some(frames, ~np.isin(self._outgoing, [one.row for one in pressing if self._presses(one)]))

    def _tell_sums(self) -> None:
        """Tell other workers what the legs here said."""
        told: dict[str, list[Partial]] = {}
        for span in self._spans.values():
            if (partial := span.said()) is not None:
                for peer in span.peers:
                    told.setdefault(peer, []).append(partial)
        for peer, partials in told.items():
            self._ties.send(peer, partials)

    def _presses(self, stream: Stream) -> bool:
        """Whether what this leg gets now is of a digit and no sound."""
        if stream not in self.pressing:
            return False
        sent = self._outbound.send_key(stream)
        if not stream.keys.busy:
            self.pressing.discard(stream)
        return sent

    def _hear_report(self, stream: Stream, data: bytes, source: tuple[str, int]) -> None:
        self.reports.receive(stream, data, source, self._now_s)

    # --- now and then

    def _tell_pressed(self, group: Group) -> None:
        for stream in group.listening:
            for digit, duration_ms in stream.pressed:
                self._said.append(Dtmf(stream.context, stream.leg.id, digit, duration_ms))
            stream.pressed.clear()

    def _tell_played(self, group: Group) -> None:
        for context, leg, playback in group.playbacks():
            if playback.done and playback not in self._told:
                self._told.add(playback)
                self._said.append(PlayDone(context, leg, playback.play.id, playback.reason))
