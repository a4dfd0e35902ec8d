"""What is heard where nothing came: lost sound made up from what was before, and the silence that a party described.

What may live here: samples out of samples. Nothing of packets, no chance: noise is one fixed sequence, begun anywhere.

Concealment is that of ITU-T G.711 appendix I, but for its delay: the last pitch period is said again, after 10 ms the
last two, after 20 ms the last three, ever fainter, and after 60 ms it is silent. Comfort noise is that of RFC 3389.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from media.pcm import Samples, clipped

HISTORY_MS: Final = 60
"""How much of the sound before a gap is of use."""

_Floats = NDArray[np.float64]

_SHORTEST_MS, _LONGEST_MS = 5, 15
"""Pitch periods: 66 to 200 Hz; of higher voices several periods are one."""
_COMPARED_MS: Final = 20
_COARSE_HZ: Final = 8000
_STAGE_MS: Final = 10
_STAGES: Final = 6
_MOST_PERIODS: Final = 3
_FADED_PER_STAGE: Final = 0.2
_LONGEST_JOINT_MS: Final = 10

_NOISE_SAMPLES: Final = 1 << 13
_MOST_COEFFICIENTS: Final = 12
_WHITE = np.fft.rfft(np.random.default_rng(3389).standard_normal(_NOISE_SAMPLES))


class Gap:
    """A stretch of one stream in which nothing came: made when it begins, done with when it is joined."""

    def __init__(self, history: Samples, sample_rate_hz: int) -> None:
        """`history` is what was heard last: `HISTORY_MS` of it, or less, and silence before."""
        per_ms = sample_rate_hz // 1000
        wanted = HISTORY_MS * per_ms
        self._heard: _Floats = np.zeros(wanted)
        if len(history):
            self._heard[-min(len(history), wanted) :] = history[-wanted:]
        self._stage = _STAGE_MS * per_ms
        self._longest_joint = _LONGEST_JOINT_MS * per_ms
        self._period = _pitch(self._heard, sample_rate_hz)
        self._blend = self._period // 4
        self._made = 0
        """Samples so far, and those that are made and not yet asked for."""
        self._ahead: _Floats = np.zeros(0)
        self._loop: _Floats = np.zeros(0)
        self._place = 0

    def frame(self, samples: int) -> Samples:
        """The next samples of the gap."""
        return clipped(self._next(samples))

    def join(self, frame: Samples) -> Samples:
        """The first frame after the gap, its beginning blended with how the gap would have gone on."""
        lost_stages = min(self._made // self._stage, _STAGES)
        joint = min(self._blend + lost_stages * self._longest_joint * 2 // 5, self._longest_joint, len(frame))
        mixed = frame.astype(np.float64)
        rising = _rising(joint)
        mixed[:joint] = mixed[:joint] * rising + self._next(joint) * (1 - rising)
        return clipped(mixed)

    def _next(self, samples: int) -> _Floats:
        while len(self._ahead) < samples:
            self._ahead = np.concatenate((self._ahead, self._make()))
        made, self._ahead = self._ahead[:samples], self._ahead[samples:]
        self._made += samples
        return made

    def _make(self) -> _Floats:
        """The next 10 ms: of more periods than those before, as long as there are more, and fainter."""
        number = (self._made + len(self._ahead)) // self._stage
        if number >= _STAGES:
            return np.zeros(self._stage)
        if number == 0:
            made = self._begin()
        elif number < _MOST_PERIODS:
            going_on = self._repeat(self._blend)
            self._loop = self._looped((number + 1) * self._period)
            self._place = (self._place - self._blend) % self._period
            made = self._repeat(self._stage)
            rising = _rising(self._blend)
            made[: self._blend] = made[: self._blend] * rising + going_on * (1 - rising)
        else:
            made = self._repeat(self._stage)
        return made * _fading(number, self._stage)

    def _begin(self) -> _Floats:
        """The last period again. Where it is not just the one before, it starts from where the sound broke off."""
        self._loop = self._looped(self._period)
        made = self._repeat(self._stage)
        made[: self._blend] += (self._heard[-1] - self._heard[-1 - self._period]) * (1 - _rising(self._blend))
        loudest = np.abs(self._heard).max()
        return np.clip(made, -loudest, loudest)

    def _looped(self, length: int) -> _Floats:
        """The last samples heard, with an end that leads into their beginning."""
        loop = self._heard[-length:].copy()
        before = self._heard[len(self._heard) - length - self._blend : len(self._heard) - length]
        rising = _rising(self._blend)
        loop[length - self._blend :] = loop[length - self._blend :] * (1 - rising) + before * rising
        return loop

    def _repeat(self, samples: int) -> _Floats:
        places = (self._place + np.arange(samples)) % len(self._loop)
        self._place = (self._place + samples) % len(self._loop)
        return self._loop[places]


@lru_cache(512)
def _rising(samples: int) -> _Floats:
    """From nearly 0 to nearly 1."""
    return np.arange(1, samples + 1) / (samples + 1)


@lru_cache(64)
def _fading(number: int, samples: int) -> _Floats:
    """How loud the samples of a stage are."""
    start = 1 - _FADED_PER_STAGE * max(number - 1, 0)
    return np.linspace(start, 1 - _FADED_PER_STAGE * number, samples, endpoint=False)


def _pitch(heard: _Floats, sample_rate_hz: int) -> int:
    """The lag at which the end is most like what was before: coarsely at 8 kHz, then to the sample."""
    stride = max(1, sample_rate_hz // _COARSE_HZ)
    coarse = heard[len(heard) % stride :: stride]
    per_ms = sample_rate_hz // stride // 1000
    lag = _best_lag(coarse, _SHORTEST_MS * per_ms, _LONGEST_MS * per_ms, _COMPARED_MS * per_ms)
    if stride == 1:
        return lag
    return _best_lag(heard, (lag - 1) * stride, (lag + 1) * stride, _COMPARED_MS * sample_rate_hz // 1000)


def _best_lag(heard: _Floats, shortest: int, longest: int, compared: int) -> int:
    """The lag of the largest normalised cross-correlation."""
    end = heard[-compared:]
    before = heard[len(heard) - compared - longest : len(heard) - shortest]
    energies = np.cumsum(np.concatenate(([0.0], before**2)))
    norms = energies[compared:] - energies[:-compared]
    likeness = np.correlate(before, end, "valid") / np.sqrt(np.maximum(norms, 1.0))
    return longest - int(np.argmax(likeness))


class ComfortNoise:
    """A party's silence as a payload of RFC 3389 describes it; `start` makes legs with the same payload differ."""

    def __init__(self, payload: bytes, sample_rate_hz: int, start: int = 0) -> None:
        self._noise = _noise(payload[: _MOST_COEFFICIENTS + 1])
        self._place = start % len(self._noise)

    def frame(self, samples: int) -> Samples:
        """The next samples."""
        places = (self._place + np.arange(samples)) % len(self._noise)
        self._place = (self._place + samples) % len(self._noise)
        return self._noise[places]


@lru_cache(64)
def _noise(payload: bytes) -> Samples:
    """Noise that can be repeated without a seam, with the level and the spectrum that the payload says.

    Its first byte is the level in -dBov; each further one a reflection coefficient (RFC 3389 sections 3.1, 3.2).
    """
    if not payload:
        return np.zeros(_NOISE_SAMPLES, np.int16)
    predictor = np.ones(1)
    for code in payload[1:]:
        reflection = max(-0.99, min(258 * (code - 127) / 32768, 0.99))
        longer = np.append(predictor, 0.0)
        predictor = longer + reflection * longer[::-1]
    shaped = np.fft.irfft(_WHITE / np.fft.rfft(predictor, _NOISE_SAMPLES))
    level = 32768 * 10 ** (-(payload[0] & 0x7F) / 20)
    return clipped(shaped * (level / np.sqrt(np.mean(shaped**2))))
