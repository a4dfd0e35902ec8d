"""Requests that are refused before anybody looks at what they want, over a whole switchboard."""

from __future__ import annotations

import pytest

from adapters.sip.application import whom
from adapters.sip.dialog.identifier import SipIdentifiers
from adapters.sip.message.message import Request, Response
from domain.ids import shard_of_call
from tests.switchlog.exchange import Exchange, authorized
from tests.switchlog.phone import ALICE, BOB, SDP, methods, parties

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


def test_a_cancel_of_a_register_is_confirmed_and_one_of_nothing_is_not() -> None:
    exchange = Exchange()
    alice, _ = parties(exchange)
    for branch in (f"z9hG4bKr1001{alice.cseq}", "z9hG4bKnone"):
        exchange.send(
            ALICE,
            f"CANCEL sip:127.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP {ALICE};branch={branch}\nFrom: <sip:p@x>;tag=1\n"
            "To: <sip:127.0.0.1>\nCall-ID: o\nCSeq: 1 CANCEL",
        )
    assert methods(exchange.take(ALICE)) == ["200 CANCEL", "481 CANCEL"]


@pytest.mark.parametrize(
    ("line", "more", "status"),
    [
        ("INVITE sip:1002@nobody.example", "", 404),
        ("INVITE sip:1002@acme.example", "\nMax-Forwards: 0", 483),
        ("INVITE sip:1002@acme.example", "\nRequire: wings", 420),
        ("INVITE sip:1002@acme.example", "\nMax-Forwards: what", 400),
        ("MESSAGE sip:1002@nobody.example", "", 404),
        ("PUBLISH sip:1002@acme.example", "", 405),
        ("SUBSCRIBE sip:1002@nobody.example", "", 404),
        ("OPTIONS sip:127.0.0.1", "", 200),
        ("CANCEL sip:1002@acme.example", "", 481),
        ("BYE sip:1002@acme.example", ";tag=guessed", 481),
        ("INVITE sip:1002@acme.example", ";tag=guessed", 481),
        ("INFO sip:1002@acme.example", ";tag=guessed", 481),
    ],
)
def test_the_answer_to_a_stranger_is_made_again_and_holds_nothing(line: str, more: str, status: int) -> None:
    exchange, (method, uri) = Exchange(), line.split()
    for _ in range(2):
        exchange.send(
            ALICE,
            f"{line} SIP/2.0\nVia: SIP/2.0/UDP {ALICE};branch=z9hG4bKs\nFrom: <sip:s@nobody.example>;tag=1\n"
            f"To: <{uri}>{more}\nCall-ID: s\nCSeq: 1 {method}",
        )
    first, second = exchange.take(ALICE)
    assert isinstance(first, Response)
    assert first.status == status
    assert first.to.tag
    assert first.serialise() == second.serialise()
    assert len(exchange.layer) == 0
    assert exchange.layer.next_timer() is None


def test_who_has_proved_itself_is_refused_by_a_transaction_since_its_credentials_are_spent() -> None:
    exchange = Exchange()
    alice, _ = parties(exchange)
    before = len(exchange.layer)
    alice.invite("1002", from_="1003")  # not its own number
    assert methods(exchange.take(ALICE)) == ["403 INVITE"]
    assert len(exchange.layer) == before + 1


def test_a_request_belongs_to_a_call_by_a_tag_of_ours_while_the_call_is_known_and_a_cancel_by_its_offer() -> None:
    exchange, identifiers = Exchange(), SipIdentifiers(b"k" * 32)

    def belongs(method: str, branch: str = "z9hG4bKx", tag: str = "") -> bool:
        to = f"<sip:1002@acme.example>{f';tag={tag}' if tag else ''}"
        headers = [("Via", f"SIP/2.0/UDP {ALICE};branch={branch}"), ("To", to)]
        return whom.belongs(exchange.board, identifiers, Request(method, "sip:x", headers))

    alice, bob = parties(exchange)
    branch = alice.invite("1002")
    (invite,) = exchange.take(BOB)
    assert isinstance(invite, Request)
    assert belongs("CANCEL", branch)
    assert not belongs("CANCEL", "z9hG4bKother")
    bob.reply(invite, 200, SDP)
    answered = exchange.last(ALICE)
    assert isinstance(answered, Response)
    tags = (answered.to.tag, invite.from_.tag)
    assert all(belongs("BYE", tag=tag) for tag in tags)
    assert not any(belongs("BYE", tag=tag) for tag in ("", "guessed", tags[0][:-1] + "x"))
    alice.within(answered, "ACK")
    alice.within(answered, "BYE")
    exchange.wait(120)
    assert not any(belongs("BYE", tag=tag) for tag in tags), "kept from a call that is forgotten"
    exchange.board.drop(shard_of_call("call-1"), 1)
    assert belongs("BYE", tag=tags[0]), "nobody can know while the shard is claimed"


def test_the_offer_to_a_device_says_what_we_can() -> None:
    exchange = Exchange()
    alice, _ = parties(exchange)
    alice.invite("1002")
    (invite,) = exchange.take(BOB)
    assert isinstance(invite, Request)
    assert "BYE" in (invite.get("Allow") or "")
