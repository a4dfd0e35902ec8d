"""L16 in network byte order, one channel and two."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from media import l16
from media.pcm import LONGEST_PACKET_MS
from tests.media import ffmpeg

NOISE = np.random.default_rng(3).integers(-32768, 32768, 441).astype(np.int16)


def test_what_is_encoded_is_decoded() -> None:
    payload = l16.Encoder(44100, 1).encode(NOISE)
    assert payload[:2] == int(NOISE[0]).to_bytes(2, "big", signed=True)
    assert np.array_equal(l16.Decoder(44100, 1).decode(payload), NOISE)
    assert np.array_equal(ffmpeg.decode("pcm_s16be", payload, 44100), NOISE)


def test_both_channels_carry_the_same() -> None:
    payload = l16.Encoder(44100, 2).encode(NOISE)
    assert len(payload) == 4 * len(NOISE)
    assert np.array_equal(ffmpeg.decode("pcm_s16be", payload, 44100, channels=2), NOISE.repeat(2))


def test_of_two_channels_the_mean_is_heard() -> None:
    channels = np.array([[1000, -1000], [32767, 32767], [-32768, -32768], [4, 8]], dtype=">i2")
    assert l16.Decoder(44100, 2).decode(channels.tobytes()).tolist() == [0, 32767, -32768, 6]


@given(st.binary(max_size=4000), st.integers(1, 2))
@example(bytes(65535), 1)
@example(bytes(65535), 2)
def test_any_payload_is_audio_of_bounded_length(payload: bytes, channels: int) -> None:
    decoder = l16.Decoder(8000, channels)
    assert len(decoder.decode(payload)) == min(len(payload) // (2 * channels), 8 * LONGEST_PACKET_MS)
    assert decoder.conceal(160) is None
