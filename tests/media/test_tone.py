"""Laws of the tones: what was made is found, and nothing else is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.tone import DETECTION_DBFS, SILENCE_DBFS, TONE_LEVEL_DBFS, gaps, levels, mix, tone, tones

RATES_HZ = st.sampled_from([8000, 16000, 48000])
FREQUENCIES_HZ = st.integers(100, 3600)
LEVELS_DBFS = st.floats(-30, -6)


@given(FREQUENCIES_HZ, RATES_HZ, LEVELS_DBFS)
@settings(max_examples=60, deadline=None)
def test_a_tone_is_found_and_no_other(frequency_hz: int, rate_hz: int, level_dbfs: float) -> None:
    found = tones(tone(frequency_hz, 1.0, rate_hz, level_dbfs), rate_hz)
    assert len(found) == 1
    assert abs(found[0] - frequency_hz) < 1


@given(FREQUENCIES_HZ, FREQUENCIES_HZ, RATES_HZ, LEVELS_DBFS, LEVELS_DBFS)
@settings(max_examples=60, deadline=None)
def test_two_tones_are_found_the_louder_first(a_hz: int, b_hz: int, rate_hz: int, a_db: float, b_db: float) -> None:
    if abs(a_hz - b_hz) < 50 or abs(a_db - b_db) < 1:
        return
    found = tones(mix(tone(a_hz, 1.0, rate_hz, a_db), tone(b_hz, 1.0, rate_hz, b_db)), rate_hz)
    louder, softer = (a_hz, b_hz) if a_db > b_db else (b_hz, a_hz)
    assert [round(hz) for hz in found] == pytest.approx([louder, softer], abs=1)


@given(FREQUENCIES_HZ, RATES_HZ, LEVELS_DBFS)
@settings(max_examples=60, deadline=None)
def test_a_level_is_measured_and_elsewhere_is_silence(frequency_hz: int, rate_hz: int, level_dbfs: float) -> None:
    far_hz = frequency_hz + 200 if frequency_hz < 2000 else frequency_hz - 200
    measured = levels(tone(frequency_hz, 0.5, rate_hz, level_dbfs), rate_hz, [frequency_hz, far_hz])
    assert measured[0] == pytest.approx(level_dbfs, abs=0.3)
    assert measured[1] < level_dbfs - 60


def test_a_phone_that_leaves_packets_out_is_about_as_loud_as_before() -> None:
    """Three steps, after which 440 Hz would cancel itself if all were looked at in one."""
    spoken = tone(440, 1.0)
    heard = np.concatenate([spoken[:1000], spoken[1160:2160], spoken[2480:4480], spoken[4640:5440]])
    assert levels(heard, 8000, [440], frame_s=len(heard) / 8000)[0] < TONE_LEVEL_DBFS - 6
    found, elsewhere = levels(heard, 8000, [440, 697])
    assert found == pytest.approx(TONE_LEVEL_DBFS, abs=1.5)
    assert elsewhere < -50


def test_half_of_a_tone_is_half_as_loud() -> None:
    heard = tone(440, 1.0)
    heard[:4000] = 0
    assert levels(heard, 8000, [440])[0] == pytest.approx(TONE_LEVEL_DBFS - 6.02, abs=0.3)


@given(FREQUENCIES_HZ, st.integers(60, 800), st.integers(20, 150), LEVELS_DBFS)
@settings(max_examples=60, deadline=None)
def test_a_gap_is_found_where_it_was_cut(frequency_hz: int, start_ms: int, length_ms: int, level_dbfs: float) -> None:
    heard = tone(frequency_hz, 1.0, 8000, level_dbfs)
    heard[start_ms * 8 : (start_ms + length_ms) * 8] = 0
    found = gaps(heard, 8000, frequency_hz)
    assert len(found) == 1
    assert found[0] == pytest.approx((start_ms, start_ms + length_ms), abs=4)


@given(FREQUENCIES_HZ, RATES_HZ)
@settings(max_examples=30, deadline=None)
def test_a_whole_tone_has_no_gap(frequency_hz: int, rate_hz: int) -> None:
    assert gaps(tone(frequency_hz, 0.5, rate_hz), rate_hz, frequency_hz) == []


def test_another_tone_does_not_fill_a_gap() -> None:
    heard = tone(440, 1.0)
    heard[2400:4000] = tone(1000, 0.2)
    assert gaps(heard, 8000, 440) == [pytest.approx((300, 500), abs=4)]


def test_a_gap_at_the_start_and_at_the_end_reaches_them() -> None:
    heard = np.concatenate([np.zeros(800, np.int16), tone(440, 0.5), np.zeros(1600, np.int16)])
    first, last = gaps(heard, 8000, 440)
    assert first == pytest.approx((0, 100), abs=4)
    assert first[0] == 0
    assert last == pytest.approx((600, 800), abs=4)
    assert last[1] == 800


def test_silence_and_nothing() -> None:
    silence, nothing = np.zeros(8000, np.int16), np.zeros(0, np.int16)
    assert tones(silence, 8000) == () == tones(nothing, 8000)
    assert levels(silence, 8000, [440]) == (SILENCE_DBFS,) == levels(nothing, 8000, [440])
    assert gaps(silence, 8000, 440) == [(0.0, 1000.0)]
    assert gaps(nothing, 8000, 440) == []


def test_noise_below_the_detection_level_is_no_tone() -> None:
    noise = (np.random.default_rng(7).normal(0, 200, 16000)).astype(np.int16)
    assert tones(noise, 8000) == ()
    assert tones(tone(440, 1.0, 8000, DETECTION_DBFS - 3), 8000) == ()


@pytest.mark.parametrize(("frequency_hz", "level_dbfs"), [(4000.0, -13.0), (0.0, -13.0), (440.0, 1.0)])
def test_an_impossible_tone_is_refused(frequency_hz: float, level_dbfs: float) -> None:
    with pytest.raises(ValueError, match=r"Hz|full scale"):
        tone(frequency_hz, 1.0, 8000, level_dbfs)
