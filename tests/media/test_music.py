"""Hold music: no click where it begins again, not too loud, and music for a telephone."""

from __future__ import annotations

import numpy as np

from media.music import CLOCK_RATE_HZ, LEVEL_DBFS, hold_music

MUSIC = hold_music()


def test_it_loops_without_a_click() -> None:
    steps = np.abs(np.diff(np.append(MUSIC, MUSIC[0]).astype(int)))
    assert steps[-1] <= np.percentile(steps[:-1], 99.9)
    assert len(MUSIC) % (CLOCK_RATE_HZ // 50) == 0


def test_it_is_as_loud_as_speech_everywhere_and_never_clips() -> None:
    seconds = MUSIC.astype(float).reshape(-1, CLOCK_RATE_HZ)
    loudness = 20 * np.log10(np.sqrt(np.mean(seconds**2, axis=1)) / 32767)
    assert np.abs(loudness - LEVEL_DBFS).max() < 3
    assert np.abs(MUSIC.astype(int)).max() < 20000


def test_most_of_it_passes_a_telephone() -> None:
    power = np.abs(np.fft.rfft(MUSIC.astype(float))) ** 2
    hz = np.fft.rfftfreq(len(MUSIC), 1 / CLOCK_RATE_HZ)
    assert power[(hz > 200) & (hz < 3400)].sum() > 0.75 * power.sum()
