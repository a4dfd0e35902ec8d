"""Tones of countries: the right frequencies, for as long as the country has them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.pcm import Samples
from media.progress import NETWORKS, SIGNS, Network, progress_tone
from media.tone import TONE_LEVEL_DBFS, levels, tone, tones

NAMES = [f"{kind}:{country}" for kind in Network._fields for country in NETWORKS if country]
RMS_DBFS = TONE_LEVEL_DBFS - 3.01


@pytest.mark.parametrize(
    ("name", "frequencies_hz", "round_ms", "silences_ms"),
    [
        ("ringback:gb", [400, 450], 3000, [(400, 600), (1000, 3000)]),
        ("ringback:us", [440, 480], 6000, [(2000, 6000)]),
        ("ringback:de", [425], 5000, [(1000, 5000)]),
        ("busy:fr", [440], 1000, [(500, 1000)]),
        ("congestion:es", [425], 1600, [(200, 400), (600, 800), (1000, 1600)]),
        ("dial:gb", [350, 440], 1000, []),
        ("dial", [425], 1000, []),
        ("beep", [1000], 400, []),
        ("440", [440], 1000, []),
    ],
)
def test_a_tone_has_its_frequencies_and_its_cadence(
    name: str, frequencies_hz: list[float], round_ms: float, silences_ms: list[tuple[float, float]]
) -> None:
    made = progress_tone(name, 8000)
    assert len(made) / 8 == round_ms
    assert sorted(round(hz) for hz in tones(made, 8000, -35)) == frequencies_hz
    assert np.array(silences(made)) == pytest.approx(np.array(silences_ms), abs=1)


def silences(samples: Samples) -> list[tuple[float, float]]:
    """(start_ms, end_ms) of each stretch of zeros that is longer than 10 ms, at 8000 Hz."""
    heard = [-1, *np.flatnonzero(samples).tolist(), len(samples)]
    return [((one + 1) / 8, other / 8) for one, other in pairwise(heard) if other - one > 80]


@given(st.sampled_from(NAMES), st.sampled_from([8000, 16000, 48000]))
def test_every_tone_can_be_looped_and_is_as_loud_as_the_others(name: str, rate_hz: int) -> None:
    made = progress_tone(name, rate_hz)
    steps = np.abs(np.diff(np.append(made, made[0]).astype(int)))
    assert steps[-1] <= steps[:-1].max()
    loud = made[np.convolve(np.abs(made.astype(int)), np.ones(rate_hz // 100), "same") > 0]
    assert 20 * np.log10(np.sqrt(np.mean(loud.astype(float) ** 2)) / 32767) == pytest.approx(RMS_DBFS, abs=0.5)


def test_a_modulated_tone_swells() -> None:
    at = levels(progress_tone("dial:in", 8000), 8000, [375, 400, 425], frame_s=0.5)
    assert at == pytest.approx([at[1] - 6.02, at[1], at[1] - 6.02], abs=0.1)


def test_join_and_leave_are_the_same_notes_the_other_way_round() -> None:
    join, leave = progress_tone("join", 16000), progress_tone("leave", 16000)
    assert levels(join[:2000], 16000, [523.25])[0] > levels(join[:2000], 16000, [783.99])[0] + 20
    assert levels(leave[:2000], 16000, [783.99])[0] > levels(leave[:2000], 16000, [523.25])[0] + 20


def test_a_country_that_is_not_listed_has_the_usual_tones() -> None:
    assert (progress_tone("busy:aq", 8000) == progress_tone("busy", 8000)).all()
    assert (progress_tone("busy:GB", 8000) == progress_tone("busy:gb", 8000)).all()


@pytest.mark.parametrize("name", ["", "boo", "boo:gb", "4000", "0", "١٢٣", "beep:gb:x"])
def test_a_tone_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no tone is called|cannot be sampled"):
        progress_tone(name, 8000)


def test_a_sine_by_its_hertz_is_one() -> None:
    assert (progress_tone("1000", 8000) == tone(1000, 1.0)).all()
    assert set(SIGNS) == {"attention", "beep", "join", "leave", "special"}
