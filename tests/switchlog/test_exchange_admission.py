"""Requests that are refused before anybody looks at what they want, over a whole switchboard."""

from __future__ import annotations

from adapters.sip.message import Request, Response
from tests.switchlog.exchange import Exchange, authorized
from tests.switchlog.test_exchange import ALICE, BOB, SDP, methods, parties

OTHER_WAY = "127.0.0.1:6099"


def invite_by(exchange: Exchange, way: str, branch: str, credentials: str, cseq: int) -> None:
    exchange.send(
        way,
        f"INVITE sip:1002@acme.example SIP/2.0\nVia: SIP/2.0/UDP {way};branch={branch}\n"
        "From: <sip:1001@acme.example>;tag=a\nTo: <sip:1002@acme.example>\nCall-ID: forked\n"
        f"CSeq: {cseq} INVITE\nContact: <sip:1001@{ALICE}>\nContent-Type: application/sdp{credentials}",
        SDP,
    )


def test_an_invite_that_comes_by_two_ways_makes_one_call() -> None:
    exchange = Exchange()
    parties(exchange)
    cseq, line = 0, ""

    def send(credentials: str) -> None:
        nonlocal cseq, line
        cseq, line = cseq + 1, credentials
        invite_by(exchange, ALICE, f"z9hG4bKone{cseq}", credentials, cseq)

    authorized(exchange, ALICE, "1001", send, "sip:1002@acme.example")
    assert methods(exchange.take(ALICE)) == ["100 INVITE"]
    invite_by(exchange, OTHER_WAY, "z9hG4bKtwo", line, cseq)
    assert methods(exchange.take(OTHER_WAY)) == ["482 INVITE"]
    assert methods(exchange.take(BOB)) == ["INVITE"]
    assert exchange.types.count("offered") == 1


def test_options_to_our_address_is_answered_with_what_we_can() -> None:
    exchange = Exchange()
    exchange.send(
        ALICE,
        f"OPTIONS sip:127.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP {ALICE};branch=z9hG4bKo\nFrom: <sip:ping@x>;tag=1\n"
        "To: <sip:127.0.0.1>\nCall-ID: o\nCSeq: 1 OPTIONS",
    )
    got = exchange.last(ALICE)
    assert isinstance(got, Response)
    assert got.status == 200
    assert "INVITE" in (got.get("Allow") or "")
    assert "application/sdp" in (got.get("Accept") or "")
    assert got.get("Accept-Encoding") == "identity"


def test_a_cancel_of_an_options_is_confirmed_and_one_of_nothing_is_not() -> None:
    exchange = Exchange()
    for branch, method in (("z9hG4bKo", "OPTIONS"), ("z9hG4bKo", "CANCEL"), ("z9hG4bKnone", "CANCEL")):
        exchange.send(
            ALICE,
            f"{method} sip:127.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP {ALICE};branch={branch}\nFrom: <sip:p@x>;tag=1\n"
            f"To: <sip:127.0.0.1>\nCall-ID: o\nCSeq: 1 {method}",
        )
    assert methods(exchange.take(ALICE)) == ["200 OPTIONS", "200 CANCEL", "481 CANCEL"]


def test_the_offer_to_a_device_says_what_we_can() -> None:
    exchange = Exchange()
    alice, _ = parties(exchange)
    alice.invite("1002")
    (invite,) = exchange.take(BOB)
    assert isinstance(invite, Request)
    assert "BYE" in (invite.get("Allow") or "")
