"""Opus files that ffmpeg wrote are heard as they were meant; broken ones are refused."""

from __future__ import annotations

import io
from typing import Any

import av
import numpy as np
import pytest
from av.audio.frame import AudioFrame
from hypothesis import given, settings
from hypothesis import strategies as st

from media.ogg import OggError, parse
from media.pcm import Samples
from media.tone import gaps, levels, tone


def by_ffmpeg(samples: Samples, codec: str = "libopus") -> bytes:
    """An Ogg file of mono samples at 48000 Hz."""
    made = io.BytesIO()
    with av.open(made, "w", format="ogg") as file:
        stream: Any = file.add_stream(codec, rate=48000, layout="mono")
        frame = AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = 48000
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            file.mux(packet)
    return made.getvalue()


SOUND = tone(440, 1.5, 48000)
FILE = by_ffmpeg(SOUND)


def test_a_file_is_heard_whole_and_in_time() -> None:
    samples, rate_hz = parse(FILE)
    # What ffmpeg counts as the file's end is later by the samples that its beginning skips.
    assert (len(samples), rate_hz) == (len(SOUND) + 312, 48000)
    assert levels(samples, 48000, [440])[0] == pytest.approx(-13, abs=0.5)
    silence = np.zeros(24000, np.int16)
    later = parse(by_ffmpeg(np.concatenate([silence, SOUND, silence]))).samples
    assert gaps(later, 48000, 440) == [pytest.approx((0, 500), abs=8), pytest.approx((2000, 2506), abs=8)]


def test_a_gain_of_the_head_is_applied() -> None:
    quieter = bytearray(FILE)
    at = FILE.index(b"OpusHead") + 16
    quieter[at : at + 2] = (-6 * 256).to_bytes(2, "little", signed=True)
    assert levels(parse(bytes(quieter)).samples, 48000, [440])[0] == pytest.approx(-19, abs=0.5)


def test_a_file_that_is_cut_is_heard_as_far_as_it_goes() -> None:
    samples = parse(FILE[: len(FILE) * 3 // 4]).samples
    assert 0 <= len(samples) < len(SOUND)
    assert not len(parse(FILE[:100]).samples)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no Opus"),
        (b"OggT" + FILE[4:], "broken"),
        (FILE.replace(b"OpusHead", b"OpusHeap"), "no Opus"),
        (FILE.replace(b"OpusHead\x01", b"OpusHead\x10"), "version 16"),
    ],
)
def test_what_is_no_opus_file_is_refused_with_a_reason(content: bytes, reason: str) -> None:
    with pytest.raises(OggError, match=reason):
        parse(content)


@settings(max_examples=30)
@given(st.integers(0, len(FILE) - 1), st.binary(min_size=1, max_size=30))
def test_whatever_bytes_come_it_is_a_sound_or_a_refusal(at: int, patch: bytes) -> None:
    for content in (patch, FILE[:at] + patch, FILE[:at] + patch + FILE[at + len(patch) :]):
        try:
            assert parse(content).samples.dtype == np.int16
        except OggError:
            pass
