"""What the tick must know of each leg's packets, as arrays: a leg is a row of all of them.

What may live here: fields and their meaning. Whoever changes them says why.
"""

from __future__ import annotations

import numpy as np

from media.cells import CELL_BYTES
from media.header import Flags, Headers, Numbers
from media.rtp import HEADER_BYTES

_SEQUENCES = 1 << 16
_NOBODY = -1
_MOST_CELLS = 6


class Columns:
    """`rows` legs, none of them in use at first."""

    def __init__(self, rows: int) -> None:
        self.payload_type = np.full(rows, _NOBODY, dtype=np.int64)
        """that comes, if it is of a codec whose sound lies in the playout buffers"""
        self.mu_law = np.zeros(rows, dtype=np.bool_)
        """whether it is mu-law, else A-law"""
        self.source = np.full(rows, _NOBODY, dtype=np.int64)
        """SSRC that is heard"""
        self.highest = np.zeros(rows, dtype=np.int64)
        """sequence number with its cycles: the highest that came, and the one before the first"""
        self.first = np.zeros(rows, dtype=np.int64)
        self.received = np.zeros(rows, dtype=np.int64)
        self.last_heard_s = np.zeros(rows, dtype=np.float64)

        self.sent_type = np.zeros(rows, dtype=np.int64)
        self.sent_source = np.zeros(rows, dtype=np.int64)
        self.sequence = np.zeros(rows, dtype=np.int64)
        """of the next packet that is sent"""
        self.timestamp = np.zeros(rows, dtype=np.int64)
        self.sent = np.zeros(rows, dtype=np.int64)
        self.marked = np.zeros(rows, dtype=np.bool_)
        """whether the next packet sent is the first after a pause"""

    def clear(self, row: int) -> None:
        """The row is nobody's."""
        for name, value in vars(self).items():
            value[row] = _NOBODY if name in ("payload_type", "source") else 0

    def hear(self, row: int, source: int, payload_type: int, mu_law: bool, sequence: int) -> None:
        """From now on packets of this source and type are the leg's, this being the first."""
        self.source[row], self.payload_type[row], self.mu_law[row] = source, payload_type, mu_law
        self.highest[row], self.first[row] = sequence - 1, sequence - 1

    def usual(self, headers: Headers, rows: Numbers, lengths: Numbers) -> Flags:
        """Which packets are what was expected: of the source and type that are heard, and of whole cells of sound."""
        cells, odd = np.divmod(lengths - HEADER_BYTES, CELL_BYTES)
        fits = (odd == 0) & (cells > 0) & (cells <= _MOST_CELLS)
        same = (headers.ssrc == self.source[rows]) & (headers.payload_type == self.payload_type[rows])
        found: Flags = fits & same & headers.plain & (rows >= 0)
        return found

    def count_in(self, rows: Numbers, sequences: Numbers, now_s: float) -> None:
        """These packets came (RFC 3550 appendix A.1, for all of them at once)."""
        half = _SEQUENCES // 2
        ahead = (sequences - self.highest[rows] + half) % _SEQUENCES - half
        np.maximum.at(self.highest, rows, self.highest[rows] + ahead)
        np.add.at(self.received, rows, 1)
        self.last_heard_s[rows] = now_s

    def send_as(self, row: int, source: int, sequence: int, timestamp: int) -> None:
        """Begin a stream of ours; the numbers are to be hard to guess (RFC 3550 section 5.1)."""
        self.sent_source[row], self.sequence[row], self.timestamp[row] = source, sequence, timestamp
        self.marked[row] = True

    def lost(self, row: int) -> int:
        """Packets of a leg that never came, as far as its sequence numbers tell."""
        return max(0, int(self.highest[row] - self.first[row] - self.received[row]))
