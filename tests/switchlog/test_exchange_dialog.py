"""Rules inside dialogs and for forks, as ladders: RFC 3261 sections 9, 11, 12, 13 and 16.7."""

from __future__ import annotations

import pytest

from adapters.sip.message.message import Request, Response
from tests.switchlog.exchange import Exchange
from tests.switchlog.phone import ALICE, BOB, HOLD, SDP, Phone, methods, parties, talk

DESK = "127.0.0.1:6003"


def called(exchange: Exchange, desk: bool = False) -> tuple[Phone, Phone, Request]:
    """Alice calls Bob, whose phone (or whose two phones) got the INVITE; returns that of the first one."""
    alice, bob = parties(exchange)
    if desk:
        assert Phone(exchange, "1002", DESK).register().status == 200
    alice.invite("1002")
    exchange.take(ALICE)
    (invite,) = exchange.take(BOB)
    assert isinstance(invite, Request)
    return alice, bob, invite


def response(exchange: Exchange, address: str) -> Response:
    got = exchange.last(address)
    assert isinstance(got, Response)
    return got


def bare_reply(exchange: Exchange, invite: Request, status: int) -> None:
    """A response as a phone of RFC 2543 sends it: without a To tag."""
    exchange.send(
        BOB,
        f"SIP/2.0 {status} Whatever\nVia: {invite.get('Via')}\nFrom: {invite.get('From')}\nTo: {invite.get('To')}\n"
        f"Call-ID: {invite.call_id}\nCSeq: {invite.get('CSeq')}\nContact: <sip:1002@{BOB}>\n"
        "Content-Type: application/sdp",
        SDP if status >= 200 else "",
    )


def test_responses_without_a_tag_count() -> None:
    exchange = Exchange()
    _, _, invite = called(exchange)
    bare_reply(exchange, invite, 180)
    assert methods(exchange.take(ALICE)) == ["180 INVITE"]
    bare_reply(exchange, invite, 200)
    assert methods(exchange.take(ALICE)) == ["200 INVITE"]
    assert methods(exchange.take(BOB)) == ["ACK"]


def test_the_answer_may_have_come_with_the_early_media_only() -> None:
    exchange = Exchange()
    _, bob, invite = called(exchange)
    bob.reply(invite, 183, SDP)
    exchange.take(ALICE)
    bob.reply(invite, 200)
    answered = response(exchange, ALICE)
    assert (answered.status, answered.body.decode()) == (200, SDP)


def test_an_answer_without_media_is_confirmed_and_ended_and_the_caller_refused() -> None:
    exchange = Exchange()
    _, bob, invite = called(exchange)
    bob.reply(invite, 200)
    assert response(exchange, ALICE).status == 488
    assert methods(exchange.take(BOB)) == ["ACK", "BYE"]


def test_an_answer_without_media_leaves_the_other_devices_ringing() -> None:
    exchange = Exchange()
    _, bob, invite = called(exchange, desk=True)
    (other,) = exchange.take(DESK)
    assert isinstance(other, Request)
    bob.reply(invite, 200)
    assert methods(exchange.take(BOB)) == ["ACK", "BYE"]
    Phone(exchange, "1002", DESK).reply(other, 200, SDP)
    assert response(exchange, ALICE).status == 200


@pytest.mark.parametrize("ended", [False, True])
def test_a_second_answer_behind_one_leg_is_confirmed_and_ended(ended: bool) -> None:
    exchange = Exchange()
    alice, bob, answered, invite = talk(exchange)
    if ended:
        alice.within(answered, "BYE")
        exchange.take(BOB), exchange.take(ALICE)
    bob.reply(invite, 200, SDP, tag="other")
    ack, bye = exchange.take(BOB)
    assert methods([ack, bye]) == ["ACK", "BYE"]
    assert ack.to.tag == bye.to.tag == "other"
    bob.reply(invite, 200, SDP, tag="other")
    assert methods(exchange.take(BOB)) == ["ACK"]
    assert exchange.board.open_calls == (0 if ended else 1)
    assert exchange.types.count("fork_hung_up") == 1
    again = Exchange(exchange.journal, epoch=2, start_s=exchange.clock_s)
    assert {data for address, data in again.wire if address == BOB} <= {data for _, data in exchange.wire}


def test_a_request_older_than_one_that_was_served_is_refused() -> None:
    exchange = Exchange()
    alice, bob, answered, _ = talk(exchange)
    alice.within(answered, "INVITE", HOLD)
    (reinvite,) = exchange.take(BOB)
    assert isinstance(reinvite, Request)
    bob.reply(reinvite, 200, HOLD)
    alice.within(response(exchange, ALICE), "ACK")
    alice.cseq -= 2
    alice.within(answered, "BYE")
    assert methods(exchange.take(ALICE)) == ["500 BYE"]
    assert exchange.board.open_calls == 1
    alice.cseq += 5
    alice.within(answered, "BYE")
    assert methods(exchange.take(ALICE)) == ["200 BYE"]


def test_options_inside_a_dialog_needs_the_dialog() -> None:
    exchange = Exchange()
    alice, _, answered, _ = talk(exchange)
    alice.within(answered, "OPTIONS")
    assert methods(exchange.take(ALICE)) == ["200 OPTIONS"]
    alice.within(answered, "BYE")
    exchange.take(ALICE)
    exchange.wait(33)
    alice.within(answered, "OPTIONS", branch="z9hG4bKlate")
    assert methods(exchange.take(ALICE))[-1] == "481 OPTIONS"


@pytest.mark.parametrize(("method", "status"), [("NOTIFY", 405), ("PUBLISH", 405), ("NONSENSE", 501)])
def test_other_methods_are_refused_with_what_is_allowed(method: str, status: int) -> None:
    exchange = Exchange()
    alice, _, answered, _ = talk(exchange)
    alice.within(answered, method)
    refused = response(exchange, ALICE)
    assert refused.status == status
    assert "INVITE" in (refused.get("Allow") or "")
    assert exchange.board.open_calls == 1


def test_the_caller_cancels_while_the_answer_is_on_its_way_to_the_journal() -> None:
    exchange = Exchange()
    alice, bob = parties(exchange)
    branch = alice.invite("1002")
    trying = response(exchange, ALICE)
    (invite,) = exchange.take(BOB)
    assert isinstance(invite, Request)
    exchange.journal.held = True
    bob.reply(invite, 200, SDP)
    alice.within(trying, "CANCEL", branch=branch)
    assert exchange.take(ALICE) == []
    exchange.journal.held = False
    exchange.journal.commit()
    exchange.deliver()
    assert methods(exchange.take(ALICE)) == ["200 INVITE", "200 CANCEL"]
    assert exchange.board.open_calls == 1


def test_two_devices_answer_at_once() -> None:
    exchange = Exchange()
    _, bob, invite = called(exchange, desk=True)
    (other,) = exchange.take(DESK)
    assert isinstance(other, Request)
    exchange.journal.held = True
    bob.reply(invite, 200, SDP)
    Phone(exchange, "1002", DESK).reply(other, 200, SDP)
    exchange.journal.commit()
    exchange.deliver()
    assert methods(exchange.take(BOB)) == ["ACK"]
    assert methods(exchange.take(DESK)) == ["ACK", "BYE"]
    assert methods(exchange.take(ALICE)) == ["200 INVITE"]


@pytest.mark.parametrize(
    ("first", "second", "told"), [(486, 408, 486), (480, 486, 486), (486, 603, 603), (503, 404, 404)]
)
def test_the_cause_that_says_most_is_passed_on(first: int, second: int, told: int) -> None:
    exchange = Exchange()
    _, bob, invite = called(exchange, desk=True)
    (other,) = exchange.take(DESK)
    assert isinstance(other, Request)
    bob.reply(invite, first)
    Phone(exchange, "1002", DESK).reply(other, second)
    assert response(exchange, ALICE).status == told


@pytest.mark.parametrize(("status", "told"), [(302, 480), (401, 480), (407, 480), (503, 480), (486, 486), (603, 603)])
def test_what_concerns_us_and_the_device_is_not_passed_on(status: int, told: int) -> None:
    exchange = Exchange()
    _, bob, invite = called(exchange)
    bob.reply(invite, status)
    assert methods(exchange.take(BOB)) == ["ACK"]
    refused = response(exchange, ALICE)
    assert refused.status == told


@pytest.mark.parametrize("by", [ALICE, BOB])
def test_a_cancelled_re_invite_is_confirmed_and_goes_on(by: str) -> None:
    exchange = Exchange()
    alice, bob, answered, invite = talk(exchange)
    asking, asked = (alice, bob) if by == ALICE else (bob, alice)
    if by == ALICE:
        from_, to, call_id = answered.get("From"), answered.get("To"), answered.call_id
    else:
        from_, to, call_id = f"{invite.get('To')};tag=b", invite.get("From"), invite.call_id
    for method, body in (("INVITE", HOLD), ("CANCEL", "")):
        exchange.send(
            by,
            f"{method} sip:x@127.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP {by};branch=z9hG4bKagain\nFrom: {from_}\nTo: {to}\n"
            f"Call-ID: {call_id}\nCSeq: 77 {method}\nContact: <sip:x@{by}>\nContent-Type: application/sdp",
            body,
        )
    assert methods(exchange.take(by)) == ["100 INVITE", "200 CANCEL"]
    (reinvite,) = exchange.take(asked.address)
    assert isinstance(reinvite, Request)
    asked.reply(reinvite, 200, SDP)
    assert methods(exchange.take(asking.address)) == ["200 INVITE"]


@pytest.mark.parametrize(
    ("status", "open_calls", "told"), [(488, 1, "488 INVITE"), (491, 1, "491 INVITE"), (481, 0, "481 INVITE")]
)
def test_a_refused_re_invite(status: int, open_calls: int, told: str) -> None:
    exchange = Exchange()
    alice, bob, answered, _ = talk(exchange)
    alice.within(answered, "INVITE", HOLD)
    (reinvite,) = exchange.take(BOB)
    assert isinstance(reinvite, Request)
    exchange.take(ALICE)
    bob.reply(reinvite, status)
    assert methods(exchange.take(ALICE))[0] == told
    assert exchange.board.open_calls == open_calls


def test_a_re_invite_that_nobody_answers_ends_the_call() -> None:
    exchange = Exchange()
    alice, _, answered, _ = talk(exchange)
    alice.within(answered, "INVITE", HOLD)
    exchange.wait(33)
    assert exchange.board.open_calls == 0
    assert "BYE" in methods(exchange.take(ALICE))
    assert "BYE" in methods(exchange.take(BOB))


def test_an_answer_that_is_never_acknowledged_ends_the_call() -> None:
    exchange = Exchange()
    _, bob, invite = called(exchange)
    bob.reply(invite, 200, SDP)
    exchange.wait(33)
    assert exchange.board.open_calls == 0
    assert methods(exchange.take(ALICE)).count("200 INVITE") > 5


def test_an_early_dialog_is_ended_by_the_caller_only() -> None:
    exchange = Exchange()
    alice, bob, invite = called(exchange)
    bob.reply(invite, 180)
    ringing = response(exchange, ALICE)
    alice.within(ringing, "BYE")
    assert sorted(methods(exchange.take(ALICE))) == ["200 BYE", "487 INVITE"]
    assert methods(exchange.take(BOB)) == ["CANCEL"]


@pytest.mark.parametrize(
    ("line", "method", "status"),
    [
        ("Max-Forwards: 0", "INVITE", 483),
        ("Max-Forwards: 0", "OPTIONS", 200),
        ("Require: bar, foo", "INVITE", 420),
        ("Max-Forwards: -1", "OPTIONS", 400),
        ("Proxy-Require: bar, foo", "OPTIONS", 420),
    ],
)
def test_what_a_request_may_ask(line: str, method: str, status: int) -> None:
    exchange = Exchange()
    exchange.send(
        ALICE,
        f"{method} sip:1002@ACME.example SIP/2.0\nVia: SIP/2.0/UDP {ALICE};branch=z9hG4bKm\n"
        f"From: <sip:1001@acme.example>;tag=1\n"
        f"To: <sip:1002@acme.example>\nCall-ID: m\nCSeq: 1 {method}\nContact: <sip:1001@{ALICE}>\n{line}",
    )
    got = response(exchange, ALICE)
    assert got.status == status
    if status == 420:
        assert got.get("Unsupported") == "bar, foo"


def test_an_ack_that_requires_something_is_never_answered() -> None:
    exchange = Exchange()
    _, bob, invite = called(exchange)
    bob.reply(invite, 200, SDP)
    answered = response(exchange, ALICE)
    exchange.send(
        ALICE,
        f"ACK sip:x@127.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP {ALICE};branch=z9hG4bKack\nFrom: {answered.get('From')}\n"
        f"To: {answered.get('To')}\nCall-ID: {answered.call_id}\nCSeq: {answered.cseq.number} ACK\nRequire: foo",
    )
    exchange.wait(10)
    assert set(methods(exchange.take(ALICE))) <= {"401 INVITE", "401 REGISTER"}


def test_a_contact_puts_no_method_and_no_headers_into_our_requests() -> None:
    exchange = Exchange()
    alice, bob = parties(exchange)
    alice.invite("1002")
    (invite,) = exchange.take(BOB)
    assert isinstance(invite, Request)
    bob.exchange.send(
        BOB,
        f"SIP/2.0 200 OK\nVia: {invite.get('Via')}\nFrom: {invite.get('From')}\nTo: {invite.get('To')};tag=b\n"
        f"Call-ID: {invite.call_id}\nCSeq: {invite.get('CSeq')}\nContent-Type: application/sdp\n"
        f"Contact: <sip:method?@{BOB};method=BYE;ob?Route=%3Csip:elsewhere%3E&Reason=a>",
        SDP,
    )
    (ack,) = exchange.take(BOB)
    assert isinstance(ack, Request)
    assert (ack.method, ack.uri) == ("ACK", f"sip:method?@{BOB};ob")


def test_what_was_asked_in_one_early_dialog_counts_in_no_other() -> None:
    exchange = Exchange()
    alice, bob = parties(exchange)
    desk = Phone(exchange, "1002", "127.0.0.1:6012")
    assert desk.register().status == 200
    alice.invite("1002")
    ringing = []
    for phone in (bob, desk):
        (invite,) = exchange.take(phone.address)
        assert isinstance(invite, Request)
        phone.reply(invite, 180)
        ringing.append(exchange.last(ALICE))
    first = ringing[0]
    assert isinstance(first, Response)
    invited = alice.cseq
    for _ in range(3):
        alice.within(first, "UPDATE")
    assert methods(exchange.take(ALICE)) == ["200 UPDATE"] * 3
    assert isinstance(invite, Request)
    desk.reply(invite, 200, SDP)
    answered = exchange.last(ALICE)
    assert isinstance(answered, Response)
    alice.cseq = invited
    alice.within(answered, "ACK")
    alice.within(answered, "BYE")
    assert methods(exchange.take(ALICE)) == ["200 BYE"]
