"""The phones themselves, calling each other with no server between: what the end-to-end tests stand on."""

import asyncio

import pytest

from media.tone import tones
from tests.phones.call import TONE_WITHIN_HZ
from tests.phones.factory import Phones
from tests.phones.phone import Phone, PhoneCall

pytestmark = pytest.mark.asyncio

CALLER_HZ, CALLEE_HZ = 440, 700
MAKERS = pytest.mark.parametrize(("caller", "callee"), [("pjsua", "baresip"), ("baresip", "pjsua")])


async def pair(phones: Phones, caller: str, callee: str, **options: object) -> tuple[Phone, Phone]:
    a, b = await asyncio.gather(
        phones(caller, "1001", tone_hz=CALLER_HZ, **options),
        phones(callee, "1002", tone_hz=CALLEE_HZ, **options),
    )
    return a, b


async def connect(a: Phone, b: Phone) -> tuple[PhoneCall, PhoneCall]:
    out = await a.dial(b.uri())
    into = await b.incoming()
    await into.ring()
    await out.state("ringing")
    await into.answer()
    await out.state("answered")
    return out, into


async def assert_talking(out: PhoneCall, into: PhoneCall) -> None:
    """Each side hears the other's tone and nothing else."""
    heard_by_caller, heard_by_callee = await asyncio.gather(out.heard(0.8), into.heard(0.8))
    assert tones(heard_by_caller, 8000) == pytest.approx((CALLEE_HZ,), abs=TONE_WITHIN_HZ)
    assert tones(heard_by_callee, 8000) == pytest.approx((CALLER_HZ,), abs=TONE_WITHIN_HZ)


@MAKERS
@pytest.mark.parametrize(
    ("transport", "srtp"), [("udp", False), ("udp", True), ("tcp", False)], ids=["udp", "udp-srtp", "tcp"]
)
async def test_two_phones_talk_hold_and_resume(
    phones: Phones, caller: str, callee: str, transport: str, srtp: bool
) -> None:
    out, into = await connect(*await pair(phones, caller, callee, transport=transport, srtp=srtp))
    await assert_talking(out, into)
    await out.hold()
    assert (await into.state("held")).by == "them"
    assert tones(await out.heard(0.4), 8000) == ()
    await out.resume()
    await into.state("answered")
    await assert_talking(out, into)
    await into.hang_up()
    await out.state("ended")
    assert (out.ended[0], into.ended[0]) == (200, 200)
    assert tones(await out.recording(), 8000) == pytest.approx((CALLEE_HZ,), abs=TONE_WITHIN_HZ)
    assert tones(await into.recording(), 8000) == pytest.approx((CALLER_HZ,), abs=TONE_WITHIN_HZ)


@MAKERS
async def test_the_caller_cancels(phones: Phones, caller: str, callee: str) -> None:
    a, b = await pair(phones, caller, callee)
    out = await a.dial(b.uri())
    into = await b.incoming()
    await into.ring()
    await out.state("ringing")
    await out.hang_up()
    await into.state("ended")
    assert (out.ended[0], into.ended[0]) == (487, 487)


@MAKERS
async def test_the_callee_is_busy(phones: Phones, caller: str, callee: str) -> None:
    a, b = await pair(phones, caller, callee)
    out = await a.dial(b.uri())
    await (await b.incoming()).reject(486)
    await out.state("ended")
    assert out.ended == (486, "Busy Here")


@MAKERS
async def test_early_media_is_heard_before_the_answer(phones: Phones, caller: str, callee: str) -> None:
    a = await phones(caller, "1001", tone_hz=CALLER_HZ)
    b = await phones(callee, "1002", tone_hz=CALLEE_HZ, auto_answer="183")
    out = await a.dial(b.uri())
    into = await b.incoming()
    await out.state("early")
    assert tones(await out.heard(0.8), 8000) == pytest.approx((CALLEE_HZ,), abs=TONE_WITHIN_HZ)
    assert out.first("answered") is None
    await into.answer()
    await out.state("answered")


@MAKERS
async def test_both_see_the_answer_at_the_same_time(phones: Phones, caller: str, callee: str) -> None:
    out, into = await connect(*await pair(phones, caller, callee))
    caller_saw, callee_saw = out.first("answered"), into.first("answered")
    assert caller_saw is not None
    assert callee_saw is not None
    assert out.sip_call_id == into.sip_call_id
    ringing = out.first("ringing")
    assert ringing is not None
    assert ringing.monotonic_s <= caller_saw.monotonic_s
    assert caller_saw.utc.utcoffset() is not None


@MAKERS
async def test_a_hold_right_after_the_answer_outlasts_a_glare(phones: Phones, caller: str, callee: str) -> None:
    """baresip sends a re-INVITE of its own after it answered: the two meet."""
    out, into = await connect(*await pair(phones, caller, callee))
    await out.hold()
    assert (await into.state("held")).by == "them"
