"""How streams come to be encrypted: by keys of the offer, by a handshake, by a wish, or not at all."""

from __future__ import annotations

import datetime as dt
import re
from base64 import b64encode

import pytest

from adapters.media.certificate import Certificates
from adapters.media.crypto import SUITES
from adapters.media.description import NoCommonMedia
from adapters.media.offer import answer, elsewhere, leg_of, offer, offer_again
from adapters.media.secure import Means
from domain.sdp import Sdp, map_crypto, sections
from media.wire import Dtls, Leg, Sdes
from tests.adapters.media.test_offer import AUDIO, PLACE, THEIR_KEY, chance, description, seal, unseal

NOW = dt.datetime(2026, 12, 31, 23, tzinfo=dt.UTC)
NEXT_YEAR = dt.datetime(2027, 1, 1, 1, tzinfo=dt.UTC)
CERTIFICATES = Certificates(b"secret of this installation")
OWN = CERTIFICATES.current(NOW)
THEIRS = Certificates(b"theirs").current(NOW).fingerprint
SUITE = "AES_CM_128_HMAC_SHA1_80"
CRYPTO = f"a=crypto:1 {SUITE} inline:{THEIR_KEY}"
SHAKEN = ["m=audio 4000 UDP/TLS/RTP/SAVPF 0", "a=setup:actpass", f"a=fingerprint:{THEIRS}"]


def means(now: dt.datetime = NOW) -> Means:
    return Means(seal, chance, lambda: CERTIFICATES.current(now))


def came_to(theirs: str, ours: str, now: dt.datetime = NOW) -> Leg:
    return leg_of("l", theirs, map_crypto(ours, unseal), lambda one: CERTIFICATES.shown(one, now))


def answered(*lines: str, before: str = "", now: dt.datetime = NOW) -> str:
    return answer(map_crypto(description(*lines), seal), PLACE, means(now), before)


def dtls(*lines: str, ours: str, now: dt.datetime = NOW) -> Dtls:
    secure = came_to(description(*lines), ours, now).secure
    assert isinstance(secure, Dtls)
    return secure


# --- a handshake


@pytest.mark.parametrize(
    ("profile", "setup", "said", "active"),
    [
        ("UDP/TLS/RTP/SAVPF", "a=setup:actpass", "passive", False),
        ("UDP/TLS/RTP/SAVP", "a=setup:active", "passive", False),
        ("UDP/TLS/RTP/SAVP", "a=setup:passive", "active", True),
        ("UDP/TLS/RTP/SAVP", "a=x", "passive", False),
        ("RTP/SAVPF", "a=setup:actpass", "passive", False),
    ],
)
def test_a_handshake_is_agreed_on(profile: str, setup: str, said: str, active: bool) -> None:
    lines = [f"m=audio 4000 {profile} 0", setup, f"a=fingerprint:{THEIRS}"]
    ours = answered(*lines)
    assert f"m=audio 20000 {profile} 0\r\n" in ours
    assert f"a=setup:{said}\r\na=fingerprint:{OWN.fingerprint}\r\n" in ours
    assert "crypto" not in ours and OWN.key.decode() not in ours
    assert dtls(*lines, ours=ours) == Dtls(active, THEIRS, OWN.certificate, OWN.key)


def test_what_stands_for_the_whole_session_counts_unless_the_stream_says_otherwise() -> None:
    other = Certificates(b"other").current(NOW).fingerprint
    text = description(SHAKEN[0]).replace("t=0 0\r\n", f"t=0 0\r\na=setup:actpass\r\na=fingerprint:{other}\r\n")
    ours = answer(text, PLACE, means())
    assert came_to(text, ours).secure == Dtls(False, other, OWN.certificate, OWN.key)
    assert came_to(f"{text}a=fingerprint:{THEIRS}\r\n", ours).secure == Dtls(False, THEIRS, OWN.certificate, OWN.key)


@pytest.mark.parametrize(
    ("lines", "missing"),
    [
        ([SHAKEN[0], SHAKEN[1]], "there is no a=fingerprint"),
        ([SHAKEN[0], SHAKEN[2], "a=setup:holdconn"], "a=setup:holdconn makes no connection"),
        ([SHAKEN[0], SHAKEN[1], "a=fingerprint:sha-256 AB"], "malformed"),
        ([SHAKEN[0], CRYPTO], "there is no a=fingerprint"),
    ],
)
def test_a_handshake_that_cannot_be_is_refused_with_its_reason(lines: list[str], missing: str) -> None:
    with pytest.raises(NoCommonMedia, match=missing):
        answered(*lines)


def test_the_certificate_of_a_call_outlives_the_year() -> None:
    first = answered(*SHAKEN)
    again = answered(*SHAKEN, "a=sendonly", before=first, now=NEXT_YEAR)
    assert dtls(*SHAKEN, ours=again, now=NEXT_YEAR) == dtls(*SHAKEN, ours=first)
    assert CERTIFICATES.current(NEXT_YEAR).fingerprint in answered(*SHAKEN, now=NEXT_YEAR)


def test_a_certificate_that_is_not_ours_makes_no_stream() -> None:
    ours = answered(*SHAKEN).replace(OWN.fingerprint, THEIRS)
    with pytest.raises(NoCommonMedia, match="no certificate of this installation"):
        came_to(description(*SHAKEN), ours)


def test_another_tls_id_is_another_handshake_and_is_answered_by_another() -> None:
    ids = []
    for theirs in ("one", "one", "two"):
        lines = [*SHAKEN, f"a=tls-id:{theirs}"]
        ours = answered(*lines, before="")
        ids += re.findall(r"a=tls-id:([\w/+-]{20,255})\r\n", ours)
        assert dtls(*lines, ours=ours).association == theirs
    assert len(ids) == 3
    assert ids[0] == ids[1] != ids[2]
    moved = elsewhere(ours, PLACE._replace(port=20002))
    assert re.findall(r"a=tls-id:(\S+)", moved)[0] not in ids
    assert elsewhere(ours, PLACE) == ours


def test_our_role_stays_when_the_choice_is_ours_later() -> None:
    waits = [SHAKEN[0], "a=setup:passive", SHAKEN[2]]
    first = answered(*waits)
    again = answered(*SHAKEN, before=first)
    assert "a=setup:active\r\n" in again
    assert dtls(*SHAKEN, ours=again) == dtls(*waits, ours=first)


def test_our_role_stays_when_we_are_asked_for_an_offer() -> None:
    again = offer_again(answered(*SHAKEN))
    assert "a=setup:passive\r\n" in again
    answer_of_theirs = [SHAKEN[0], "a=setup:active", SHAKEN[2]]
    assert dtls(*answer_of_theirs, ours=again) == dtls(*SHAKEN, ours=answered(*SHAKEN))


# --- keys


def test_keys_that_are_there_are_preferred_to_a_handshake() -> None:
    lines = ["m=audio 4000 RTP/SAVP 0", CRYPTO, *SHAKEN[1:]]
    assert isinstance(came_to(description(*lines), answered(*lines)).secure, Sdes)


@pytest.mark.parametrize("profile", ["RTP/AVP", "RTP/AVPF"])
def test_a_key_in_a_stream_that_may_be_plain_is_a_wish_that_is_granted(profile: str) -> None:
    lines = [f"m=audio 4000 {profile} 0", CRYPTO]
    ours = answered(*lines)
    assert f"m=audio 20000 {profile} 0\r\n" in ours
    assert came_to(description(*lines), ours).secure == Sdes(SUITE, chance(30), bytes(range(30)))


def test_a_wish_that_cannot_be_is_left_aside() -> None:
    lines = [AUDIO, f"a=crypto:1 F8_128_HMAC_SHA1_80 inline:{THEIR_KEY}"]
    ours = answered(*lines)
    assert "crypto" not in ours
    assert came_to(description(*lines), ours).secure is None


# --- offers of ours


def test_encrypted_and_plain_are_offered_side_by_side() -> None:
    ours = offer(PLACE, means(), secure=True)
    secure, plain = sections(ours).streams
    assert [lines[0].split()[:3] for lines in (secure, plain)] == [
        ["m=audio", "20000", "RTP/SAVP"],
        ["m=audio", "20000", "RTP/AVP"],
    ]
    offered = [line.split()[1] for line in secure if line.startswith("a=crypto")]
    assert offered == list(SUITES)
    assert all("inline:sealed." in line for line in secure if line.startswith("a=crypto"))
    assert not any("crypto" in line for line in plain)


def test_whoever_takes_one_of_both_gets_that() -> None:
    ours = offer(PLACE, means(), secure=True)
    mine = f"a=crypto:4 AES_256_CM_HMAC_SHA1_32 inline:{b64encode(bytes(46)).decode()}"
    encrypted = description("m=audio 4000 RTP/SAVP 9", mine, "m=audio 0 RTP/AVP 9")
    plain = description("m=audio 0 RTP/SAVP 9", "m=audio 4000 RTP/AVP 9")
    assert came_to(encrypted, ours).secure == Sdes("AES_256_CM_HMAC_SHA1_32", chance(46), bytes(46))
    assert came_to(plain, ours).secure is None
    with pytest.raises(NoCommonMedia, match="takes nothing"):
        came_to(description("m=audio 0 RTP/SAVP 9", "m=audio 0 RTP/AVP 9"), ours)


def test_signalling_that_others_read_is_told_no_keys() -> None:
    assert not Sdp.parse(offer(PLACE, means(), secure=False)).encrypted


def test_a_later_answer_keeps_the_key_that_was_offered() -> None:
    ours = offer(PLACE, means(), secure=True)
    other = means()._replace(chance=lambda count: bytes([9]) * count)
    again = answer(description("m=audio 4000 RTP/SAVP 9", CRYPTO), PLACE, other, ours)
    secure = came_to(description("m=audio 4000 RTP/SAVP 9", CRYPTO), again).secure
    assert secure == Sdes(SUITE, chance(30), bytes(range(30)))
