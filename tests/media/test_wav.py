"""WAV files of others are read whatever their format; broken ones are refused, and nothing else happens."""

from __future__ import annotations

import io
import struct
import wave as stdlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.pcm import Samples
from media.tone import levels, tone
from media.track import HEAD_BYTES, Track, WaveError, head, track_of
from media.wav import parse, wave

SOUND = tone(440, 0.5)


def by_the_library(samples: Samples, width: int, channels: int = 1) -> bytes:
    """A file as Python's own module writes it: 8 bits unsigned, wider ones signed."""
    scaled = samples.astype(np.int64) << 16
    values = np.repeat(scaled >> (32 - 8 * width), channels)
    raw = (values + 128).astype(np.uint8) if width == 1 else values.astype("<i4").view(np.uint8)
    data = raw.tobytes() if width == 1 else raw.reshape(-1, 4)[:, :width].tobytes()
    made = io.BytesIO()
    with stdlib.open(made, "wb") as file:
        file.setparams((channels, width, 8000, 0, "NONE", ""))
        file.writeframes(data)
    return made.getvalue()


def riff(tag: int, bits: int, data: bytes, channels: int = 1, rate: int = 8000, extra: bytes = b"") -> bytes:
    kind = struct.pack("<HHIIHH", tag, channels, rate, rate * channels * bits // 8, channels * bits // 8, bits) + extra
    body = b"WAVEfmt " + struct.pack("<I", len(kind)) + kind + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("channels", [1, 2])
def test_whole_numbers_of_every_width_are_read(width: int, channels: int) -> None:
    found = parse(by_the_library(SOUND, width, channels))
    assert found.clock_rate_hz == 8000
    assert np.abs(found.samples.astype(int) - SOUND).max() <= (256 if width == 1 else 0)


@pytest.mark.parametrize(("bits", "kind"), [(32, "<f4"), (64, "<f8")])
def test_floats_are_read_and_held_within_full_scale(bits: int, kind: str) -> None:
    values = np.array([0.5, -0.5, 1.5, -1.5, np.nan, np.inf, -np.inf], kind)
    expected = [16384, -16384, 32767, -32768, 0, 32767, -32768]
    assert parse(riff(3, bits, values.tobytes())).samples.tolist() == expected
    extensible = struct.pack("<HHIH", 22, bits, 0, 3) + bytes(14)
    assert parse(riff(0xFFFE, bits, values.tobytes(), extra=extensible)).samples.tolist() == expected


@pytest.mark.parametrize("width", [1, 3, 4])
def test_a_long_file_is_read_in_pieces(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    content = by_the_library(SOUND, width, channels=2)
    whole = parse(content).samples
    monkeypatch.setattr("media.wav._AT_ONCE", 7)
    assert (parse(content).samples == whole).all()


def test_two_channels_become_their_mean() -> None:
    assert parse(riff(1, 16, struct.pack("<4h", 100, 300, -100, -300), channels=2)).samples.tolist() == [200, -200]


@given(st.lists(st.integers(-32768, 32767)), st.sampled_from([8000, 16000, 44100]))
def test_what_is_written_is_read(values: list[int], rate_hz: int) -> None:
    samples = np.array(values, np.int16)
    found = parse(wave(samples, rate_hz))
    assert found.clock_rate_hz == rate_hz
    assert found.samples.tolist() == values


@pytest.mark.parametrize("said", [0, 0xFFFFFFFF, 10_000])
def test_a_length_that_was_never_written_means_all_there_is(said: int) -> None:
    whole = bytearray(wave(SOUND, 8000))
    whole[40:44] = struct.pack("<I", said)
    found = parse(bytes(whole)).samples
    assert (found == SOUND).all() and len(found) == len(SOUND)


def test_other_chunks_are_passed() -> None:
    made = wave(SOUND, 8000)
    noted = made[:36] + b"LIST" + struct.pack("<I", 3) + b"abc\0" + made[36:]
    assert (parse(noted).samples == SOUND).all()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "does not begin"),
        (b"OggS" + bytes(100), "does not begin"),
        (b"RIFF\0\0\0\0WAVE", "no sound"),
        (head(Track(8000, 1), 0)[:30], "cut short"),
        (riff(1, 16, b"", channels=0), "0 channels"),
        (riff(1, 16, b"", channels=9), "9 channels"),
        (riff(1, 16, b"", rate=0), "0 samples a second"),
        (riff(85, 16, b""), "format 85"),
        (riff(1, 12, b""), "12 bits"),
        (riff(0xFFFE, 16, b""), "cut short"),
        (b"RIFF\0\0\0\0WAVEdata\4\0\0\0abcd", "before its format"),
    ],
)
def test_what_is_no_sound_is_refused_with_a_reason(content: bytes, reason: str) -> None:
    with pytest.raises(WaveError, match=reason):
        parse(content)


@given(st.binary(max_size=300), st.integers(0, 60), st.binary(max_size=40))
def test_whatever_bytes_come_it_is_a_sound_or_a_refusal(noise: bytes, at: int, patch: bytes) -> None:
    for content in (noise, b"RIFF\0\0\0\0WAVE" + noise, wave(SOUND[:100], 8000)[:at] + patch):
        try:
            assert parse(content).samples.dtype == np.int16
        except WaveError:
            pass


def test_the_head_says_what_it_was_told() -> None:
    track = Track(16000, 2)
    assert track_of(head(track, 640)) == track
    assert track_of(head(track, 640)[:40] + b"\xff\xff\xff\xff") == track
    with pytest.raises(WaveError, match="cut short"):
        track_of(head(track, 640)[:-1])
    with pytest.raises(WaveError, match="not one of ours"):
        track_of(riff(3, 32, b"")[:HEAD_BYTES])
    with pytest.raises(WaveError, match="makes no sense"):
        track_of(bytes(HEAD_BYTES))


def test_a_sound_of_the_library_keeps_its_level() -> None:
    assert levels(parse(by_the_library(SOUND, 1)).samples, 8000, [440])[0] == pytest.approx(-13, abs=0.1)
