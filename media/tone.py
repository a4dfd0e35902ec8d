"""Tones: making them, and finding them in what was heard.

What may live here: pure functions over arrays of samples. No clock, no sockets, no state between calls.

Samples are signed 16-bit PCM, mono. A level is in dBFS: 0 dBFS is a sine that just reaches full scale,
so a sine of amplitude A has 20*log10(A/32767). Silence is reported as `SILENCE_DBFS`.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from media.pcm import Samples

FULL_SCALE = 32767.0
SILENCE_DBFS = -120.0
TONE_LEVEL_DBFS = -13.0
DETECTION_DBFS = -38.0

_LEVEL_FRAME_S = 0.1
_SPECTRUM_FRAME_S = 0.25
_GAP_FRAME_S = 0.02
_GAP_HOP_S = 0.0025
_MAIN_LOBE_BINS = 4


def tone(
    frequency_hz: float, duration_s: float, clock_rate_hz: int = 8000, level_dbfs: float = TONE_LEVEL_DBFS
) -> Samples:
    """A sine that starts at phase zero, `round(duration_s * clock_rate_hz)` samples long.

    A whole number of seconds of a whole frequency can be looped without a click.
    """
    if not 0 < frequency_hz < clock_rate_hz / 2:
        raise ValueError(f"{frequency_hz} Hz cannot be sampled at {clock_rate_hz} Hz: stay below half of it")
    if level_dbfs > 0:
        raise ValueError(f"{level_dbfs} dBFS is above full scale")
    times_s = np.arange(round(duration_s * clock_rate_hz)) / clock_rate_hz
    amplitude = FULL_SCALE * 10 ** (level_dbfs / 20)
    return np.asarray(np.rint(amplitude * np.sin(2 * np.pi * frequency_hz * times_s)), dtype=np.int16)


def mix(*parts: Samples) -> Samples:
    """The sum of equally long parts, clipped to 16 bits."""
    total = np.sum([part.astype(np.int32) for part in parts], axis=0)
    return np.asarray(np.clip(total, -32768, 32767), dtype=np.int16)


def dbfs(amplitude: float) -> float:
    """The level of a sine of this amplitude, never below `SILENCE_DBFS`."""
    floor = FULL_SCALE * 10 ** (SILENCE_DBFS / 20)
    return float(20 * np.log10(max(amplitude, floor) / FULL_SCALE))


def levels(
    samples: Samples, clock_rate_hz: int, frequencies_hz: Sequence[float], frame_s: float = _LEVEL_FRAME_S
) -> tuple[float, ...]:
    """The level in dBFS at each frequency, in their order.

    That of its amplitude, averaged over half-overlapping frames (one DFT bin each, Hann).

    A tone that lasted half of the time is 6 dB lower. One with steps in its phase, as phones make them that leave a
    packet out to catch up, is about as loud as it sounds: over all the samples at once it could cancel itself.
    Frequencies are told apart from 4 / `frame_s` Hz on.
    """
    if len(samples) == 0:
        return (SILENCE_DBFS,) * len(frequencies_hz)
    frame = min(round(frame_s * clock_rate_hz), len(samples))
    last = len(samples) - frame
    starts = np.linspace(0, last, 1 + math.ceil(2 * last / frame)).astype(np.intp)
    frames = np.lib.stride_tricks.sliding_window_view(samples, frame)[starts]
    window = _hann(frame)
    waves = np.exp(-2j * np.pi * np.outer(np.arange(frame) / clock_rate_hz, frequencies_hz))
    amplitudes = 2 * np.abs((frames * (window / window.sum())) @ waves).mean(axis=0)
    return tuple(dbfs(float(amplitude)) for amplitude in amplitudes)


def tones(samples: Samples, clock_rate_hz: int, above_dbfs: float = DETECTION_DBFS) -> tuple[float, ...]:
    """The frequencies in Hz of the tones above a level, the loudest first.

    The power is averaged over frames of 250 ms, so a tone that lasted half of the time is 3 dB lower, and
    tones nearer than 35 Hz to each other are one. Less than one frame of samples has no tones.
    """
    spectrum = _mean_spectrum(samples, clock_rate_hz)
    threshold = FULL_SCALE * 10 ** (above_dbfs / 20)
    candidates = (2 + np.flatnonzero(spectrum[2:-1] > threshold / 2)).tolist()
    found = [(spectrum[k], k) for k in candidates if _is_peak(spectrum, k, threshold)]
    frame = round(_SPECTRUM_FRAME_S * clock_rate_hz)
    return tuple(round(_summit(spectrum, k) * clock_rate_hz / frame, 1) for _, k in sorted(found, reverse=True))


def gaps(
    samples: Samples, clock_rate_hz: int, frequency_hz: float, level_dbfs: float | None = None
) -> list[tuple[float, float]]:
    """The stretches (start_ms, end_ms) in which a tone is missing: 6 dB below its level or lower.

    `level_dbfs` is the level expected; without it, the level that the tone has in its loudest tenth. A tone
    that is nowhere is one gap from start to end. Gaps shorter than about 6 ms are not seen, and edges are
    exact to about 3 ms. The first and last 10 ms count as their neighbours.
    """
    frame, hop = round(_GAP_FRAME_S * clock_rate_hz), max(1, round(_GAP_HOP_S * clock_rate_hz))
    whole = [(0.0, len(samples) * 1000 / clock_rate_hz)]
    if len(samples) < frame:
        return whole if len(samples) else []
    amplitudes = _envelope(samples, clock_rate_hz, frequency_hz, frame, hop)
    loud = float(np.percentile(amplitudes, 90)) if level_dbfs is None else FULL_SCALE * 10 ** (level_dbfs / 20)
    if dbfs(loud) < DETECTION_DBFS:
        return whole
    return _stretches(amplitudes < loud / 2, frame, hop, len(samples), clock_rate_hz)


def _hann(length: int) -> NDArray[np.float64]:
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(length) + 0.5) / length), dtype=np.float64)


def _blackman_harris(length: int) -> NDArray[np.float64]:
    """Four terms: side lobes at -92 dB, so that a loud tone makes no others."""
    angle = 2 * np.pi * np.arange(length) / length
    terms = (0.35875, -0.48829, 0.14128, -0.01168)
    waves = [a * np.cos(n * angle) for n, a in enumerate(terms)]
    return np.asarray(np.sum(waves, axis=0), dtype=np.float64)


def _mean_spectrum(samples: Samples, clock_rate_hz: int) -> NDArray[np.float64]:
    """Amplitude of each bin, root of the power averaged over half-overlapping frames."""
    frame = round(_SPECTRUM_FRAME_S * clock_rate_hz)
    if len(samples) < frame:
        return np.zeros(0)
    window = _blackman_harris(frame)
    frames = np.lib.stride_tricks.sliding_window_view(samples, frame)[:: frame // 2]
    amplitudes = 2 * np.abs(np.fft.rfft(frames * window, axis=1)) / window.sum()
    return np.asarray(np.sqrt(np.mean(amplitudes**2, axis=0)), dtype=np.float64)


def _is_peak(spectrum: NDArray[np.float64], k: int, threshold: float) -> bool:
    low = max(0, k - _MAIN_LOBE_BINS)
    near = spectrum[low : k + _MAIN_LOBE_BINS + 1]
    # The first of equal neighbours is the peak.
    return low + int(np.argmax(near)) == k and _summit_height(spectrum, k) >= threshold


def _parabola(spectrum: NDArray[np.float64], k: int) -> tuple[float, float]:
    """Offset in bins and height in nepers of the parabola through three bins on a log scale."""
    left, middle, right = (float(np.log(max(value, 1e-9))) for value in spectrum[k - 1 : k + 2])
    curve = left - 2 * middle + right
    offset = 0.0 if curve == 0 else 0.5 * (left - right) / curve
    return offset, middle - 0.25 * (left - right) * offset


def _summit(spectrum: NDArray[np.float64], k: int) -> float:
    return k + _parabola(spectrum, k)[0]


def _summit_height(spectrum: NDArray[np.float64], k: int) -> float:
    return float(np.exp(_parabola(spectrum, k)[1]))


def _envelope(samples: Samples, clock_rate_hz: int, frequency_hz: float, frame: int, hop: int) -> NDArray[np.float64]:
    """The tone's amplitude in each frame."""
    window = _hann(frame)
    carrier = np.exp(-2j * np.pi * frequency_hz * np.arange(frame) / clock_rate_hz) * window / window.sum()
    frames = np.lib.stride_tricks.sliding_window_view(samples, frame)[::hop]
    return np.asarray(2 * np.abs(frames @ carrier), dtype=np.float64)


def _stretches(
    missing: NDArray[np.bool_], frame: int, hop: int, length: int, clock_rate_hz: int
) -> list[tuple[float, float]]:
    """Runs of missing frames as milliseconds between the frames' middles, widened to the ends."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], missing, [False])).astype(np.int8)))
    per_ms = clock_rate_hz / 1000
    found: list[tuple[float, float]] = []
    for first, after in zip(edges[::2], edges[1::2], strict=True):
        start = 0.0 if first == 0 else (first - 0.5) * hop + frame / 2
        end = float(length) if after == len(missing) else (after - 0.5) * hop + frame / 2
        found.append((round(float(start / per_ms), 1), round(float(end / per_ms), 1)))
    return found
