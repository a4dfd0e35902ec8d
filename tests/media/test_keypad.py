"""Digits in the sound, held to ITU-T Q.24: what must be heard, and what must not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.dtmf import COLUMNS_HZ, DIGITS, ROWS_HZ, Digit, dual_tone
from media.keypad import Detector
from media.pcm import Samples, clipped

RATES_HZ = st.sampled_from([8000, 16000])
SETTINGS = settings(max_examples=50, deadline=None)


def silence(duration_ms: float, rate_hz: int = 8000) -> Samples:
    return np.zeros(round(rate_hz * duration_ms / 1000), np.int16)


def pair(row_hz: float, column_hz: float, row_dbfs: float, column_dbfs: float, duration_ms: float = 60) -> Samples:
    times_s = np.arange(round(duration_ms * 8)) / 8000
    waves = [
        10 ** (level / 20) * np.sin(2 * np.pi * hz * times_s)
        for hz, level in ((row_hz, row_dbfs), (column_hz, column_dbfs))
    ]
    return clipped(32767 * np.sum(waves, axis=0))


def heard(sound: Samples, rate_hz: int = 8000, before_ms: float = 50) -> list[Digit]:
    frame = rate_hz // 50
    whole = np.concatenate((silence(before_ms, rate_hz), sound, silence(200, rate_hz)))
    detector = Detector(rate_hz)
    return [
        digit
        for start in range(0, len(whole) - frame, frame)
        for digit in detector.detect(whole[start : start + frame])
    ]


def keys(sound: Samples, rate_hz: int = 8000, before_ms: float = 50) -> str:
    return "".join(digit.digit for digit in heard(sound, rate_hz, before_ms))


@given(st.sampled_from(DIGITS), RATES_HZ, st.integers(40, 300), st.floats(20, 60))
@SETTINGS
def test_forty_ms_are_enough_wherever_they_start(digit: str, rate_hz: int, length_ms: int, before_ms: float) -> None:
    (found,) = heard(dual_tone(digit, length_ms, rate_hz), rate_hz, before_ms)
    assert found.digit == digit
    assert abs(found.duration_ms - length_ms) <= 10


@given(st.sampled_from(DIGITS), RATES_HZ, st.integers(5, 23), st.floats(20, 60))
@SETTINGS
def test_twenty_three_ms_are_not(digit: str, rate_hz: int, length_ms: int, before_ms: float) -> None:
    assert keys(dual_tone(digit, length_ms, rate_hz), rate_hz, before_ms) == ""


@given(st.text(DIGITS, min_size=1, max_size=8), st.integers(40, 80))
@SETTINGS
def test_digits_with_pauses_of_forty_ms_are_apart(digits: str, pause_ms: int) -> None:
    assert keys(np.concatenate([part for one in digits for part in (dual_tone(one, 50), silence(pause_ms))])) == digits


@given(st.sampled_from(DIGITS), st.integers(1, 10))
@SETTINGS
def test_a_break_of_ten_ms_is_none(digit: str, break_ms: int) -> None:
    assert keys(np.concatenate((dual_tone(digit, 60), silence(break_ms), dual_tone(digit, 60)))) == digit


@pytest.mark.parametrize("off", [-0.015, 0.015])
@pytest.mark.parametrize("row", range(4))
@pytest.mark.parametrize("column", range(4))
def test_a_tone_may_be_off_by_a_percent_and_a_half(row: int, column: int, off: float) -> None:
    assert len(heard(pair(ROWS_HZ[row] * (1 + off), COLUMNS_HZ[column] * (1 + off), -12, -12))) == 1


@pytest.mark.parametrize("off", [-0.035, 0.035])
@pytest.mark.parametrize("row", range(4))
@pytest.mark.parametrize("column", range(4))
def test_three_and_a_half_percent_are_too_much(row: int, column: int, off: float) -> None:
    assert heard(pair(ROWS_HZ[row] * (1 + off), COLUMNS_HZ[column] * (1 + off), -12, -12)) == []


@pytest.mark.parametrize(("twist_db", "expected"), [(-14, ""), (-8, "5"), (0, "5"), (4, "5"), (10, "")])
def test_twist(twist_db: float, expected: str) -> None:
    assert keys(pair(770, 1336, -18, -18 + twist_db, 80)) == expected


@pytest.mark.parametrize(("level_dbfs", "expected"), [(-7, "5"), (-25, "5"), (-36, "5"), (-45, "")])
def test_level(level_dbfs: float, expected: str) -> None:
    assert keys(pair(770, 1336, level_dbfs, level_dbfs, 80)) == expected


@given(st.sampled_from(DIGITS), st.integers(0, 1000))
@SETTINGS
def test_noise_fifteen_db_below_does_not_matter(digit: str, seed: int) -> None:
    clean = np.concatenate((silence(40), dual_tone(digit, 60), silence(40)))
    noise = np.random.default_rng(seed).normal(0, 32767 * 10 ** (-25 / 20), len(clean))
    assert keys(clipped(clean + noise)) == digit


@given(st.integers(0, 1000), st.floats(-40, -6))
@SETTINGS
def test_noise_alone_is_no_digit(seed: int, level_dbfs: float) -> None:
    assert keys(clipped(np.random.default_rng(seed).normal(0, 32767 * 10 ** (level_dbfs / 20), 8000))) == ""


def vowel(chance: np.random.Generator) -> Samples:
    """A second of harmonics of a pitch that glides, under formants of which most lie right on a digit's tones."""
    times_s, glide = np.arange(8000) / 8000, chance.uniform(0, 0.2)
    pitch_hz = chance.uniform(80, 320)
    harmonics = np.arange(1, int(3600 / pitch_hz / (1 + glide)))
    formants_hz, width_hz = chance.choice([500, 697, 770, 941, 1209, 1336, 1500, 2400], 3), chance.uniform(100, 300)
    gains = sum(1 / (1 + ((harmonics * pitch_hz - hz) / width_hz) ** 2) for hz in formants_hz) + 0.02
    phases = np.outer(harmonics, 2 * np.pi * pitch_hz * (times_s + glide * times_s**2 / 2))
    sound = np.sin(phases + chance.uniform(0, 6, (len(harmonics), 1))).T @ gains
    return clipped(sound / np.abs(sound).max() * 16000)


def test_voices_are_no_digits() -> None:
    """Vowels as like to digits as they can be; of spoken words (half an hour by espeak-ng) none was taken for one."""
    chance = np.random.default_rng(23)
    assert sum(len(heard(vowel(chance))) for _ in range(150)) <= 1


@given(st.floats(300, 3400), st.floats(-30, -3))
@SETTINGS
def test_one_tone_is_no_digit(frequency_hz: float, level_dbfs: float) -> None:
    assert keys(pair(frequency_hz, frequency_hz, level_dbfs - 6, level_dbfs - 6, 300)) == ""


@pytest.mark.parametrize(("a_hz", "b_hz"), [(697, 941), (1209, 1477), (350, 440), (440, 480), (480, 620), (425, 1336)])
def test_two_tones_of_other_kinds_are_no_digit(a_hz: float, b_hz: float) -> None:
    assert keys(pair(a_hz, b_hz, -12, -12, 300)) == ""


def test_a_digit_under_loud_sound_of_others_is_not_guessed() -> None:
    sound = pair(770, 1336, -20, -20, 100).astype(np.int32) + pair(500, 2100, -14, -14, 100)
    assert keys(clipped(sound)) == ""


def test_silence_and_full_scale_are_no_digit() -> None:
    assert keys(silence(500)) == ""
    assert keys(np.full(4000, 32767, np.int16)) == ""
