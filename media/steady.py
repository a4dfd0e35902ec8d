"""Packets that just go on: 20 ms of G.711 with the header that is to follow the one before, as nearly all are.

What may live here: telling them from others, in as few calls of numpy as it takes, for it is done in every tick.
"""

from __future__ import annotations

import numpy as np

from media.batch import Batch
from media.cells import FRAME_BYTES, Cells
from media.columns import NOBODY, Columns
from media.header import Bytes, Numbers, Seconds
from media.quick import all_true, any_set, same
from media.rtp import HEADER_BYTES

_PACKET_BYTES = HEADER_BYTES + FRAME_BYTES
_NONE: Numbers = np.zeros(0, dtype=np.int64)


class Steady:
    """Of all legs."""

    def __init__(self, columns: Columns, cells: Cells) -> None:
        self._columns = columns
        self._cells = cells

    def take(self, batch: Batch, words: Numbers) -> Numbers:
        """Take those packets of a batch, whose headers' words are given; which packets are others."""
        if not batch.single:  # the second of a leg goes on from the first
            return np.arange(len(words))
        following, frames = self._columns.following(batch.rows), batch.lengths == _PACKET_BYTES
        if same(words, following) and all_true(frames) and not batch.sources:
            self._take(words, batch.rows, batch.arrived_s, batch.packets)
            return _NONE
        if all_true(following[:, 0] == NOBODY):
            return np.arange(len(words))
        chosen = (words == following).all(axis=1) & frames
        chosen[list(batch.sources)] = False  # where they come from is to be looked at
        if any_set(chosen):
            self._take(words[chosen], batch.rows[chosen], batch.arrived_s[chosen], batch.packets[chosen])
        return np.flatnonzero(~chosen)

    def _take(self, words: Numbers, rows: Numbers, arrived_s: Seconds, packets: Bytes) -> None:
        self._columns.count_on(words, rows, arrived_s)
        self._cells.put(rows, words[:, 1], packets[:, HEADER_BYTES:_PACKET_BYTES])
