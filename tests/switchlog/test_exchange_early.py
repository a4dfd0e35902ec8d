"""What goes on in early dialogs: offers by UPDATE (RFC 3311) and PRACK (RFC 3262), INFO (RFC 6086), a callee's BYE."""

from __future__ import annotations

import pytest

from adapters.sip.digest.challenge import answer
from adapters.sip.message.message import Request, Response
from tests.switchlog.exchange import PASSWORD, Exchange, HeldJournal
from tests.switchlog.phone import ALICE, BOB, MALLORY, SDP, Phone, methods, parties
from tests.switchlog.test_exchange_relay import ask, reply
from tests.switchlog.test_exchange_reliable import ANSWER, EARLY, patient, prack, progress
from tests.switchlog.test_exchange_session import UPDATES, within

OTHER = SDP.replace("4000", "4010")
FINAL = SDP.replace("4000", "4012")
DESK = "127.0.0.1:6012"
ABLE = f"\nSupported: 100rel{UPDATES}, PRACK"


def only_request(exchange: Exchange, address: str = BOB) -> Request:
    (got,) = exchange.take(address)
    assert isinstance(got, Request)
    return got


def only_response(exchange: Exchange, address: str = ALICE) -> Response:
    (got,) = exchange.take(address)
    assert isinstance(got, Response)
    return got


def early(exchange: Exchange, callee: str = UPDATES, confirms: bool = True) -> tuple[Phone, Phone, Request, Response]:
    """Alice and Bob have agreed on early media by reliable progress; Bob's INVITE and Alice's 183."""
    alice, bob = parties(exchange)
    alice.invite("1002", extra=ABLE)
    exchange.take(ALICE)
    invite = only_request(exchange)
    bob.reply(invite, 183, EARLY, extra=f"\nRequire: 100rel\nRSeq: 9{callee}")
    bob.reply(only_request(exchange), 200)
    told = only_response(exchange)
    if confirms:
        prack(alice, told)
        assert methods(exchange.take(ALICE)) == ["200 PRACK"]
    return alice, bob, invite, told


# --- offers before the answer


def test_an_offer_of_the_callers_goes_to_the_callee_and_its_answer_comes_back() -> None:
    exchange = Exchange()
    alice, bob, invite, told = early(exchange)
    alice.within(told, "UPDATE", OTHER)
    asked = only_request(exchange)
    assert (asked.method, asked.body.decode(), asked.cseq.number) == ("UPDATE", OTHER, 3)
    bob.reply(asked, 200, FINAL)
    answered = only_response(exchange)
    assert (answered.status, answered.cseq.method, answered.body.decode()) == (200, "UPDATE", FINAL)
    assert exchange.types[-2:] == ["early_offered", "early_agreed"]
    alice.within(told, "UPDATE", SDP)
    bob.reply(only_request(exchange), 200, ANSWER)
    exchange.take(ALICE)
    bob.reply(invite, 200)
    answered = only_response(exchange)
    assert (answered.cseq.method, answered.body) == ("INVITE", b""), "the answer was given in the UPDATE"
    (call,) = exchange.board.live_calls
    assert (call.caller.sdp, call.callee.sdp) == (SDP, ANSWER)
    alice.cseq = answered.cseq.number
    alice.within(answered, "ACK")
    alice.cseq = 50
    alice.within(answered, "BYE")
    assert methods(exchange.take(ALICE)) == ["200 BYE"]
    ack, bye = exchange.take(BOB)
    assert isinstance(bye, Request)
    assert (methods([ack, bye]), bye.cseq.number) == (["ACK", "BYE"], 5)


def test_an_offer_of_the_callees_goes_to_the_caller_in_their_early_dialog() -> None:
    exchange = Exchange()
    alice, bob, invite, told = early(exchange)
    within(bob, invite, "UPDATE", 5, OTHER)
    asked = only_request(exchange, ALICE)
    assert (asked.method, asked.body.decode(), asked.from_.tag) == ("UPDATE", OTHER, told.to.tag)
    alice.reply(asked, 200, FINAL)
    answered = only_response(exchange, BOB)
    assert (answered.status, answered.body.decode()) == (200, FINAL)
    bob.reply(invite, 200)
    (call,) = exchange.board.live_calls
    assert (call.caller.sdp, call.callee.sdp) == (FINAL, OTHER)
    accepted = only_response(exchange)
    alice.cseq = accepted.cseq.number
    alice.within(accepted, "ACK")
    within(bob, invite, "BYE", 6)
    bye = only_request(exchange, ALICE)
    assert bye.cseq.number > asked.cseq.number, "one dialog, one order"


@pytest.mark.parametrize(("status", "told_status"), [(488, 488), (491, 491), (500, 500), (408, 504)])
def test_a_refusal_before_the_answer_comes_back_and_the_call_goes_on(status: int, told_status: int) -> None:
    exchange = Exchange()
    alice, bob, invite, told = early(exchange)
    alice.within(told, "UPDATE", OTHER)
    bob.reply(only_request(exchange), status)
    assert only_response(exchange).status == told_status
    bob.reply(invite, 200)
    assert methods(exchange.take(ALICE)) == ["200 INVITE"]
    (call,) = exchange.board.live_calls
    assert (call.caller.sdp, call.callee.sdp) == (SDP, EARLY)


def test_silence_before_the_answer_is_told_in_time() -> None:
    exchange = Exchange(directory=patient)
    alice, _, _, told = early(exchange)
    alice.within(told, "UPDATE", OTHER)
    exchange.wait(25)
    assert [one for one in methods(exchange.take(ALICE)) if "UPDATE" in one] == ["100 UPDATE", "504 UPDATE"]


def test_a_callee_that_takes_no_update_is_not_asked() -> None:
    exchange = Exchange()
    alice, _, _, told = early(exchange, callee="")
    alice.within(told, "UPDATE", OTHER)
    assert only_response(exchange).status == 488
    assert exchange.take(BOB) == []


def test_an_offer_before_the_first_one_is_settled_is_too_early() -> None:
    exchange = Exchange()
    alice, bob, invite, told = early(exchange, confirms=False)
    alice.within(told, "UPDATE", OTHER)
    refused = only_response(exchange)
    assert (refused.status, refused.get("Retry-After") is not None) == (500, True)
    within(bob, invite, "UPDATE", 5, OTHER)
    assert only_response(exchange, BOB).status == 491
    assert exchange.take(BOB) == []


def test_offers_that_cross_before_the_answer() -> None:
    exchange = Exchange()
    alice, bob, invite, told = early(exchange)
    alice.within(told, "UPDATE", OTHER)
    asked = only_request(exchange)
    within(bob, invite, "UPDATE", 5, FINAL)
    assert only_response(exchange, BOB).status == 491
    alice.within(told, "UPDATE", SDP)
    assert only_response(exchange).status == 500
    bob.reply(asked, 200, FINAL)
    assert methods(exchange.take(ALICE)) == ["200 UPDATE"]


@pytest.mark.parametrize(("status", "sdp", "told_status"), [(200, SDP, 491), (486, "", 487)])
def test_what_ends_the_early_dialog_refuses_the_offer_in_it(status: int, sdp: str, told_status: int) -> None:
    exchange = Exchange()
    alice, bob, invite, told = early(exchange)
    alice.within(told, "UPDATE", OTHER)
    asked = only_request(exchange)
    bob.reply(invite, status, sdp)
    assert f"{told_status} UPDATE" in methods(exchange.take(ALICE))
    bob.reply(asked, 200, FINAL)
    assert exchange.take(ALICE) == []


@pytest.mark.parametrize("agreed", [False, True])
def test_a_restart_goes_on_with_an_offer_before_the_answer(agreed: bool) -> None:
    journal = HeldJournal()
    exchange = Exchange(journal)
    alice, bob, _, told = early(exchange)
    alice.within(told, "UPDATE", OTHER, branch="z9hG4bKearly")
    asked = only_request(exchange)
    if agreed:
        bob.reply(asked, 200, FINAL)
    said = {data for _, data in exchange.wire}
    again = Exchange(journal, epoch=2, start_s=exchange.clock_s)
    assert {data for _, data in again.wire} <= said
    assert ("200 UPDATE" in methods(again.take(ALICE))) is agreed
    bob.exchange = again
    if not agreed:
        (repeated,) = (one for one in again.take(BOB) if one.cseq.method == "UPDATE")
        assert repeated.serialise() == asked.serialise()
        bob.reply(asked, 200, FINAL)
        assert methods(again.take(ALICE)) == ["200 UPDATE"]


def test_progress_beside_an_offer_is_still_to_be_confirmed() -> None:
    exchange = Exchange()
    alice, bob, invite, told = early(exchange)
    alice.within(told, "UPDATE", OTHER)
    asked = only_request(exchange)
    progress(bob, invite, 10, 183, ANSWER)
    second = only_response(exchange)
    bob.reply(asked, 200, FINAL)
    assert methods(exchange.take(ALICE)) == ["200 UPDATE"]
    prack(alice, second)
    done, third = exchange.take(ALICE)
    assert methods([done, third]) == ["200 PRACK", "183 INVITE"]
    assert third.body.decode() == FINAL


# --- offers in a PRACK


def test_a_new_offer_in_a_prack_goes_to_the_callee_by_update() -> None:
    exchange = Exchange()
    alice, bob, _, told = early(exchange, confirms=False)
    prack(alice, told, OTHER)
    assert exchange.take(ALICE) == []
    asked = only_request(exchange)
    assert (asked.method, asked.body.decode()) == ("UPDATE", OTHER)
    bob.reply(asked, 200, FINAL)
    answered = only_response(exchange)
    assert (answered.status, answered.cseq.method, answered.body.decode()) == (200, "PRACK", FINAL)
    assert answered.get("Contact") is None
    exchange.wait(10)
    assert exchange.take(ALICE) == [], "the progress is acknowledged"


def test_a_new_offer_in_a_prack_that_cannot_be_passed_on_is_refused_and_the_call_goes_on() -> None:
    exchange = Exchange()
    alice, bob, invite, told = early(exchange, callee="", confirms=False)
    prack(alice, told, OTHER)
    assert methods(exchange.take(ALICE)) == ["488 PRACK"]
    exchange.wait(10)
    assert exchange.take(ALICE) == exchange.take(BOB) == [], "the progress is acknowledged all the same"
    bob.reply(invite, 200)
    assert methods(exchange.take(ALICE)) == ["200 INVITE"]


# --- the order of requests


def test_each_early_dialog_counts_for_itself() -> None:
    exchange = Exchange()
    alice, bob = parties(exchange)
    desk = Phone(exchange, "1002", DESK)
    assert desk.register().status == 200
    alice.invite("1002")
    for number, phone in enumerate((bob, desk)):
        (invite,) = exchange.take(phone.address)
        assert isinstance(invite, Request)
        phone.reply(invite, 180)
        ringing = exchange.last(ALICE)
        assert isinstance(ringing, Response)
        alice.cseq = 20
        alice.within(ringing, "UPDATE", branch=f"z9hG4bKsame{number}")
        assert only_response(exchange).status == 200
        alice.cseq = 20
        ask(exchange, ringing, cseq=19 - number)
        assert only_response(exchange).status == 500


def test_a_prack_with_an_old_number_is_out_of_order() -> None:
    exchange = Exchange()
    alice, bob, invite, told = early(exchange)
    progress(bob, invite, 10, 183, FINAL)
    second = only_response(exchange)
    alice.cseq = told.cseq.number - 1
    prack(alice, second)
    assert only_response(exchange).status == 500
    alice.cseq = 50
    prack(alice, second)
    assert only_response(exchange).status == 200


def test_a_refusal_inside_a_dialog_is_kept_for_its_repetition() -> None:
    exchange = Exchange()
    _, bob, invite, _ = early(exchange)
    within(bob, invite, "INFO", 9)
    exchange.take(ALICE)
    before = len(exchange.layer)
    within(bob, invite, "INFO", 8)
    assert methods(exchange.take(BOB)) == ["500 INFO"]
    assert len(exchange.layer) == before + 1


# --- others


def test_info_before_the_answer_goes_both_ways() -> None:
    exchange = Exchange()
    alice, bob = parties(exchange)
    alice.invite("1002")
    invite = only_request(exchange)
    bob.reply(invite, 180)
    ringing = exchange.last(ALICE)
    assert isinstance(ringing, Response)
    ask(exchange, ringing, cseq=60)
    info = only_request(exchange)
    assert info.method == "INFO"
    reply(exchange, info, 200)
    assert only_response(exchange).status == 200
    within(bob, invite, "INFO", 8)
    back = only_request(exchange, ALICE)
    assert (back.method, back.from_.tag) == ("INFO", ringing.to.tag)
    alice.reply(back, 200)
    assert methods(exchange.take(BOB)) == ["200 INFO"]


def test_the_bye_of_a_late_answer_is_newer_than_what_was_said_before() -> None:
    exchange = Exchange()
    alice, bob = parties(exchange)
    branch = alice.invite("1002")
    invite = only_request(exchange)
    bob.reply(invite, 180)
    ringing = exchange.last(ALICE)
    assert isinstance(ringing, Response)
    ask(exchange, ringing, cseq=60)
    info = only_request(exchange)
    alice.within(ringing, "CANCEL", branch=branch)
    exchange.take(BOB)
    bob.reply(invite, 200, SDP)
    bye = exchange.last(BOB)
    assert isinstance(bye, Request)
    assert bye.method == "BYE"
    assert bye.cseq.number > info.cseq.number


def test_a_callee_cannot_end_an_early_dialog() -> None:
    exchange = Exchange()
    alice, bob = parties(exchange)
    alice.invite("1002")
    invite = only_request(exchange)
    bob.reply(invite, 180)
    within(bob, invite, "BYE", 8)
    assert methods(exchange.take(BOB)) == ["403 BYE"]
    bob.reply(invite, 200, SDP)
    answered = exchange.last(ALICE)
    assert isinstance(answered, Response)
    alice.within(answered, "ACK")
    within(bob, invite, "BYE", 9)
    assert "200 BYE" in methods(exchange.take(BOB))


# --- strangers who know the tags


@pytest.mark.parametrize("sdp", [OTHER, ""])
@pytest.mark.parametrize(("username", "status"), [("1003", "403 PRACK"), ("1001", "200 PRACK")])
def test_progress_is_confirmed_only_by_its_caller(sdp: str, username: str, status: str) -> None:
    """A PRACK may bring other media, and without the answer that is owed it ends the call."""
    exchange = Exchange()
    alice, _, _, told = early(exchange, confirms=False)
    elsewhere = Phone(exchange, "1001", MALLORY)
    elsewhere.cseq = alice.cseq
    prack(elsewhere, told, sdp)
    refused = only_response(exchange, MALLORY)
    assert (refused.status, refused.cseq.method) == (401, "PRACK")
    assert (exchange.take(BOB), exchange.take(ALICE)) == ([], [])
    challenge, uri = refused.get_all("WWW-Authenticate")[0], (told.get("Contact") or "").strip("<>")
    rack = f"\nRAck: {told.get('RSeq')} {told.cseq.number} INVITE"
    credentials = f"\nAuthorization: {answer(challenge, 'PRACK', uri, username, PASSWORD, 'cn')}"
    elsewhere.within(told, "PRACK", extra=rack + credentials)
    assert methods(exchange.take(MALLORY)) == [status]
