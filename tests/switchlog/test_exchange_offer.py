"""Offers that the called side makes (RFC 3261 13.2.1 and 14.1, RFC 6337): the answer comes in the caller's ACK."""

from __future__ import annotations

import pytest

from adapters.sip.message.message import Request, Response
from tests.switchlog.exchange import Exchange, HeldJournal
from tests.switchlog.phone import ALICE, BOB, HOLD, SDP, Phone, methods, parties, talk

ANSWER = SDP.replace("4000", "4002")
CRYPTO = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0\r\n"


def invited(exchange: Exchange) -> tuple[Phone, Phone, Request]:
    """Alice calls Bob without an offer; Bob's INVITE."""
    alice, bob = parties(exchange)
    alice.invite("1002", sdp="")
    exchange.take(ALICE)
    (invite,) = exchange.take(BOB)
    assert isinstance(invite, Request)
    assert (invite.body, invite.get("Content-Type")) == (b"", None)
    return alice, bob, invite


def answered_late(exchange: Exchange, sdp: str = SDP) -> tuple[Phone, Phone, Request, Response]:
    """Bob answered with his offer; Alice's 200."""
    alice, bob, invite = invited(exchange)
    bob.reply(invite, 180)
    bob.reply(invite, 200, sdp)
    answered = exchange.last(ALICE)
    assert isinstance(answered, Response)
    assert (answered.status, answered.body.decode()) == (200, sdp)
    return alice, bob, invite, answered


def test_the_answer_in_the_ack_is_journaled_before_it_goes_on() -> None:
    journal = HeldJournal()
    exchange = Exchange(journal)
    alice, _, _, answered = answered_late(exchange)
    assert exchange.take(BOB) == []
    journal.held = True
    alice.within(answered, "ACK", ANSWER)
    assert exchange.take(BOB) == []
    journal.held = False
    journal.commit()
    exchange.deliver()
    (ack,) = exchange.take(BOB)
    assert methods([ack]) == ["ACK"]
    assert ack.body.decode() == ANSWER
    assert exchange.types[-2:] == ["connected", "answer_given"]
    exchange.wait(40)
    assert exchange.board.open_calls == 1
    alice.within(answered, "BYE")
    assert methods(exchange.take(BOB)) == ["BYE"]


def test_early_media_of_the_callee_is_no_offer() -> None:
    exchange = Exchange()
    _, bob, invite = invited(exchange)
    bob.reply(invite, 183, SDP)
    ringing = exchange.last(ALICE)
    assert isinstance(ringing, Response)
    assert (ringing.status, ringing.body) == (180, b"")


def test_an_ack_without_the_answer_ends_the_call() -> None:
    exchange = Exchange()
    alice, _, _, answered = answered_late(exchange)
    alice.within(answered, "ACK")
    assert methods(exchange.take(BOB)) == ["ACK", "BYE"]
    assert methods(exchange.take(ALICE)) == ["BYE"]
    assert exchange.types[-1] == "ended"


def test_an_answer_that_never_comes_ends_the_call() -> None:
    exchange = Exchange()
    answered_late(exchange)
    exchange.wait(33)
    assert exchange.board.open_calls == 0
    assert methods(exchange.take(BOB))[:2] == ["ACK", "BYE"]


def test_a_party_may_hang_up_while_the_answer_is_owed() -> None:
    exchange = Exchange()
    alice, _, _, answered = answered_late(exchange)
    alice.within(answered, "BYE")
    assert methods(exchange.take(BOB)) == ["ACK", "BYE"]
    assert methods(exchange.take(ALICE)) == ["200 BYE"]


@pytest.mark.parametrize("moment", ["answered", "acknowledged"])
def test_a_restart_says_what_is_owed_of_a_late_offer(moment: str) -> None:
    exchange = Exchange()
    alice, bob, invite, answered = answered_late(exchange)
    if moment == "acknowledged":
        alice.within(answered, "ACK", ANSWER)
    said = {data for _, data in exchange.wire}
    again = Exchange(exchange.journal, epoch=2, start_s=exchange.clock_s)
    assert {data for _, data in again.wire} <= said
    alice.exchange = bob.exchange = again
    got = again.take(BOB)
    if moment == "answered":
        assert got == []
        alice.within(answered, "ACK", ANSWER)
        got = again.take(BOB)
    assert methods(got) == ["ACK"]
    assert got[0].body.decode() == ANSWER
    bob.reply(invite, 200, SDP)
    assert methods(again.take(BOB)) == ["ACK"]
    again.wait(40)
    assert again.board.open_calls == 1


def test_media_keys_of_a_late_offer_are_never_journaled() -> None:
    exchange = Exchange()
    alice, _, _, answered = answered_late(exchange, SDP + CRYPTO)
    alice.within(answered, "ACK", ANSWER + CRYPTO)
    (ack,) = exchange.take(BOB)
    assert ack.body.decode() == ANSWER + CRYPTO
    assert not any(b"inline:c2Vj" in one.record.data for one in exchange.journal.stored)


def bob_within(bob: Phone, invite: Request, method: str, sdp: str = "", cseq: int = 7) -> None:
    """A request of Bob's inside the dialog of `invite`."""
    bob.exchange.send(
        BOB,
        f"{method} sip:x@127.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP {BOB};branch=z9hG4bKb{method}{cseq}\n"
        f"From: {invite.get('To')};tag=b\nTo: {invite.get('From')}\nCall-ID: {invite.call_id}\n"
        f"CSeq: {cseq} {method}\nContact: <sip:1002@{BOB}>" + ("\nContent-Type: application/sdp" if sdp else ""),
        sdp,
    )


@pytest.mark.parametrize("by", [ALICE, BOB])
def test_a_re_invite_without_an_offer(by: str) -> None:
    exchange = Exchange()
    alice, bob, answered, invite = talk(exchange)
    asked = bob if by == ALICE else alice
    if by == ALICE:
        alice.within(answered, "INVITE")
    else:
        bob_within(bob, invite, "INVITE")
    (reinvite,) = exchange.take(asked.address)
    assert isinstance(reinvite, Request)
    assert reinvite.body == b""
    asked.reply(reinvite, 200, HOLD)
    assert exchange.take(asked.address) == []
    offered = exchange.last(by)
    assert isinstance(offered, Response)
    assert (offered.status, offered.body.decode()) == (200, HOLD)
    if by == ALICE:
        alice.within(offered, "ACK", ANSWER)
    else:
        bob_within(bob, invite, "ACK", ANSWER)
    (ack,) = exchange.take(asked.address)
    assert (methods([ack]), ack.body.decode()) == (["ACK"], ANSWER)
    assert exchange.types[-3:] == ["renegotiation_requested", "counter_offered", "renegotiated"]
    (call,) = exchange.board.live_calls
    holder = call.callee_leg if by == ALICE else call.caller_leg
    assert call.held_by == {holder}


def test_a_re_invite_without_an_offer_whose_ack_gives_no_answer_ends_the_call() -> None:
    exchange = Exchange()
    alice, bob, answered, _ = talk(exchange)
    alice.within(answered, "INVITE")
    (reinvite,) = exchange.take(BOB)
    assert isinstance(reinvite, Request)
    bob.reply(reinvite, 200, SDP)
    offered = exchange.last(ALICE)
    assert isinstance(offered, Response)
    alice.within(offered, "ACK")
    assert methods(exchange.take(BOB)) == ["ACK", "BYE"]
    assert methods(exchange.take(ALICE)) == ["BYE"]


@pytest.mark.parametrize("asked", ["", HOLD])
def test_an_answer_without_media_to_a_re_invite_is_confirmed_and_refused(asked: str) -> None:
    exchange = Exchange()
    alice, bob, answered, _ = talk(exchange)
    alice.within(answered, "INVITE", asked)
    (reinvite,) = exchange.take(BOB)
    assert isinstance(reinvite, Request)
    bob.reply(reinvite, 200)
    assert methods(exchange.take(BOB)) == ["ACK"]
    assert methods(exchange.take(ALICE))[-1] == "488 INVITE"
    assert exchange.board.open_calls == 1


# --- strangers who know the tags


ELSEWHERE = "203.0.113.66:5060"


@pytest.mark.parametrize("sdp", [SDP, ""])
def test_an_answer_in_an_ack_counts_only_from_the_host_of_the_invite(sdp: str) -> None:
    """An ACK cannot be challenged: a stranger's would divert the media, or end the call by its silence."""
    exchange = Exchange()
    alice, _, _, answered = answered_late(exchange)
    mallory = Phone(exchange, "1001", ELSEWHERE)
    mallory.cseq = alice.cseq
    mallory.within(answered, "ACK", sdp)
    assert exchange.take(BOB) == []
    exchange.wait(1)
    assert methods(exchange.take(ALICE)) == ["200 INVITE"], "it is repeated until its own ACK comes"
    alice.within(answered, "ACK", ANSWER)
    (ack,) = exchange.take(BOB)
    assert isinstance(ack, Request)
    assert (ack.method, ack.body.decode()) == ("ACK", ANSWER)


def test_an_answer_to_the_offer_in_a_change_counts_only_from_the_host_of_the_re_invite() -> None:
    exchange = Exchange()
    alice, bob, answered, _ = talk(exchange)
    alice.within(answered, "INVITE")
    (offer,) = exchange.take(BOB)
    assert isinstance(offer, Request)
    bob.reply(offer, 200, SDP)
    exchange.take(ALICE)
    mallory = Phone(exchange, "1001", ELSEWHERE)
    mallory.cseq = alice.cseq
    mallory.within(answered, "ACK")
    mallory.within(answered, "ACK", SDP)
    assert exchange.take(BOB) == []
    alice.within(answered, "ACK", ANSWER)
    assert methods(exchange.take(BOB)) == ["ACK"]
    assert exchange.board.open_calls == 1


def test_the_answer_in_an_ack_counts_from_another_port_of_its_host() -> None:
    """A NAT may give a phone another port at any time."""
    exchange = Exchange()
    alice, _, _, answered = answered_late(exchange)
    alice.address = "127.0.0.1:6099"
    alice.within(answered, "ACK", ANSWER)
    (ack,) = exchange.take(BOB)
    assert ack.body.decode() == ANSWER
