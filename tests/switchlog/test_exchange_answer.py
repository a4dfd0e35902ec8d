"""What our own media answer to phones: codecs and SRTP, in offers and in changes, as ladders of real messages."""

from __future__ import annotations

import datetime as dt
import re
from base64 import b64encode

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509 import load_pem_x509_certificate

from adapters.media.certificate import Certificates
from adapters.media.crypto import SUITES
from adapters.sip.message.message import Request, Response
from media.wire import Codec, Dtls, Keyed, Leg, NotKeyed, Sdes
from tests.switchlog.exchange import Exchange, HeldJournal
from tests.switchlog.mixing import RememberedRooms, joined
from tests.switchlog.mixing import exchange as exchange
from tests.switchlog.mixing import rooms as rooms
from tests.switchlog.phone import ALICE, SDP, Phone

SUITE = "AES_CM_128_HMAC_SHA1_80"
THEIR_KEY = bytes(range(30))


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


def test_rtcp_comes_to_the_port_of_rtp_and_leaves_it_within_a_call(exchange: Exchange, rooms: RememberedRooms) -> None:
    phone, answered = joined(exchange)
    for muxes in (True, False):
        more = "a=rtcp-mux\r\n" if muxes else ""
        again = changed(exchange, phone, answered, SDP + more)
        assert (again.status, leg_in(rooms).rtcp_mux, b"a=rtcp-mux" in again.body) == (200, muxes, muxes)


def test_a_phone_that_asks_us_for_an_offer_in_a_call_hears_of_all_codecs(
    exchange: Exchange, rooms: RememberedRooms
) -> None:
    phone, answered = joined(exchange)
    phone.within(answered, "INVITE", branch="z9hG4bKlate")
    offered = exchange.last(ALICE)
    assert isinstance(offered, Response)
    assert b"m=audio 20000 RTP/AVP 0 96 9 8 97\r\n" in offered.body
    phone.within(answered, "ACK", SDP.replace("AVP 0", "AVP 9"))
    assert leg_in(rooms).codecs == (Codec("G722", 9),)


@pytest.mark.parametrize("transport", ["udp", "tls"])
def test_keys_are_offered_to_those_whom_nobody_else_hears(
    exchange: Exchange, rooms: RememberedRooms, transport: str
) -> None:
    phone = Phone(exchange, "1001", ALICE, transport=transport)
    phone.register()
    phone.invite("7000", sdp="")
    offered = exchange.last(ALICE)
    assert isinstance(offered, Response)
    assert (b"m=audio 20000 RTP/SAVP " in offered.body) == (b"a=crypto:" in offered.body) == (transport == "tls")
    assert b"m=audio 20000 RTP/AVP " in offered.body
    if transport == "tls":
        mine = f"a=crypto:6 AES_CM_128_HMAC_SHA1_32 inline:{b64encode(THEIR_KEY).decode()}\r\n"
        phone.within(offered, "ACK", SDP.replace("RTP/AVP", "RTP/SAVP") + mine + "m=audio 0 RTP/AVP 0\r\n")
        secure = leg_in(rooms).secure
        assert isinstance(secure, Sdes)
        assert secure.remote_key == THEIR_KEY


def test_keys_that_are_none_are_not_acceptable(exchange: Exchange, rooms: RememberedRooms) -> None:
    phone = Phone(exchange, "1001", ALICE)
    phone.register()
    phone.invite("7000", secured(key=bytes(29)))
    refused = exchange.last(ALICE)
    assert isinstance(refused, Response)
    assert (refused.status, rooms.has) == (488, {})


# --- SRTP with keys of a handshake

FINGERPRINT = Certificates(b"theirs").current(dt.datetime(2026, 1, 1, tzinfo=dt.UTC)).fingerprint
SHAKEN = SDP.replace("RTP/AVP", "UDP/TLS/RTP/SAVPF") + f"a=setup:actpass\r\na=fingerprint:{FINGERPRINT}\r\n"
KEYS = Sdes("AEAD_AES_128_GCM", bytes(28), bytes(range(28)))


def handshake_in(rooms: RememberedRooms) -> Dtls:
    secure = leg_in(rooms).secure
    assert isinstance(secure, Dtls)
    return secure


def test_a_handshake_is_answered_by_our_certificate(exchange: Exchange, rooms: RememberedRooms) -> None:
    _, answered = joined(exchange, sdp=SHAKEN)
    secure = handshake_in(rooms)
    assert (secure.active, secure.fingerprint, secure.keys) == (False, FINGERPRINT, None)
    assert b"a=setup:passive\r\n" in answered.body
    shown = load_pem_x509_certificate(secure.certificate).fingerprint(SHA256()).hex(":").upper()
    assert f"a=fingerprint:sha-256 {shown}\r\n".encode() in answered.body
    assert secure.key not in b"".join(one.record.data for one in exchange.journal.stored)


def test_a_worker_that_takes_over_is_told_the_keys_of_the_handshake(exchange: Exchange, rooms: RememberedRooms) -> None:
    phone, answered = joined(exchange, sdp=SHAKEN)
    rooms.say(Keyed("room/acme/7000", leg_in(rooms).id, KEYS))
    told = len(rooms.puts)
    assert handshake_in(rooms).keys == KEYS
    rooms.say(Keyed("room/acme/7000", leg_in(rooms).id, KEYS))
    assert len(rooms.puts) == told, "it is no news"
    rooms.die()
    rooms.start()
    assert handshake_in(rooms).keys == KEYS
    changed(exchange, phone, answered, SHAKEN + "a=sendonly\r\n")
    assert handshake_in(rooms).keys == KEYS
    other = Certificates(b"other").current(dt.datetime(2026, 1, 1, tzinfo=dt.UTC)).fingerprint
    changed(exchange, phone, answered, SHAKEN.replace(FINGERPRINT, other))
    assert (handshake_in(rooms).fingerprint, handshake_in(rooms).keys) == (other, None)
    stored = b"".join(one.record.data for one in exchange.journal.stored)
    assert KEYS.remote_key not in stored and b64encode(KEYS.remote_key) not in stored


def test_sessions_that_are_new_learn_the_keys_from_the_worker(rooms: RememberedRooms) -> None:
    journal = HeldJournal()
    joined(Exchange(journal, media=rooms), sdp=SHAKEN)
    rooms.keyed = (Keyed("room/acme/7000", leg_in(rooms).id, KEYS),)
    Exchange(journal, epoch=2, start_s=60, media=rooms)
    assert handshake_in(rooms).keys == KEYS


def test_a_handshake_that_comes_to_nothing_ends_the_call(exchange: Exchange, rooms: RememberedRooms) -> None:
    joined(exchange, sdp=SHAKEN)
    exchange.take(ALICE)
    rooms.say(NotKeyed("room/acme/7000", leg_in(rooms).id, "no handshake came to an end"))
    (bye,) = exchange.take(ALICE)
    assert isinstance(bye, Request)
    assert (bye.method, "no keys for SRTP: no handshake came to an end" in (bye.get("Reason") or "")) == ("BYE", True)
    assert rooms.has == {}
