"""Changing the rate of streams: exact lengths, no click between frames, all legs of one pair of rates at once.

What may live here: the filter and its state. Between rates a and b every output sample is a weighted sum of the input
samples around its own time, weighted by a sinc of the lower rate in a Kaiser window (Oppenheim and Schafer,
*Discrete-Time Signal Processing*, 7.6: beta = 0.1102 (A - 8.7), about (A - 7.95) / (14.36 df) taps for an attenuation
of A dB over a transition df). The positions repeat after a block of inputs, so a block is one product with one matrix,
and those of all streams are one call. It makes a product for each stream, not one for all: for large ones numpy's BLAS
takes several threads, which would fight with each other for the core that a worker has.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from media.pcm import Samples

_Floats = NDArray[np.float32]

PASS, STOP = 0.425, 0.5
"""Of the lower rate: up to here all passes (3400 Hz of 8000), from there on nothing does, so nothing folds back."""
ATTENUATION_DB = 60.0
_HALF_TAPS = 24
"""Samples of the lower rate on each side: the filter's delay, 3 ms at 8000 Hz."""
_BLOCK = 16
"""Samples of the lower rate in a block, or more: fewer are more copying, more are more sums with zeros."""
_LARGEST_MATRIX = 1 << 19
_PIECE_MS = 20


class Filter(NamedTuple):
    """`weights`, a matrix of (history + inputs, outputs), and what it means; `delay` is in output samples."""

    weights: _Floats
    history: int
    inputs: int
    outputs: int
    step: int
    delay: int


class Resampler:
    """Streams from one rate to another, one a row; they share the filter and nothing else.

    Between equal rates frames go through as they are.
    """

    def __init__(self, from_hz: int, to_hz: int, streams: int = 1) -> None:
        """Raises ValueError for rates that have too little in common."""
        self._filter = design(from_hz, to_hz)
        self._history = np.zeros((streams, self._filter.history), dtype=np.float32)

    @property
    def step(self) -> int:
        """Frames have to be a multiple of so many samples: 1 to 6 between the usual rates, 147 or 441 from 44100 Hz."""
        return self._filter.step

    @property
    def delay(self) -> int:
        """By how many output samples what comes out is late."""
        return self._filter.delay

    def resample(self, frames: Samples) -> Samples:
        """Of n samples, exactly n * to_hz / from_hz: of the shape (n,) if there is one stream, or (streams, n).

        Raises ValueError if n is no multiple of `step`.
        """
        rows = frames if frames.ndim == 2 else frames[None]
        if rows.shape[1] % self._filter.step:
            raise ValueError(f"frames of {rows.shape[1]} samples are no multiple of {self._filter.step}")
        if not self._filter.history:
            return frames
        outputs = self._convolve(rows)
        np.rint(outputs, out=outputs)
        np.maximum(outputs, -32768, out=outputs)
        np.minimum(outputs, 32767, out=outputs)
        made = outputs.astype(np.int16)
        return made[0] if frames.ndim == 1 else made

    def arrange(self, rows: NDArray[np.intp]) -> None:
        """From now on row n goes on from what is row `rows[n]` now; -1 begins a new stream there."""
        history = np.zeros((len(rows), self._history.shape[1]), dtype=np.float32)
        going_on = rows >= 0
        history[going_on] = self._history[rows[going_on]]
        self._history = history

    def _convolve(self, rows: Samples) -> _Floats:
        weights, history, inputs, outputs, _, _ = self._filter
        streams, samples = rows.shape
        blocks = -(-samples // inputs)
        heard = np.zeros((streams, history + blocks * inputs), dtype=np.float32)
        heard[:, :history] = self._history
        heard[:, history : history + samples] = rows
        self._history = heard[:, samples : samples + history].copy()
        strides = (heard.strides[0], inputs * heard.itemsize, heard.itemsize)
        windows = np.ndarray((streams, blocks, history + inputs), np.float32, heard, 0, strides)
        made = np.ascontiguousarray(windows) @ weights
        return made.reshape(streams, blocks * outputs)[:, : samples * outputs // inputs]


def resampled(samples: Samples, from_hz: int, to_hz: int) -> Samples:
    """A whole recording at another rate, in time with the original: round(n * to_hz / from_hz) samples."""
    if from_hz == to_hz:
        return samples
    stream = Resampler(from_hz, to_hz)
    wanted = round(len(samples) * to_hz / from_hz)
    longer = math.ceil((wanted + stream.delay) * from_hz / to_hz)
    padded = np.zeros(-(-longer // stream.step) * stream.step, dtype=np.int16)
    padded[: len(samples)] = samples
    piece = -(-from_hz * _PIECE_MS // (1000 * stream.step)) * stream.step
    made = [stream.resample(padded[at : at + piece]) for at in range(0, len(padded), piece)]
    return np.concatenate(made)[stream.delay : stream.delay + wanted]


@lru_cache(maxsize=32)
def design(from_hz: int, to_hz: int) -> Filter:
    """The filter between two rates. Raises ValueError if they have too little in common."""
    if min(from_hz, to_hz) <= 0:
        raise ValueError(f"no stream has {min(from_hz, to_hz)} samples a second")
    if from_hz == to_hz:
        return Filter(np.ones((1, 1), dtype=np.float32), 0, 1, 1, 1, 0)
    common = math.gcd(from_hz, to_hz)
    step, low_hz = from_hz // common, min(from_hz, to_hz)
    inputs = step * max(1, math.ceil(_BLOCK * common / low_hz))
    outputs = inputs * to_hz // from_hz
    delay = math.ceil(_HALF_TAPS * to_hz / low_hz)
    late = delay * from_hz / to_hz
    history = math.ceil(late + _HALF_TAPS * from_hz / low_hz)
    if (history + inputs) * outputs > _LARGEST_MATRIX:
        raise ValueError(f"{from_hz} and {to_hz} Hz have too little in common to be resampled in blocks")
    behind = np.arange(outputs) * from_hz / to_hz - late - (np.arange(history + inputs)[:, None] - history)
    weights = _kernel(behind * low_hz / from_hz)
    return Filter((weights / weights.sum(axis=0)).astype(np.float32), history, inputs, outputs, step, delay)


def _kernel(times: NDArray[np.float64]) -> NDArray[np.float64]:
    """The windowed sinc at these times, in samples of the lower rate."""
    beta = 0.1102 * (ATTENUATION_DB - 8.7)
    window = np.i0(beta * np.sqrt(np.clip(1 - (times / _HALF_TAPS) ** 2, 0, None)))
    return np.where(np.abs(times) <= _HALF_TAPS, np.sinc((PASS + STOP) * times) * window, 0)
