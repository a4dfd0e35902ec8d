"""Media that go through us before the answer, where a caller has an early dialog with each phone that rings."""

from __future__ import annotations

import re

import pytest

from adapters.media.crypto import SUITES
from adapters.sip.message.message import Request, Response
from domain.values import MediaPolicy
from media.wire import Context, Sdes
from tests.switchlog.exchange import Exchange
from tests.switchlog.mixing import RememberedRooms
from tests.switchlog.phone import ALICE, BOB, SDP, Phone, parties
from tests.switchlog.test_exchange_early import ABLE, DESK
from tests.switchlog.test_exchange_relayed import ALICES_KEY, BOBS_KEY, RELAYED, context, crypto, policies, secure
from tests.switchlog.test_exchange_reliable import prack
from tests.switchlog.test_exchange_session import UPDATES

LONG, SHORT = "AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32"
CHANGED = secure(ALICES_KEY, 5).replace(LONG, SHORT)


@pytest.fixture
def rooms() -> RememberedRooms:
    return RememberedRooms()


@pytest.fixture
def exchange(rooms: RememberedRooms) -> Exchange:
    return Exchange(media=rooms, directory=lambda: policies(n1002=RELAYED))


def tags(message: Request | Response) -> list[str]:
    """Tag and suite of each key that is told."""
    return [" ".join(found) for found in re.findall(r"a=crypto:(\d+) (\S+)", message.body.decode())]


def ringing(exchange: Exchange, sdp: str) -> tuple[Phone, tuple[Phone, Request], tuple[Phone, Request]]:
    """Alice calls two phones: she, and each of them with what it was asked."""
    alice, bob = parties(exchange)
    desk = Phone(exchange, "1002", DESK)
    assert desk.register().status == 200
    alice.invite("1002", sdp, extra=ABLE)
    first, second = exchange.last(BOB), exchange.last(DESK)
    assert isinstance(first, Request)
    assert isinstance(second, Request)
    return alice, (bob, first), (desk, second)


def progress(exchange: Exchange, phone: Phone, invite: Request) -> Response:
    """What Alice is told of a phone's early media."""
    phone.reply(invite, 183, secure(BOBS_KEY, 6), extra=f"\nRequire: 100rel\nRSeq: 9{UPDATES}")
    told = exchange.last(ALICE)
    assert isinstance(told, Response)
    return told


def test_a_caller_is_answered_by_what_it_said_last_in_that_early_dialog(
    exchange: Exchange, rooms: RememberedRooms
) -> None:
    alice, (bob, first), (desk, second) = ringing(exchange, secure(ALICES_KEY, 7))
    told = progress(exchange, bob, first)
    assert tags(told) == [f"7 {LONG}"]
    prack(alice, told)
    exchange.take(BOB)
    alice.within(told, "UPDATE", CHANGED)
    update = exchange.last(BOB)
    assert isinstance(update, Request)
    bob.reply(update, 200, secure(BOBS_KEY, 6))
    answered = exchange.last(ALICE)
    assert tags(answered) == [f"5 {SHORT}"]
    keys = context(rooms).legs[0].secure
    assert isinstance(keys, Sdes)
    assert {keys.suite: keys.local_key} == crypto(answered)
    assert tags(progress(exchange, desk, second)) == [f"7 {LONG}"], "there it never said anything else"


def test_a_caller_that_answers_one_phone_is_still_offered_every_suite_by_the_other(exchange: Exchange) -> None:
    alice, (bob, first), (desk, second) = ringing(exchange, "")
    told = progress(exchange, bob, first)
    prack(alice, told, secure(ALICES_KEY, 6))
    assert [one.split()[1] for one in tags(told)] == list(SUITES)
    assert tags(progress(exchange, desk, second)) == tags(told)


@pytest.mark.parametrize("answering", [0, 1])
def test_a_phone_that_rings_knows_nothing_of_the_keys_of_the_one_that_answers(
    rooms: RememberedRooms, answering: int
) -> None:
    exchange = Exchange(media=rooms, directory=lambda: policies(n1002=MediaPolicy(srtp=True)))
    _, *called = ringing(exchange, SDP)
    offered = [crypto(invite) for _, invite in called]
    assert not {*offered[0].values()} & {*offered[1].values()}
    for phone, invite in called:
        phone.reply(invite, 183, secure(BOBS_KEY, 5))
    assert local_key(context(rooms)) == offered[0][LONG], "media before the answer are those of the first"
    phone, invite = called[answering]
    phone.reply(invite, 200, secure(BOBS_KEY, 5))
    assert local_key(context(rooms)) == offered[answering][LONG]


def local_key(known: Context) -> bytes:
    """Ours towards whoever is called."""
    keys = known.legs[1].secure
    assert isinstance(keys, Sdes)
    return keys.local_key
