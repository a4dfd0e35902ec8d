"""INFO and MESSAGE inside a call: passed on with their answers, in order, and what silence means."""

from __future__ import annotations

import pytest

from adapters.sip.message.message import Request, Response
from tests.switchlog.exchange import Exchange
from tests.switchlog.phone import ALICE, BOB, HOLD, SDP, Phone, methods, parties, talk
from tests.switchlog.test_exchange_reason import end_of
from tests.switchlog.test_exchange_session import within

DTMF = "Signal=5\r\nDuration=160\r\n"


def ask(
    exchange: Exchange,
    answered: Response,
    method: str = "INFO",
    cseq: int = 50,
    body: str = DTMF,
    extra: str = "",
) -> None:
    """Alice asks inside her dialog."""
    exchange.send(
        ALICE,
        f"{method} sip:x@127.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP {ALICE};branch=z9hG4bK{method}{cseq}\n"
        f"From: {answered.get('From')}\nTo: {answered.get('To')}\nCall-ID: {answered.call_id}\n"
        f"CSeq: {cseq} {method}\nContent-Type: application/dtmf-relay\nUser-Agent: secret-maker{extra}",
        body,
    )


def passed(exchange: Exchange, address: str = BOB) -> Request:
    (request,) = exchange.take(address)
    assert isinstance(request, Request)
    return request


def reply(exchange: Exchange, request: Request, status: int, extra: str = "", body: str = "") -> None:
    exchange.send(
        BOB,
        f"SIP/2.0 {status} Whatever\nVia: {request.get('Via')}\nFrom: {request.get('From')}\nTo: {request.get('To')}\n"
        f"Call-ID: {request.call_id}\nCSeq: {request.get('CSeq')}{extra}",
        body,
    )


def only(exchange: Exchange, address: str = ALICE) -> Response:
    (got,) = exchange.take(address)
    assert isinstance(got, Response)
    return got


@pytest.mark.parametrize("method", ["INFO", "MESSAGE"])
def test_what_one_party_says_reaches_the_other_and_its_answer_comes_back(method: str) -> None:
    exchange = Exchange()
    _, _, answered, _ = talk(exchange)
    ask(exchange, answered, method, extra="\nInfo-Package: dtmf")
    request = passed(exchange)
    assert (request.method, request.cseq.number, request.body.decode()) == (method, 2, DTMF)
    assert (request.get("Content-Type"), request.get("Info-Package")) == ("application/dtmf-relay", "dtmf")
    assert request.get("User-Agent") is None
    reply(exchange, request, 200, "\nContent-Type: text/plain\nServer: secret-maker", "ok")
    got = only(exchange)
    assert (got.status, got.body, got.get("Content-Type"), got.get("Server")) == (200, b"ok", "text/plain", None)
    assert DTMF.encode() not in b"".join(one.record.data for one in exchange.journal.stored)


@pytest.mark.parametrize(
    ("status", "told", "open_calls"),
    [
        (469, 469, 1),
        (415, 415, 1),
        (405, 405, 1),
        (302, 480, 1),
        (407, 480, 1),
        (503, 480, 1),
        (408, 504, 0),
        (481, 481, 0),
    ],
)
def test_a_refusal_comes_back_and_only_who_is_gone_ends_the_call(status: int, told: int, open_calls: int) -> None:
    exchange = Exchange()
    _, _, answered, _ = talk(exchange)
    ask(exchange, answered)
    reply(exchange, passed(exchange), status, "\nRecv-Info: foo")
    got = exchange.take(ALICE)
    assert isinstance(got[0], Response)
    assert (got[0].status, got[0].get("Recv-Info")) == (told, "foo")
    assert exchange.board.open_calls == open_calls
    if not open_calls:
        assert (end_of(exchange).outcome, end_of(exchange).why.sip_status) == ("lost", status)
        assert methods(got[1:]) == ["BYE"]


def test_numbers_rise_over_relays_offers_and_a_take_over() -> None:
    exchange = Exchange()
    alice, bob, answered, _ = talk(exchange)
    ask(exchange, answered, cseq=50)
    first = passed(exchange)
    alice.cseq = 50
    alice.within(answered, "INVITE", HOLD)
    hold = passed(exchange)
    ask(exchange, answered, cseq=60)
    second = passed(exchange)
    bob.reply(hold, 200, HOLD)
    ack = passed(exchange)
    exchange.take(ALICE)
    again = Exchange(exchange.journal, epoch=2, start_s=exchange.clock_s)
    again.take(BOB)
    ask(again, answered, cseq=61)
    third = passed(again)
    alice.exchange = again
    alice.cseq = 70
    alice.within(answered, "BYE")
    bye = passed(again)
    numbers = [one.cseq.number for one in (first, hold, second, third, bye)]
    assert numbers == sorted(set(numbers))
    assert numbers[:3] == [2, 3, 4]
    assert (ack.method, ack.cseq.number) == ("ACK", hold.cseq.number)


def test_requests_that_wait_for_the_journal_together_keep_their_numbers() -> None:
    exchange = Exchange()
    _, _, answered, _ = talk(exchange)
    exchange.journal.held = True
    for cseq, body in ((50, "first"), (51, "second")):
        ask(exchange, answered, cseq=cseq, body=body)
    exchange.journal.commit()
    exchange.deliver()
    sent = [one for one in exchange.take(BOB) if isinstance(one, Request)]
    assert [(one.cseq.number, one.body) for one in sent] == [(2, b"first"), (3, b"second")]


def test_a_restart_says_nothing_of_relays_and_what_it_owes_stays_the_same() -> None:
    exchange = Exchange()
    _, _, answered, _ = talk(exchange)
    ask(exchange, answered)
    passed(exchange)
    said = {data for _, data in exchange.wire}
    again = Exchange(exchange.journal, epoch=2, start_s=exchange.clock_s)
    assert {data for _, data in again.wire} <= said
    assert methods(again.take(BOB)) == ["ACK"]
    ask(again, answered)
    repeated = passed(again)
    assert repeated.cseq.number == 1002, "RFC 3261 12.2.2: it is no older than what was served"
    reply(again, repeated, 200)
    assert methods(again.take(ALICE))[-1] == "200 INFO"
    ask(again, answered, cseq=49)
    assert only_last(again).status == 500


def only_last(exchange: Exchange) -> Response:
    got = exchange.last(ALICE)
    assert isinstance(got, Response)
    return got


def test_a_repeated_request_is_passed_on_once() -> None:
    exchange = Exchange()
    _, _, answered, _ = talk(exchange)
    ask(exchange, answered)
    ask(exchange, answered)
    reply(exchange, passed(exchange), 200)
    ask(exchange, answered)
    assert methods(exchange.take(ALICE)) == ["200 INFO", "200 INFO"]
    assert exchange.take(BOB) == []


def test_silence_is_told_in_time_and_ends_the_call_as_lost() -> None:
    exchange = Exchange()
    _, _, answered, _ = talk(exchange)
    ask(exchange, answered)
    exchange.wait(3)
    assert exchange.take(ALICE) == [], "RFC 4320: no 100 before the asker's Timer E has reached T2"
    exchange.wait(1)
    assert methods(exchange.take(ALICE)) == ["100 INFO"]
    exchange.wait(27)
    told = methods(exchange.take(ALICE))
    assert told[:2] == ["504 INFO", "BYE"]
    assert set(told[2:]) <= {"BYE"}
    ended = end_of(exchange)
    assert (ended.outcome, ended.why.sip_status) == ("lost", 408)
    assert ended.why.reason == "a request inside the call was never answered"


def test_no_answer_follows_once_the_asker_has_given_up() -> None:
    exchange = Exchange()
    _, _, answered, _ = talk(exchange)
    exchange.journal.held = True
    ask(exchange, answered)
    exchange.wait(33)
    assert methods(exchange.take(ALICE)) == ["100 INFO"]
    exchange.journal.commit()
    exchange.deliver()
    reply(exchange, passed(exchange), 200)
    assert exchange.take(ALICE) == []


def test_before_a_phone_rings_there_is_nobody_to_tell_and_after_the_end_no_call() -> None:
    exchange = Exchange()
    alice, bob = parties(exchange)
    alice.invite("1002")
    invite = passed(exchange)
    within(bob, invite, "INFO", 7)  # its first response was lost
    assert methods(exchange.take(BOB)) == ["481 INFO"]
    bob.reply(invite, 200, SDP)
    answered = only_last(exchange)
    alice.cseq = 70
    alice.within(answered, "BYE")
    exchange.take(ALICE)
    ask(exchange, answered, cseq=80)
    assert only(exchange).status == 481
    exchange.wait(40)
    ask(exchange, answered, cseq=81)
    assert only_last(exchange).status == 481


def test_what_would_be_torn_up_on_its_way_is_refused() -> None:
    exchange = Exchange()
    _, _, answered, _ = talk(exchange)
    ask(exchange, answered, body="x" * 1300)
    assert only(exchange).status == 513
    assert exchange.take(BOB) == []


def test_an_info_outside_any_call_is_refused() -> None:
    exchange = Exchange()
    Phone(exchange, "1001", ALICE)
    exchange.send(
        ALICE,
        f"INFO sip:1002@acme.example SIP/2.0\nVia: SIP/2.0/UDP {ALICE};branch=z9hG4bKi\nFrom: <sip:1001@acme.example>;"
        "tag=1\nTo: <sip:1002@acme.example>\nCall-ID: i\nCSeq: 1 INFO",
    )
    assert only(exchange).status == 481
