"""What the tick must know of each leg's packets, as arrays: a leg is a row of all of them.

What may live here: fields and counting. Whoever changes a field says why.

Packets that just go on from those before, as nearly all do, are counted some at a time: what is counted of a leg, and
when it was heard, is behind until `settle` is called.
"""

from __future__ import annotations

import numpy as np

from media.cells import CELL_BYTES, FRAME_BYTES
from media.header import KINDS, Flags, Headers, Numbers, Seconds, first_words
from media.quick import any_set
from media.rtcp import Block
from media.rtp import HEADER_BYTES, SEQUENCES, TIMESTAMPS

NOBODY = -1
COMFORT_NOISE = 13
"""the payload type of RFC 3389"""
_MOST_CELLS = 6
_OF_NOBODY = frozenset({"payload_type", "coded_type", "event_type", "source", "last_heard_s", "silenced_s", "_next"})
_STEP = np.array((1, FRAME_BYTES, 0))
"""from the words of a header to those of the next one"""
_DROPOUT = 3000
"""A sequence number that is further off than this is that of a sender that began anew (RFC 3550 A.1, MAX_DROPOUT)."""
_LONGEST_DIFFERENCE_S = 10
"""A transit that changed by more is another time line, not jitter."""


class Columns:
    """`rows` legs, none of them in use at first."""

    def __init__(self, rows: int) -> None:
        self.payload_type = np.full(rows, NOBODY, dtype=np.int64)
        """that comes, if it is G.711, whose sound lies in `media.cells`"""
        self.mu_law = np.zeros(rows, dtype=np.bool_)
        """whether it is mu-law, else A-law"""
        self.laws_changed = True
        """since whoever follows them set it back"""
        self.coded_type = np.full(rows, NOBODY, dtype=np.int64)
        """that comes, if it is another codec's, whose sound is in `media.voice`"""
        self.event_type = np.full(rows, NOBODY, dtype=np.int64)
        """of telephone-events that come"""
        self.clock_rate_hz = np.full(rows, 8000, dtype=np.int64)
        """of timestamps that come"""
        self.source = np.full(rows, NOBODY, dtype=np.int64)
        """SSRC that is heard"""
        self.secure = np.zeros(rows, dtype=np.bool_)
        """whether what comes is SRTP"""

        self.highest = np.zeros(rows, dtype=np.int64)
        """sequence number with its cycles: the highest that came of this source, and the one before its first"""
        self.first = np.zeros(rows, dtype=np.int64)
        self.received_here = np.zeros(rows, dtype=np.int64)
        """packets of this source, and of those before it what came and what was lost"""
        self.received_before = np.zeros(rows, dtype=np.int64)
        self.lost_before = np.zeros(rows, dtype=np.int64)
        self.transit = np.zeros(rows, dtype=np.float64)
        """of the packet before, arrival minus timestamp in ticks of its clock; and the mean change (RFC 3550 A.8)"""
        self.jitter = np.zeros(rows, dtype=np.float64)
        self.last_heard_s = np.full(rows, NOBODY, dtype=np.float64)
        self.silenced_s = np.full(rows, NOBODY, dtype=np.float64)
        """when a packet came last that says how its silence sounds; if none has come since, it is silent on purpose"""

        self.sent_type = np.zeros(rows, dtype=np.int64)
        self.sent_source = np.zeros(rows, dtype=np.int64)
        self.sequence = np.zeros(rows, dtype=np.int64)
        """of the next packet that is sent"""
        self.timestamp = np.zeros(rows, dtype=np.int64)
        self.sent = np.zeros(rows, dtype=np.int64)
        self.sent_bytes = np.zeros(rows, dtype=np.int64)
        self.marked = np.zeros(rows, dtype=np.bool_)
        """whether the next packet sent is the first after a pause"""
        self._reported = np.zeros((rows, 2), dtype=np.int64)
        """packets expected and received at the last report"""
        self._next = np.full((rows, 3), NOBODY, dtype=np.int64)
        """the words of the header of 20 ms of G.711 that go on from the newest packet; -1 if it was no such"""
        self._uncounted: list[tuple[Numbers, Numbers, Numbers, Seconds]] = []
        """packets that came since: rows, sequence numbers below what else there is, timestamps, arrivals"""

    def clear(self, row: int) -> None:
        """The row is nobody's."""
        self.settle()
        for name, value in vars(self).items():
            if isinstance(value, np.ndarray):
                value[row] = NOBODY if name in _OF_NOBODY else 0
        self.clock_rate_hz[row] = 8000

    def hear(self, row: int, source: int, sequence: int) -> None:
        """From now on packets of this source are the leg's, this being the first."""
        self.settle()
        self.received_before[row] += self.received_here[row]
        self.lost_before[row] += self._lost_here(row)
        self.source[row] = source
        self.highest[row] = self.first[row] = sequence - 1
        self.received_here[row], self.transit[row] = 0, np.nan
        self._reported[row] = 0
        self._next[row] = NOBODY

    def expect(self, row: int, payload_type: int, mu_law: bool = False) -> None:
        """Packets of G.711 are of this type and this law from now on; NOBODY for none."""
        self.payload_type[row], self.mu_law[row] = payload_type, mu_law
        self._next[row] = self.coded_type[row] = NOBODY
        self.laws_changed = True

    def send_as(self, row: int, source: int, sequence: int, timestamp: int) -> None:
        """Begin a stream of ours; the numbers are to be hard to guess (RFC 3550 section 5.1)."""
        self.sent_source[row], self.sequence[row], self.timestamp[row] = source, sequence, timestamp
        self.marked[row] = True

    def known(self, headers: Headers, rows: Numbers, lengths: Numbers) -> Flags:
        """Which packets have a plain header and are of the source that is heard."""
        plain = (headers.kind < KINDS) & (lengths >= HEADER_BYTES) & (rows != NOBODY)
        found: Flags = plain & (headers.ssrc == self.source[rows])
        return found

    def usual(self, headers: Headers, rows: Numbers, lengths: Numbers) -> Flags:
        """Which packets of known sources are whole cells of G.711."""
        cells, odd = np.divmod(lengths - HEADER_BYTES, CELL_BYTES)
        found: Flags = (headers.kind == self.payload_type[rows]) & (odd == 0) & (cells > 0) & (cells <= _MOST_CELLS)
        return found

    def following(self, rows: Numbers) -> Numbers:
        """The words of headers of 20 ms of G.711 that go on from the packets before; -1 where there are none."""
        return self._next.take(rows, axis=0)

    def count_on(self, words: Numbers, rows: Numbers, arrived_s: Seconds) -> None:
        """Packets came that go on from those before, one of each row at most."""
        self._next[rows] = words + _STEP
        self.count_later(words[:, 0], words[:, 1], rows, arrived_s)

    def count_later(self, sequences: Numbers, timestamps: Numbers, rows: Numbers, arrived_s: Seconds) -> None:
        """Packets of known sources came, one of each row at most; of the sequence numbers the lower 16 bits count."""
        self._uncounted.append((rows, sequences, timestamps, arrived_s))

    def settle(self) -> None:
        """Count what was not counted yet: before anything that is counted is read or changed."""
        if not self._uncounted:
            return
        uncounted, self._uncounted = self._uncounted, []
        for rows, _, timestamps, arrived_s in uncounted:
            self._time(timestamps, rows, arrived_s)
            self.last_heard_s[rows] = arrived_s
        before = (self.highest + 1) // SEQUENCES
        rows, sequences = (np.concatenate([one[field] for one in uncounted]) for field in (0, 1))
        self._advance(sequences % SEQUENCES, rows)
        self._next[(self.highest + 1) // SEQUENCES != before] = NOBODY  # its first word ran over

    def count_in(self, headers: Headers, rows: Numbers, arrived_s: Seconds) -> None:
        """These packets of known sources came (RFC 3550 appendix A)."""
        self.settle()
        self._advance(headers.sequence, rows)
        self.last_heard_s[rows] = arrived_s
        self._time(headers.timestamp, rows, arrived_s)
        self._await(headers, rows)

    def count_all(self, headers: Headers, rows: Numbers, arrived_s: Seconds) -> None:
        """As `count_in`, of packets of any kind: timestamps of events and of silence do not say when they were sent."""
        self.settle()
        silences = headers.kind == COMFORT_NOISE
        self.silenced_s[rows[silences]] = arrived_s[silences]
        untimed = (headers.kind == self.event_type[rows]) | silences
        before = self.transit[rows[untimed]]
        self.transit[rows[untimed]] = np.nan
        self.count_in(headers, rows, arrived_s)
        self.transit[rows[untimed]] = before

    def _advance(self, sequences: Numbers, rows: Numbers) -> None:
        """Packets with these sequence numbers came."""
        ahead = self._ahead(sequences, rows)
        jumped = np.abs(ahead) >= _DROPOUT
        if any_set(jumped):
            for row, sequence in zip(rows[jumped].tolist(), sequences[jumped].tolist(), strict=True):
                self.hear(row, int(self.source[row]), sequence)
            ahead = self._ahead(sequences, rows)
            ahead[np.abs(ahead) >= _DROPOUT] = 0
        np.maximum.at(self.highest, rows, self.highest[rows] + ahead)
        np.add.at(self.received_here, rows, 1)

    def _time(self, timestamps: Numbers, rows: Numbers, arrived_s: Seconds) -> None:
        """Learn the jitter; nothing from a packet whose transit, or that of the one before, says nothing."""
        clock_rate_hz = self.clock_rate_hz[rows]
        transit = arrived_s * clock_rate_hz - timestamps
        change = np.abs(transit - self.transit[rows])
        self.transit[rows] = transit
        jitter = self.jitter[rows]
        usable = change < _LONGEST_DIFFERENCE_S * clock_rate_hz
        self.jitter[rows] = jitter + np.where(usable, (change - jitter) / 16, 0)

    def _await(self, headers: Headers, rows: Numbers) -> None:
        """After these packets those that go on from the newest of each row, if that is G.711."""
        following = self.highest[rows] + 1
        newest = (headers.sequence + 1 - following) % SEQUENCES == 0
        first = first_words(headers.kind, following % SEQUENCES)
        first[~newest | (headers.kind != self.payload_type[rows])] = NOBODY
        self._next[rows] = np.stack((first, headers.timestamp + FRAME_BYTES, headers.ssrc), axis=1)

    def received(self, row: int) -> int:
        """Packets of a leg, of all its sources."""
        return int(self.received_before[row] + self.received_here[row])

    def lost(self, row: int) -> int:
        """Packets of a leg that never came, as far as its sequence numbers tell."""
        return int(self.lost_before[row]) + self._lost_here(row)

    def jitter_us(self, row: int) -> int:
        """The mean difference of packets' spacing at their arrival from that at their sender."""
        return round(1e6 * float(self.jitter[row]) / int(self.clock_rate_hz[row]))

    def block(self, row: int, last_report: int, delay: int) -> Block:
        """The report on what a leg sends since the one before (RFC 3550 section 6.4.1)."""
        expected, received = int(self.highest[row] - self.first[row]), int(self.received_here[row])
        due = expected - int(self._reported[row, 0])
        came = received - int(self._reported[row, 1])
        self._reported[row] = expected, received
        fraction = min((max(0, due - came) << 8) // due, 255) if due > 0 else 0
        lost, highest = expected - received, int(self.highest[row])
        return Block(int(self.source[row]), fraction, lost, highest, round(float(self.jitter[row])), last_report, delay)

    def sent_timestamp(self, row: int) -> int:
        """Of the next packet that is sent, as it is on the wire."""
        return int(self.timestamp[row]) % TIMESTAMPS

    def _ahead(self, sequences: Numbers, rows: Numbers) -> Numbers:
        """How far sequence numbers are ahead of the highest, the shorter way round."""
        found: Numbers = (sequences - self.highest[rows] + SEQUENCES // 2) % SEQUENCES - SEQUENCES // 2
        return found

    def _lost_here(self, row: int) -> int:
        return max(0, int(self.highest[row] - self.first[row] - self.received_here[row]))
