"""G.711 against the recommendation's decision values, and against another implementation."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from media import g711
from media.g711 import A_LAW, MU_LAW, Law
from media.pcm import LONGEST_PACKET_MS
from tests.media import ffmpeg

EVERY_CODE = np.arange(256).astype(np.uint8)
EVERY_SAMPLE = np.arange(-32768, 32768).astype(np.int16)

# Tables 1a and 2a of G.711: the ends of the segments, in steps of 16-bit samples; within one all are equal.
A_LAW_ENDS = [0, 512, 1024, 2048, 4096, 8192, 16384, 32768]
MU_LAW_ENDS = [124, 380, 892, 1916, 3964, 8060, 16252, 32636]


def a_law_decisions() -> list[int]:
    """The decision values of positive samples, from 0 to full scale."""
    return [0, *range(16, 512, 16)] + [
        value for low, high in pairwise(A_LAW_ENDS[1:]) for value in range(low, high, (high - low) // 16)
    ]


def mu_law_decisions() -> list[int]:
    """The first interval is half as wide as the others of its segment: it is one with that on the other side of 0."""
    return [0, *range(4, 124, 8)] + [
        value for low, high in pairwise(MU_LAW_ENDS) for value in range(low, high, (high - low) // 16)
    ]


@pytest.fixture(params=[A_LAW, MU_LAW], ids=lambda law: law.name)
def law(request: pytest.FixtureRequest) -> Law:
    found: Law = request.param
    return found


@pytest.mark.parametrize(("law", "decisions"), [(A_LAW, a_law_decisions()), (MU_LAW, mu_law_decisions())])
def test_every_sample_falls_into_its_interval(law: Law, decisions: list[int]) -> None:
    assert len(decisions) == 128
    positive = EVERY_SAMPLE[EVERY_SAMPLE >= 0].astype(int)
    interval = np.searchsorted(decisions, positive, side="right") - 1
    sent = law.encode(positive.astype(np.int16)).astype(int)
    toggled = sent ^ (0xD5 if law is A_LAW else 0xFF)  # A: sign and even bits; mu: all
    assert np.array_equal(toggled, interval)
    assert np.array_equal(law.encode((~positive).astype(np.int16)), sent ^ 0x80), "the law is the same below zero"


@pytest.mark.parametrize(
    ("law", "decisions"), [(A_LAW, [*a_law_decisions(), 32768]), (MU_LAW, [*mu_law_decisions(), 32636])]
)
def test_a_code_means_the_middle_of_its_interval(law: Law, decisions: list[int]) -> None:
    middles = [(low + high) // 2 for low, high in pairwise(decisions)]
    if law is MU_LAW:
        middles[0] = 0
    codes = law.encode(np.array(decisions[:-1], dtype=np.int16))
    negative = codes ^ np.uint8(0x80)
    assert law.decode(codes).tolist() == middles
    assert law.decode(negative).tolist() == [-middle for middle in middles]


def test_codes_of_the_recommendations_characters() -> None:
    # The largest magnitudes and the smallest, as octets are transmitted (even bits of the A-law inverted).
    assert A_LAW.encode(np.array([32767, 0, -1, -32768], dtype=np.int16)).tolist() == [0xAA, 0xD5, 0x55, 0x2A]
    assert MU_LAW.encode(np.array([32767, 0, -1, -32768], dtype=np.int16)).tolist() == [0x80, 0xFF, 0x7F, 0x00]


def test_what_was_decoded_is_encoded_as_it_was(law: Law) -> None:
    again = law.encode(law.decode(EVERY_CODE))
    differ = EVERY_CODE[again != EVERY_CODE]
    assert differ.tolist() == ([0x7F] if law is MU_LAW else []), "the two zeros of the mu-law are one sample"


def test_louder_is_never_decoded_softer(law: Law) -> None:
    assert np.all(np.diff(law.decode(law.encode(EVERY_SAMPLE)).astype(int)) >= 0)


def test_another_implementation_decodes_the_same(law: Law) -> None:
    name = "pcm_alaw" if law is A_LAW else "pcm_mulaw"
    assert np.array_equal(ffmpeg.decode(name, EVERY_CODE.tobytes(), 8000), law.decode(EVERY_CODE))


@pytest.mark.parametrize(("law", "decisions"), [(A_LAW, a_law_decisions()), (MU_LAW, mu_law_decisions())])
def test_another_implementation_encodes_the_same_but_close_to_a_decision_value(law: Law, decisions: list[int]) -> None:
    # It takes the middle between two codes' samples, which at the end of a segment is not the decision value, and
    # drops the two lowest bits of a sample first.
    name = "pcm_alaw" if law is A_LAW else "pcm_mulaw"
    theirs = np.frombuffer(ffmpeg.encode(name, EVERY_SAMPLE, 8000), dtype=np.uint8)
    ours = law.encode(EVERY_SAMPLE)
    rank = np.empty(256, dtype=int)
    rank[np.argsort(law.decoded, kind="stable")] = np.arange(256)
    differ = np.flatnonzero(ours != theirs)
    assert np.abs(rank[ours[differ]] - rank[theirs[differ]]).max() == 1
    below = np.array([(value, max(4, (value - before) // 4)) for before, value in pairwise(decisions)])
    distance = np.abs(np.abs(EVERY_SAMPLE[differ].astype(int))[:, None] - below[:, 0])
    assert np.all((distance <= below[:, 1]).any(axis=1) | (np.abs(EVERY_SAMPLE[differ]) <= 4))


def test_a_matrix_of_legs_is_what_its_rows_are(law: Law) -> None:
    frames = np.random.default_rng(7).integers(-32768, 32768, (5, 160)).astype(np.int16)
    coded = law.encode(frames)
    assert [row.tobytes() for row in coded] == [g711.Encoder(law).encode(row) for row in frames]
    assert np.array_equal(law.decode(coded), [g711.Decoder(law).decode(row.tobytes()) for row in coded])


def test_arrays_are_written_into(law: Law) -> None:
    frames = np.random.default_rng(7).integers(-32768, 32768, (5, 160)).astype(np.int16)
    codes, samples = np.empty((5, 160), np.uint8), np.empty((5, 160), np.int16)
    law.decode(law.encode(frames, codes), samples)
    assert np.array_equal(codes, law.encode(frames))
    assert np.array_equal(samples, law.decode(codes))


@given(st.binary(max_size=4000), st.sampled_from([A_LAW, MU_LAW]))
@example(bytes(65535), A_LAW)
def test_any_payload_is_audio_of_bounded_length(payload: bytes, law: Law) -> None:
    decoder = g711.Decoder(law)
    assert len(decoder.decode(payload)) == min(len(payload), 8 * LONGEST_PACKET_MS)
    assert decoder.conceal(160) is None


@given(st.lists(st.booleans(), min_size=0, max_size=5))
def test_streams_of_both_laws_at_once_are_each_as_alone(mu_law: list[bool]) -> None:
    laws, each = g711.Laws(np.array(mu_law, dtype=np.bool_)), [MU_LAW if one else A_LAW for one in mu_law]
    codes = np.tile(EVERY_CODE, (len(each), 1))
    samples = np.tile(EVERY_SAMPLE, (len(each), 1))
    assert laws.decode(codes).tolist() == [law.decode(EVERY_CODE).tolist() for law in each]
    assert laws.encode(samples).tolist() == [law.encode(EVERY_SAMPLE).tolist() for law in each]
