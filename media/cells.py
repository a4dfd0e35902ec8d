"""The playout buffers of many streams at once, for codecs of eight bytes a millisecond (G.711, G.722).

What may live here: when which sound is played. No headers, no codecs, no clock: a tick is one call of `take`.

Sound lies in cells of 10 ms, in a ring for each stream (a row), found by its RTP timestamp. `lead` is how many cells
before its turn a packet came. A stream starts `_START_CELLS` behind its first packet. Too late a packet moves the
turn back at once, as long as the quickest ones do not wait more than `MOST_DELAY_CELLS`: jitter that grows costs one
stumble. When for a second every packet came with cells to spare, one cell is left out now and then until few are to
spare, which takes up the drift of clocks too. `media.jitter` does the same for one stream of any codec.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from media.header import Bytes, Flags, Numbers

CELL_BYTES = 80
CELLS_A_TICK = 2
FRAME_BYTES = CELL_BYTES * CELLS_A_TICK
MOST_DELAY_CELLS = 30

_CELLS = 128
_START_CELLS = 2
_SPARE_CELLS = 4
_WINDOW_TICKS = 50
_SKIP_TICKS = 5
_DRY_CELLS = 20
_FAR_CELLS = _CELLS - MOST_DELAY_CELLS - CELLS_A_TICK
_TICK = np.arange(CELLS_A_TICK)
_CELL = np.dtype((np.void, CELL_BYTES))
_NEVER = np.iinfo(np.int64).max
_CYCLE = 1 << 32


class Taken(NamedTuple):
    """A frame for each row that was asked for: `codes` of (rows, 160), and which of its cells hold sound (rows, 2).

    `lost` marks the rows that should have had sound: what is missing there is to be concealed.
    """

    codes: Bytes
    present: Flags
    lost: Flags


class Cells:
    """The buffers of streams 0 to rows-1. `late` counts the cells of each that came too late to be played."""

    def __init__(self, rows: int) -> None:
        self._sound = np.zeros(rows * _CELLS, dtype=_CELL)
        self._filled = np.zeros(rows * _CELLS, dtype=np.bool_)
        self._base = np.arange(rows, dtype=np.int64) * _CELLS
        self.playing = np.zeros(rows, dtype=np.bool_)
        """what has started and not run dry"""
        self.skipped: list[int] = []
        """rows of which a cell was left out before what is taken next; whoever joins the ends empties it"""
        self.late = np.zeros(rows, dtype=np.int64)
        self._turn = np.zeros(rows, dtype=np.int64)
        """RTP timestamp of what is played next, and the cell that it is in"""
        self._cell = np.zeros(rows, dtype=np.int64)
        self._gap = np.zeros(rows, dtype=np.int64)
        """cells without sound just before the turn"""
        self._closed = np.zeros(rows, dtype=np.int64)
        """cells from the turn on that were played already, before it was moved back"""
        self._least = np.full(rows, _NEVER, dtype=np.int64)
        """least and most lead in this window, and the most of the one before"""
        self._most = np.zeros(rows, dtype=np.int64)
        self._most_before = np.zeros(rows, dtype=np.int64)
        self._spare = np.zeros(rows, dtype=np.int64)
        self._awaited = np.full(rows, -1, dtype=np.int64)
        """timestamp that would confirm a stream's jump, and the tick in which it was thought of"""
        self._doubted = np.zeros(rows, dtype=np.int64)
        self._ticks = 0

    def reset(self, row: int) -> None:
        """Forget what came: the row is another stream's from now on, or its sender began anew."""
        self.playing[row] = False
        self._filled[row * _CELLS : (row + 1) * _CELLS] = False
        self._least[row] = _NEVER
        self._awaited[row] = -1
        self._spare[row] = self._gap[row] = self._closed[row] = 0

    def put(self, rows: Numbers, timestamps: Numbers, payloads: Bytes, single: bool = False) -> None:
        """What came, equally long payloads of whole cells, (packets, bytes), in the order of arrival.

        `single` says that there is one of each row at most.
        """
        if not self.playing[rows].all():
            waiting = ~self.playing[rows]
            self._start(rows[waiting], timestamps[waiting])
        lead, odd = np.divmod(self._ahead(rows, timestamps), CELL_BYTES)
        if odd.any() or lead.min() < 0 or lead.max() >= _FAR_CELLS:
            rows, lead, payloads = self._sort_out(rows, timestamps, payloads)
        if single:
            self._least[rows] = np.minimum(self._least[rows], lead)
            self._most[rows] = np.maximum(self._most[rows], lead)
        else:
            np.minimum.at(self._least, rows, lead)
            np.maximum.at(self._most, rows, lead)
        self._place(rows, lead, payloads)

    def take(self, rows: Numbers) -> Taken:
        """The next 20 ms of each row; rows that do not play have nothing, and nothing is lost there."""
        cell = self._cell[rows]
        cells = (cell[:, None] + _TICK) % _CELLS + self._base[rows, None]
        present = self._filled.take(cells)
        codes = self._sound.take(cells).view(np.uint8)
        self._filled[cells] = False
        if present.all():
            self._cell[rows] = cell + CELLS_A_TICK
            self._turn[rows] += FRAME_BYTES
            self._gap[rows] = 0
            return Taken(codes, present, np.zeros(len(rows), dtype=np.bool_))
        playing = self.playing[rows]
        lost = playing & ~present.all(axis=1)
        self._advance(rows[playing], CELLS_A_TICK)
        self._miss(rows, present)
        return Taken(codes, present, lost)

    def turn(self) -> None:
        """A tick is over: once in a second find what is to spare, and let go of it a cell at a time."""
        self._ticks += 1
        if self._ticks % _WINDOW_TICKS == 0:
            known = self._least != _NEVER
            self._spare = np.where(known & (self._least >= _SPARE_CELLS), self._least - _START_CELLS, 0)
            for row in np.flatnonzero(self._spare > MOST_DELAY_CELLS).tolist():
                self._skip(np.array([row]), int(self._spare[row]))
            self._least[:] = _NEVER
            self._most, self._most_before = self._most_before, self._most
            self._most[:] = 0
        elif self._ticks % _SKIP_TICKS == 0 and self._spare.any():
            self._skip(np.flatnonzero((self._spare > 0) & self.playing))

    # --- where a packet belongs

    def _ahead(self, rows: Numbers, timestamps: Numbers) -> Numbers:
        """Samples from what is played next to these timestamps; both wrap around, as numbers of 32 bits do."""
        return (timestamps - self._turn[rows]).astype(np.int32).astype(np.int64)

    def _sort_out(self, rows: Numbers, timestamps: Numbers, payloads: Bytes) -> tuple[Numbers, Numbers, Bytes]:
        """Packets some of which are late or strange: those that have a place, as (rows, lead, payloads)."""
        lead, odd = np.divmod(self._ahead(rows, timestamps), CELL_BYTES)
        strange = (odd != 0) | (lead >= _FAR_CELLS) | (lead < -_FAR_CELLS)
        if strange.any():
            self._resolve(rows[strange], timestamps[strange], payloads.shape[1])
            lead, odd = np.divmod(self._ahead(rows, timestamps), CELL_BYTES)
            usable = (odd == 0) & (lead < _FAR_CELLS) & (lead >= -_FAR_CELLS)
            rows, lead, payloads = rows[usable], lead[usable], payloads[usable]
        late = lead < 0
        if late.any():
            lead = lead + self._wait(rows[late], lead[late])[rows]
        return rows, lead, payloads

    def _start(self, rows: Numbers, timestamps: Numbers) -> None:
        """Begin to play `_START_CELLS` before the newest of each row; later entries overwrite earlier ones."""
        self._filled.reshape(-1, _CELLS)[rows] = False
        self.playing[rows] = True
        self._turn[rows] = timestamps - _START_CELLS * CELL_BYTES
        self._cell[rows] = 0
        self._most[rows] = self._most_before[rows] = 0
        self._gap[rows] = self._closed[rows] = self._spare[rows] = 0
        self._awaited[rows] = -1

    def _resolve(self, rows: Numbers, timestamps: Numbers, samples: int) -> None:
        """A jump is believed once another packet goes on from it in a later tick: one could be noise or a leftover."""
        for row, timestamp in zip(rows.tolist(), timestamps.tolist(), strict=True):
            if self._awaited[row] == timestamp and self._doubted[row] < self._ticks:
                one = np.array([row])
                self._start(one, np.array([timestamp]))
                continue
            if self._awaited[row] != timestamp:
                self._doubted[row] = self._ticks
            self._awaited[row] = (timestamp + samples) % _CYCLE

    def _wait(self, rows: Numbers, lead: Numbers) -> Numbers:
        """Move the turn of late streams back by whole frames as far as may be; the shift of each row in cells.

        What was played already is not played again: there is a gap, and only after it there is more time than before.
        """
        wanted = np.zeros(len(self._turn), dtype=np.int64)
        np.maximum.at(wanted, rows, -lead)
        wanted += wanted % CELLS_A_TICK
        allowed = MOST_DELAY_CELLS - np.maximum(self._most, self._most_before)
        shift = np.where(wanted <= MOST_DELAY_CELLS, np.clip(allowed, 0, wanted), 0)
        self._turn -= shift * CELL_BYTES
        self._cell -= shift
        self._most += shift
        reopened = np.minimum(shift, self._gap)
        self._gap -= reopened
        self._closed += shift - reopened
        return shift

    def _place(self, rows: Numbers, lead: Numbers, payloads: Bytes) -> None:
        count = payloads.shape[1] // CELL_BYTES
        sound = payloads.view(_CELL)
        cells = ((self._cell[rows] + lead)[:, None] + np.arange(count)) % _CELLS + self._base[rows, None]
        in_time = (lead - self._closed[rows])[:, None] >= -np.arange(count)
        if not in_time.all():
            np.add.at(self.late, rows, (~in_time).sum(axis=1))
            cells, sound = cells[in_time], sound[in_time]
        self._sound[cells] = sound
        self._filled[cells] = True

    # --- the turn

    def _advance(self, rows: Numbers, cells: int) -> None:
        self._turn[rows] += cells * CELL_BYTES
        self._cell[rows] += cells

    def _miss(self, rows: Numbers, present: Flags) -> None:
        """Count how much was missing; who misses too much does not play any more."""
        first, second = present.T
        gap = np.where(second, 0, np.where(first, 1, self._gap[rows] + CELLS_A_TICK))
        self._gap[rows] = np.where(self._closed[rows] > 0, 0, gap)
        self._closed[rows] = np.maximum(self._closed[rows] - CELLS_A_TICK, 0)
        self.playing[rows[self._gap[rows] >= _DRY_CELLS]] = False

    def _skip(self, rows: NDArray[np.int64], count: int = 1) -> None:
        """Leave out the cell whose turn it is, or so many."""
        self.skipped += rows.tolist()
        for _ in range(count):
            self._filled[self._base[rows] + self._cell[rows] % _CELLS] = False
            self._advance(rows, 1)
        self._spare[rows] -= count
        self._closed[rows] = np.maximum(self._closed[rows] - count, 0)
