"""Registrations as real messages, in memory: who proves itself, what is answered, and where calls then go."""

from __future__ import annotations

import pytest

from adapters.sip.auth import answer
from adapters.sip.message import Response
from tests.switchlog.exchange import PASSWORD, Exchange
from tests.switchlog.test_exchange import ALICE, BOB, MALLORY

URI = "sip:acme.example"


def text(number: str, address: str, cseq: int, extra: str = "", uri: str = URI) -> str:
    """A REGISTER, without credentials unless they are in `extra` (lines that each begin with a newline)."""
    return (
        f"REGISTER {uri} SIP/2.0\nVia: SIP/2.0/UDP {address};branch=z9hG4bKr{number}.{cseq}\n"
        f"From: <sip:{number}@acme.example>;tag=r\nTo: <sip:{number}@acme.example>\n"
        f"Call-ID: reg-{address}\nCSeq: {cseq} REGISTER{extra}"
    )


def last(exchange: Exchange, address: str) -> Response:
    response = exchange.last(address)
    assert isinstance(response, Response)
    return response


def challenge(exchange: Exchange, number: str, address: str, extra: str = "") -> str:
    exchange.send(address, text(number, address, 1, extra))
    response = last(exchange, address)
    assert response.status == 401
    return response.get_all("WWW-Authenticate")[0]


def credentials(asked: str, number: str, nc: int = 1, uri: str = URI) -> str:
    return f"\nAuthorization: {answer(asked, 'REGISTER', uri, number, PASSWORD, 'cn', nc)}"


def register(exchange: Exchange, number: str, address: str, extra: str) -> Response:
    """Both rounds; `extra` has the Contact and what else the phone says."""
    proof = credentials(challenge(exchange, number, address, extra), number)
    exchange.send(address, text(number, address, 2, extra + proof))
    return last(exchange, address)


def contact(number: str, address: str) -> str:
    return f"\nContact: <sip:{number}@{address}>"


def is_stale(response: Response) -> bool:
    return response.status == 401 and all("stale=true" in one for one in response.get_all("WWW-Authenticate"))


def test_an_overheard_register_is_worth_nothing_again_here_nor_elsewhere_nor_after_a_restart() -> None:
    exchange = Exchange()
    overheard = credentials(challenge(exchange, "1001", ALICE), "1001")
    exchange.send(ALICE, text("1001", ALICE, 2, contact("1001", ALICE) + overheard))
    assert last(exchange, ALICE).status == 200
    stored = len(exchange.journal.stored)
    again = text("1001", ALICE, 3, contact("1001", MALLORY) + overheard)
    for one in (exchange, Exchange(exchange.journal, epoch=2, start_s=exchange.clock_s)):
        for address in (ALICE, "192.0.2.66:5060"):
            one.send(address, again.replace(f"UDP {ALICE}", f"UDP {address};rport"))
            assert is_stale(last(one, address))
    assert len(exchange.journal.stored) == stored


def test_one_challenge_serves_a_phone_as_long_as_it_counts() -> None:
    exchange = Exchange()
    asked = challenge(exchange, "1001", ALICE)
    for nc in (1, 2, 4, 3):
        exchange.send(ALICE, text("1001", ALICE, nc + 1, credentials(asked, "1001", nc)))
        assert last(exchange, ALICE).status == 200
    exchange.send(ALICE, text("1001", ALICE, 9, credentials(asked, "1001", 3)))
    assert is_stale(last(exchange, ALICE))


def test_a_phone_that_comes_back_from_another_address_is_asked_once_more_and_not_for_its_password() -> None:
    exchange = Exchange()
    asked = challenge(exchange, "1001", ALICE)
    moved = "192.0.2.9:6001"
    exchange.send(moved, text("1001", moved, 2, credentials(asked, "1001")))
    response = last(exchange, moved)
    assert is_stale(response)
    proof = credentials(response.get_all("WWW-Authenticate")[0], "1001")
    exchange.send(moved, text("1001", moved, 3, proof))
    assert last(exchange, moved).status == 200


def test_the_right_one_of_several_credentials_is_found_among_the_first_few() -> None:
    exchange = Exchange()
    proof = credentials(challenge(exchange, "1001", ALICE), "1001")
    other = proof.replace("acme.example", "elsewhere.example")
    exchange.send(ALICE, text("1001", ALICE, 2, other + proof))
    assert last(exchange, ALICE).status == 200
    again = credentials(challenge(exchange, "1002", BOB), "1002")
    exchange.send(BOB, text("1002", BOB, 2, other * 4 + again))
    assert last(exchange, BOB).status == 401


def test_credentials_for_another_uri_and_integrity_are_asked_for_again_without_a_fault() -> None:
    exchange = Exchange()
    asked = challenge(exchange, "1001", ALICE)
    for cseq, proof in enumerate(
        (
            credentials(asked, "1001", uri="sip:1002@acme.example"),
            credentials(asked, "1001").replace("qop=auth", "qop=auth-int"),
            credentials(asked, "1001").replace("qop=auth", "userhash=true, qop=auth"),
            "\nAuthorization: Digest",
            "\nAuthorization: Bearer x",
        ),
        2,
    ):
        exchange.send(ALICE, text("1001", ALICE, cseq, proof))
        response = last(exchange, ALICE)
        assert (response.status, is_stale(response)) == (401, False)
    assert not exchange.journal.stored


def ends(exchange: Exchange) -> list[bytes]:
    stored = exchange.journal.stored
    return [one.record.data for one in stored if one.record.type.startswith("registration.contacts_removed.")]


def test_a_binding_that_ran_out_while_nobody_was_there_still_gets_its_end() -> None:
    exchange = Exchange()
    for number, address in (("1001", ALICE), ("1002", BOB)):
        assert register(exchange, number, address, contact(number, address)).status == 200
    later = Exchange(exchange.journal, epoch=2, start_s=40 * 86_400)
    later.wait(0)
    assert [b'"expired"' in one for one in ends(later)] == [True, True]
    again = Exchange(exchange.journal, epoch=3, start_s=later.clock_s + 1)
    again.wait(0)
    assert len(ends(again)) == 2


def test_thousands_that_run_out_at_once_do_not_flood_the_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("switchlog.board._DEADLINES_LIMIT", 2)
    exchange = Exchange()
    for number, address in (("1001", ALICE), ("1002", BOB), ("1003", MALLORY)):
        assert register(exchange, number, address, contact(number, address)).status == 200
    exchange.journal.held = True
    exchange.wait(3601)
    assert exchange.board.next_deadline() is None
    exchange.journal.commit()
    assert len(ends(exchange)) == 2
    exchange.wait(0)
    exchange.journal.commit()
    assert len(ends(exchange)) == 3
