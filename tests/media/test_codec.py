"""The codecs by their names: rates, payloads of a stranger, who is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media import codec as codecs
from media import g711
from media.pcm import LONGEST_PACKET_MS
from media.rate import UnsupportedCodecError, sample_rate_hz
from media.tone import levels, tone
from media.wire import Codec

SPOKEN = [
    Codec("PCMU", 0),
    Codec("PCMA", 8),
    Codec("L16", 11, 44100),
    Codec("L16", 10, 44100, 2),
    Codec("L16", 96, 8000),
    Codec("L16", 97, 16000),
    Codec("L16", 98, 48000),
    Codec("G722", 9),
    Codec("opus", 111, 48000, 2),
]


def name(codec: Codec) -> str:
    return f"{codec.name}-{codec.clock_rate_hz}-{codec.channels}"


@pytest.mark.parametrize("codec", SPOKEN, ids=name)
def test_a_tone_comes_through_at_its_level(codec: Codec) -> None:
    encoder, decoder = codecs.encoder(codec), codecs.decoder(codec)
    rate_hz = sample_rate_hz(codec)
    assert encoder.sample_rate_hz == decoder.sample_rate_hz == rate_hz
    frames = tone(1000, 1.0, rate_hz, -12).reshape(50, -1)
    heard = np.concatenate([decoder.decode(encoder.encode(frame)) for frame in frames])
    assert heard.shape == (rate_hz,) and heard.dtype == np.int16
    assert levels(heard[rate_hz // 5 :], rate_hz, [1000.0])[0] == pytest.approx(-12, abs=0.3)


@pytest.mark.parametrize(
    ("codec", "wanted_hz", "rate_hz"),
    [
        (Codec("PCMU", 0), 0, 8000),
        (Codec("PCMU", 0), 48000, 8000),
        (Codec("G722", 9), 0, 16000),
        (Codec("G722", 9), 8000, 8000),
        (Codec("G722", 9), 48000, 16000),
        (Codec("opus", 111, 48000, 2), 0, 48000),
        (Codec("opus", 111, 48000, 2), 8000, 8000),
        (Codec("opus", 111, 48000, 2), 16000, 16000),
        (Codec("opus", 111, 48000, 2), 32000, 48000),
        (Codec("opus", 111, 48000, 2), 96000, 48000),
    ],
)
def test_a_codec_works_at_the_rate_of_its_room_where_it_can(codec: Codec, wanted_hz: int, rate_hz: int) -> None:
    assert sample_rate_hz(codec, wanted_hz) == rate_hz
    assert codecs.decoder(codec, wanted_hz).sample_rate_hz == rate_hz
    assert codecs.encoder(codec, wanted_hz).sample_rate_hz == rate_hz
    assert len(codecs.encoder(codec, wanted_hz).encode(np.zeros(rate_hz // 50, np.int16))) > 0


@given(st.sampled_from(SPOKEN), st.lists(st.binary(max_size=1500), max_size=4))
def test_any_payloads_are_audio_of_bounded_length(codec: Codec, payloads: list[bytes]) -> None:
    decoder = codecs.decoder(codec)
    for payload in [*payloads, bytes(65535)]:
        heard = decoder.decode(payload)
        assert heard.dtype == np.int16 and heard.ndim == 1
        assert len(heard) <= decoder.sample_rate_hz * LONGEST_PACKET_MS // 1000


def test_names_are_those_of_sdp_in_any_case() -> None:
    assert codecs.law(Codec("pcmu", 0)) is g711.MU_LAW
    assert codecs.law(Codec("PCMA", 8)) is g711.A_LAW
    assert codecs.law(Codec("L16", 11, 44100)) is None
    assert codecs.decoder(Codec("pcma", 8)).decode(b"\xd5").tolist() == [8]


@pytest.mark.parametrize(
    "codec",
    [
        Codec("GSM", 3),
        Codec("MP3", 14),
        Codec("PCMU", 0, 16000),
        Codec("PCMA", 8, 8000, 2),
        Codec("L16", 99, 11025),
        Codec("G722", 9, 16000),
        Codec("opus", 111, 16000),
    ],
    ids=name,
)
def test_what_is_not_spoken_is_refused_and_named(codec: Codec) -> None:
    for make in (codecs.decoder, codecs.encoder, sample_rate_hz):
        with pytest.raises(UnsupportedCodecError, match=codec.name):
            make(codec)
