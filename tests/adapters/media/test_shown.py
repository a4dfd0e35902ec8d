"""What a phone is told of the other party where media go through us."""

from __future__ import annotations

import pytest

from adapters.media.crypto import SUITES
from adapters.media.offer import CODECS, leg_of
from adapters.media.shown import End, Wide, can_pass, key_of, shown

END = End("192.0.2.1", 20000, bytes(32), "caller")
THEIRS = (
    "v=0\r\no=bob 7 3 IN IP4 198.51.100.9\r\ns=Bob\r\nc=IN IP4 198.51.100.9\r\nb=AS:64\r\nt=0 0\r\na=ice-lite\r\n"
    "m=audio 4000 RTP/AVP 18 9 0 101\r\na=rtpmap:18 G729/8000\r\na=fmtp:18 annexb=no\r\n"
    "a=rtpmap:101 telephone-event/8000\r\n"
    "a=fmtp:101 0-15\r\na=ptime:20\r\na=candidate:1 1 UDP 1 198.51.100.9 4000 typ host\r\na=rtcp:4005\r\na=rtcp-mux\r\n"
    "a=sendonly\r\nm=video 4002 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
)
CRYPTO = "a=crypto:4 AES_CM_128_HMAC_SHA1_80 inline:QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB\r\n"
PLAIN = "v=0\r\no=- 1 1 IN IP4 x\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 5000 RTP/AVP 0\r\n"
SECURE = PLAIN.replace("RTP/AVP", "RTP/SAVP") + CRYPTO
UNKNOWN = SECURE.replace("AES_CM", "ROT13")
TWICE = f"{UNKNOWN}m=audio 5002 RTP/AVP 0\r\n"
"""The same audio under a suite that nobody knows, and plain."""


def test_codecs_and_direction_are_the_other_partys_and_places_are_ours() -> None:
    assert shown(THEIRS, END, "", CODECS).split("\r\n") == [
        "v=0",
        "o=bob 7 3 IN IP4 198.51.100.9",
        "s=Bob",
        "c=IN IP4 192.0.2.1",
        "b=AS:64",
        "t=0 0",
        "m=audio 20000 RTP/AVP 9 0 101",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-15",
        "a=ptime:20",
        "a=sendonly",
        "m=video 0 RTP/AVP 96",
        "",
    ]


def test_who_holds_as_of_old_is_shown_as_holding() -> None:
    held = PLAIN.replace("127.0.0.1", "0.0.0.0")
    assert shown(held, END, "", CODECS).endswith("a=sendonly\r\n")


@pytest.mark.parametrize("encrypted", [True, None])
def test_a_phone_that_said_nothing_yet_is_offered_every_suite(encrypted: bool | None) -> None:
    text = shown(SECURE, END, "", CODECS, encrypted)
    assert "m=audio 20000 RTP/SAVP 0\r\n" in text
    assert [line.split()[1] for line in text.split("\r\n") if "crypto" in line] == list(SUITES)


def test_a_phone_that_named_a_suite_is_answered_in_it() -> None:
    text = shown(PLAIN, END, SECURE, CODECS)
    key = key_of(END, "AES_CM_128_HMAC_SHA1_80")
    assert text.endswith(f"a=crypto:4 AES_CM_128_HMAC_SHA1_80 inline:{key}\r\n")
    leg = leg_of("leg", SECURE, text)
    assert leg.secure is not None
    assert shown(SECURE, END, PLAIN, CODECS).count("crypto") == 0


def test_keys_differ_by_side_suite_and_call() -> None:
    ends = (END, END._replace(name="callee"), END._replace(secret=b"1" * 32))
    keys = {key_of(end, suite) for end in ends for suite in SUITES}
    assert len(keys) == len(ends) * len(SUITES)


@pytest.mark.parametrize("said", [UNKNOWN, SECURE.replace("RTP/SAVP", "UDP/TLS/RTP/SAVP")])
def test_what_has_no_keys_is_left_out(said: str) -> None:
    assert "m=audio 0 " in shown(PLAIN, END, said, CODECS)


@pytest.mark.parametrize(
    ("offered", "passes"),
    [
        (PLAIN, True),
        (SECURE, True),
        (UNKNOWN, False),
        (TWICE, True),
        (PLAIN.replace("RTP/AVP", "UDP/TLS/RTP/SAVPF"), False),
        (PLAIN.replace("AVP 0", "AVP 18"), False),
        (PLAIN.replace("AVP 0", "AVP 101") + "a=rtpmap:101 telephone-event/8000\r\n", False),
        (PLAIN.replace("audio 5000", "audio 0"), False),
    ],
)
def test_what_can_go_through_us(offered: str, passes: bool) -> None:
    assert can_pass(offered, CODECS) == passes


def streams(text: str) -> list[str]:
    return [line for line in text.split("\r\n") if line.startswith("m=")]


def test_a_stream_under_keys_that_nobody_knows_is_passed_over_for_the_next_one() -> None:
    assert streams(shown(TWICE, END, "", CODECS)) == ["m=audio 0 RTP/SAVP 0", "m=audio 20000 RTP/AVP 0"]


def test_who_offered_both_is_answered_in_the_one_that_passes() -> None:
    answer = PLAIN.replace("m=audio 5000 RTP/AVP", "m=audio 0 RTP/SAVP 0\r\nm=audio 5000 RTP/AVP")
    told = shown(answer, END, TWICE, CODECS)
    assert streams(told) == ["m=audio 0 RTP/SAVP 0", "m=audio 20000 RTP/AVP 0"]
    assert leg_of("leg", TWICE, told).remote == ("127.0.0.1", 5002)


# --- phones that need not have a codec in common


def said(formats: str, *names: str) -> str:
    """A description of these payload types; `names` are `type name/rate`."""
    return PLAIN.replace("AVP 0", f"AVP {formats}") + "".join(f"a=rtpmap:{name}\r\n" for name in names)


OPUS = said("111 100", "111 opus/48000/2", "100 telephone-event/48000")
NARROW = said("8 0 101", "101 telephone-event/8000")


@pytest.mark.parametrize(
    ("theirs", "own", "enough", "everything"),
    [
        (OPUS, NARROW, "8 101", "8 0 101"),
        (NARROW, OPUS, "111 100", "111 100"),
        (said("0"), NARROW, "0 101", "0 8 101"),
        (said("0 8"), NARROW, "8 0 101", "8 0 101"),
        (said("96", "96 opus/48000/2"), OPUS, "111 100", "111 100"),
        (OPUS, said("18 8"), "8", "8"),
    ],
)
def test_who_has_described_itself_is_shown_its_own_codecs(theirs: str, own: str, enough: str, everything: str) -> None:
    for wide, formats in ((Wide.ENOUGH, enough), (Wide.ALL, everything)):
        assert f"m=audio 20000 RTP/AVP {formats}" in shown(theirs, END, own, CODECS, wide=wide).split("\r\n")


def test_who_has_not_is_offered_all_that_we_can_make_of_the_other_s() -> None:
    lines = shown(OPUS, END, "", CODECS, wide=Wide.ENOUGH).split("\r\n")
    assert "m=audio 20000 RTP/AVP 111 9 8 0 96 100 97 98" in lines
    assert {"a=rtpmap:96 L16/16000", "a=rtpmap:97 telephone-event/8000"} <= {*lines}
    without = shown(said("0"), END, "", CODECS, wide=Wide.ENOUGH)
    assert "telephone-event" not in without, "the other one could not be told of them"


def test_who_speaks_nothing_that_we_know_has_no_stream() -> None:
    assert "m=audio 0 RTP/AVP 8 0 101" in shown(NARROW, END, said("18"), CODECS, wide=Wide.ENOUGH).split("\r\n")


def test_an_answer_so_shown_fits_what_was_offered() -> None:
    for theirs, own in ((OPUS, NARROW), (NARROW, OPUS), (NARROW, said("9 0"))):
        leg = leg_of("a", own, shown(theirs, END, own, CODECS, wide=Wide.ALL))
        assert leg.codecs
        told = leg_of("a", own, shown(theirs, END, own, CODECS, wide=Wide.ENOUGH))
        assert {*told.codecs} <= {*leg.codecs}
