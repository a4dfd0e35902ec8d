"""Phones of two makers and our own encrypted media hear each other, with keys from the SDP or from a handshake."""

import pytest

from media.tone import tones
from tests.phones.answerer import Answerer, answering
from tests.phones.call import TONE_WITHIN_HZ, PhoneCall
from tests.phones.factory import Phones

pytestmark = pytest.mark.asyncio

PHONE_HZ, OURS_HZ = 440, 700


async def talk_and_end(ours: Answerer, call: PhoneCall) -> None:
    """Each hears the other's tone and nothing else, then the phone hangs up."""
    assert ours.media is not None
    assert tones(await ours.media.hear(50), 8000) == pytest.approx((PHONE_HZ,), abs=TONE_WITHIN_HZ)
    assert tones(await call.heard(0.8), 8000) == pytest.approx((OURS_HZ,), abs=TONE_WITHIN_HZ)
    await call.hang_up()
    await call.state("ended")


@pytest.mark.parametrize(
    ("kind", "suite"),
    [
        ("pjsua", "AES_CM_128_HMAC_SHA1_80"),
        ("pjsua", "AES_CM_128_HMAC_SHA1_32"),
        ("pjsua", "AES_256_CM_HMAC_SHA1_80"),
        ("baresip", "AES_CM_128_HMAC_SHA1_80"),
    ],
)
async def test_keys_in_the_sdp(phones: Phones, kind: str, suite: str) -> None:
    phone = await phones(kind, "1001", tone_hz=PHONE_HZ, srtp=True)
    async with answering(OURS_HZ, (suite,)) as ours:
        call = await phone.dial(ours.uri)
        await call.state("answered")
        await talk_and_end(ours, call)
        assert ours.media is not None
        assert ours.suite == suite
        assert ours.media.srtp is not None
        assert (ours.media.srtp.forged, ours.media.srtp.replayed, ours.media.srtp.malformed) == (0, 0, 0)


@pytest.mark.parametrize("setup", ["passive", "active"])
async def test_keys_of_a_handshake(phones: Phones, setup: str) -> None:
    phone = await phones("baresip", "1001", tone_hz=PHONE_HZ, dtls=True)
    async with answering(OURS_HZ, setup=setup) as ours:
        call = await phone.dial(ours.uri)
        await call.state("answered")
        await talk_and_end(ours, call)
        assert ours.media is not None
        assert ours.media.dtls is not None and ours.media.dtls.keys is not None
        assert ours.media.dtls.refused == ours.media.dtls.failure == ""


@pytest.mark.parametrize("kind", ["pjsua", "baresip"])
async def test_what_both_sides_do_not_have_ends_the_call_with_the_reason(phones: Phones, kind: str) -> None:
    phone = await phones(kind, "1001", srtp=True)
    async with answering(OURS_HZ, suites=()) as ours:
        call = await phone.dial(ours.uri)
        await call.state("ended")
        assert call.ended[0] == 488
        assert "no a=crypto can be used: 1: suite A" in call.ended[1]
