"""Laws of concealment: it goes on as it was, fades, never gets louder, and leads into what comes next. And noise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from media.conceal import HISTORY_MS, ComfortNoise, Gap
from media.pcm import Samples
from media.tone import mix, tone

RATES_HZ = st.sampled_from([8000, 16000, 48000])
ANYTHING = arrays(np.int16, st.integers(0, 700), elements=st.integers(-32768, 32767))
SETTINGS = settings(max_examples=50, deadline=None)


def voice(pitch_hz: float, rate_hz: int, duration_s: float = 0.3) -> Samples:
    """A tone with harmonics, as of a vowel."""
    parts = [tone(pitch_hz * n, duration_s, rate_hz, -12 - 6 * n) for n in range(1, 9) if pitch_hz * n < rate_hz / 2]
    return mix(*parts)


def rms(sound: Samples) -> float:
    return float(np.sqrt(np.mean(sound.astype(np.float64) ** 2)))


@given(st.floats(70, 400), RATES_HZ, st.integers(0, 300))
@SETTINGS
def test_a_voice_goes_on(pitch_hz: float, rate_hz: int, offset: int) -> None:
    sound = voice(pitch_hz, rate_hz)
    cut = rate_hz // 10 + offset
    stage = rate_hz // 100
    made = Gap(sound[:cut], rate_hz).frame(stage)
    missing = sound[cut : cut + stage]
    assert rms(made - missing) < 0.3 * rms(missing)


@given(ANYTHING, RATES_HZ)
@SETTINGS
def test_it_is_never_louder_than_what_was_before(history: Samples, rate_hz: int) -> None:
    gap = Gap(history, rate_hz)
    loudest = int(np.abs(history.astype(np.int32)).max(initial=0))
    for _ in range(5):
        assert np.abs(gap.frame(rate_hz // 50).astype(np.int32)).max() <= loudest


@given(ANYTHING, RATES_HZ)
@SETTINGS
def test_after_sixty_ms_it_is_silent(history: Samples, rate_hz: int) -> None:
    gap = Gap(history, rate_hz)
    gap.frame(rate_hz * 60 // 1000)
    assert not gap.frame(rate_hz // 50).any()


@pytest.mark.parametrize("rate_hz", [8000, 16000])
def test_it_fades_as_the_standard_says(rate_hz: int) -> None:
    """Full for 10 ms, then a fifth less with each 10 ms."""
    gap = Gap(voice(100, rate_hz), rate_hz)
    stages = [rms(gap.frame(rate_hz // 100)) for _ in range(7)]
    assert np.array(stages) / stages[0] == pytest.approx([1, 0.9, 0.7, 0.5, 0.3, 0.12, 0], abs=0.07)


@given(ANYTHING, st.lists(st.integers(1, 200), min_size=1, max_size=8))
@SETTINGS
def test_it_is_the_same_in_pieces_of_any_length(history: Samples, lengths: list[int]) -> None:
    whole = Gap(history, 8000).frame(sum(lengths))
    gap = Gap(history, 8000)
    assert np.array_equal(np.concatenate([gap.frame(length) for length in lengths]), whole)


@given(st.floats(70, 400), RATES_HZ, st.integers(0, 300), st.integers(1, 6))
@SETTINGS
def test_no_seam_can_be_heard(pitch_hz: float, rate_hz: int, offset: int, frames: int) -> None:
    """From the sound into the gap, within it and out of it no step is much larger than the sound's own."""
    sound = voice(pitch_hz, rate_hz)
    frame, cut = rate_hz // 50, rate_hz // 10 + offset
    gap = Gap(sound[:cut], rate_hz)
    made = [gap.frame(frame) for _ in range(frames)]
    whole = np.concatenate((sound[:cut], *made, gap.join(sound[cut : cut + frame]), sound[cut + frame :]))
    steps = np.abs(np.diff(whole.astype(np.int32)))
    assert steps.max() <= 1.1 * np.abs(np.diff(sound.astype(np.int32))).max()


@given(ANYTHING, arrays(np.int16, 160), st.integers(0, 8))
@SETTINGS
def test_ten_ms_after_the_gap_all_is_as_it_came(history: Samples, frame: Samples, stages: int) -> None:
    gap = Gap(history, 8000)
    gap.frame(80 * stages)
    assert np.array_equal(gap.join(frame)[80:], frame[80:])


def test_silence_goes_on_as_silence() -> None:
    assert not Gap(np.zeros(480, np.int16), 8000).frame(160).any()
    assert not Gap(np.zeros(0, np.int16), 8000).frame(160).any()


def test_what_is_older_than_the_history_does_not_matter() -> None:
    sound = voice(150, 8000)
    older = np.concatenate((np.full(500, 9999, np.int16), sound[-HISTORY_MS * 8 :]))
    assert np.array_equal(Gap(older, 8000).frame(320), Gap(sound, 8000).frame(320))


@pytest.mark.parametrize("level", [20, 40, 60])
@pytest.mark.parametrize("shape", [b"", b"\x40", b"\xc0\x60\x90"])
def test_noise_has_the_level_that_was_told(level: int, shape: bytes) -> None:
    sound = ComfortNoise(bytes([level]) + shape, 8000).frame(8000)
    assert 20 * np.log10(rms(sound) / 32768) == pytest.approx(-level, abs=1)


def test_noise_has_the_colour_that_was_told() -> None:
    """One coefficient of k is the spectrum 1 / |1 + k exp(-jw)|: negative is dark, positive is bright."""

    def brightness(code: int) -> float:
        power = np.abs(np.fft.rfft(ComfortNoise(bytes([30, code]), 8000).frame(8192).astype(float))) ** 2
        return float(10 * np.log10(power[2049:].sum() / power[:2048].sum()))

    assert brightness(127) == pytest.approx(0, abs=0.7)
    assert brightness(127 - 76) < -5
    assert brightness(127 + 76) > 5


def test_noise_repeats_without_a_seam_and_differs_between_legs() -> None:
    one, other = ComfortNoise(b"\x28\x30", 8000), ComfortNoise(b"\x28\x30", 8000, start=4000)
    first, second = one.frame(20_000), other.frame(20_000)
    steps = np.abs(np.diff(first.astype(np.int32)))
    assert steps[8190:8194].max() <= np.sort(steps)[-20]
    likeness = np.dot(first[:4000].astype(float), second[:4000]) / (rms(first[:4000]) * rms(second[:4000]) * 4000)
    assert abs(likeness) < 0.2


@given(st.binary(max_size=40), st.integers(0, 10**9))
@SETTINGS
def test_any_payload_is_borne(payload: bytes, start: int) -> None:
    noise = ComfortNoise(payload, 8000, start)
    assert len(noise.frame(160)) == 160
    assert noise.frame(0).size == 0


def test_the_quietest_noise_and_no_payload_are_silence() -> None:
    assert not ComfortNoise(b"\x7f", 8000).frame(8192).any()
    assert not ComfortNoise(b"", 8000).frame(160).any()
