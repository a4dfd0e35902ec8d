"""The playout buffers of many streams at once, for codecs of eight bytes a millisecond (G.711, G.722).

What may live here: when which sound is played. No headers, no codecs, no clock: a tick is one call of `take`, and then
one of `turn`.

Sound lies in cells of 10 ms, found by its RTP timestamp. The cells of all streams (rows) lie side by side, in one ring
of turns that all go round together: what is played in a tick is side by side too, and nothing of a stream changes as
its turn passes. Its *origin* is the timestamp that would be in cell 0; to play it sooner or later than before, what is
ahead is moved. `lead` is how many cells before its turn a packet came. A stream starts `_START_CELLS` behind its first
packet. Too late a packet moves the turn back at once, as long as the quickest ones do not wait more than
`MOST_DELAY_CELLS`: jitter that grows costs one stumble. When for a second every packet came with cells to spare, one
cell is left out now and then until few are to spare, which takes up the drift of clocks too. `media.jitter` does the
same for one stream of any codec.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from media.header import Bytes, Flags, Numbers
from media.quick import all_true, any_set

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
_CELL = np.dtype((np.void, CELL_BYTES))
_EACH = np.arange(_CELLS)
_NEVER = np.iinfo(np.int64).max
_CYCLE = 1 << 32
_IDLE = 1 << 62
"""The origin of what does not play: no timestamp has a place there."""


class Taken(NamedTuple):
    """A frame for each row that was asked for: `codes` of (rows, 160), and which of its cells hold sound (rows, 2).

    `lost` marks the rows that should have had sound: what is missing there is to be concealed. `whole` says that no
    cell is without sound.
    """

    codes: Bytes
    present: Flags
    lost: Flags
    whole: bool


class Cells:
    """The buffers of streams 0 to rows-1. `late` counts the cells of each that came too late to be played."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._sound = np.zeros((_CELLS, rows), dtype=_CELL)
        self._filled = np.zeros((_CELLS, rows), dtype=np.bool_)
        self._clock = 0
        """the cell whose turn it is, of all streams, counted from the first one"""
        self.playing = np.zeros(rows, dtype=np.bool_)
        """what has started and not run dry"""
        self.skipped: list[int] = []
        """rows of which a cell was left out before what is taken next; whoever joins the ends empties it"""
        self.late = np.zeros(rows, dtype=np.int64)
        self._origin = np.full(rows, _IDLE, dtype=np.int64)
        self._gap = np.zeros(rows, dtype=np.int64)
        """cells without sound just before the turn"""
        self._closed = np.zeros(rows, dtype=np.int64)
        """cells from the turn on that were played already, before it was moved back"""
        self._gaps = self._closes = self._skips = False
        """whether any row has such cells, or some to spare"""
        self._leads: list[tuple[Numbers, Numbers]] = []
        """rows and leads of packets that `_least` and `_most` do not know of yet"""
        self._least = np.full(rows, _NEVER, dtype=np.int64)
        """least and most lead in this window, and the most of the one before"""
        self._most = np.zeros(rows, dtype=np.int64)
        self._most_before = np.zeros(rows, dtype=np.int64)
        self._spare = np.zeros(rows, dtype=np.int64)
        self._awaited = np.full(rows, -1, dtype=np.int64)
        """timestamp that would confirm a stream's jump, and the tick in which it was thought of"""
        self._doubted = np.zeros(rows, dtype=np.int64)
        self._ticks = 0
        self._none_lost = np.zeros(rows, dtype=np.bool_)
        self._taken = self._first_places = np.zeros(0, dtype=np.int64)
        """the rows that were taken last, and where they lie in the first turn"""

    def reset(self, row: int) -> None:
        """Forget what came: the row is another stream's from now on, or its sender began anew."""
        self._learn()
        self.playing[row] = False
        self._origin[row] = _IDLE
        self._filled[:, row] = False
        self._least[row] = _NEVER
        self._awaited[row] = -1
        self._spare[row] = self._gap[row] = self._closed[row] = 0

    def put(self, rows: Numbers, timestamps: Numbers, payloads: Bytes) -> None:
        """What came, equally long payloads of whole cells, (packets, bytes), in the order of arrival."""
        cells, odd = np.divmod(timestamps - self._origin.take(rows), CELL_BYTES)
        lead = cells - self._clock
        has_place = lead.view(np.uint64).max() < _FAR_CELLS  # a negative one is more than that, too
        if has_place and not self._closes and not any_set(odd):
            places = self._places(rows, lead, payloads)
            self._sound.reshape(-1)[places] = payloads.view(_CELL)
            self._filled.reshape(-1)[places] = True
        else:
            self._sort_in(rows, timestamps, payloads)

    def take(self, rows: Numbers) -> Taken:
        """The next 20 ms of each row; rows that do not play have nothing, and nothing is lost there."""
        if rows is not self._taken:
            self._taken = rows
            self._first_places = rows[:, None] + self._rows * _EACH[:CELLS_A_TICK]
        places = self._first_places + self._clock % _CELLS * self._rows
        codes, present = self._sound.take(places).view(np.uint8), self._filled.take(places)
        whole = all_true(present)
        lost = self._miss(rows, present) if self._gaps or not whole else self._none_lost[: len(rows)]
        return Taken(codes, present, lost, whole)

    def turn(self) -> None:
        """A tick is over: once in a second find what is to spare, and let go of it a cell at a time."""
        self._filled[self._clock % _CELLS :][:CELLS_A_TICK] = False
        self._clock += CELLS_A_TICK
        self._ticks += 1
        if self._ticks % _WINDOW_TICKS == 0:
            self._learn()
            known = self._least != _NEVER
            self._spare = np.where(known & (self._least >= _SPARE_CELLS), self._least - _START_CELLS, 0)
            for row in np.flatnonzero(self._spare > MOST_DELAY_CELLS).tolist():
                self._skip(np.array([row]), int(self._spare[row]))
            self._least[:] = _NEVER
            self._most, self._most_before = self._most_before, self._most
            self._most[:] = 0
            self._skips, self._closes = bool(self._spare.any()), bool(self._closed.any())
        elif self._skips and self._ticks % _SKIP_TICKS == 0:
            self._skip(np.flatnonzero((self._spare > 0) & self.playing))

    # --- where a packet belongs

    def _places(self, rows: Numbers, lead: Numbers, payloads: Bytes) -> Numbers:
        """Where in the ring the cells of these packets lie, which are so much ahead, (packets, cells)."""
        self._leads.append((rows, lead))
        found: Numbers = lead[:, None] + (_EACH[: payloads.shape[1] // CELL_BYTES] + self._clock)
        found %= _CELLS
        found *= self._rows
        found += rows[:, None]
        return found

    def _sort_in(self, rows: Numbers, timestamps: Numbers, payloads: Bytes) -> None:
        """Put packets some of which are the first, late or strange."""
        waiting = ~self.playing[rows]
        if waiting.any():
            self._start(rows[waiting], timestamps[waiting])
        rows, lead, payloads = self._sort_out(rows, timestamps, payloads)
        places = self._places(rows, lead, payloads)
        sound = payloads.view(_CELL)
        in_time = (lead - self._closed[rows])[:, None] >= -np.arange(sound.shape[1])
        np.add.at(self.late, rows, (~in_time).sum(axis=1))
        self._sound.reshape(-1)[places[in_time]] = sound[in_time]
        self._filled.reshape(-1)[places[in_time]] = True

    def _sort_out(self, rows: Numbers, timestamps: Numbers, payloads: Bytes) -> tuple[Numbers, Numbers, Bytes]:
        """Those that have a place, as (rows, lead, payloads)."""
        lead, odd = self._lead(rows, timestamps)
        strange = (odd != 0) | (lead >= _FAR_CELLS) | (lead < -_FAR_CELLS)
        if strange.any():
            self._resolve(rows[strange], timestamps[strange], payloads.shape[1])
            lead, odd = self._lead(rows, timestamps)
            usable = (odd == 0) & (lead < _FAR_CELLS) & (lead >= -_FAR_CELLS)
            rows, lead, payloads = rows[usable], lead[usable], payloads[usable]
        late = lead < 0
        if late.any():
            lead = lead + self._wait(rows[late], lead[late])[rows]
        return rows, lead, payloads

    def _lead(self, rows: Numbers, timestamps: Numbers) -> tuple[Numbers, Numbers]:
        """How many cells ahead these timestamps are, and samples beyond; origins wrap around with them, of 32 bits."""
        turn = self._clock * CELL_BYTES
        ahead = (timestamps - self._origin[rows] - turn).astype(np.int32).astype(np.int64)
        self._origin[rows] = timestamps - turn - ahead
        return np.divmod(ahead, CELL_BYTES)

    def _start(self, rows: Numbers, timestamps: Numbers) -> None:
        """Begin to play `_START_CELLS` before the newest of each row; later entries overwrite earlier ones."""
        self._learn()
        self._filled[:, rows] = False
        self.playing[rows] = True
        self._origin[rows] = timestamps - (_START_CELLS + self._clock) * CELL_BYTES
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
        self._learn()
        wanted = np.zeros(self._rows, dtype=np.int64)
        np.maximum.at(wanted, rows, -lead)
        wanted += wanted % CELLS_A_TICK
        allowed = MOST_DELAY_CELLS - np.maximum(self._most, self._most_before)
        shift = np.where(wanted <= MOST_DELAY_CELLS, np.clip(allowed, 0, wanted), 0)
        for row in np.flatnonzero(shift).tolist():
            self._move(np.array([row]), int(shift[row]))
        self._most += shift
        reopened = np.minimum(shift, self._gap)
        self._gap -= reopened
        self._closed += shift - reopened
        self._closes = bool(self._closed.any())
        return shift

    def _learn(self) -> None:
        """Take the leads of the packets that came into account."""
        if self._leads:
            rows, leads = (np.concatenate(parts) for parts in zip(*self._leads, strict=True))
            np.minimum.at(self._least, rows, leads)
            np.maximum.at(self._most, rows, leads)
            self._leads.clear()

    # --- the turn

    def _miss(self, rows: Numbers, present: Flags) -> Flags:
        """Count how much was missing, and say of which rows; who misses too much does not play any more."""
        playing = self.playing[rows]
        lost: Flags = playing & ~present.all(axis=1)
        affected = np.flatnonzero(playing & (lost | (self._gap[rows] > 0)))
        if len(affected):
            rows, (first, second) = rows[affected], present[affected].T
            gap = np.where(second, 0, np.where(first, 1, self._gap[rows] + CELLS_A_TICK))
            gap[self._closed[rows] > 0] = 0
            self._gap[rows] = gap
            self._closed[rows] = np.maximum(self._closed[rows] - CELLS_A_TICK, 0)
            self._closes = bool(self._closed.any())
            dry = rows[gap >= _DRY_CELLS]
            self.playing[dry] = self._filled[:, dry] = False
            self._gap[dry], self._origin[dry] = 0, _IDLE
        self._gaps = bool(self._gap.any())
        return lost

    def _skip(self, rows: NDArray[np.int64], count: int = 1) -> None:
        """Leave out the cell whose turn it is, or so many."""
        self.skipped += rows.tolist()
        self._move(rows, -count)
        self._spare[rows] -= count
        self._closed[rows] = np.maximum(self._closed[rows] - count, 0)
        self._skips = bool(self._spare.any())

    def _move(self, rows: NDArray[np.int64], count: int) -> None:
        """Play what is ahead by so many cells later, or sooner: then the first of them are left out."""
        ahead = (self._clock + _EACH) % _CELLS
        filled = self._filled[ahead[:, None], rows]
        cells = np.arange(max(-count, 0), np.flatnonzero(filled.any(axis=1)).max(initial=0) + 1)
        before, after = ahead[cells][:, None], ahead[(cells + count) % _CELLS][:, None]
        self._filled[:, rows] = False
        self._filled[after, rows] = filled[cells]
        self._sound[after, rows] = self._sound[before, rows]
        self._origin[rows] -= count * CELL_BYTES
