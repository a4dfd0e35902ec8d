"""Messages that cross on the way: each side has spoken before it has heard the other (RFC 5407)."""

from __future__ import annotations

import pytest

from adapters.sip.message.message import Request, Response
from tests.switchlog.exchange import Exchange
from tests.switchlog.phone import ALICE, BOB, HOLD, SDP, Phone, methods, parties, picked_up, talk

DESK = "127.0.0.1:6003"


def bye_of_bob(exchange: Exchange, invite: Request, cseq: int = 77) -> None:
    exchange.send(
        BOB,
        f"BYE sip:x@127.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP {BOB};branch=z9hG4bKbob{cseq}\nFrom: {invite.get('To')};tag=b\n"
        f"To: {invite.get('From')}\nCall-ID: {invite.call_id}\nCSeq: {cseq} BYE",
    )


def settled(exchange: Exchange) -> None:
    """What the journal held back becomes durable, and what follows is sent."""
    exchange.journal.held = False
    exchange.journal.commit()
    exchange.deliver()


@pytest.mark.parametrize("held", [False, True])
def test_both_sides_hang_up_at_once(held: bool) -> None:
    exchange = Exchange()
    alice, bob, answered, invite = talk(exchange)
    exchange.journal.held = held
    alice.within(answered, "BYE")
    bye_of_bob(exchange, invite)
    settled(exchange)
    assert "200 BYE" in methods(exchange.take(ALICE))
    got = exchange.take(BOB)
    assert "200 BYE" in methods(got)
    for one in got:
        if isinstance(one, Request):
            bob.reply(one, 481)
    assert exchange.types.count("ended") == 1


@pytest.mark.parametrize("bye_first", [False, True])
def test_a_bye_crosses_a_change_of_media(bye_first: bool) -> None:
    exchange = Exchange()
    alice, bob, answered, invite = talk(exchange)
    exchange.journal.held = True
    if bye_first:
        bye_of_bob(exchange, invite)
    alice.within(answered, "INVITE", HOLD)
    if not bye_first:
        bye_of_bob(exchange, invite)
    settled(exchange)
    told = methods(exchange.take(ALICE))
    assert "BYE" in told
    assert [one for one in told if one.endswith(" INVITE") and not one.startswith("100")][-1:] in (
        ["487 INVITE"],
        ["481 INVITE"],
    )
    for one in exchange.take(BOB):
        if isinstance(one, Request):
            bob.reply(one, 481)
    assert exchange.types.count("ended") == 1
    assert exchange.board.open_calls == 0


def test_a_caller_that_hangs_up_before_its_ack() -> None:
    exchange = Exchange()
    alice, _, answered, _ = picked_up(exchange)
    alice.within(answered, "BYE")
    assert methods(exchange.take(ALICE)) == ["200 BYE"]
    assert methods(exchange.take(BOB)) == ["ACK", "BYE"]
    exchange.wait(70)
    assert exchange.types.count("ended") == 1


def test_an_answer_crosses_the_callers_cancel_on_its_way_to_the_phone() -> None:
    exchange = Exchange()
    alice, bob = parties(exchange)
    branch = alice.invite("1002")
    trying = exchange.last(ALICE)
    assert isinstance(trying, Response)
    (invite,) = exchange.take(BOB)
    assert isinstance(invite, Request)
    bob.reply(invite, 180)
    exchange.take(ALICE)
    alice.within(trying, "CANCEL", branch=branch)
    (cancel,) = exchange.take(BOB)
    assert methods([cancel]) == ["CANCEL"]
    bob.reply(invite, 200, SDP)
    assert methods(exchange.take(BOB)) == ["ACK", "BYE"]
    assert sorted(methods(exchange.take(ALICE))) == ["200 CANCEL", "487 INVITE"]
    assert exchange.types.count("connected") == 0


@pytest.mark.parametrize("desk_first", [False, True])
def test_two_forks_answer_at_once_and_one_is_connected(desk_first: bool) -> None:
    exchange = Exchange()
    alice, bob = parties(exchange)
    desk = Phone(exchange, "1002", DESK)
    assert desk.register().status == 200
    exchange.take(DESK)
    alice.invite("1002")
    (first,), (second,) = exchange.take(BOB), exchange.take(DESK)
    assert isinstance(first, Request)
    assert isinstance(second, Request)
    answers = [(desk, second), (bob, first)] if desk_first else [(bob, first), (desk, second)]
    exchange.journal.held = True
    for phone, request in answers:
        phone.reply(request, 200, SDP)
    settled(exchange)
    winner, loser = (DESK, BOB) if desk_first else (BOB, DESK)
    assert methods(exchange.take(winner)) == ["ACK"]
    assert methods(exchange.take(loser)) == ["ACK", "BYE"]
    assert (exchange.types.count("connected"), exchange.types.count("leg_hung_up")) == (1, 1)


@pytest.mark.parametrize("acknowledges", [True, False])
def test_no_bye_goes_to_a_caller_before_it_has_acknowledged_the_answer(acknowledges: bool) -> None:
    """RFC 3261 15: its 200 may be lost, and a BYE would come out of the blue."""
    exchange = Exchange()
    alice, _, answered, invite = picked_up(exchange)
    bye_of_bob(exchange, invite)
    assert methods(exchange.take(BOB)) == ["ACK", "200 BYE"]
    assert exchange.take(ALICE) == []
    exchange.wait(1)
    assert methods(exchange.take(ALICE)) == ["200 INVITE"]
    if acknowledges:
        alice.within(answered, "ACK")
    else:
        exchange.wait(32)
    assert methods(exchange.take(ALICE))[-1] == "BYE"
    assert exchange.types.count("ended") == 1


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("refresh", [False, True])
def test_the_200_of_a_re_invite_that_crosses_the_bye_is_acknowledged(refresh: bool, restarted: bool) -> None:
    exchange = Exchange()
    timer = "\nSupported: timer\nSession-Expires: 100;refresher=uac" if refresh else ""
    alice, bob = parties(exchange)
    alice.invite("1002")
    (invite,) = exchange.take(BOB)
    assert isinstance(invite, Request)
    bob.reply(invite, 200, SDP, extra=timer)
    answered = exchange.last(ALICE)
    assert isinstance(answered, Response)
    alice.within(answered, "ACK")
    exchange.take(BOB)
    if refresh:
        exchange.wait(50.1)
    else:
        alice.within(answered, "INVITE", HOLD)
    (offer,) = exchange.take(BOB)
    assert isinstance(offer, Request)
    assert offer.method == "INVITE"
    alice.within(answered, "BYE")
    if restarted:
        exchange = bob.exchange = Exchange(exchange.journal, epoch=2, start_s=exchange.clock_s)
    exchange.take(BOB)
    bob.reply(offer, 200, SDP)
    (ack,) = exchange.take(BOB)
    assert isinstance(ack, Request)
    assert (ack.method, ack.cseq.number, ack.to.tag) == ("ACK", offer.cseq.number, "b")
    bob.reply(offer, 200, SDP)
    assert methods(exchange.take(BOB)) == ["ACK"]
