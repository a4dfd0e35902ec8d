"""The way in: packets of all legs of a tick to where they are heard.

What may live here: what a packet is and whose. The usual ones are dealt with in arrays, the odd ones one by one, and of
those no more than a tick bears.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from media import demux, g711, header, opening, rtp
from media.batch import LONGEST_PACKET_BYTES, Address, Batch, Network
from media.cells import CELL_BYTES, Cells
from media.columns import COMFORT_NOISE, NOBODY, Columns
from media.demux import Kind
from media.dtmf import Digit
from media.header import Flags, Headers, Numbers
from media.hush import Hush
from media.keying import Keying
from media.latch import Claim
from media.quick import any_set
from media.relay import Relay
from media.rtp import HEADER_BYTES, SEQUENCES
from media.steady import Steady
from media.stream import Stream
from media.wire import Codec, Dtmf, FromWorker, Latched

MOST_ODD_PACKETS = 600
"""A tick looks closer at so many; of one socket there are no more than `batch.PACKETS_A_ROUND`."""
_IDLE_S = 0.2
"""Who was not heard for so long may come back as another source at once."""

Report = Callable[[Stream, bytes, Address], None]
"""Takes a packet of RTCP, still encrypted where it is, and where it came from."""


class Inbound:
    """Of all legs; `streams` has them by their rows. What there is to say goes to `said`."""

    def __init__(
        self,
        columns: Columns,
        cells: Cells,
        streams: Sequence[Stream | None],
        network: Network,
        relay: Relay,
        keying: Keying,
        hush: Hush,
        report: Report,
        press: Callable[[Stream, str], None],
        said: list[FromWorker],
    ) -> None:
        """`press(stream, digit)`: send a digit to a leg."""
        self._columns = columns
        self._cells = cells
        self._steady = Steady(columns, cells)
        self._streams = streams
        self._network = network
        self._relay = relay
        self._keying = keying
        self._hush = hush
        self._report = report
        self._press = press
        self._said = said
        self.changed = False
        """whether a leg's sound comes another way than before; whoever asked sets it back"""
        self.refused = 0
        """packets that were none of a leg's, or too many"""
        self._pressing: set[Stream] = set()
        """legs of which a digit is under way"""

    def accept(self, batch: Batch) -> None:
        """Deal with all that came."""
        for row, data, source in batch.reports:
            stream = self._streams[row]
            if stream is not None:
                self._report(stream, data, source)
        if not len(batch.rows):
            return
        words = header.words(batch.packets)
        opened: Flags | None = None
        if any_set(self._columns.secure):
            opened, refused = opening.opened(batch, words, self._columns.secure, self._streams)
            self.refused += refused
        others = self._steady.take(batch, words)
        if len(others) and self._relay.busy and batch.single and not batch.sources:
            others = self._relay.take(batch, words[others], others)
        if len(others):
            self._sort(batch, header.read(words[others]), others, opened)

    def lapse(self, now_s: float) -> None:
        """Tell of digits of which nothing more has come: their end was lost."""
        for stream in list(self._pressing):
            self._tell_pressed(stream, stream.events.lapse(now_s * 1000))

    def forget(self, stream: Stream) -> None:
        """The leg is gone."""
        self._pressing.discard(stream)

    def _tell_pressed(self, stream: Stream, digits: Iterable[Digit]) -> None:
        for digit, duration_ms in digits:
            self._said.append(Dtmf(stream.context, stream.leg.id, digit, duration_ms))
            if stream.partner is not None and not stream.leg.muted and not stream.partner.leg.deaf:
                self._press(stream.partner, digit)
        (self._pressing.add if stream.events.under_way else self._pressing.discard)(stream)

    def _sort(self, batch: Batch, headers: Headers, chosen: Numbers, opened: Flags | None) -> None:
        """Deal with packets of all kinds, those that are chosen; these are their headers."""
        rows, lengths = batch.rows[chosen], batch.lengths[chosen]
        known = self._columns.known(headers, rows, lengths)
        if batch.sources:
            self._doubt(batch, chosen, known)
        arrived_s = batch.arrived_s[chosen]
        self._columns.count_all(headers.of(np.flatnonzero(known)), rows[known], arrived_s[known])
        relayed = known & (self._relay.partner[rows] != NOBODY)
        usual = known & ~relayed & self._columns.usual(headers, rows, lengths)
        self._place(batch, headers.timestamp[usual], chosen[usual])
        coded = known & ~relayed & (headers.kind == self._columns.coded_type[rows])
        if any_set(coded):
            self._hear_coded(batch, headers.of(np.flatnonzero(coded)), chosen[coded])
        events = headers.kind == self._columns.event_type[rows]
        odd = ~usual & ~coded & (~relayed | events)
        if odd.any():
            self._examine_odd(batch, chosen[odd].tolist(), known[odd].tolist(), opened)
        if relayed.any():
            self._relay.pass_on(batch, headers.of(np.flatnonzero(relayed)), chosen[relayed])

    def _doubt(self, batch: Batch, chosen: Numbers, known: Flags) -> None:
        """Of sockets that take packets from everywhere, only those from where the leg is are known."""
        for place, index in enumerate(chosen.tolist()):
            if index in batch.sources and known[place]:
                stream, source = self._streams[int(batch.rows[index])], batch.sources[index]
                known[place] = stream is not None and stream.latch.claim > Claim.NONE and stream.latch.remote == source

    def _place(self, batch: Batch, timestamps: Numbers, chosen: Numbers) -> None:
        """Put G.711 into the buffers: packets of one length at once, and nearly always all are of one."""
        rows, lengths = batch.rows[chosen], batch.lengths[chosen]
        while len(rows):
            length = int(lengths[0])
            same = lengths == length
            payloads = batch.packets[chosen[same], HEADER_BYTES:length]
            self._cells.put(rows[same], timestamps[same], payloads)
            rest = ~same
            rows, lengths, timestamps, chosen = rows[rest], lengths[rest], timestamps[rest], chosen[rest]

    # --- one by one

    def _hear_coded(self, batch: Batch, headers: Headers, chosen: Numbers) -> None:
        """Packets in the codec that a leg is heard in, with these headers."""
        fields = (*headers, chosen, batch.rows[chosen], batch.lengths[chosen], batch.arrived_s[chosen] * 1000)
        for kind, sequence, timestamp, ssrc, index, row, length, now_ms in zip(
            *(field.tolist() for field in fields), strict=True
        ):
            stream = self._streams[row]
            if stream is not None and stream.hearing is not None:
                payload = batch.places[index].view[HEADER_BYTES:length].tobytes()
                stream.hearing.put(rtp.Packet(kind, False, sequence, timestamp, ssrc, payload), now_ms)

    def _examine_odd(self, batch: Batch, odd: list[int], known: list[bool], opened: Flags | None) -> None:
        for index, is_known in zip(odd[:MOST_ODD_PACKETS], known, strict=False):
            row, length = int(batch.rows[index]), int(batch.lengths[index])
            stream = self._streams[row] if row != NOBODY else None
            if stream is None or not 0 < length < LONGEST_PACKET_BYTES:
                self.refused += 1
                continue
            data = batch.places[index].view[:length].tobytes()
            source = batch.sources.get(index)
            what = demux.kind(data)
            if what is not Kind.RTP:
                self._divert(stream, what, data, source or stream.latch.remote or ("", 0))
                continue
            packet = rtp.parse(data)
            now_s = float(batch.arrived_s[index])
            authentic = opened is not None and bool(opened[index])
            if packet is None or (stream.srtp is not None and not authentic):
                self.refused += 1
            elif is_known:
                self._hear(stream, packet, now_s)
            elif not self._meet(stream, packet, source, authentic, now_s):
                self.refused += 1
            elif self._relay.partner[row] != NOBODY:
                self._relay.pass_one(row, packet)
        self.refused += max(0, len(odd) - MOST_ODD_PACKETS)

    def _divert(self, stream: Stream, what: Kind, data: bytes, source: Address) -> None:
        """What is no RTP."""
        if what is Kind.RTCP:
            self._report(stream, data, source)
        elif what is Kind.DTLS:
            self._keying.take(stream, data, source)
        else:
            self.refused += 1

    def _meet(self, stream: Stream, packet: rtp.Packet, source: Address | None, authentic: bool, now_s: float) -> bool:
        """A packet of another source, or from another place, than was expected: whether it is the leg's."""
        row, columns = stream.row, self._columns
        columns.settle()
        if packet.payload_type != stream.leg.dtmf and not self._is_sound(stream, packet):
            return False
        if source is not None and not self._settle(stream, packet, source, authentic, now_s):
            return False
        idle = now_s - float(columns.last_heard_s[row]) > _IDLE_S
        if not stream.believes(packet, int(columns.source[row]), idle):
            return False
        if packet.ssrc != columns.source[row]:
            columns.hear(row, packet.ssrc, packet.sequence)
            self._cells.reset(row)
        one = Headers(*(np.array([value]) for value in (packet.payload_type, *packet[2:5])))
        columns.count_all(one, np.array([row]), np.array([now_s]))
        self._hear(stream, packet, now_s)
        return True

    def _is_sound(self, stream: Stream, packet: rtp.Packet) -> bool:
        return packet.payload_type == COMFORT_NOISE or stream.codec(packet.payload_type) is not None

    def _hear(self, stream: Stream, packet: rtp.Packet, now_s: float) -> None:
        """A packet of the leg that is no usual one, or the first of its kind."""
        kind = packet.payload_type
        if kind == stream.leg.dtmf:
            self._tell_pressed(stream, stream.events.receive(packet, now_s * 1000))
            return
        if kind == COMFORT_NOISE:
            if stream.hearing is not None:
                stream.hearing.put(packet, now_s * 1000, noise=True)
            else:
                self._hush.describe(stream.row, packet.payload)
            return
        codec = stream.codec(kind)
        if codec is None:
            self.refused += 1
            return
        if self._relay.partner[stream.row] != NOBODY:
            self._columns.clock_rate_hz[stream.row] = codec.clock_rate_hz
            return
        self._tune(stream, codec)
        if stream.hearing is not None:
            stream.hearing.put(packet, now_s * 1000)
        elif len(packet.payload) and not len(packet.payload) % CELL_BYTES:
            payload = np.frombuffer(packet.payload, dtype=np.uint8)[None]
            self._cells.put(np.array([stream.row]), np.array([packet.timestamp]), payload)
        else:
            self.refused += 1

    def _tune(self, stream: Stream, codec: Codec) -> None:
        """Listen for this codec from now on."""
        row, columns = stream.row, self._columns
        found = stream.laws.get(codec.payload_type)
        if found is None:
            if stream.hearing is None or stream.hearing.codec != codec:
                stream.listen(codec)
                columns.expect(row, NOBODY)
                self.changed = True
            columns.coded_type[row] = codec.payload_type
        elif columns.payload_type[row] != codec.payload_type:
            self.changed |= stream.hearing is not None
            stream.listen(None)
            self._cells.reset(row)
            columns.expect(row, codec.payload_type, found is g711.MU_LAW)
        columns.clock_rate_hz[row] = codec.clock_rate_hz

    def _settle(self, stream: Stream, packet: rtp.Packet, source: Address, authentic: bool, now_s: float) -> bool:
        """Whether the leg is where this came from; if it was elsewhere before, ours go there from now on."""
        latch, before = stream.latch, stream.latch.remote
        if latch.claim > Claim.NONE and before is not None and source != before:
            self._catch_up(stream, before)
        if not latch.accept(source, packet, now_s * 1000, authentic):
            return False
        if latch.remote is None:
            return True
        if latch.remote != before:
            self._said.append(Latched(stream.context, stream.leg.id, *latch.remote))
            self._network.unpoint(stream.row, latch.remote)
        if latch.claim >= Claim.SIGNALLED and latch.remote == source:
            self._network.point(stream.row, source)
            stream.pointed = True
        return True

    def _catch_up(self, stream: Stream, remote: Address) -> None:
        """Tell the latch of the last packet that passed it by in arrays, so that it knows what would go on with it."""
        row, columns = stream.row, self._columns
        columns.settle()
        sequence = int(columns.highest[row]) % SEQUENCES
        last = rtp.Packet(0, False, sequence, 0, int(columns.source[row]), b"")
        authentic = stream.latch.claim == Claim.AUTHENTICATED
        stream.latch.accept(remote, last, float(columns.last_heard_s[row]) * 1000, authentic)
