"""The mixer: what each leg hears of the others, for all rooms of a tick in a few operations on arrays.

What may live here: pure functions over matrices of samples, (legs, samples), legs of one room side by side. No
codecs, no sockets, no memory: gains of the tick before come in and go out.

Sums are of 32 bits, so 65,000 legs at full scale do not wrap. `limit` then brings them into 16 bits: a listener's
gain falls within a quarter of a frame to where the loudest sample fits, rises again by half a decibel a frame, and
what is too loud meanwhile is bent towards full scale.
"""

from __future__ import annotations

from itertools import groupby
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from media.pcm import Samples, clipped

Sums = NDArray[np.int32]
Gains = NDArray[np.float32]
Indices = NDArray[np.int64]

FULL_SCALE = 32767
CEILING = round(0.9 * FULL_SCALE)
"""Loudest sample that leaves the mixer as it is: 0.9 dB below full scale."""
_RELEASE = np.float32(10 ** (0.5 / 20))
_ATTACK_SHARE = 4


class Block(NamedTuple):
    """Rooms of one size that follow each other, and their legs."""

    size: int
    rooms: slice
    legs: slice


class Rooms(NamedTuple):
    """Which rows belong together: the first row of each room, and the rooms by their sizes."""

    starts: Indices
    blocks: tuple[Block, ...]

    @classmethod
    def of_sizes(cls, sizes: list[int]) -> Rooms:
        """Rooms of so many legs, one or more each, in this order. The fewer changes of size, the cheaper their sums."""
        counts = np.array(sizes, dtype=np.int64)
        starts = np.cumsum(counts) - counts
        blocks: list[Block] = []
        for size, same in groupby(range(len(sizes)), key=sizes.__getitem__):
            rooms = list(same)
            first = int(starts[rooms[0]])
            blocks.append(Block(size, slice(rooms[0], rooms[-1] + 1), slice(first, first + size * len(rooms))))
        return cls(starts, tuple(blocks))


def sums(frames: Samples, rooms: Rooms) -> Sums:
    """What is said in each room altogether: (rooms, samples)."""
    # Sums along an axis are ten times faster than `reduceat`, which would need no blocks.
    totals: Sums = np.empty((len(rooms.starts), frames.shape[1]), dtype=np.int32)
    for block in rooms.blocks:
        members = frames[block.legs].reshape(-1, block.size, frames.shape[1])
        members.sum(axis=1, dtype=np.int32, out=totals[block.rooms])
    return totals


def others(frames: Samples, rooms: Rooms, totals: Sums) -> Sums:
    """What each leg hears: its room without itself, (legs, samples). `totals` may hold more than the legs, as plays."""
    heard: Sums = np.empty(frames.shape, dtype=np.int32)
    for block in rooms.blocks:
        shape = -1, block.size, frames.shape[1]
        np.subtract(totals[block.rooms, None], frames[block.legs].reshape(shape), out=heard[block.legs].reshape(shape))
    return heard


def amplified(frames: Samples, gains: Gains) -> Samples:
    """Each row by its own factor, saturating."""
    return clipped(frames * gains[:, None])


def peaks(frames: Samples | Sums) -> Indices:
    """The greatest magnitude in each row."""
    found: Indices = np.maximum(frames.max(axis=1).astype(np.int64), -frames.min(axis=1).astype(np.int64))
    return found


def limit(heard: Sums, gains: Gains) -> tuple[Samples, Gains]:
    """`heard` within 16 bits, and the gains at most 1 that the rows end with: those to be given with the next frame.

    Rows that stay below the ceiling and had gain 1 are as they were, to the sample.
    """
    if gains.min() == 1 and heard.max() <= CEILING and heard.min() >= -CEILING:
        return heard.astype(np.int16), gains
    tops = peaks(heard)
    loud = np.flatnonzero((tops > CEILING) | (gains < 1))
    if len(loud) == len(heard):
        after = _after(tops, gains)
        return _fit(heard.astype(np.float32), gains, after), after
    limited, ends = heard.astype(np.int16), gains.copy()
    ends[loud] = _after(tops[loud], gains[loud])
    limited[loud] = _fit(heard[loud].astype(np.float32), gains[loud], ends[loud])
    return limited, ends


def bent(values: NDArray[np.int32] | NDArray[np.floating]) -> Samples:
    """The identity up to the ceiling; beyond it the rest of the way to full scale, never quite reached."""
    room = FULL_SCALE - CEILING
    magnitudes = np.abs(values)
    beyond = np.maximum(magnitudes - CEILING, 0)
    return clipped(np.copysign(np.minimum(magnitudes, CEILING) + room * beyond / (beyond + room), values))


def _after(tops: Indices, before: Gains) -> Gains:
    """The gains to which those of rows with these peaks go."""
    wanted = np.minimum(CEILING / np.maximum(tops, 1), 1).astype(np.float32)
    return np.where(wanted < before, wanted, np.minimum(wanted, before * _RELEASE))


def _fit(values: NDArray[np.float32], before: Gains, after: Gains) -> Samples:
    """Values by factors from one gain to the next: down in a quarter of the frame, up in all of it.

    What is too loud is so in rows whose gain falls only: all others had one that fits.
    """
    steps = np.arange(1, values.shape[1] + 1, dtype=np.float32) / values.shape[1]
    change, falling = (after - before)[:, None], np.flatnonzero(after < before)
    factors = change * steps
    factors[falling] = change[falling] * np.minimum(steps * _ATTACK_SHARE, 1)
    factors += before[:, None]
    values *= factors
    np.rint(values, out=values)
    if len(falling):
        values[falling] = bent(values[falling])
    return values.astype(np.int16)
