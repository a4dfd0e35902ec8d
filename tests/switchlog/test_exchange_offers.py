"""Offers that must be found again: by a branch that others chose too, after a restart, refused, never acknowledged."""

from __future__ import annotations

import pytest

from adapters.sip.message.message import Request, Response
from domain.call.terms import REDIALS
from tests.switchlog.exchange import Exchange, authorized
from tests.switchlog.phone import ALICE, BOB, HOLD, SDP, Phone, methods, parties
from tests.switchlog.test_exchange_session import TIMER, request, talk, within

CAROL = "127.0.0.1:6003"
BRANCHES = pytest.mark.parametrize("branch", ["z9hG4bK-1-1-0", "old"])


class Streams(Exchange):
    """Phones come by TCP."""

    def send(self, address: str, text: str, body: str = "", transport: str = "udp") -> None:
        super().send(address, text, body, "tcp")


def invite(phone: Phone, branch: str) -> None:
    """A call to Bob by somebody who gives all requests this branch."""
    uri = "sip:1002@acme.example"

    def send(credentials: str) -> None:
        phone.cseq += 1
        phone.exchange.send(
            phone.address,
            f"INVITE {uri} SIP/2.0\nVia: SIP/2.0/UDP {phone.address};branch={branch}\n"
            f"From: <sip:{phone.number}@acme.example>;tag=a\nTo: <{uri}>\nCall-ID: call of {phone.number}\n"
            f"CSeq: {phone.cseq} INVITE\nContact: <sip:{phone.number}@{phone.address}>\n"
            f"Content-Type: application/sdp{credentials}",
            SDP,
        )

    authorized(phone.exchange, phone.address, phone.number, send, uri)


def callers(exchange: Exchange) -> tuple[Phone, Phone, Phone]:
    """Alice, Bob and Carol."""
    alice, bob = parties(exchange)
    carol = Phone(exchange, "1003", CAROL)
    assert carol.register().status == 200
    return alice, bob, carol


@BRANCHES
def test_two_callers_may_choose_the_same_branch(branch: str) -> None:
    exchange = Exchange()
    alice, _, carol = callers(exchange)
    invite(alice, branch)
    invite(carol, branch)
    trying = exchange.last(ALICE)
    assert isinstance(trying, Response)
    alice.within(trying, "CANCEL", branch=branch)
    assert methods(exchange.take(ALICE)) == ["200 CANCEL", "487 INVITE"]
    assert exchange.board.open_calls == 1


@BRANCHES
def test_each_of_two_callers_with_the_same_branch_must_acknowledge(branch: str) -> None:
    exchange = Exchange()
    alice, bob, carol = callers(exchange)
    invite(alice, branch)
    invite(carol, branch)
    for offer in exchange.take(BOB):
        assert isinstance(offer, Request)
        bob.reply(offer, 200, SDP)
    answered = exchange.last(CAROL)
    assert isinstance(answered, Response)
    carol.within(answered, "ACK")
    exchange.wait(33)
    assert "BYE" in methods(exchange.take(ALICE))
    assert "BYE" not in methods(exchange.take(CAROL))
    assert exchange.board.open_calls == 1


def test_a_refresh_by_re_invite_that_is_never_acknowledged_ends_the_call() -> None:
    exchange = Exchange()
    alice, _, answered, _ = talk(exchange, f"{TIMER}\nSession-Expires: 1000")
    alice.within(answered, "INVITE", SDP)
    exchange.wait(31)
    assert exchange.board.open_calls == 1
    exchange.wait(2)
    assert exchange.board.open_calls == 0
    assert "BYE" in methods(exchange.take(ALICE))


def test_a_cancel_after_the_200_to_a_refresh_has_no_effect() -> None:
    exchange = Exchange()
    alice, _, answered, _ = talk(exchange, f"{TIMER}\nSession-Expires: 1000")
    alice.within(answered, "INVITE", SDP, branch="z9hG4bKlate")
    alice.within(answered, "CANCEL", branch="z9hG4bKlate")
    assert methods(exchange.take(ALICE)) == ["200 INVITE", "200 CANCEL"]
    assert exchange.types[-1] == "session_refreshed"


def test_a_callee_that_wants_endless_sessions_has_failed() -> None:
    exchange = Exchange()
    alice, bob = parties(exchange)
    alice.invite("1002")
    exchange.take(ALICE)
    bob.reply(request(exchange, BOB), 422, extra="\nMin-SE: 100000")
    assert methods(exchange.take(BOB)) == ["ACK"]
    assert methods(exchange.take(ALICE)) == ["480 INVITE"]
    assert exchange.types[-2:] == ["legs_failed", "ended"]


def test_a_callee_that_is_never_pleased_has_failed() -> None:
    exchange = Exchange()
    alice, bob = parties(exchange)
    alice.invite("1002")
    for longer in range(REDIALS + 1):
        (offer,) = [one for one in exchange.take(BOB) if isinstance(one, Request) and one.method == "INVITE"]
        bob.reply(offer, 422, extra=f"\nMin-SE: {2000 + longer}")
    assert methods(exchange.take(BOB)) == ["ACK"]
    assert exchange.types[-2:] == ["legs_failed", "ended"]


@pytest.mark.parametrize("by", ["caller", "callee"])
def test_a_restart_without_a_way_to_the_phone_of_a_re_invite_that_was_taken_back(by: str) -> None:
    exchange = Streams()
    alice, bob, answered, dialled = talk(exchange)
    if by == "caller":
        alice.within(answered, "INVITE", HOLD, branch="z9hG4bKback")
        alice.within(answered, "CANCEL", branch="z9hG4bKback")
    else:
        within(bob, dialled, "INVITE", 5, HOLD)
        exchange.send(
            BOB,
            f"CANCEL sip:x@127.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP {BOB};branch=z9hG4bKbINVITE5\n"
            f"From: {dialled.get('To')};tag=b\nTo: {dialled.get('From')}\nCall-ID: {dialled.call_id}\nCSeq: 5 CANCEL",
        )
    assert exchange.types[-1] == "renegotiation_withdrawn"
    again = Streams(exchange.journal, epoch=2, start_s=exchange.clock_s, alive=lambda flow: False)
    assert again.board.open_calls == 1
    assert again.wire == []


def test_an_offer_in_an_answer_that_is_never_answered_ends_the_call_also_after_a_restart() -> None:
    exchange = Exchange()
    alice, bob = parties(exchange)
    alice.invite("1002", sdp="")
    bob.reply(request(exchange, BOB), 200, SDP)
    again = Exchange(exchange.journal, epoch=2, start_s=exchange.clock_s)
    again.wait(31)
    assert again.board.open_calls == 1
    again.wait(2)
    assert again.board.open_calls == 0
    assert "BYE" in methods(again.take(ALICE))


def test_an_update_that_nobody_answers_is_refused_in_time_and_not_by_408() -> None:
    exchange = Exchange()
    alice, _, answered, _ = talk(exchange, callee="\nAllow: UPDATE")
    alice.within(answered, "UPDATE", HOLD)
    exchange.wait(25)
    assert [one for one in methods(exchange.take(ALICE)) if one.endswith("UPDATE")] == ["100 UPDATE", "504 UPDATE"]
    assert exchange.board.open_calls == 0


def test_a_change_is_offered_again_with_the_session_that_the_other_phone_wants() -> None:
    exchange = Exchange()
    alice, bob, answered, _ = talk(exchange)
    alice.within(answered, "INVITE", HOLD)
    exchange.take(ALICE)
    bob.reply(request(exchange, BOB), 422, extra="\nMin-SE: 3600")
    ack, again = exchange.take(BOB)
    assert isinstance(again, Request)
    assert methods([ack, again]) == ["ACK", "INVITE"]
    assert ((again.get("Session-Expires") or "").split(";")[0], again.get("Min-SE")) == ("3600", "3600")
    assert (again.body.decode(), again.cseq.number) == (HOLD, 3)
    bob.reply(again, 200, SDP)
    assert methods(exchange.take(ALICE)) == ["200 INVITE"]
    assert methods(exchange.take(BOB)) == ["ACK"]


def test_a_phone_that_is_never_pleased_refuses_the_change() -> None:
    exchange = Exchange()
    alice, bob, answered, _ = talk(exchange)
    alice.within(answered, "INVITE", HOLD)
    for longer in range(REDIALS + 1):
        (offer,) = [one for one in exchange.take(BOB) if isinstance(one, Request) and one.method == "INVITE"]
        bob.reply(offer, 422, extra=f"\nMin-SE: {2000 + longer}")
    assert methods(exchange.take(BOB)) == ["ACK"]
    assert methods(exchange.take(ALICE))[-1] == "480 INVITE"
    assert exchange.types.count("renegotiation_retried") == REDIALS
    assert exchange.board.open_calls == 1


def passed_as_invite(exchange: Exchange) -> tuple[Phone, Request]:
    """An UPDATE of Alice's that Bob's phone gets as re-INVITE, and is in no hurry to answer; Alice has her 504."""
    alice, bob, answered, _ = talk(exchange)
    alice.within(answered, "UPDATE", HOLD)
    offer = request(exchange, BOB)
    assert offer.method == "INVITE"
    bob.reply(offer, 180)
    exchange.wait(23)
    assert methods(exchange.take(ALICE)) == ["100 UPDATE"]
    exchange.wait(2)
    assert methods(exchange.take(ALICE)) == ["504 UPDATE"]
    cancel = exchange.take(BOB)[0]
    assert isinstance(cancel, Request)
    assert cancel.method == "CANCEL"
    bob.reply(cancel, 200)
    return bob, offer


def test_an_update_that_was_passed_on_as_re_invite_is_answered_before_its_sender_gives_up() -> None:
    exchange = Exchange()
    bob, offer = passed_as_invite(exchange)
    bob.reply(offer, 487)
    assert methods(exchange.take(BOB)) == ["ACK"]
    assert exchange.take(ALICE) == []
    (call,) = exchange.board.live_calls
    assert (call.held_by, exchange.board.open_calls) == (frozenset(), 1)


def test_a_phone_that_takes_the_update_after_its_refusal_is_asked_back() -> None:
    exchange = Exchange()
    bob, offer = passed_as_invite(exchange)
    bob.reply(offer, 200, HOLD)
    ack, back = exchange.take(BOB)
    assert isinstance(back, Request)
    assert (methods([ack, back]), back.body.decode()) == (["ACK", "INVITE"], SDP)
    bob.reply(back, 200, SDP)
    assert methods(exchange.take(BOB)) == ["ACK"]
    assert exchange.take(ALICE) == []
    assert exchange.board.open_calls == 1


def test_a_phone_that_stays_silent_on_an_update_is_gone() -> None:
    exchange = Exchange()
    alice, _, answered, _ = talk(exchange)
    alice.within(answered, "UPDATE", HOLD)
    exchange.wait(25)
    assert methods(exchange.take(ALICE)) == ["100 UPDATE", "504 UPDATE"]
    exchange.wait(8)
    assert "BYE" in methods(exchange.take(ALICE))
    assert exchange.board.open_calls == 0
