"""Opus: against another decoder, lost packets, what a peer asks for, what is no Opus."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media import opus
from media.pcm import LONGEST_PACKET_MS, Samples
from media.rate import OPUS_RATES_HZ
from media.tone import levels, tone
from tests.media import ffmpeg

FRAME = 960
TALK = tone(440, 2.0, 48000, -12)


def voice(seconds: int, rate_hz: int = 48000) -> Samples:
    """Harmonics of a moving pitch in syllables: what an encoder takes for speech."""
    times_s = np.arange(seconds * rate_hz) / rate_hz
    pitch_hz = 140 + 40 * np.sin(2 * np.pi * 0.8 * times_s)
    phase = 2 * np.pi * np.cumsum(pitch_hz) / rate_hz
    harmonics = sum(np.sin(k * phase) / k for k in range(1, 20))
    syllables = 0.55 + 0.45 * np.sin(2 * np.pi * 3 * times_s)
    return (4000 * harmonics * syllables).astype(np.int16)


def coded(samples: Samples, rate_hz: int = 48000, parameters: str = "", loss_percent: int = 0) -> list[bytes]:
    encoder = opus.Encoder(rate_hz, parameters)
    encoder.expect_loss(loss_percent)
    return [encoder.encode(frame) for frame in samples.reshape(-1, rate_hz // 50)]


def heard(payloads: list[bytes], rate_hz: int = 48000) -> Samples:
    decoder = opus.Decoder(rate_hz)
    return np.concatenate([decoder.decode(payload) for payload in payloads])


def likeness(one: Samples, other: Samples) -> float:
    """The correlation of two stretches, 1 for the same."""
    return float(np.corrcoef(one.astype(float), other.astype(float))[0, 1])


@pytest.mark.parametrize(("parameters", "later"), [("", 0), ("usedtx=1", 2)])
def test_another_decoder_hears_the_same(parameters: str, later: int) -> None:
    """Of a mix, and of one voice, for which the other one's last filter is two samples longer."""
    payloads = coded(voice(2), parameters=parameters)
    theirs, ours = ffmpeg.decode_opus(payloads), heard(payloads)
    assert len(theirs) == len(ours) == 2 * 48000
    # The two begin differently.
    assert likeness(theirs[4 * FRAME :], ours[4 * FRAME - later : len(ours) - later]) > 0.999


def test_what_another_encoder_made_is_heard_in_one_channel() -> None:
    payloads = ffmpeg.encode_opus(tone(440, 1.0, 48000, -12), stereo=True)
    samples = heard(payloads)[FRAME * 10 :]
    assert levels(samples, 48000, [440.0])[0] == pytest.approx(-12, abs=0.5)


@pytest.mark.parametrize("rate_hz", OPUS_RATES_HZ)
def test_encoder_and_decoder_work_at_any_rate_of_a_room(rate_hz: int) -> None:
    payloads = coded(tone(440, 1.0, rate_hz, -12), rate_hz)
    for other_hz in (8000, 16000, 48000):
        samples = heard(payloads, other_hz)
        assert len(samples) == other_hz
        assert levels(samples[other_hz // 5 :], other_hz, [440.0])[0] == pytest.approx(-12, abs=0.5)


@pytest.mark.parametrize("ms", [2.5, 5, 10, 20, 40, 60, 120])
def test_packets_of_any_length_that_opus_has(ms: float) -> None:
    samples = round(16 * ms)
    assert len(heard([opus.Encoder(16000).encode(np.zeros(samples, np.int16))], 16000)) == samples


def test_other_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="480"):
        opus.Encoder(16000).encode(np.zeros(480, np.int16))


def test_a_lost_packet_is_made_good_from_the_next_one() -> None:
    sound = voice(2)
    payloads = coded(sound, parameters="useinbandfec=1", loss_percent=10)
    whole = heard(payloads)
    corrected: list[float] = []
    guessed: list[float] = []
    for lost in range(20, 90, 7):
        for following, into in ((payloads[lost + 1], corrected), (b"", guessed)):
            decoder = opus.Decoder(48000)
            for payload in payloads[:lost]:
                decoder.decode(payload)
            made = decoder.conceal(FRAME, following)
            assert len(made) == FRAME
            into.append(likeness(made, whole[lost * FRAME : (lost + 1) * FRAME]))
    assert np.median(corrected) > 0.9
    assert np.mean(corrected) > np.mean(guessed) + 0.1


def is_mix(payload: bytes) -> bool:
    """Whether it is coded by a transform alone (RFC 6716 table 2), and not as one voice."""
    return payload[0] >> 3 >= 16


@pytest.mark.parametrize("rate_hz", [16000, 48000])
def test_what_a_room_sounds_like_is_no_single_voice(rate_hz: int) -> None:
    assert all(map(is_mix, coded(voice(1, rate_hz), rate_hz)))
    assert not any(map(is_mix, coded(voice(1, rate_hz), rate_hz, "usedtx=1")))
    assert not any(map(is_mix, coded(voice(1, 8000), 8000)))


def test_a_peer_that_loses_packets_gets_copies_as_long_as_it_does_if_it_can_use_them() -> None:
    for parameters, copied in (("useinbandfec=1", True), ("", False)):
        encoder, frames = opus.Encoder(48000, parameters), voice(2).reshape(-1, FRAME)
        modes = []
        for percent in (0, 3, 0):
            encoder.expect_loss(percent)
            modes.append([is_mix(encoder.encode(frame)) for frame in frames][-1])
        assert modes == [True, not copied, True]


@pytest.mark.parametrize("legs", [1, opus.FEW_LEGS, opus.FEW_LEGS + 1])
def test_of_many_legs_each_takes_less_and_sounds_alike(legs: int) -> None:
    encoder = opus.Encoder(48000)
    encoder.share(legs)
    assert encoder._encoder.complexity == (opus.COMPLEXITY if legs <= opus.FEW_LEGS else opus.LEAST_COMPLEXITY)
    samples = heard([encoder.encode(frame) for frame in TALK.reshape(-1, FRAME)])[10 * FRAME :]
    assert levels(samples, 48000, [440.0])[0] == pytest.approx(-12, abs=0.5)


def test_what_is_guessed_fades_away() -> None:
    decoder = opus.Decoder(48000)
    for payload in coded(TALK):
        decoder.decode(payload)
    peaks = [int(np.abs(decoder.conceal(FRAME)).max()) for _ in range(20)]
    assert peaks[0] > 4000
    assert max(peaks[10:14]) < peaks[0] / 2
    assert peaks[15:] == [0] * 5
    decoder.decode(coded(TALK)[0])
    assert np.abs(decoder.conceal(FRAME)).max() > 0


@given(st.integers(0, 48 * LONGEST_PACKET_MS), st.one_of(st.just(b""), st.binary(max_size=60)))
def test_as_many_samples_are_concealed_as_were_asked_for(samples: int, following: bytes) -> None:
    assert len(opus.Decoder(48000).conceal(samples, following)) == samples


def size(parameters: str) -> float:
    """Mean bytes of a packet."""
    return float(np.mean([len(payload) for payload in coded(voice(2), parameters=parameters)]))


def test_a_peer_is_sent_what_it_asked_for() -> None:
    usual = size("")
    assert 40_000 / 8 / 50 * 0.6 < usual < 40_000 / 8 / 50 * 1.2
    assert size("maxaveragebitrate=12000; stereo=0") < usual * 0.6
    assert size("maxaveragebitrate=500000") == usual
    assert {len(payload) for payload in coded(voice(1), parameters="CBR=1")} == {100}


def test_a_peer_that_plays_narrow_band_is_sent_no_more() -> None:
    high = tone(6000, 1.0, 48000, -12)
    assert levels(heard(coded(high, parameters="maxplaybackrate=48000"))[9600:], 48000, [6000.0])[0] > -20
    assert levels(heard(coded(high, parameters="maxplaybackrate=8000"))[9600:], 48000, [6000.0])[0] < -50


def test_silence_for_a_peer_that_asked_for_gaps_is_hardly_anything() -> None:
    silence = np.zeros(48000 * 2, dtype=np.int16)
    assert np.median([len(payload) for payload in coded(silence, parameters="usedtx=1")]) <= 2


@pytest.mark.parametrize(
    "parameters",
    ["", ";;=", "maxaveragebitrate", "maxaveragebitrate=0", "cbr=x;" * 50, "maxplaybackrate=" + "9" * 5000],
)
def test_no_parameters_spoil_an_encoder(parameters: str) -> None:
    assert len(opus.Encoder(48000, parameters).encode(TALK[:FRAME])) > 0


@given(st.lists(st.binary(max_size=1600), max_size=5), st.sampled_from(OPUS_RATES_HZ))
@settings(max_examples=300)
def test_any_payloads_are_audio_of_bounded_length(payloads: list[bytes], rate_hz: int) -> None:
    decoder = opus.Decoder(rate_hz)
    for payload in payloads:
        assert len(decoder.decode(payload)) <= rate_hz * 120 // 1000
    assert len(opus.Decoder(rate_hz).decode(b"")) == 0


@given(st.integers(0, 99), st.integers(0, 200), st.integers(0, 255))
def test_a_packet_with_a_changed_byte_does_no_harm(which: int, at: int, value: int) -> None:
    payload = bytearray(PACKETS[which])
    payload[at % len(payload)] = value
    decoder = opus.Decoder(48000)
    decoder.decode(bytes(payload))
    assert len(decoder.decode(PACKETS[which])) == FRAME


PACKETS = coded(voice(2))
