"""Calls between phones of which the media go through us, as ladders: what each phone is told, what the worker is."""

from __future__ import annotations

import re
from base64 import b64decode

import pytest

from adapters.sip.message.message import Request, Response
from adapters.sip.message.parser import parse
from domain.routing.directory import Directory
from domain.values import MediaPolicy
from media.wire import Codec, Context
from tests.domain.world import directory, with_media
from tests.switchlog.exchange import Exchange
from tests.switchlog.mixing import RememberedRooms
from tests.switchlog.mixing import rooms as rooms
from tests.switchlog.phone import ALICE, BOB, HOLD, SDP, Phone, methods, parties, talk

RELAYED = MediaPolicy(relayed=True)
ALICES_KEY = "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB"
BOBS_KEY = "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJC"
SECURE = SDP.replace("RTP/AVP", "RTP/SAVP")


def secure(key: str, tag: int = 1) -> str:
    return f"{SECURE}a=crypto:{tag} AES_CM_128_HMAC_SHA1_80 inline:{key}\r\n"


def policies(**media: MediaPolicy) -> Directory:
    """`n1002=...` is the policy of the extension 1002."""
    known = directory()
    for name, policy in media.items():
        known = with_media(known, name.removeprefix("n"), policy)
    return known


@pytest.fixture
def exchange(rooms: RememberedRooms) -> Exchange:
    return Exchange(media=rooms, directory=lambda: policies(n1002=RELAYED))


def context(rooms: RememberedRooms) -> Context:
    (put,) = rooms.has.values()
    return put.desired


def ports(*messages: Request | Response) -> list[int]:
    return [int(port) for one in messages for port in re.findall(rb"m=audio (\d+)", one.body)]


def crypto(message: Request | Response) -> dict[str, bytes]:
    """suite -> our key"""
    found = re.findall(rb"a=crypto:\d+ (\S+) inline:(\S+)", message.body)
    return {suite.decode(): b64decode(key) for suite, key in found}


def test_a_call_that_nobody_wants_relayed_is_not(rooms: RememberedRooms) -> None:
    exchange = Exchange(media=rooms, directory=policies)
    *_, answered, invite = talk(exchange)
    assert answered.body.decode() == invite.body.decode() == SDP
    assert (rooms.puts, "relay_requested" in exchange.types) == ([], False)


def test_both_phones_are_told_of_our_ends(exchange: Exchange, rooms: RememberedRooms) -> None:
    _, bob, answered, invite = talk(exchange)
    assert exchange.types == [
        "offered",
        "routed",
        "relay_requested",
        "legs_dialed",
        "media_relayed",
        "leg_ringing",
        "connected",
    ]
    assert ports(answered, invite) == [20000, 20002]
    one, other = context(rooms).legs
    assert (one.port, one.remote, one.codecs) == (20000, ("127.0.0.1", 4000), (Codec("PCMU", 0),))
    assert (other.port, other.remote) == (20002, ("127.0.0.1", 4000))
    assert context(rooms).relayed
    assert all(leg.sends and leg.receives for leg in (one, other))
    bob.within(_as_bob(invite), "BYE")
    assert rooms.has == {}
    exchange.wait(60)
    assert exchange.board.live_calls == ()


def _as_bob(invite: Request) -> Response:
    """What Bob knows of the dialog that he accepted, as if he had got the answer."""
    head = (
        f"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP x;branch=z9hG4bKx\r\nFrom: {invite.get('To')};tag=b\r\n"
        f"To: {invite.get('From')}\r\nCall-ID: {invite.call_id}\r\nCSeq: 1 INVITE\r\n"
        f"Contact: {invite.get('Contact')}\r\nContent-Length: 0\r\n\r\n"
    )
    found = parse(head.encode())
    assert isinstance(found, Response)
    return found


def test_nobody_is_called_before_our_ends_are_open(exchange: Exchange, rooms: RememberedRooms) -> None:
    rooms.die()
    alice, _ = parties(exchange)
    alice.invite("1002")
    assert methods(exchange.take(ALICE)) == ["100 INVITE"]
    exchange.wait(3)
    assert exchange.take(BOB) == []
    rooms.start()
    assert methods(exchange.take(BOB)) == ["INVITE"]


def test_without_a_media_worker_the_call_fails_and_nobody_heard_of_it(
    exchange: Exchange, rooms: RememberedRooms
) -> None:
    rooms.die()
    alice, _ = parties(exchange)
    alice.invite("1002")
    exchange.wait(6)
    refused = exchange.last(ALICE)
    assert isinstance(refused, Response)
    assert refused.get("Reason") == 'Q.850;cause=41;text="no media worker has answered"'
    assert exchange.take(BOB) == []
    rooms.start()
    assert rooms.has == {}


def test_a_port_that_somebody_else_has_is_not_told(exchange: Exchange, rooms: RememberedRooms) -> None:
    rooms.taken_ports = {20000}
    *_, answered, invite = talk(exchange)
    assert ports(answered, invite) == [20004, 20006]


def test_what_no_worker_can_pass_on_is_refused(exchange: Exchange, rooms: RememberedRooms) -> None:
    alice, _ = parties(exchange)
    alice.invite("1002", SDP.replace("AVP 0", "AVP 18"))
    refused = exchange.last(ALICE)
    assert isinstance(refused, Response)
    assert refused.status == 488
    assert exchange.take(BOB) == []
    assert rooms.puts == []


def test_a_caller_whose_suites_nobody_knows_is_heard_by_its_plain_stream(
    exchange: Exchange, rooms: RememberedRooms
) -> None:
    alice, bob = parties(exchange)
    unknown = secure(ALICES_KEY).replace("AES_CM", "ROT13")
    alice.invite("1002", f"{unknown}m=audio 4002 RTP/AVP 0\r\n")
    invite = exchange.last(BOB)
    assert isinstance(invite, Request)
    assert ports(invite) == [0, 20002]
    bob.reply(invite, 200, SDP.replace("m=audio", "m=audio 0 RTP/SAVP 0\r\nm=audio"))
    assert ports(exchange.last(ALICE)) == [0, 20000]
    assert [leg.remote for leg in context(rooms).legs] == [("127.0.0.1", 4002), ("127.0.0.1", 4000)]


def test_hold_passes_through(exchange: Exchange, rooms: RememberedRooms) -> None:
    alice, bob, answered, _ = talk(exchange)
    alice.within(answered, "INVITE", HOLD, branch="z9hG4bKhold")
    (reoffer,) = exchange.take(BOB)
    assert isinstance(reoffer, Request)
    assert ports(reoffer) == [20002]
    assert b"a=sendonly" in reoffer.body
    bob.reply(reoffer, 200, SDP.replace("a=sendrecv", "a=recvonly") + "a=recvonly\r\n")
    held = exchange.last(ALICE)
    assert (ports(held), b"a=recvonly" in held.body) == ([20000], True)
    one, other = context(rooms).legs
    assert (one.sends, one.receives, one.muted, other.sends, other.receives) == (False, True, False, True, False)


def test_every_phone_that_rings_is_told_the_same_place(exchange: Exchange, rooms: RememberedRooms) -> None:
    alice, _ = parties(exchange)
    other = Phone(exchange, "1002", "127.0.0.1:6009")
    other.register()
    alice.invite("1002")
    first, second = exchange.last(BOB), exchange.last("127.0.0.1:6009")
    assert isinstance(second, Request)
    assert ports(first, second) == [20002, 20002]
    other.reply(second, 200, SDP.replace("4000", "4700"))
    assert [leg.remote for leg in context(rooms).legs] == [("127.0.0.1", 4000), ("127.0.0.1", 4700)]


def test_early_media_are_heard(exchange: Exchange, rooms: RememberedRooms) -> None:
    alice, bob = parties(exchange)
    alice.invite("1002")
    (invite,) = exchange.take(BOB)
    assert isinstance(invite, Request)
    assert [leg.remote for leg in context(rooms).legs] == [None, None]
    bob.reply(invite, 183, SDP)
    assert ports(exchange.last(ALICE)) == [20000]
    assert [leg.remote for leg in context(rooms).legs] == [("127.0.0.1", 4000)] * 2


def test_a_callee_that_makes_the_offer(exchange: Exchange, rooms: RememberedRooms) -> None:
    alice, bob = parties(exchange)
    alice.invite("1002", sdp="")
    (invite,) = exchange.take(BOB)
    assert isinstance(invite, Request)
    assert invite.body == b""
    bob.reply(invite, 200, SDP)
    answered = exchange.last(ALICE)
    assert isinstance(answered, Response)
    assert ports(answered) == [20000]
    alice.within(answered, "ACK", SDP.replace("4000", "4100"))
    (ack,) = exchange.take(BOB)
    assert ports(ack) == [20002]
    assert [leg.remote for leg in context(rooms).legs] == [("127.0.0.1", 4100), ("127.0.0.1", 4000)]


def test_parties_may_agree_on_no_audio_and_on_audio_again(exchange: Exchange, rooms: RememberedRooms) -> None:
    alice, bob, answered, _ = talk(exchange)
    heard = context(rooms)
    for sdp, taken in ((FAX, FAX.replace("4700", "0")), (SDP, SDP)):
        alice.within(answered, "INVITE", sdp)
        reoffer = exchange.last(BOB)
        assert isinstance(reoffer, Request)
        bob.reply(reoffer, 200, taken)
        assert exchange.last(ALICE).body.decode().endswith("m=image 0 udptl t38\r\n") == (sdp is FAX)
        alice.within(answered, "ACK")
        assert any(leg.receives for leg in context(rooms).legs) == (sdp is SDP)
    assert context(rooms) == heard
    assert exchange.board.open_calls == 1


FAX = SDP.replace("m=audio 4000 RTP/AVP 0", "m=image 4700 udptl t38")
NONSENSE = ["hello", f"{SDP}m=video x RTP/AVP 96\r\n", SDP.replace("c=IN", "c=IN x")]


@pytest.mark.parametrize("nonsense", NONSENSE)
def test_an_answer_that_cannot_be_read_ends_the_call_for_both(
    exchange: Exchange, rooms: RememberedRooms, nonsense: str
) -> None:
    alice, bob = parties(exchange)
    alice.invite("1002")
    (invite,) = exchange.take(BOB)
    assert isinstance(invite, Request)
    bob.reply(invite, 200, nonsense)
    answered = exchange.last(ALICE)
    assert isinstance(answered, Response)
    assert ports(answered) == [0]
    alice.within(answered, "ACK")
    assert methods(exchange.take(ALICE)) == ["BYE"]
    assert methods(exchange.take(BOB)) == ["ACK", "BYE"]
    assert rooms.has == {}


@pytest.mark.parametrize("nonsense", NONSENSE)
def test_early_media_that_cannot_be_read_are_silence(exchange: Exchange, rooms: RememberedRooms, nonsense: str) -> None:
    alice, bob = parties(exchange)
    alice.invite("1002")
    (invite,) = exchange.take(BOB)
    assert isinstance(invite, Request)
    exchange.take(ALICE)
    bob.reply(invite, 183, nonsense)
    assert methods(exchange.take(ALICE)) == ["183 INVITE"]
    assert [leg.remote for leg in context(rooms).legs] == [None, None]
    bob.reply(invite, 200, SDP)
    assert ports(exchange.last(ALICE)) == [20000]
    assert [leg.remote for leg in context(rooms).legs] == [("127.0.0.1", 4000)] * 2


def test_an_offer_of_which_one_stream_cannot_be_read_is_refused(exchange: Exchange) -> None:
    alice, _ = parties(exchange)
    alice.invite("1002", f"{SDP}m=video x RTP/AVP 96\r\n")
    refused = exchange.last(ALICE)
    assert isinstance(refused, Response)
    assert refused.status == 488


# --- encryption


@pytest.fixture
def bridging(rooms: RememberedRooms) -> Exchange:
    """1002's phones are offered SRTP, 1003's are not."""
    return Exchange(
        media=rooms, directory=lambda: policies(n1002=MediaPolicy(srtp=True), n1001=MediaPolicy(srtp=False))
    )


def test_a_plain_caller_and_a_callee_with_srtp(bridging: Exchange, rooms: RememberedRooms) -> None:
    alice, bob = parties(bridging)
    alice.invite("1002")
    (invite,) = bridging.take(BOB)
    assert isinstance(invite, Request)
    assert b"RTP/SAVP 0" in invite.body
    offered = crypto(invite)
    bob.reply(invite, 200, secure(BOBS_KEY, tag=list(offered).index("AES_CM_128_HMAC_SHA1_80") + 1))
    answered = bridging.last(ALICE)
    assert (b"RTP/AVP 0" in answered.body, crypto(answered)) == (True, {})
    one, other = context(rooms).legs
    assert one.secure is None
    assert other.secure is not None
    assert isinstance(other.secure.suite, str)  # type: ignore[union-attr]
    assert (other.secure.local_key, other.secure.remote_key) == (  # type: ignore[union-attr]
        offered["AES_CM_128_HMAC_SHA1_80"],
        b64decode(BOBS_KEY),
    )
    stored = b"".join(one.record.data for one in bridging.journal.stored)
    assert BOBS_KEY.encode() not in stored


def test_a_caller_with_srtp_and_a_plain_callee(bridging: Exchange, rooms: RememberedRooms) -> None:
    bob, alice = parties(bridging)[::-1]
    bob.invite("1001", secure(BOBS_KEY, 7))
    (invite,) = bridging.take(ALICE)
    assert isinstance(invite, Request)
    assert (b"RTP/AVP 0" in invite.body, crypto(invite)) == (True, {})
    alice.reply(invite, 200, SDP)
    answered = bridging.last(BOB)
    assert isinstance(answered, Response)
    assert b"a=crypto:7 AES_CM_128_HMAC_SHA1_80 inline:" in answered.body
    caller, callee = context(rooms).legs
    assert (caller.secure is not None, callee.secure) == (True, None)
    bob.within(answered, "ACK")
    bridging.take(ALICE)
    bob.within(answered, "INVITE", secure(BOBS_KEY, 7).replace("0 IN IP4", "1 IN IP4") + "a=sendonly\r\n")
    (reoffer,) = bridging.take(ALICE)
    assert isinstance(reoffer, Request)
    assert (b"RTP/AVP 0" in reoffer.body, crypto(reoffer)) == (True, {})
    alice.reply(reoffer, 200, SDP)
    assert crypto(bridging.last(BOB)) == crypto(answered), "the key goes on"
