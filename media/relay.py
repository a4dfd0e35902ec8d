"""Relayed contexts: packets of one leg go on to the other as they are, under a header of ours.

What may live here: which leg is whose partner, and the numbers in the headers. Whose packets they are was settled
before, and what is in them is nobody's business here.

Sequence numbers and timestamps of ours go on where they were, shifted against the sender's; a new source gets a new
shift. So the party sees one stream, whatever happens on the other side, and losses stay visible as gaps.

What was sent is counted some packets at a time: the columns are behind until `settle` is called.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from media import header, rtp
from media.batch import Batch, Network
from media.columns import COMFORT_NOISE, NOBODY, Columns
from media.header import KINDS, Headers, Numbers
from media.quick import all_true, any_set
from media.rtp import HEADER_BYTES, SEQUENCES, Packet
from media.stream import Stream
from media.wire import Leg

_MARKER = 0x80
_FRAMES_A_SECOND = 50
_NARROW_HZ = 8000


class Relay:
    """Of all legs, by their rows."""

    def __init__(self, columns: Columns, network: Network, rows: int) -> None:
        self._columns = columns
        self._network = network
        self.partner = np.full(rows, NOBODY, dtype=np.int64)
        """to which row the packets of each go; of legs that are not relayed NOBODY"""
        self.busy = False
        """whether any are relayed"""
        self._kinds = np.full((rows, KINDS + 1), NOBODY, dtype=np.int64)
        """what becomes of each payload type; NOBODY of those that do not go on, and of headers that are not plain"""
        self._plain_kinds = self._kinds.copy()
        """likewise, of those that nobody here has to look at"""
        self._sent: list[tuple[Numbers, Numbers, Numbers, Numbers]] = []
        """what is not counted yet: to which rows, sequence numbers, timestamps, lengths"""
        self._source = np.full(rows, NOBODY, dtype=np.int64)
        """to which the shifts belong"""
        self._sequence_shift = np.zeros(rows, dtype=np.int64)
        self._timestamp_shift = np.zeros(rows, dtype=np.int64)

    def arrange(self, pairs: Sequence[tuple[Stream, Stream]]) -> None:
        """These are the partners from now on."""
        self.settle()
        self.partner[:] = NOBODY
        self.busy = bool(pairs)
        for one, other in pairs:
            for sender, receiver in ((one, other), (other, one)):
                self.partner[sender.row] = receiver.row
                self._kinds[sender.row] = self._plain_kinds[sender.row] = NOBODY
                self._columns.expect(sender.row, NOBODY)
                for kind, becomes in _payload_types(sender.leg, receiver.leg).items():
                    self._kinds[sender.row, kind] = becomes
                    if kind not in (sender.leg.dtmf, COMFORT_NOISE):
                        self._plain_kinds[sender.row, kind] = becomes
        self._source[self.partner == NOBODY] = NOBODY

    def settle(self) -> None:
        """Count what was not counted yet: before what is counted of what was sent is read or changed."""
        if not self._sent:
            return
        to, sequences, timestamps, lengths = (np.concatenate(parts) for parts in zip(*self._sent, strict=True))
        self._sent.clear()
        columns = self._columns
        ahead = (sequences + 1 - columns.sequence[to] + SEQUENCES // 2) % SEQUENCES - SEQUENCES // 2
        np.maximum.at(columns.sequence, to, columns.sequence[to] + ahead)
        columns.timestamp[to] = timestamps + columns.clock_rate_hz[to] // _FRAMES_A_SECOND
        np.add.at(columns.sent, to, 1)
        np.add.at(columns.sent_bytes, to, lengths - HEADER_BYTES)

    def take(self, batch: Batch, words: Numbers, chosen: Numbers) -> Numbers:
        """Pass on those of the chosen packets that nobody here has to look at; which are others.

        There is one of each leg at most, and none is of a socket that takes packets from everywhere.
        """
        headers, rows, lengths = header.read(words), batch.rows[chosen], batch.lengths[chosen]
        kinds = self._plain_kinds[rows, np.minimum(headers.kind, KINDS)]
        known = (headers.ssrc == self._source[rows]) & (headers.ssrc == self._columns.source[rows])
        passing = known & (kinds != NOBODY) & (lengths > HEADER_BYTES)
        others = chosen[:0]
        if not all_true(passing):
            others, some = chosen[~passing], np.flatnonzero(passing)
            headers, rows, lengths, kinds = headers.of(some), rows[some], lengths[some], kinds[some]
            chosen = chosen[some]
        if len(chosen):
            self._columns.count_later(headers.sequence, headers.timestamp, rows, batch.arrived_s[chosen])
            self._send(batch, headers, chosen, kinds)
        return others

    def pass_on(self, batch: Batch, headers: Headers, chosen: Numbers) -> None:
        """Send these packets of relayed legs, whose headers are given, to the partners, those that go on."""
        rows = batch.rows[chosen]
        kinds = self._kinds[rows, np.minimum(headers.kind, KINDS)]
        if (kinds == NOBODY).any():
            going_on = np.flatnonzero(kinds != NOBODY)
            chosen, rows, kinds, headers = chosen[going_on], rows[going_on], kinds[going_on], headers.of(going_on)
        self._follow(rows, headers.sequence, headers.timestamp)
        self._send(batch, headers, chosen, kinds)

    def _send(self, batch: Batch, headers: Headers, chosen: Numbers, kinds: Numbers) -> None:
        """Send packets of sources whose shift is known, under these payload types."""
        rows, lengths, packets = batch.rows[chosen], batch.lengths[chosen], batch.packets
        to = self.partner[rows]
        sequences = headers.sequence + self._sequence_shift[rows]
        timestamps = headers.timestamp + self._timestamp_shift[rows]
        packets[chosen, 1] = packets[chosen, 1] & _MARKER | kinds.astype(np.uint8)
        packets[:, 2:4].view(">u2")[chosen, 0] = sequences
        words = packets[:, 4:HEADER_BYTES].view(">u4")
        words[chosen, 0] = timestamps
        words[chosen, 1] = self._columns.sent_source[to]
        self._sent.append((to, sequences, timestamps, lengths))
        sizes = zip(chosen.tolist(), lengths.tolist(), strict=True)
        self._network.send(to.tolist(), [batch.places[index].view[:length] for index, length in sizes])

    def pass_one(self, row: int, packet: Packet) -> None:
        """Send one packet of a relayed leg to its partner, if it goes on: its payload, under a plain header."""
        kind = int(self._kinds[row, packet.payload_type])
        if kind == NOBODY:
            return
        rows, to = np.array([row]), self.partner[[row]]
        self._follow(rows, np.array([packet.sequence]), np.array([packet.timestamp]))
        sequences = packet.sequence + self._sequence_shift[rows]
        timestamps = packet.timestamp + self._timestamp_shift[rows]
        ssrc = int(self._columns.sent_source[to[0]])
        head = rtp.header(kind, int(sequences[0]), int(timestamps[0]), ssrc, packet.marker)
        self._sent.append((to, sequences, timestamps, np.array([HEADER_BYTES + len(packet.payload)])))
        self._network.send_one(int(to[0]), head + packet.payload)

    def _follow(self, rows: Numbers, sequences: Numbers, timestamps: Numbers) -> None:
        """Shift packets of sources that are new here so that they go on with what was sent."""
        new = self._source[rows] != self._columns.source[rows]
        if any_set(new):
            self.settle()
        for index in np.flatnonzero(new).tolist():
            row = int(rows[index])
            if self._source[row] != self._columns.source[row]:
                to = int(self.partner[row])
                self._source[row] = self._columns.source[row]
                self._sequence_shift[row] = self._columns.sequence[to] - sequences[index]
                self._timestamp_shift[row] = self._columns.timestamp[to] - timestamps[index]


def _payload_types(sender: Leg, receiver: Leg) -> dict[int, int]:
    """The receiver's payload type for each of the sender's that goes on: codecs that both have, and digits."""
    if sender.muted or receiver.deaf or not receiver.sends or not sender.receives:
        return {}
    theirs = {(one.name.upper(), one.clock_rate_hz, one.channels): one.payload_type for one in receiver.codecs}
    found = {
        one.payload_type: theirs[key]
        for one in sender.codecs
        if (key := (one.name.upper(), one.clock_rate_hz, one.channels)) in theirs
    }
    if found and sender.codecs[0].clock_rate_hz == receiver.codecs[0].clock_rate_hz == _NARROW_HZ:
        found.setdefault(COMFORT_NOISE, COMFORT_NOISE)  # it is of that rate (RFC 3389), and needs no other agreement
    if sender.dtmf >= 0 and receiver.dtmf >= 0:
        found[sender.dtmf] = receiver.dtmf
    return found
