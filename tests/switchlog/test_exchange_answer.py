"""What our own media answer to phones: codecs and SRTP, in offers and in changes, as ladders of real messages."""

from __future__ import annotations

import re
from base64 import b64encode

import pytest

from adapters.media.crypto import SUITES
from adapters.sip.message.message import Response
from media.wire import Codec, Leg, Sdes
from tests.switchlog.exchange import Exchange, HeldJournal
from tests.switchlog.mixing import RememberedRooms, joined
from tests.switchlog.phone import ALICE, SDP, Phone

SUITE = "AES_CM_128_HMAC_SHA1_80"
THEIR_KEY = bytes(range(30))


@pytest.fixture
def rooms() -> RememberedRooms:
    return RememberedRooms()


@pytest.fixture
def exchange(rooms: RememberedRooms) -> Exchange:
    return Exchange(media=rooms)


def secured(suite: str = SUITE, key: bytes = THEIR_KEY, profile: str = "RTP/SAVP", more: str = "") -> str:
    plain = SDP.replace("RTP/AVP", profile)
    return f"{plain}a=crypto:3 {suite} inline:{b64encode(key).decode()}|2^31\r\n{more}"


def changed(exchange: Exchange, phone: Phone, answered: Response, sdp: str) -> Response:
    """The answer to a re-INVITE, acknowledged."""
    phone.within(answered, "INVITE", sdp, branch=f"z9hG4bKchange{exchange.clock_s}{len(sdp)}{hash(sdp)}")
    found = exchange.last(phone.address)
    assert isinstance(found, Response)
    if found.status == 200:
        phone.within(answered, "ACK")
    return found


def leg_in(rooms: RememberedRooms) -> Leg:
    (leg,) = rooms.room().values()
    return leg


def our_key(answered: Response) -> str:
    (key,) = re.findall(rb"a=crypto:3 \S+ inline:(\S+)\r\n", answered.body)
    return str(key.decode())


# --- codecs


def test_the_first_codec_that_we_know_is_taken_with_the_digits_of_its_clock(
    exchange: Exchange, rooms: RememberedRooms
) -> None:
    offered = SDP.replace("AVP 0", "AVP 98 111 9 0 100 101") + (
        "a=rtpmap:98 speex/16000\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 useinbandfec=1\r\n"
        "a=rtpmap:100 telephone-event/8000\r\na=rtpmap:101 telephone-event/48000\r\n"
    )
    _, answered = joined(exchange, sdp=offered)
    assert b"m=audio 20000 RTP/AVP 111 101\r\n" in answered.body
    leg = leg_in(rooms)
    assert (leg.codecs, leg.dtmf) == ((Codec("opus", 111, 48000, 2, "useinbandfec=1"),), 101)


def test_a_codec_is_changed_within_a_call(exchange: Exchange, rooms: RememberedRooms) -> None:
    phone, answered = joined(exchange)
    before = leg_in(rooms)
    assert changed(exchange, phone, answered, SDP.replace("AVP 0", "AVP 9 0")).status == 200
    leg = leg_in(rooms)
    assert (leg.codecs, leg.port, leg.remote) == ((Codec("G722", 9),), before.port, before.remote)


# --- SRTP with keys from the SDP


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("profile", ["RTP/SAVP", "RTP/SAVPF"])
def test_srtp_is_answered_with_a_key_of_our_own(
    exchange: Exchange, rooms: RememberedRooms, suite: str, profile: str
) -> None:
    theirs = bytes(range(SUITES[suite]))
    _, answered = joined(exchange, sdp=secured(suite, theirs, profile))
    assert f"m=audio 20000 {profile} 0\r\n".encode() in answered.body
    secure = leg_in(rooms).secure
    assert isinstance(secure, Sdes)
    assert (secure.suite, secure.remote_key) == (suite, theirs)
    assert our_key(answered) == b64encode(secure.local_key).decode()


def test_no_key_is_journaled_bare(exchange: Exchange) -> None:
    _, answered = joined(exchange, sdp=secured())
    journaled = b"".join(one.record.data for one in exchange.journal.stored)
    assert journaled.count(b"inline:sealed.") >= 2
    for key in (b64encode(THEIR_KEY), our_key(answered).encode()):
        assert key not in journaled


def test_our_key_stays_when_the_phone_holds_and_changes_its_own(exchange: Exchange, rooms: RememberedRooms) -> None:
    phone, answered = joined(exchange, sdp=secured())
    before = leg_in(rooms)
    held = changed(exchange, phone, answered, secured(more="a=sendonly\r\n"))
    assert (held.status, b"a=recvonly" in held.body, our_key(held)) == (200, True, our_key(answered))
    assert (leg_in(rooms).sends, leg_in(rooms).secure) == (False, before.secure)
    resumed = changed(exchange, phone, answered, secured(key=bytes(30)))
    assert our_key(resumed) == our_key(answered)
    secure = leg_in(rooms).secure
    assert isinstance(before.secure, Sdes)
    assert secure == Sdes(SUITE, before.secure.local_key, bytes(30))


def test_a_restart_knows_the_keys_by_the_journal(rooms: RememberedRooms) -> None:
    journal = HeldJournal()
    joined(Exchange(journal, media=rooms), sdp=secured())
    before = leg_in(rooms)
    rooms.has.clear()
    Exchange(journal, epoch=2, start_s=60, media=rooms)
    assert isinstance(before.secure, Sdes)
    assert leg_in(rooms) == before


def test_encryption_comes_and_goes_within_a_call(exchange: Exchange, rooms: RememberedRooms) -> None:
    phone, answered = joined(exchange)
    assert changed(exchange, phone, answered, secured()).status == 200
    assert isinstance(leg_in(rooms).secure, Sdes)
    assert changed(exchange, phone, answered, SDP).status == 200
    assert leg_in(rooms).secure is None


def test_keys_that_are_none_are_not_acceptable(exchange: Exchange, rooms: RememberedRooms) -> None:
    phone = Phone(exchange, "1001", ALICE)
    phone.register()
    phone.invite("7000", secured(key=bytes(29)))
    refused = exchange.last(ALICE)
    assert isinstance(refused, Response)
    assert (refused.status, rooms.has) == (488, {})
