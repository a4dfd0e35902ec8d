"""Calls between phones that have no codec in common: the second offer, and what each phone speaks with us then."""

from __future__ import annotations

import re
from typing import Any

import pytest

from adapters.sip.message.message import Message, Request, Response
from domain.routing.directory import Directory
from domain.values import MediaPolicy
from media.wire import Context, Leg
from tests.domain.world import directory, with_media
from tests.switchlog.exchange import Exchange, HeldJournal
from tests.switchlog.mixing import RememberedRooms
from tests.switchlog.mixing import rooms as rooms
from tests.switchlog.phone import ALICE, BOB, SDP, Phone, methods, parties
from tests.switchlog.test_exchange_relayed import crypto, secure

OPUS = SDP.replace("AVP 0", "AVP 111 100") + (
    "a=rtpmap:111 opus/48000/2\r\na=fmtp:111 useinbandfec=1\r\na=rtpmap:100 telephone-event/48000\r\n"
)
G722 = SDP.replace("AVP 0", "AVP 9 101") + "a=rtpmap:9 G722/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
PCMA = SDP.replace("4000", "4600").replace("AVP 0", "AVP 8 101") + "a=rtpmap:101 telephone-event/8000\r\n"
BOBS_KEY = "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJC"
SAME = {"0": "PCMU/8000", "8": "PCMA/8000", "9": "G722/8000"}


@pytest.fixture
def exchange(rooms: RememberedRooms) -> Exchange:
    return Exchange(media=rooms)


def spoken(message: Message) -> list[str]:
    """The formats of a description, by name; `type=name` of those that have no number of their own."""
    text = message.body.decode()
    line = re.search(r"m=audio \d+ \S+ (.*)\r", text)
    assert line is not None
    names = dict(re.findall(r"a=rtpmap:(\d+) (\S+)", text))
    return [SAME.get(payload) or f"{payload}={names[payload]}" for payload in line[1].split()]


def legs(rooms: RememberedRooms) -> tuple[Leg, ...]:
    (put,) = rooms.has.values()
    found: Context = put.desired
    assert found.relayed
    return found.legs


def offered(exchange: Exchange, address: str = BOB) -> Request:
    found = exchange.last(address)
    assert isinstance(found, Request)
    assert found.method == "INVITE"
    return found


def answered(exchange: Exchange) -> Response:
    found = exchange.last(ALICE)
    assert isinstance(found, Response)
    assert found.status == 200
    return found


def refused(exchange: Exchange, sdp: str) -> tuple[Phone, Phone, Request]:
    """Alice's offer is nothing for Bob's phone; returns what that is offered then."""
    alice, bob = parties(exchange)
    alice.invite("1002", sdp)
    first = offered(exchange)
    assert first.body.decode() == sdp, "at first her own"
    bob.reply(first, 488)
    assert methods(exchange.take(ALICE)) == ["100 INVITE"], "she hears nothing of that"
    second = offered(exchange)
    assert (second.call_id, second.cseq.number) == (first.call_id, 2)
    return alice, bob, second


def bridged(exchange: Exchange, sdp: str = OPUS, answer: str = PCMA) -> tuple[Phone, Phone, Response, Request]:
    alice, bob, invite = refused(exchange, sdp)
    bob.reply(invite, 200, answer)
    told = answered(exchange)
    alice.within(told, "ACK")
    exchange.take(BOB)
    return alice, bob, told, invite


def test_a_phone_that_refuses_an_offer_is_offered_all_that_we_can_make_of_it(
    exchange: Exchange, rooms: RememberedRooms
) -> None:
    *_, told, invite = bridged(exchange)
    assert spoken(invite) == [
        "111=opus/48000/2",
        "G722/8000",
        "PCMA/8000",
        "PCMU/8000",
        "96=L16/16000",
        "100=telephone-event/48000",
        "97=telephone-event/8000",
        "98=telephone-event/16000",
    ]
    assert spoken(told) == ["111=opus/48000/2", "100=telephone-event/48000"]
    caller, callee = legs(rooms)
    assert [(one.name, one.payload_type) for one in (*caller.codecs, *callee.codecs)] == [("opus", 111), ("PCMA", 8)]
    assert (caller.dtmf, callee.dtmf, caller.remote, callee.remote) == (
        100,
        101,
        ("127.0.0.1", 4000),
        ("127.0.0.1", 4600),
    )
    assert exchange.types == [
        "offered",
        "routed",
        "legs_dialed",
        "legs_failed",
        "relay_requested",
        "relay_widened",
        "leg_redialed",
        "media_relayed",
        "connected",
    ]


def test_what_both_speak_after_all_passes_as_it_is(exchange: Exchange, rooms: RememberedRooms) -> None:
    """The caller's phone would not have refused it, but has another one first."""
    both = G722.replace("AVP 9 101", "AVP 9 8 101")
    *_, told, _ = bridged(exchange, both)
    assert spoken(told) == ["PCMA/8000", "101=telephone-event/8000"]
    caller, callee = legs(rooms)
    assert [one.name for one in caller.codecs] == ["PCMA", "G722"]
    assert caller.codecs[0] == callee.codecs[0]


def test_a_second_refusal_is_the_caller_s_answer(exchange: Exchange, rooms: RememberedRooms) -> None:
    _, bob, invite = refused(exchange, OPUS)
    bob.reply(invite, 488)
    found = exchange.last(ALICE)
    assert isinstance(found, Response)
    assert (found.status, rooms.has, exchange.board.open_calls) == (488, {}, 0)


def test_a_phone_that_is_busy_then_is_busy(exchange: Exchange) -> None:
    _, bob, invite = refused(exchange, OPUS)
    bob.reply(invite, 486)
    found = exchange.last(ALICE)
    assert isinstance(found, Response)
    assert found.status == 486


@pytest.mark.parametrize("number", ["1001", "1002"])
def test_an_extension_may_be_against_it(rooms: RememberedRooms, number: str) -> None:
    def known() -> Directory:
        return with_media(directory(), number, MediaPolicy(transcode=False))

    assert _refused_at_once(Exchange(media=rooms, directory=known)) == 488


def test_without_media_of_our_own_there_is_nothing_to_bridge_with() -> None:
    assert _refused_at_once(Exchange()) == 488


def test_what_no_worker_knows_stays_refused(exchange: Exchange) -> None:
    assert _refused_at_once(exchange, SDP.replace("AVP 0", "AVP 18")) == 488


def _refused_at_once(exchange: Exchange, sdp: str = OPUS) -> int:
    """What the caller hears when Bob's phone refuses, and is not asked again."""
    alice, bob = parties(exchange)
    alice.invite("1002", sdp)
    bob.reply(offered(exchange), 488)
    assert methods(exchange.take(BOB)) == ["ACK"]
    found = exchange.last(ALICE)
    assert isinstance(found, Response)
    return found.status


def test_of_several_phones_those_that_refused_are_asked_again_once_none_is_left(
    exchange: Exchange, rooms: RememberedRooms
) -> None:
    alice, bob = parties(exchange)
    other = Phone(exchange, "1002", "127.0.0.1:6009")
    other.register()
    alice.invite("1002", OPUS)
    bob.reply(offered(exchange), 488)
    assert methods(exchange.take(BOB)) == ["ACK"]
    other.reply(offered(exchange, other.address), 486)
    assert methods(exchange.take(other.address)) == ["ACK"]
    bob.reply(offered(exchange), 200, PCMA)
    assert spoken(answered(exchange))[0] == "111=opus/48000/2"


def test_a_call_that_is_relayed_anyway_is_offered_plainly_first(rooms: RememberedRooms) -> None:
    exchange = Exchange(media=rooms, directory=lambda: with_media(directory(), "1002", MediaPolicy(relayed=True)))
    alice, bob = parties(exchange)
    alice.invite("1002", OPUS)
    first = offered(exchange)
    assert spoken(first) == ["111=opus/48000/2", "100=telephone-event/48000"]
    bob.reply(first, 606)
    second = offered(exchange)
    assert len(spoken(second)) == 8
    bob.reply(second, 200, PCMA)
    assert spoken(answered(exchange))[0] == "111=opus/48000/2"
    assert [one.codecs[0].name for one in legs(rooms)] == ["opus", "PCMA"]


@pytest.mark.parametrize("who", ["caller", "callee"])
def test_who_holds_is_offered_in_its_own_codec(exchange: Exchange, rooms: RememberedRooms, who: str) -> None:
    alice, bob, told, invite = bridged(exchange)
    asks, hears, own, theirs = (alice, bob, OPUS, PCMA) if who == "caller" else (bob, alice, PCMA, OPUS)
    dialog: Any = told if who == "caller" else _as_bob(invite)
    asks.within(dialog, "INVITE", f"{own}a=sendonly\r\n", branch="z9hG4bKhold")
    hold = offered(exchange, hears.address)
    assert spoken(hold)[0] == ("PCMA/8000" if who == "caller" else "111=opus/48000/2")
    assert b"a=sendonly" in hold.body
    hears.reply(hold, 200, f"{theirs}a=recvonly\r\n")
    held = exchange.last(asks.address)
    assert (spoken(held)[0], b"a=recvonly" in held.body) == (
        "111=opus/48000/2" if who == "caller" else "PCMA/8000",
        True,
    )
    assert [one.codecs[0].name for one in legs(rooms)] == ["opus", "PCMA"]


def _as_bob(invite: Request) -> Any:
    class Dialog:
        call_id = invite.call_id

        @staticmethod
        def get(name: str) -> str | None:
            to = f"{invite.get('To')};tag=b"
            return {"From": to, "To": invite.get("From"), "Contact": invite.get("Contact")}[name]

    return Dialog


def test_encryption_is_bridged_with_it(rooms: RememberedRooms) -> None:
    """Bob's phones are offered SRTP; Alice's speaks none, and another codec."""
    exchange = Exchange(media=rooms, directory=lambda: with_media(directory(), "1002", MediaPolicy(srtp=True)))
    alice, bob = parties(exchange)
    alice.invite("1002", OPUS)
    bob.reply(offered(exchange), 488)
    invite = offered(exchange)
    assert b"RTP/SAVP 111" in invite.body
    tag = list(crypto(invite)).index("AES_CM_128_HMAC_SHA1_80") + 1
    bob.reply(invite, 200, secure(BOBS_KEY, tag).replace("SAVP 0", "SAVP 8"))
    told = answered(exchange)
    assert (spoken(told)[0], crypto(told)) == ("111=opus/48000/2", {})
    caller, callee = legs(rooms)
    assert (caller.secure, callee.secure is not None) == (None, True)


@pytest.mark.parametrize("moment", ["refused", "rings"])
def test_after_a_death_the_second_offer_is_the_same(rooms: RememberedRooms, moment: str) -> None:
    journal = HeldJournal()
    first = Exchange(journal, media=rooms)
    _, bob, invite = refused(first, OPUS)
    if moment == "rings":
        bob.reply(invite, 180)
    again = Exchange(journal, epoch=2, start_s=1, media=rooms)
    bob.exchange = again
    if moment == "refused":
        assert offered(again).body == invite.body
    bob.reply(invite, 200, PCMA)
    assert spoken(answered(again))[0] == "111=opus/48000/2"
