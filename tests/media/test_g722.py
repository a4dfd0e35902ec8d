"""G.722 bit for bit against another implementation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from media import g722
from media.pcm import LONGEST_PACKET_MS, Samples
from media.rate import G722_RATES_HZ
from media.tone import levels, tone
from tests.media import ffmpeg

RANDOM = np.random.default_rng(5)
SOUNDS = {
    "a tone in the lower band": tone(1000, 1.0, 16000, -10),
    "a tone in the upper band": tone(6000, 1.0, 16000, -10),
    "noise": np.clip(RANDOM.normal(0, 4000, 16000), -32768, 32767).astype(np.int16),
    "full scale": RANDOM.choice(np.array([-32768, 32767]), 16000).astype(np.int16),
}


def coded(samples: Samples) -> list[bytes]:
    encoder = g722.Encoder(16000)
    return [encoder.encode(frame) for frame in samples.reshape(-1, 320)]


def heard(payloads: list[bytes], rate_hz: int = 16000) -> Samples:
    decoder = g722.Decoder(rate_hz)
    return np.concatenate([decoder.decode(payload) for payload in payloads])


@pytest.mark.parametrize("sound", SOUNDS)
def test_another_implementation_encodes_and_decodes_to_the_same_bits(sound: str) -> None:
    payloads = coded(SOUNDS[sound])
    assert {len(payload) for payload in payloads} == {160}
    assert b"".join(payloads) == ffmpeg.encode("g722", SOUNDS[sound], 16000)
    assert np.array_equal(heard(payloads), ffmpeg.decode("g722", b"".join(payloads), 16000))


def test_what_no_encoder_made_is_decoded_to_the_same_samples() -> None:
    noise = RANDOM.bytes(16000)
    assert np.array_equal(
        heard([noise[at : at + 160] for at in range(0, 16000, 160)]), ffmpeg.decode("g722", noise, 16000)
    )


def test_in_narrow_band_a_tone_keeps_its_level_both_ways() -> None:
    assert levels(heard(coded(SOUNDS["a tone in the lower band"]), 8000)[800:], 8000, [1000.0])[0] == pytest.approx(
        -10, abs=0.3
    )
    encoder = g722.Encoder(8000)
    payloads = [encoder.encode(frame) for frame in tone(1000, 1.0, 8000, -10).reshape(-1, 160)]
    assert {len(payload) for payload in payloads} == {160}
    assert levels(heard(payloads)[1600:], 16000, [1000.0])[0] == pytest.approx(-10, abs=0.3)


def test_half_a_byte_is_refused() -> None:
    with pytest.raises(ValueError, match="321 samples"):
        g722.Encoder(16000).encode(np.zeros(321, np.int16))


@given(st.lists(st.binary(max_size=3000), max_size=3), st.sampled_from(G722_RATES_HZ))
@example([bytes(65535)], 16000)
def test_any_payloads_are_audio_of_bounded_length(payloads: list[bytes], rate_hz: int) -> None:
    decoder = g722.Decoder(rate_hz)
    for payload in payloads:
        bytes_taken = min(len(payload), 8 * LONGEST_PACKET_MS)
        assert len(decoder.decode(payload)) == bytes_taken * rate_hz // 8000
        assert decoder.conceal(320) is None
