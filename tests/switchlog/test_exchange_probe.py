"""Parties that vanish without a word are found out by asking them, at the same moments also after a restart."""

from __future__ import annotations

import pytest

from adapters.sip.message.message import Request
from tests.switchlog.exchange import Exchange
from tests.switchlog.phone import ALICE, BOB, methods, talk
from tests.switchlog.test_exchange_reason import end_of


def requests(exchange: Exchange, address: str) -> list[Request]:
    return [one for one in exchange.take(address) if isinstance(one, Request)]


def answer(exchange: Exchange, address: str, status: int) -> None:
    for request in requests(exchange, address):
        exchange.send(
            address,
            f"SIP/2.0 {status} Whatever\nVia: {request.get('Via')}\nFrom: {request.get('From')}\n"
            f"To: {request.get('To')}\nCall-ID: {request.call_id}\nCSeq: {request.get('CSeq')}",
        )


@pytest.mark.parametrize("status", [200, 405, 486, 501])
def test_whoever_answers_anything_is_there(status: int) -> None:
    exchange = Exchange(probe_s=60)
    talk(exchange)
    for _ in range(3):
        exchange.wait(60)
        for address in (ALICE, BOB):
            answer(exchange, address, status)
    assert exchange.board.open_calls == 1
    assert exchange.types.count("request_sent") == 6


@pytest.mark.parametrize(("gone", "status"), [(ALICE, 481), (BOB, 481), (BOB, 408)])
def test_who_knows_no_such_call_ends_it(gone: str, status: int) -> None:
    exchange = Exchange(probe_s=60)
    talk(exchange)
    exchange.take(ALICE)
    exchange.wait(60)
    answer(exchange, gone, status)
    assert exchange.board.open_calls == 0
    assert (end_of(exchange).outcome, end_of(exchange).why.sip_status) == ("lost", status)
    assert "BYE" in methods(exchange.take(ALICE) + exchange.take(BOB))


def test_silence_ends_the_call_and_says_so() -> None:
    exchange = Exchange(probe_s=60)
    talk(exchange)
    exchange.wait(61)
    answer(exchange, ALICE, 200)
    exchange.wait(33)
    assert exchange.board.open_calls == 0
    assert end_of(exchange).why.reason == "a request inside the call was never answered"


def test_a_restart_asks_at_the_moments_that_it_would_have_asked_at_with_higher_numbers() -> None:
    exchange = Exchange(probe_s=60)
    talk(exchange)
    exchange.take(BOB)
    exchange.wait(65)
    (first,) = {one.cseq.number for one in requests(exchange, BOB)}
    answer(exchange, ALICE, 200)
    again = Exchange(exchange.journal, epoch=2, start_s=100, probe_s=60)
    again.wait(19)
    assert requests(again, BOB) == []
    again.wait(2)
    numbers = {one.cseq.number for one in requests(again, BOB)}
    assert min(numbers) > first


def test_nobody_is_asked_unless_it_is_wanted_or_once_the_call_is_over() -> None:
    exchange = Exchange()
    talk(exchange)
    exchange.take(ALICE), exchange.take(BOB)
    exchange.wait(10_000)
    assert requests(exchange, BOB) == []
    exchange = Exchange(probe_s=60)
    alice, _, answered, _ = talk(exchange)
    alice.within(answered, "BYE")
    exchange.take(BOB)
    exchange.wait(200)
    assert "OPTIONS" not in methods(exchange.take(BOB))
    assert len(exchange.prober) == 0


def test_a_call_that_is_taken_up_again_is_asked_once_a_time() -> None:
    exchange = Exchange(probe_s=60)
    talk(exchange)
    exchange.wait(20)
    exchange.prober.take_up(exchange.board.live_calls, exchange._utc())  # its shard was lost and claimed again
    assert len(exchange.prober) == 1
    exchange.wait(40)
    assert exchange.types.count("request_sent") == 2
