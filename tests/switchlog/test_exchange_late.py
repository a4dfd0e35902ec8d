"""Answers to requests that something else has overtaken: they are never taken for those to newer ones."""

from __future__ import annotations

import pytest

from adapters.sip.message.message import Request, Response
from domain.call.call import Call, CallState
from tests.switchlog.exchange import Exchange
from tests.switchlog.phone import ALICE, BOB, HOLD, SDP, Phone, methods, parties
from tests.switchlog.test_exchange_early import ABLE, DESK, FINAL, OTHER, early, only_request, only_response
from tests.switchlog.test_exchange_relay import DTMF
from tests.switchlog.test_exchange_reliable import EARLY, patient, prack
from tests.switchlog.test_exchange_session import UPDATES


class Two:
    """Alice calls Bob's phone and his desk's; she has agreed on early media with both."""

    def __init__(self) -> None:
        self.exchange = exchange = Exchange(directory=patient)
        self.alice, self.bob = parties(exchange)
        self.desk = Phone(exchange, "1002", DESK)
        assert self.desk.register().status == 200
        self.alice.invite("1002", extra=ABLE)
        exchange.take(ALICE)
        self.invites: dict[str, Request] = {}
        for phone in (self.bob, self.desk):
            self.invites[phone.address] = invite = only_request(exchange, phone.address)
            phone.reply(invite, 183, EARLY, extra=f"\nRequire: 100rel\nRSeq: 9{UPDATES}")
            phone.reply(only_request(exchange, phone.address), 200)
            prack(self.alice, only_response(exchange))
            assert methods(exchange.take(ALICE)) == ["200 PRACK"]

    @property
    def call(self) -> Call:
        (call,) = self.exchange.board.live_calls
        return call

    def state(self) -> str:
        return self.call.state.value

    def offer(self, phone: Phone) -> Request:
        """A phone of Bob's offers other media before the answer; what Alice is asked."""
        ask_from(phone, self.invites[phone.address], "UPDATE", OTHER)
        return only_request(self.exchange, ALICE)

    def answer(self, phone: Phone) -> Response:
        """It takes the call, and Alice confirms that; her 200."""
        phone.reply(self.invites[phone.address], 200, EARLY)
        told = [one for one in self.exchange.take(ALICE) if isinstance(one, Response) and one.status == 200]
        self.alice.cseq = told[-1].cseq.number
        self.alice.within(told[-1], "ACK")
        self.exchange.take(phone.address)
        return told[-1]


def ask_from(phone: Phone, invite: Request, method: str, sdp: str = "", body: str = "") -> None:
    """A request of one of Bob's phones inside the dialog of its INVITE."""
    phone.cseq += 1
    phone.exchange.send(
        phone.address,
        f"{method} sip:x@127.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP {phone.address};branch=z9hG4bK{method}{phone.cseq}\n"
        f"From: {invite.get('To')};tag=b\nTo: {invite.get('From')}\nCall-ID: {invite.call_id}\n"
        f"CSeq: {phone.cseq + 10} {method}\nContact: <sip:1002@{phone.address}>"
        + ("\nContent-Type: application/sdp" if sdp else "\nContent-Type: application/dtmf-relay" if body else ""),
        sdp or body,
    )


@pytest.mark.parametrize("status", [200, 408, 481, 488, 0])
def test_the_answer_to_a_change_of_another_early_dialog_does_not_touch_the_call(status: int) -> None:
    two = Two()
    stale = two.offer(two.bob)
    two.answer(two.desk)
    ask_from(two.desk, two.invites[DESK], "INVITE", HOLD)
    asked = two.exchange.last(ALICE)
    assert isinstance(asked, Request)
    assert (asked.method, asked.cseq.number > stale.cseq.number) == ("INVITE", True)
    two.alice.reply(asked, 100)
    if status:
        two.alice.reply(stale, status, FINAL if status == 200 else "")
    else:
        two.exchange.wait(33)
    assert two.state() == "renegotiating", "the change of the phone that answered is still under way"
    assert "ACK" not in methods(two.exchange.take(ALICE))
    two.alice.reply(asked, 200, FINAL)
    assert methods(two.exchange.take(ALICE)) == ["ACK"]
    (answered,) = (one for one in two.exchange.take(DESK) if isinstance(one, Response) and one.status == 200)
    assert answered.body.decode() == FINAL
    assert two.state() == "talking"


def test_the_answer_to_a_change_that_ended_with_its_early_dialog_is_not_that_to_another_one() -> None:
    two = Two()
    stale = two.offer(two.bob)
    two.bob.reply(two.invites[BOB], 486)
    two.exchange.take(BOB)
    asked = two.offer(two.desk)
    two.alice.reply(stale, 488)
    two.alice.reply(stale, 200, SDP)
    assert two.exchange.take(DESK) == [], "Alice has not answered that yet"
    two.alice.reply(asked, 200, FINAL)
    answered = only_response(two.exchange, DESK)
    assert (answered.status, answered.body.decode()) == (200, FINAL)


@pytest.mark.parametrize("status", [200, 481])
def test_the_answer_to_an_early_change_is_not_that_to_a_later_one_of_the_same_dialog(status: int) -> None:
    exchange = Exchange()
    alice, bob, invite, told = early(exchange)
    alice.within(told, "UPDATE", OTHER)
    stale = only_request(exchange)
    bob.reply(invite, 200, EARLY)
    answered = exchange.last(ALICE)
    assert isinstance(answered, Response)
    alice.cseq = answered.cseq.number
    alice.within(answered, "ACK")
    exchange.take(BOB)
    alice.cseq = 50
    alice.within(answered, "INVITE", HOLD)
    asked = only_request(exchange)
    exchange.take(ALICE)
    bob.reply(stale, status, FINAL if status == 200 else "")
    (call,) = exchange.board.live_calls
    assert (exchange.take(ALICE), exchange.take(BOB), call.state) == ([], [], CallState.RENEGOTIATING)
    bob.reply(asked, 200, SDP)
    assert only_response(exchange).body.decode() == SDP


@pytest.mark.parametrize("status", [408, 481, 0])
def test_who_does_not_know_an_early_dialog_any_more_may_know_the_call(status: int) -> None:
    two = Two()
    ask_from(two.bob, two.invites[BOB], "INFO", body=DTMF)
    info = only_request(two.exchange, ALICE)
    two.answer(two.desk)
    two.exchange.take(BOB)
    if status:
        two.alice.reply(info, status)
    else:
        two.exchange.wait(33)
    assert f"{status if status == 481 else 504} INFO" in methods(two.exchange.take(BOB))
    assert two.state() == "talking"


def test_who_does_not_know_the_early_dialog_that_became_the_call_is_gone() -> None:
    two = Two()
    ask_from(two.desk, two.invites[DESK], "INFO", body=DTMF)
    info = only_request(two.exchange, ALICE)
    two.answer(two.desk)
    two.alice.reply(info, 481)
    assert two.state() == "ended"


# --- dialled once more, after progress


@pytest.mark.parametrize("status", [200, 481, 0])
def test_a_leg_that_is_dialled_once_more_begins_afresh(status: int) -> None:
    exchange = Exchange(directory=patient)
    alice, bob, invite, told = early(exchange)
    alice.within(told, "UPDATE", OTHER)
    stale = only_request(exchange)
    bob.reply(invite, 422, extra="\nMin-SE: 3600")
    again = exchange.last(BOB)
    assert isinstance(again, Request)
    assert again.method == "INVITE"
    assert methods(exchange.take(ALICE))[-1] == "487 UPDATE"
    if status:
        bob.reply(stale, status, FINAL if status == 200 else "")
    else:
        bob.reply(again, 100)
        exchange.wait(33)
    (call,) = exchange.board.live_calls
    assert (call.state, exchange.take(ALICE)) == (CallState.RINGING, [])
    assert set(methods(exchange.take(BOB))) <= {"UPDATE"}, "what was sent before, again"
    alice.within(told, "UPDATE", OTHER)
    assert only_response(exchange).status == 500, "there is nothing to be changed yet"
    bob.reply(again, 180, tag="c", extra="\nRequire: 100rel\nRSeq: 3")
    bob.reply(only_request(exchange), 200)
    ringing = only_response(exchange)
    assert (ringing.status, ringing.get("RSeq"), ringing.body) == (180, str(int(told.get("RSeq") or 0) + 1), b"")
    bob.reply(again, 200, SDP, tag="c")
    assert call.state is CallState.TALKING


def test_a_confirmation_that_comes_while_a_leg_is_dialled_once_more_is_answered() -> None:
    exchange = Exchange()
    alice, bob, invite, told = early(exchange, confirms=False)
    bob.reply(invite, 422, extra="\nMin-SE: 3600")
    exchange.take(ALICE)
    prack(alice, told)
    assert methods(exchange.take(ALICE)) == ["200 PRACK"]
