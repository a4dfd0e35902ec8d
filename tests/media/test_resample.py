"""Resampling: tones keep frequency and level, nothing folds back, frames join, lengths are exact."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from media.pcm import Samples
from media.resample import PASS, STOP, Resampler, resampled
from media.tone import tone

RATES_HZ = (8000, 16000, 24000, 32000, 44100, 48000)
PAIRS = [(one, other) for one in RATES_HZ for other in RATES_HZ if one != other]
LOUD = -6.0
AMPLITUDE = 32767 * 10 ** (LOUD / 20)

pairs = st.sampled_from(PAIRS)


def noise(streams: int, samples: int, seed: int = 1) -> Samples:
    return np.random.default_rng(seed).integers(-20000, 20000, (streams, samples)).astype(np.int16)


def in_frames(stream: Resampler, samples: Samples, length: int) -> Samples:
    """What comes out when the samples go in by frames of this length."""
    pieces = [samples[..., at : at + length] for at in range(0, samples.shape[-1], length)]
    return np.concatenate([stream.resample(piece) for piece in pieces], axis=-1)


def fitted(samples: Samples, rate_hz: int, frequency_hz: float) -> tuple[float, NDArray[np.float64]]:
    """The amplitude of the sine of this frequency that fits best, and what it leaves over."""
    phase = 2 * np.pi * frequency_hz * np.arange(len(samples)) / rate_hz
    waves = np.stack([np.sin(phase), np.cos(phase)], axis=1)
    found = np.linalg.lstsq(waves, samples.astype(float), rcond=None)[0]
    return float(np.hypot(*found)), samples - waves @ found


def decibels(amplitude: float) -> float:
    """Relative to a sine of `LOUD`."""
    return float(20 * np.log10(max(amplitude, 1e-3) / AMPLITUDE))


@given(pairs, st.floats(0.01, PASS))
@settings(max_examples=60)
def test_a_tone_keeps_frequency_and_level_and_nothing_comes_with_it(pair: tuple[int, int], place: float) -> None:
    from_hz, to_hz = pair
    frequency_hz = place * min(pair)
    made = in_frames(Resampler(from_hz, to_hz), tone(frequency_hz, 0.2, from_hz, LOUD), from_hz // 50)
    amplitude, rest = fitted(made[to_hz // 50 :], to_hz, frequency_hz)
    assert decibels(amplitude) == pytest.approx(0, abs=0.05)
    assert decibels(np.sqrt(2 * np.mean(rest**2))) < -55


@given(st.sampled_from([pair for pair in PAIRS if pair[0] > pair[1]]), st.floats(0, 1))
@settings(max_examples=60)
def test_what_the_lower_rate_cannot_carry_does_not_fold_back(pair: tuple[int, int], place: float) -> None:
    from_hz, to_hz = pair
    frequency_hz = STOP * (to_hz + place * 0.99 * (from_hz - to_hz))
    made = in_frames(Resampler(from_hz, to_hz), tone(frequency_hz, 0.2, from_hz, LOUD), from_hz // 50)
    assert decibels(np.sqrt(2) * np.std(made[to_hz // 50 :])) < -55


@given(pairs, st.lists(st.integers(1, 6), min_size=1, max_size=6))
@settings(max_examples=60)
def test_no_click_between_frames_whatever_their_lengths(pair: tuple[int, int], steps: list[int]) -> None:
    whole, pieces = Resampler(*pair), Resampler(*pair)
    lengths = [step * whole.step for step in steps]
    samples = noise(1, sum(lengths))[0]
    at_once = whole.resample(samples)
    bounds = np.cumsum(lengths)[:-1]
    joined = np.concatenate([pieces.resample(piece) for piece in np.split(samples, bounds)])
    assert joined.shape == at_once.shape
    assert np.abs(joined.astype(int) - at_once).max() <= 1  # sums in another order are rounded otherwise


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_a_frame_of_20_ms_is_one_of_20_ms(pair: tuple[int, int]) -> None:
    stream = Resampler(*pair)
    for number in range(3):
        frame = stream.resample(noise(1, pair[0] // 50, number)[0])
        assert frame.shape == (pair[1] // 50,) and frame.dtype == np.int16


@given(pairs)
@settings(max_examples=20)
def test_a_matrix_of_streams_is_what_its_rows_are(pair: tuple[int, int]) -> None:
    samples = noise(4, pair[0] // 10)
    together = in_frames(Resampler(*pair, streams=4), samples, pair[0] // 50)
    alone = [in_frames(Resampler(*pair), row, pair[0] // 50) for row in samples]
    assert np.abs(together.astype(int) - np.array(alone)).max() <= 1


def test_streams_come_and_go() -> None:
    before, after = noise(3, 160), noise(3, 160, seed=2)
    bank = Resampler(8000, 16000, streams=3)
    bank.resample(before)
    bank.arrange(np.array([2, -1, 0]))
    made = bank.resample(after)
    for row, old in ((0, 2), (2, 0)):
        one = Resampler(8000, 16000)
        one.resample(before[old])
        assert np.abs(one.resample(after[row]).astype(int) - made[row]).max() <= 1
    assert np.abs(Resampler(8000, 16000).resample(after[1]).astype(int) - made[1]).max() <= 1


def test_the_first_stream_comes_where_there_was_none() -> None:
    bank = Resampler(8000, 16000, streams=0)
    bank.arrange(np.array([-1, -1]))
    samples = noise(2, 160)
    assert (bank.resample(samples) == Resampler(8000, 16000, streams=2).resample(samples)).all()


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_the_delay_is_as_told_and_at_most_about_3_ms(pair: tuple[int, int]) -> None:
    from_hz, to_hz = pair
    stream = Resampler(from_hz, to_hz)
    click = np.zeros(from_hz // 10, dtype=np.int16)
    click[from_hz // 50 : from_hz // 50 + from_hz // 500] = 20000  # of 2 ms, its middle 1 ms later
    made = stream.resample(click).astype(float)
    middle_s = float(np.sum(made * np.arange(len(made))) / np.sum(made)) / to_hz
    assert middle_s - 0.021 + 0.5 / from_hz == pytest.approx(stream.delay / to_hz, abs=2e-5)
    assert stream.delay / to_hz < 0.0031


@given(pairs, st.integers(1, 5))
@settings(max_examples=20)
def test_too_loud_is_full_scale_and_never_wraps(pair: tuple[int, int], periods: int) -> None:
    from_hz, to_hz = pair
    square = np.where(tone(50 * periods, 0.1, from_hz) > 0, 32767, -32768).astype(np.int16)
    made = Resampler(from_hz, to_hz).resample(square)
    plain = Resampler(from_hz, to_hz).resample((square // 2).astype(np.int16))
    assert np.all(np.abs(np.clip(plain * 2.0, -32768, 32767) - made) <= 4)


@given(pairs, st.integers(1, 3000))
@settings(max_examples=40)
def test_a_recording_keeps_its_length(pair: tuple[int, int], samples: int) -> None:
    from_hz, to_hz = pair
    assert len(resampled(noise(1, samples)[0], from_hz, to_hz)) == round(samples * to_hz / from_hz)


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_a_recording_keeps_its_time(pair: tuple[int, int]) -> None:
    from_hz, to_hz = pair
    made, there = resampled(tone(500, 0.1, from_hz, LOUD), from_hz, to_hz), tone(500, 0.1, to_hz, LOUD)
    middle = slice(to_hz // 50, -to_hz // 50)
    assert np.abs(made[middle].astype(int) - there[middle]).max() < 30


def test_a_long_recording_goes_by_pieces() -> None:
    samples = tone(440, 2.5, 44100, LOUD)
    made, there = resampled(samples, 44100, 8000), tone(440, 2.5, 8000, LOUD)
    assert np.abs(made[200:-200].astype(int) - there[200:-200]).max() < 30


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_equal_rates_change_nothing(rate_hz: int) -> None:
    samples = noise(2, 333)
    assert np.array_equal(Resampler(rate_hz, rate_hz, streams=2).resample(samples), samples)
    assert np.array_equal(resampled(samples[0], rate_hz, rate_hz), samples[0])


@pytest.mark.parametrize(("from_hz", "to_hz"), [(0, 8000), (8000, -1), (48000, 7919), (1, 48000), (1 << 40, 8000)])
def test_rates_that_make_no_sense_are_refused(from_hz: int, to_hz: int) -> None:
    with pytest.raises(ValueError, match="samples a second|too little in common"):
        Resampler(from_hz, to_hz)


def test_half_a_step_is_refused() -> None:
    with pytest.raises(ValueError, match="100 samples"):
        Resampler(48000, 44100).resample(np.zeros(100, np.int16))
