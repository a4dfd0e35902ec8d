"""Sessions that are refreshed (RFC 4028), UPDATE (RFC 3311), and offers that cross (RFC 3261 14)."""

from __future__ import annotations

import pytest

from adapters.sip.message.message import Request, Response
from domain.call.call import Call
from tests.switchlog.exchange import Exchange
from tests.switchlog.phone import ALICE, BOB, HOLD, SDP, Phone, methods, parties

UPDATES = "\nAllow: INVITE, ACK, BYE, UPDATE"
TIMER = "\nSupported: timer"


def within(bob: Phone, invite: Request, method: str, cseq: int, sdp: str = "", extra: str = "") -> None:
    """A request of Bob's inside the dialog of `invite`."""
    bob.exchange.send(
        BOB,
        f"{method} sip:x@127.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP {BOB};branch=z9hG4bKb{method}{cseq}\n"
        f"From: {invite.get('To')};tag=b\nTo: {invite.get('From')}\nCall-ID: {invite.call_id}\n"
        f"CSeq: {cseq} {method}\nContact: <sip:1002@{BOB}>"
        + ("\nContent-Type: application/sdp" if sdp else "")
        + extra,
        sdp,
    )


def talk(exchange: Exchange, caller: str = "", callee: str = "") -> tuple[Phone, Phone, Response, Request]:
    """Alice and Bob in a call, each with headers of its own; Alice's 200 and Bob's INVITE."""
    alice, bob = parties(exchange)
    alice.invite("1002", extra=caller)
    (invite,) = exchange.take(BOB)
    assert isinstance(invite, Request)
    bob.reply(invite, 200, SDP, extra=callee)
    answered = exchange.last(ALICE)
    assert isinstance(answered, Response)
    assert answered.status == 200
    alice.within(answered, "ACK")
    assert methods(exchange.take(BOB)) == ["ACK"]
    return alice, bob, answered, invite


def only(exchange: Exchange, address: str) -> Request | Response:
    (got,) = exchange.take(address)
    return got


def request(exchange: Exchange, address: str) -> Request:
    got = only(exchange, address)
    assert isinstance(got, Request)
    return got


def response(exchange: Exchange, address: str) -> Response:
    got = only(exchange, address)
    assert isinstance(got, Response)
    return got


def the_call(exchange: Exchange) -> Call:
    (call,) = exchange.board.live_calls
    return call


# --- what is agreed (RFC 4028 sections 7 and 9)


@pytest.mark.parametrize(
    ("asked", "granted", "required"),
    [
        ("", None, None),
        (TIMER, "1800;refresher=uac", "timer"),
        (f"{TIMER}\nSession-Expires: 600", "600;refresher=uac", "timer"),
        (f"{TIMER}\nx: 600;refresher=uas", "600;refresher=uas", None),
        (f"{TIMER}\nSession-Expires: 7200", "1800;refresher=uac", "timer"),
        (f"{TIMER}\nSession-Expires: 7200\nMin-SE: 3600", "3600;refresher=uac", "timer"),
        ("\nSession-Expires: 600", "600;refresher=uas", None),
    ],
)
def test_what_a_caller_is_granted(asked: str, granted: str | None, required: str | None) -> None:
    exchange = Exchange()
    _, _, answered, _ = talk(exchange, asked)
    assert (answered.get("Session-Expires"), answered.get("Require")) == (granted, required)


def test_too_short_a_session_is_refused_with_the_least() -> None:
    exchange = Exchange()
    alice, _ = parties(exchange)
    alice.invite("1002", extra=f"{TIMER}\nSession-Expires: 30")
    refused = response(exchange, ALICE)
    assert (refused.status, refused.get("Min-SE")) == (422, "90")
    assert exchange.types == []


def test_a_callee_that_wants_a_longer_session_is_asked_again() -> None:
    exchange = Exchange()
    alice, bob = parties(exchange)
    alice.invite("1002")
    exchange.take(ALICE)
    invite = request(exchange, BOB)
    assert (invite.get("Session-Expires"), invite.get("Supported")) == ("1800", "100rel, timer")
    bob.reply(invite, 422, extra="\nMin-SE: 3000")
    ack, again = exchange.take(BOB)
    assert methods([ack, again]) == ["ACK", "INVITE"]
    assert isinstance(again, Request)
    assert (again.cseq.number, again.call_id) == (2, invite.call_id)
    assert (again.get("Session-Expires"), again.get("Min-SE")) == ("3000", "3000")
    bob.reply(again, 180)
    restarted = Exchange(exchange.journal, epoch=2, start_s=exchange.clock_s)
    bob.exchange = restarted
    bob.reply(again, 200, SDP, extra=f"{TIMER}\nSession-Expires: 3000;refresher=uac")
    confirmed = only(restarted, BOB)
    assert (methods([confirmed]), confirmed.cseq.number) == (["ACK"], 2)
    bob.reply(again, 422, extra="\nMin-SE: 9000")
    assert the_call(restarted).answered_at is not None


def test_a_cancel_after_that_means_the_second_invite() -> None:
    exchange = Exchange()
    alice, bob = parties(exchange)
    branch = alice.invite("1002")
    trying = exchange.last(ALICE)
    assert isinstance(trying, Response)
    bob.reply(request(exchange, BOB), 422, extra="\nMin-SE: 3000")
    again = exchange.take(BOB)[-1]
    assert isinstance(again, Request)
    bob.reply(again, 180)
    alice.within(trying, "CANCEL", branch=branch)
    cancel = request(exchange, BOB)
    assert (cancel.method, cancel.via.branch, cancel.cseq.number) == ("CANCEL", again.via.branch, 2)


# --- refreshes


@pytest.mark.parametrize("how", ["UPDATE", "INVITE", "UPDATE with the same media"])
def test_a_partys_refresh_is_answered_here_and_changes_nothing(how: str) -> None:
    exchange = Exchange()
    alice, _, answered, _ = talk(exchange, f"{TIMER}\nSession-Expires: 100")
    exchange.wait(60)
    sdp = "" if how == "UPDATE" else SDP
    alice.within(answered, how.split(maxsplit=1)[0], sdp, extra=f"{TIMER}\nSession-Expires: 100;refresher=uac")
    done = response(exchange, ALICE)
    assert (done.status, done.get("Session-Expires")) == (200, "100;refresher=uac")
    assert done.body.decode() == sdp
    if how == "INVITE":
        alice.within(answered, "ACK")
    exchange.wait(60)
    assert exchange.take(BOB) == []
    assert exchange.types[-1] == "session_refreshed"
    exchange.wait(20)
    assert exchange.board.open_calls == 0


def test_a_session_that_nobody_refreshes_is_lost() -> None:
    exchange = Exchange()
    talk(exchange, f"{TIMER}\nSession-Expires: 90")
    exchange.wait(59)
    assert exchange.board.open_calls == 1
    again = Exchange(exchange.journal, epoch=2, start_s=exchange.clock_s)
    again.wait(3)
    assert "BYE" in methods(again.take(ALICE))
    assert "BYE" in methods(again.take(BOB))
    ended = again.journal.stored[-1].record.data
    assert b'"outcome":"lost"' in ended
    assert b'"sip_status":408,"q850":102' in ended


@pytest.mark.parametrize("updates", [True, False])
def test_our_refresh_of_a_callee(updates: bool) -> None:
    exchange = Exchange()
    _, bob, _, _ = talk(exchange, callee=f"{TIMER}\nSession-Expires: 100;refresher=uac" + (UPDATES if updates else ""))
    exchange.wait(49)
    assert exchange.take(BOB) == []
    exchange.wait(1.2)
    refresh = request(exchange, BOB)
    assert (refresh.method, refresh.cseq.number) == ("UPDATE" if updates else "INVITE", 2)
    assert refresh.get("Session-Expires") == "100;refresher=uac"
    assert refresh.body.decode() == ("" if updates else SDP)
    bob.reply(refresh, 200, "" if updates else SDP, extra=f"{TIMER}\nSession-Expires: 100;refresher=uac")
    assert methods(exchange.take(BOB)) == ([] if updates else ["ACK"])
    exchange.wait(50.2)
    second = request(exchange, BOB)
    assert second.cseq.number == 3
    assert set(methods(exchange.take(ALICE))) <= {"200 INVITE"}
    assert exchange.types[-3:] == ["refresh_requested", "session_refreshed", "refresh_requested"]


def test_our_refresh_goes_on_after_a_restart() -> None:
    exchange = Exchange()
    _, bob, _, _ = talk(exchange, callee=f"{TIMER}\nSession-Expires: 100;refresher=uac{UPDATES}")
    exchange.wait(50.2)
    refresh = request(exchange, BOB)
    again = Exchange(exchange.journal, epoch=2, start_s=exchange.clock_s)
    repeated = request(again, BOB)
    assert repeated.serialise() == refresh.serialise()
    bob.exchange = again
    bob.reply(repeated, 200, extra=f"{TIMER}\nSession-Expires: 100;refresher=uac")
    again.wait(50.2)
    assert request(again, BOB).cseq.number == 1002


def test_a_refresh_that_fell_due_while_down_is_made_up_for() -> None:
    exchange = Exchange()
    talk(exchange, callee=f"{TIMER}\nSession-Expires: 200;refresher=uac{UPDATES}")
    again = Exchange(exchange.journal, epoch=2, start_s=exchange.clock_s + 120)
    again.wait(0.1)
    assert methods(again.take(BOB)) == ["UPDATE"]


def test_a_refresh_that_crosses_an_offer_is_tried_again_after_a_while() -> None:
    exchange = Exchange()
    _, bob, _, _ = talk(exchange, callee=f"{TIMER}\nSession-Expires: 100;refresher=uac{UPDATES}")
    exchange.wait(50.2)
    bob.reply(request(exchange, BOB), 491)
    exchange.wait(2)
    assert exchange.take(BOB) == []
    exchange.wait(2.1)
    assert {(one.cseq.method, one.cseq.number) for one in exchange.take(BOB)} == {("UPDATE", 3)}


def test_a_refresh_that_is_too_short_is_tried_again_with_more() -> None:
    exchange = Exchange()
    _, bob, _, _ = talk(exchange, callee=f"{TIMER}\nSession-Expires: 100;refresher=uac{UPDATES}")
    exchange.wait(50.2)
    bob.reply(request(exchange, BOB), 422, extra="\nMin-SE: 300")
    exchange.wait(0.1)
    again = request(exchange, BOB)
    assert (again.get("Session-Expires"), again.get("Min-SE")) == ("300;refresher=uac", "300")


@pytest.mark.parametrize("status", [408, 481])
def test_a_refresh_of_a_call_that_is_gone_ends_it(status: int) -> None:
    exchange = Exchange()
    _, bob, _, _ = talk(exchange, callee=f"{TIMER}\nSession-Expires: 100;refresher=uac{UPDATES}")
    exchange.wait(50.2)
    bob.reply(request(exchange, BOB), status)
    assert methods(exchange.take(ALICE))[-1] == "BYE"
    assert exchange.board.open_calls == 0


def test_a_refresh_that_is_refused_for_good_ends_the_call_in_time() -> None:
    exchange = Exchange()
    _, bob, _, _ = talk(exchange, callee=f"{TIMER}\nSession-Expires: 100;refresher=uac{UPDATES}")
    for _ in range(20):
        exchange.wait(4)
        for got in exchange.take(BOB):
            if isinstance(got, Request) and got.method == "UPDATE":
                bob.reply(got, 500)
    assert exchange.board.open_calls == 0


# --- UPDATE


@pytest.mark.parametrize("updates", [True, False])
def test_an_offer_by_update_goes_over_as_the_other_side_can(updates: bool) -> None:
    exchange = Exchange()
    alice, bob, answered, _ = talk(exchange, callee=UPDATES if updates else "")
    alice.within(answered, "UPDATE", HOLD)
    assert exchange.take(ALICE) == []  # no 100: an UPDATE is answered at once (RFC 4320)
    offer = request(exchange, BOB)
    assert (offer.method, offer.body.decode()) == ("UPDATE" if updates else "INVITE", HOLD)
    assert "Contact" in dict(offer.headers)
    bob.reply(offer, 200, SDP)
    assert methods(exchange.take(BOB)) == ([] if updates else ["ACK"])
    done = response(exchange, ALICE)
    assert (done.status, done.cseq.method, done.body.decode()) == (200, "UPDATE", SDP)
    call = the_call(exchange)
    assert call.held_by == {call.caller_leg}


def test_an_offer_by_update_that_is_refused_leaves_the_media_as_they_were() -> None:
    exchange = Exchange()
    alice, bob, answered, _ = talk(exchange, callee=UPDATES)
    alice.within(answered, "UPDATE", HOLD)
    bob.reply(request(exchange, BOB), 488)
    assert methods(exchange.take(ALICE)) == ["488 UPDATE"]
    call = the_call(exchange)
    assert (call.held_by, call.caller.sdp) == (frozenset(), SDP)


def test_an_update_moves_the_remote_target() -> None:
    exchange = Exchange()
    _, bob, _, invite = talk(exchange)
    bob.address = BOB
    exchange.send(
        BOB,
        f"UPDATE sip:x@127.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP {BOB};branch=z9hG4bKmove\nFrom: {invite.get('To')};tag=b\n"
        f"To: {invite.get('From')}\nCall-ID: {invite.call_id}\nCSeq: 4 UPDATE\nContact: <sip:moved@{BOB}>",
    )
    assert methods(exchange.take(BOB)) == ["200 UPDATE"]
    assert the_call(exchange).callee.dialog.remote_target == f"sip:moved@{BOB}"


def test_an_early_update_refreshes_the_target_and_may_offer_nothing_yet() -> None:
    exchange = Exchange()
    alice, bob = parties(exchange)
    alice.invite("1002")
    exchange.take(ALICE)
    invite = request(exchange, BOB)
    bob.reply(invite, 180)
    ringing = response(exchange, ALICE)
    alice.within(ringing, "UPDATE")
    assert response(exchange, ALICE).status == 200
    alice.within(ringing, "UPDATE", HOLD)
    refused = response(exchange, ALICE)
    assert (refused.status, 0 <= int(refused.get("Retry-After") or "-1") <= 10) == (500, True)
    within(bob, invite, "UPDATE", 3, HOLD)
    assert methods(exchange.take(BOB)) == ["491 UPDATE"]


# --- offers that cross


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_offers_that_cross_are_refused(method: str) -> None:
    exchange = Exchange()
    alice, bob, answered, invite = talk(exchange)
    alice.within(answered, "INVITE", HOLD)
    exchange.take(BOB), exchange.take(ALICE)
    within(bob, invite, method, 5, HOLD)
    assert methods(exchange.take(BOB)) == [f"491 {method}"]
    alice.within(answered, method, HOLD, branch="z9hG4bKtwice")
    early = response(exchange, ALICE)
    assert (early.status, 0 <= int(early.get("Retry-After") or "-1") <= 10) == (500, True)
    assert exchange.types[-1] == "renegotiation_requested"


def test_an_offer_that_crosses_our_refresh_is_refused() -> None:
    exchange = Exchange()
    alice, bob, answered, invite = talk(exchange, callee=f"{TIMER}\nSession-Expires: 100;refresher=uac")
    exchange.wait(50.2)
    refresh = request(exchange, BOB)
    within(bob, invite, "INVITE", 5, HOLD)
    assert methods(exchange.take(BOB)) == ["491 INVITE"]
    exchange.take(ALICE)
    alice.within(answered, "INVITE", HOLD)
    assert methods(exchange.take(ALICE)) == ["491 INVITE"]
    bob.reply(refresh, 200, SDP)
    exchange.take(BOB)
    within(bob, invite, "INVITE", 6, HOLD)
    assert methods(exchange.take(BOB)) == ["100 INVITE"]


def test_a_re_invite_before_the_answer_to_our_offer_is_refused() -> None:
    exchange = Exchange()
    alice, bob = parties(exchange)
    alice.invite("1002", sdp="")
    invite = request(exchange, BOB)
    bob.reply(invite, 200, SDP)
    within(bob, invite, "INVITE", 5, HOLD)
    assert methods(exchange.take(BOB)) == ["491 INVITE"]


@pytest.mark.parametrize("taken", [False, True])
def test_a_re_invite_is_taken_back_unless_it_was_answered(taken: bool) -> None:
    exchange = Exchange()
    alice, bob, answered, _ = talk(exchange)
    alice.within(answered, "INVITE", HOLD, branch="z9hG4bKback")
    offer = request(exchange, BOB)
    bob.reply(offer, 100)
    exchange.take(ALICE)
    alice.within(answered, "CANCEL", branch="z9hG4bKback")
    assert methods(exchange.take(ALICE)) == ["200 CANCEL"]
    cancel = request(exchange, BOB)
    assert (cancel.method, cancel.via.branch) == ("CANCEL", offer.via.branch)
    bob.reply(cancel, 200)
    if taken:
        bob.reply(offer, 200, SDP)
        assert methods(exchange.take(ALICE)) == ["200 INVITE"]
    else:
        bob.reply(offer, 487)
        assert methods(exchange.take(ALICE)) == ["487 INVITE"]
    call = the_call(exchange)
    assert call.held_by == ({call.caller_leg} if taken else frozenset())


def test_a_re_invite_that_was_taken_back_is_so_after_a_restart() -> None:
    exchange = Exchange()
    alice, bob, answered, _ = talk(exchange)
    alice.within(answered, "INVITE", HOLD, branch="z9hG4bKback")
    offer = request(exchange, BOB)
    alice.within(answered, "CANCEL", branch="z9hG4bKback")
    again = Exchange(exchange.journal, epoch=2, start_s=exchange.clock_s)
    bob.exchange = again
    bob.reply(offer, 100)
    assert "CANCEL" in methods(again.take(BOB))
    bob.reply(offer, 487)
    assert "487 INVITE" in methods(again.take(ALICE))
