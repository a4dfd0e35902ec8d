"""Our own side of offer and answer (RFC 3264): what is taken, what is refused, and the stream that both come to."""

from __future__ import annotations

import datetime as dt
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.media.certificate import Certificates
from adapters.media.crypto import SUITES
from adapters.media.description import NoCommonMedia
from adapters.media.offer import (
    Place,
    answer,
    elsewhere,
    leg_alone,
    leg_of,
    offer,
    offer_again,
    place_of,
)
from adapters.media.secure import Means
from domain.sdp import LIMIT, Sdp, map_crypto, sections
from media.wire import Codec, Context, Leg, Put, Sdes, frame

PLACE = Place("192.0.2.1", 20000)
AUDIO = "m=audio 4000 RTP/AVP 0 101"
EVENTS = "a=rtpmap:101 telephone-event/8000"
THEIR_KEY = b64encode(bytes(range(30))).decode()


def description(*lines: str, host: str = "192.0.2.9") -> str:
    head = ["v=0", f"o=- 1 1 IN IP4 {host}", "s=-", f"c=IN IP4 {host}", "t=0 0"]
    return "".join(f"{line}\r\n" for line in [*head, *lines])


def seal(key: str) -> str:
    return f"sealed.{key[::-1]}"


def unseal(sealed: str) -> str:
    return sealed.removeprefix("sealed.")[::-1]


def chance(count: int) -> bytes:
    return bytes([7]) * count


NOW = dt.datetime(2026, 12, 1, tzinfo=dt.UTC)
CERTIFICATES = Certificates(b"secret")
MEANS = Means(seal, chance, lambda: CERTIFICATES.current(NOW))
OTHER_CHANCE = MEANS._replace(chance=bytes)


def came_to(theirs: str, ours: str) -> Leg:
    return leg_of("l", theirs, ours, lambda named: CERTIFICATES.shown(named, NOW))


def answered(*lines: str, before: str = "", place: Place = PLACE) -> str:
    return answer(description(*lines), place, MEANS, before)


def test_the_whole_answer_to_a_plain_offer() -> None:
    assert answered(AUDIO, EVENTS) == (
        "v=0\r\n"
        "o=- 117901063 1 IN IP4 192.0.2.1\r\n"
        "s=-\r\n"
        "c=IN IP4 192.0.2.1\r\n"
        "t=0 0\r\n"
        "m=audio 20000 RTP/AVP 0 101\r\n"
        "a=rtpmap:0 PCMU/8000\r\n"
        "a=rtpmap:101 telephone-event/8000\r\n"
        "a=fmtp:101 0-15\r\n"
        "a=ptime:20\r\n"
        "a=sendrecv\r\n"
    )


@pytest.mark.parametrize(
    ("formats", "maps", "codec", "dtmf"),
    [
        ("98 9 0", ["a=rtpmap:98 speex/16000"], Codec("G722", 9), -1),
        ("8 0", [], Codec("PCMA", 8), -1),
        (
            "96 0",
            ["a=rtpmap:96 OPUS/48000/2", "a=fmtp:96 useinbandfec=1"],
            Codec("opus", 96, 48000, 2, "useinbandfec=1"),
            -1,
        ),
        (
            "96 101 102",
            ["a=rtpmap:96 opus/48000/2", EVENTS, "a=rtpmap:102 telephone-event/48000"],
            Codec("opus", 96, 48000, 2),
            102,
        ),
        ("96 101", ["a=rtpmap:96 opus/48000/2", EVENTS], Codec("opus", 96, 48000, 2), 101),
        ("97", ["a=rtpmap:97 L16/16000"], Codec("L16", 97, 16000), -1),
        ("97 0", ["a=rtpmap:97 L16/44100/2"], Codec("PCMU", 0), -1),
        ("112", ["a=rtpmap:112 PCMU/8000/1"], Codec("PCMU", 112), -1),
    ],
)
def test_the_first_codec_that_is_known_is_taken_under_the_number_that_it_was_offered(
    formats: str, maps: list[str], codec: Codec, dtmf: int
) -> None:
    offered = description(f"m=audio 4000 RTP/AVP {formats}", *maps)
    ours = answer(offered, PLACE, MEANS)
    leg = came_to(offered, ours)
    assert (leg.codecs, leg.dtmf) == ((codec,), dtmf)
    assert str(codec.payload_type) in Sdp.parse(ours).codecs or codec.name in ours


@pytest.mark.parametrize(
    ("offered", "said", "sends", "receives", "muted"),
    [
        ("sendrecv", "sendrecv", True, True, False),
        ("sendonly", "recvonly", False, True, True),
        ("recvonly", "sendonly", True, False, False),
        ("inactive", "inactive", False, False, False),
    ],
)
def test_direction(offered: str, said: str, sends: bool, receives: bool, muted: bool) -> None:
    text = description(AUDIO, f"a={offered}")
    ours = answer(text, PLACE, MEANS)
    leg = came_to(text, ours)
    assert Sdp.parse(ours).direction == said
    assert (leg.sends, leg.receives, leg.muted) == (sends, receives, muted)


def test_the_hold_of_rfc_2543_names_no_address() -> None:
    text = description(AUDIO, host="0.0.0.0")
    leg = came_to(text, answer(text, PLACE, MEANS))
    assert (leg.remote, leg.sends) == (None, False)


def test_a_name_is_no_address_either() -> None:
    text = description(AUDIO, host="phone.example")
    assert came_to(text, answer(text, PLACE, MEANS)).remote is None


def test_a_stream_that_is_not_taken_is_refused_in_its_place() -> None:
    offered = ["m=video 5000 RTP/AVP 96", "m=audio 0 RTP/AVP 0", AUDIO, "m=audio 4002 RTP/AVP 8", "m=text 1 TCP/MSRP *"]
    text = description(*offered)
    ours = answer(text, PLACE, MEANS)
    said = [lines[0] for lines in sections(ours).streams]
    assert said == [
        "m=video 0 RTP/AVP 96",
        "m=audio 0 RTP/AVP 0",
        "m=audio 20000 RTP/AVP 0",
        "m=audio 0 RTP/AVP 8",
        "m=text 0 TCP/MSRP *",
    ]
    assert came_to(text, ours).remote == ("192.0.2.9", 4000)
    assert place_of(ours) == PLACE


@pytest.mark.parametrize(
    ("lines", "missing"),
    [
        (["m=video 5000 RTP/AVP 96"], "no audio"),
        (["m=audio 0 RTP/AVP 0"], "no port"),
        (["m=audio 4000 RTP/AVP 18"], "no codec"),
        (["m=audio 4000 RTP/AVP 96", "a=rtpmap:96 opus/48000"], "no codec"),
        (["m=audio 4000 RTP/SAVP 0"], "no a=crypto can be used: there is none"),
        (
            ["m=audio 4000 RTP/SAVP 0", f"a=crypto:1 F8_128_HMAC_SHA1_80 inline:{THEIR_KEY}"],
            "suite F8_128_HMAC_SHA1_80 is not",
        ),
        (["m=audio 4000 UDP/TLS/RTP/SAVPF 0"], "there is no a=fingerprint"),
        (["m=audio 4000 TCP/RTP/AVP 0"], "TCP/RTP/AVP is not known"),
    ],
)
def test_what_we_cannot_have_is_refused_with_what_it_lacks(lines: list[str], missing: str) -> None:
    with pytest.raises(NoCommonMedia, match=missing):
        answered(*lines)


def test_rtcp_shares_the_port_where_that_was_offered() -> None:
    text = description(AUDIO, "a=rtcp-mux")
    ours = answer(text, PLACE, MEANS)
    assert "a=rtcp-mux\r\n" in ours
    assert came_to(text, ours).rtcp_mux
    assert not came_to(description(AUDIO), answered(AUDIO)).rtcp_mux


def test_whether_rtcp_shares_the_port_may_change() -> None:
    for first, then in ([AUDIO], [AUDIO, "a=rtcp-mux"]), ([AUDIO, "a=rtcp-mux"], [AUDIO]):
        ours = answered(*then, before=answered(*first))
        assert came_to(description(*then), ours).rtcp_mux == ("a=rtcp-mux" in then)


@pytest.mark.parametrize("suite", SUITES)
def test_srtp_takes_the_first_suite_that_is_known(suite: str) -> None:
    their_key = b64encode(bytes(SUITES[suite])).decode()
    lines = [
        "m=audio 4000 RTP/SAVP 0",
        f"a=crypto:1 UNKNOWN inline:{THEIR_KEY}",
        f"a=crypto:2 {suite} inline:{their_key}|2^31",
    ]
    text = description(*lines)
    ours = answer(map_crypto(text, seal), PLACE, MEANS)
    assert Sdp.parse(ours).encrypted
    assert b64encode(chance(SUITES[suite])).decode() not in ours, "the key is sealed"
    leg = came_to(text, map_crypto(ours, unseal))
    assert leg.secure == Sdes(suite, chance(SUITES[suite]), bytes(SUITES[suite]))  # fmt: skip


def test_the_key_stays_as_long_as_its_suite_does() -> None:
    lines = ["m=audio 4000 RTP/SAVP 0", f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{THEIR_KEY}"]
    first = answered(*lines)
    again = answer(description(*lines, "a=sendonly"), PLACE, OTHER_CHANCE, first)
    crypto = [line for line in first.split("\r\n") if "crypto" in line]
    assert crypto == [line for line in again.split("\r\n") if "crypto" in line]
    other = answer(
        description("m=audio 4000 RTP/SAVP 0", f"a=crypto:1 AES_CM_128_HMAC_SHA1_32 inline:{THEIR_KEY}"),
        PLACE, OTHER_CHANCE, first,
    )  # fmt: skip
    assert crypto[0].partition("inline:")[2] not in other


@pytest.mark.parametrize("key", ["!!!", b64encode(bytes(29)).decode()])
def test_a_key_that_is_none_makes_no_stream(key: str) -> None:
    text = description("m=audio 4000 RTP/SAVP 0", f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{key}")
    ours = map_crypto(answer(text, PLACE, MEANS), unseal)
    with pytest.raises(NoCommonMedia, match="key"):
        came_to(text, ours)


def test_a_change_raises_the_version_and_the_same_again_does_not() -> None:
    first = answered(AUDIO)
    assert answered(AUDIO, before=first) == first
    held = answered(AUDIO, "a=sendonly", before=first)
    assert [line for line in held.split("\r\n") if line.startswith("o=")] == ["o=- 117901063 2 IN IP4 192.0.2.1"]


def test_what_we_offer_is_understood_by_ourselves() -> None:
    ours = offer(PLACE, MEANS, secure=False)
    theirs = answer(ours, Place("192.0.2.9", 4000), MEANS)
    leg = came_to(theirs, ours)
    assert (leg.port, leg.remote, leg.codecs, leg.dtmf) == (
        20000, ("192.0.2.9", 4000), (Codec("opus", 96, 48000, 2),), 101,
    )  # fmt: skip


def test_our_end_is_silent_until_the_party_has_answered() -> None:
    leg = leg_alone("l", offer(PLACE, MEANS, secure=False))
    assert (leg.port, leg.remote, leg.sends, leg.receives) == (20000, None, False, False)
    assert [codec.name for codec in leg.codecs] == ["opus", "G722", "PCMA", "PCMU", "L16"]


def test_an_answer_that_takes_nothing_makes_no_stream() -> None:
    ours = offer(PLACE, MEANS, secure=False)
    for line in ("m=audio 0 RTP/AVP 0", "m=audio 4000 RTP/AVP 18"):
        with pytest.raises(NoCommonMedia, match="nothing"):
            came_to(description(line), ours)


def test_an_ipv6_place_is_named_as_one() -> None:
    ours = answered(AUDIO, place=Place("2001:db8::1", 20000))
    assert "c=IN IP6 2001:db8::1\r\n" in ours
    assert Sdp.parse(ours).host == "2001:db8::1"


def test_a_late_offer_goes_on_from_what_was_said_before() -> None:
    before = answered("m=video 5000 RTP/AVP 96", AUDIO, EVENTS)
    held = answered("m=video 5000 RTP/AVP 96", AUDIO, EVENTS, "a=sendonly", before=before)
    again = offer_again(held)
    assert "o=- 117901063 3 IN" in again
    assert sections(again).streams == [
        ["m=video 0 RTP/AVP 96"],
        [
            "m=audio 20000 RTP/AVP 0 96 9 8 97 101 98 99",
            "a=rtpmap:0 PCMU/8000",
            "a=rtpmap:96 opus/48000/2",
            "a=rtpmap:9 G722/8000",
            "a=rtpmap:8 PCMA/8000",
            "a=rtpmap:97 L16/16000",
            "a=rtpmap:101 telephone-event/8000",
            "a=fmtp:101 0-15",
            "a=rtpmap:98 telephone-event/48000",
            "a=fmtp:98 0-15",
            "a=rtpmap:99 telephone-event/16000",
            "a=fmtp:99 0-15",
            "a=ptime:20",
            "a=sendrecv",
            "",
        ],
    ]
    assert offer_again(again) == again


def test_a_number_that_the_party_gave_stays_its_codec_s() -> None:
    before = answered("m=audio 4000 RTP/AVP 97", "a=rtpmap:97 opus/48000/2")
    codecs = {codec.name: codec.payload_type for codec in leg_alone("l", offer_again(before)).codecs}
    assert codecs == {"opus": 97, "G722": 9, "PCMA": 8, "PCMU": 0, "L16": 96}


TEXT = st.text(alphabet="v=0mcoa audiovideoRTP/SAVP:;-1234567890\r\ninline|", max_size=300)


@given(st.lists(st.sampled_from([
    AUDIO, EVENTS, "a=rtpmap:96 opus/48000/2", "m=audio 4000 RTP/AVP 96 0", "m=audio 1 RTP/SAVP 0", "a=rtcp-mux",
    f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{THEIR_KEY}", "a=inactive", "m=audio 4000 UDP/TLS/RTP/SAVP 0",
    "a=setup:actpass", "a=setup:x", f"a=fingerprint:{CERTIFICATES.current(NOW).fingerprint}", "a=fingerprint:sha-256 A",
    "a=tls-id:1", "m=video 0 RTP/AVP 1", "c=IN IP4 x", "c=",
    "a=rtpmap:", "a=fmtp:96", "m=audio x", "a=rtpmap:96 opus/4800000000/2", "a=crypto:1 inline:",
])), TEXT)  # fmt: skip
def test_any_offer_is_answered_stream_by_stream_or_refused(lines: list[str], more: str) -> None:
    text = description(*lines, more)
    try:
        ours = answer(text, PLACE, MEANS)
    except ValueError:
        return
    assert len(sections(ours).streams) == len(sections(text).streams)
    assert sum(not lines[0].split()[1].startswith("0") for lines in sections(ours).streams) == 1
    assert answer(text, PLACE, MEANS, ours) == ours
    leg = came_to(text, map_crypto(ours, unseal))
    assert (leg.port, len(leg.codecs) > 0) == (20000, True)


def test_an_offer_that_is_too_long_is_none() -> None:
    with pytest.raises(ValueError, match="32 kB"):
        answered(AUDIO, "a=" + "x" * LIMIT)


def test_the_same_stream_at_another_place_is_an_offer_that_changes_nothing_else() -> None:
    before = answered("m=video 4002 RTP/AVP 96", AUDIO, EVENTS, "a=sendonly")
    there = elsewhere(before, Place("2001:db8::1", 30000))
    assert place_of(there) == Place("2001:db8::1", 30000)
    changed = [(old, new) for old, new in zip(before.split("\r\n"), there.split("\r\n"), strict=True) if old != new]
    assert changed == [
        ("o=- 117901063 1 IN IP4 192.0.2.1", "o=- 117901063 2 IN IP4 192.0.2.1"),
        ("c=IN IP4 192.0.2.1", "c=IN IP6 2001:db8::1"),
        ("m=audio 20000 RTP/AVP 0 101", "m=audio 30000 RTP/AVP 0 101"),
    ]
    assert elsewhere(before, PLACE) == before


def test_what_is_none_of_ours_is_nowhere_else() -> None:
    with pytest.raises(ValueError, match="no stream of ours"):
        elsewhere(description("m=audio 0 RTP/AVP 0"), PLACE)


@pytest.mark.parametrize(
    ("formats", "more"),
    [
        ("0 " * 7000, f"a=fmtp:0 {'x' * 1000}"),
        (" ".join(map(str, range(96, 128))), "\r\n".join(f"a=rtpmap:{n} PCMU/8000" for n in range(96, 128))),
    ],
    ids=["the same again", "all that there are"],
)
def test_what_a_worker_is_told_does_not_grow_with_what_an_offer_repeats(formats: str, more: str) -> None:
    text = description(f"m=audio 4000 RTP/AVP {formats}", more)
    leg = came_to(text, answered(f"m=audio 4000 RTP/AVP {formats}", more))
    assert len(frame(Put("room/acme/7000", 1, 1, Context((leg,))))) < 2_000
