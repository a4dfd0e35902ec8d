"""Provisional responses that must be acknowledged (RFC 3262), hop by hop: PRACK to callees, and from callers."""

from __future__ import annotations

import msgspec
import pytest

from adapters.sip.message.message import Request, Response
from domain.routing.directory import Directory
from tests.domain.world import directory
from tests.switchlog.exchange import Exchange, HeldJournal
from tests.switchlog.phone import ALICE, BOB, SDP, Phone, methods, parties

ANSWER = SDP.replace("4000", "4002")
EARLY = SDP.replace("4000", "4004")


def invited(exchange: Exchange, extra: str = "", sdp: str = SDP) -> tuple[Phone, Phone, Request]:
    """Alice calls Bob; Bob's INVITE."""
    alice, bob = parties(exchange)
    alice.invite("1002", sdp, extra=extra)
    exchange.take(ALICE)
    (invite,) = exchange.take(BOB)
    assert isinstance(invite, Request)
    return alice, bob, invite


def progress(bob: Phone, invite: Request, serial: int, status: int = 180, sdp: str = "", tag: str = "b") -> None:
    """A provisional response of Bob's that must be acknowledged."""
    bob.reply(invite, status, sdp, tag, extra=f"\nRequire: 100rel\nRSeq: {serial}")


def prack(alice: Phone, response: Response, sdp: str = "", rack: str = "") -> None:
    """Alice's PRACK of a response."""
    named = rack or f"{response.get('RSeq')} {response.cseq.number} INVITE"
    alice.within(response, "PRACK", sdp, extra=f"\nRAck: {named}")


def heard(exchange: Exchange, address: str = ALICE) -> Response:
    (got,) = exchange.take(address)
    assert isinstance(got, Response)
    return got


def request(exchange: Exchange) -> Request:
    (got,) = exchange.take(BOB)
    assert isinstance(got, Request)
    return got


def test_a_callees_progress_is_acknowledged_in_order_and_again_when_it_is_repeated() -> None:
    exchange = Exchange()
    _, bob, invite = invited(exchange)
    assert "100rel" in (invite.get("Supported") or "")
    progress(bob, invite, 17)
    (prack,) = exchange.take(BOB)
    assert isinstance(prack, Request)
    assert (prack.method, prack.get("RAck"), prack.cseq.number) == ("PRACK", "17 1 INVITE", 2)
    bob.reply(prack, 200)
    progress(bob, invite, 19)
    assert exchange.take(BOB) == []
    exchange.wait(6)
    progress(bob, invite, 17)
    (again,) = exchange.take(BOB)
    assert again.serialise() == prack.serialise()
    progress(bob, invite, 18, 183, EARLY)
    second = request(exchange)
    assert (second.get("RAck"), second.cseq.number) == ("18 1 INVITE", 3)
    assert methods(exchange.take(ALICE)) == ["180 INVITE", "183 INVITE"]
    bob.reply(invite, 200)
    ack = request(exchange)
    assert (ack.method, ack.cseq.number) == ("ACK", 1)
    answered = heard(exchange)
    assert answered.body.decode() == EARLY
    alice = Phone(exchange, "1001", ALICE)
    alice.cseq = 5
    alice.within(answered, "ACK")
    alice.within(answered, "BYE")
    bye = request(exchange)
    assert (bye.method, bye.cseq.number) == ("BYE", 4)


def test_a_prack_leaves_after_the_journal_has_the_progress_and_again_after_a_restart() -> None:
    journal = HeldJournal()
    exchange = Exchange(journal)
    _, bob, invite = invited(exchange)
    journal.held = True
    progress(bob, invite, 1)
    assert exchange.take(BOB) == []
    journal.held = False
    journal.commit()
    exchange.deliver()
    (prack,) = exchange.take(BOB)
    again = Exchange(journal, epoch=2, start_s=exchange.clock_s)
    (repeated,) = again.take(BOB)
    assert repeated.serialise() == prack.serialise()
    bob.exchange = again
    progress(bob, invite, 2, 183, EARLY)
    (second,) = again.take(BOB)
    assert second.cseq.number == 1002
    bob.reply(invite, 200)
    assert [one.cseq.number for one in again.take(BOB)] == [1]


def test_too_much_progress_is_not_journaled() -> None:
    exchange = Exchange()
    _, bob, invite = invited(exchange)
    for serial in range(1, 300):
        progress(bob, invite, serial)
    assert exchange.types.count("leg_ringing") == 99


def test_a_caller_that_requires_it_gets_progress_until_it_acknowledges() -> None:
    exchange = Exchange()
    alice, bob, invite = invited(exchange, "\nRequire: 100rel")
    bob.reply(invite, 180)
    ringing = heard(exchange)
    assert (ringing.status, ringing.get("Require"), ringing.get("RSeq")) == (180, "100rel", "1")
    exchange.wait(4)
    assert [one.serialise() for one in exchange.take(ALICE)] == [ringing.serialise()] * 3  # at 0.5, 1.5 and 3.5 s
    prack(alice, ringing)
    assert methods(exchange.take(ALICE)) == ["200 PRACK"]
    exchange.wait(10)
    assert exchange.take(ALICE) == []
    bob.reply(invite, 200, SDP)
    assert methods(exchange.take(ALICE)) == ["200 INVITE"]
    assert exchange.types[3:] == ["leg_ringing", "progress_confirmed", "connected"]


@pytest.mark.parametrize(
    ("extra", "sdp", "by_callee", "reliably"),
    [
        ("", EARLY, True, False),
        ("\nSupported: 100rel", "", False, False),
        ("\nSupported: 100rel", EARLY, False, True),
        ("\nSupported: timer, 100rel", "", True, True),
        ("\nRequire: 100rel", "", False, True),
    ],
)
def test_who_is_to_acknowledge(extra: str, sdp: str, by_callee: bool, reliably: bool) -> None:
    exchange = Exchange()
    _, bob, invite = invited(exchange, extra)
    if by_callee:
        progress(bob, invite, 5, 183, sdp)
    else:
        bob.reply(invite, 183, sdp)
    assert (heard(exchange).get("RSeq") == "1") is reliably


def test_the_next_progress_waits_for_the_acknowledgement_of_the_first() -> None:
    exchange = Exchange()
    alice, bob, invite = invited(exchange, "\nRequire: 100rel")
    bob.reply(invite, 180)
    ringing = heard(exchange)
    bob.reply(invite, 183, EARLY)
    assert exchange.take(ALICE) == []
    prack(alice, ringing)
    done, second = exchange.take(ALICE)
    assert methods([done, second]) == ["200 PRACK", "183 INVITE"]
    assert isinstance(second, Response)
    assert (second.get("RSeq"), second.body.decode()) == ("2", EARLY)


def test_an_answer_waits_for_the_acknowledgement_of_its_media() -> None:
    exchange = Exchange()
    alice, bob, invite = invited(exchange, "\nSupported: 100rel")
    bob.reply(invite, 183, EARLY)
    early = heard(exchange)
    bob.reply(invite, 200, EARLY)
    assert exchange.take(ALICE) == []
    assert methods(exchange.take(BOB)) == ["ACK"]
    prack(alice, early)
    done, answered = exchange.take(ALICE)
    assert methods([done, answered]) == ["200 PRACK", "200 INVITE"]
    assert answered.body == b""  # the answer was given already
    assert isinstance(answered, Response)
    alice.within(answered, "ACK")
    alice.within(answered, "BYE")
    assert methods(exchange.take(ALICE)) == ["200 BYE"]


def patient() -> Directory:
    """As ever, but numbers ring for a minute."""
    known = directory()
    extensions = {key: msgspec.structs.replace(one, ring_s=60) for key, one in known.extensions.items()}
    return msgspec.structs.replace(known, extensions=extensions, devices=dict(extensions))


def test_progress_that_is_never_acknowledged_fails_the_call_with_a_5xx() -> None:
    exchange = Exchange(directory=patient)
    _, bob, invite = invited(exchange, "\nRequire: 100rel")
    bob.reply(invite, 180)
    exchange.wait(33)
    assert methods(exchange.take(ALICE))[-1].startswith("504")
    assert "CANCEL" in methods(exchange.take(BOB))
    assert exchange.board.open_calls == 0


def test_an_answer_that_waits_in_vain_is_hung_up() -> None:
    exchange = Exchange()
    _, bob, invite = invited(exchange, "\nRequire: 100rel")
    bob.reply(invite, 183, EARLY)
    bob.reply(invite, 200, EARLY)
    exchange.wait(33)
    assert methods(exchange.take(BOB))[:2] == ["ACK", "BYE"]
    assert "504 INVITE" in methods(exchange.take(ALICE))


@pytest.mark.parametrize("method", ["CANCEL", "BYE"])
def test_the_caller_gives_up_while_its_answer_waits(method: str) -> None:
    exchange = Exchange()
    alice, bob = parties(exchange)
    branch = alice.invite("1002", extra="\nRequire: 100rel")
    (invite,) = exchange.take(BOB)
    assert isinstance(invite, Request)
    bob.reply(invite, 183, EARLY)
    early = exchange.last(ALICE)
    assert isinstance(early, Response)
    bob.reply(invite, 200, EARLY)
    exchange.take(BOB)
    alice.within(early, method, branch=branch if method == "CANCEL" else "")
    assert sorted(methods(exchange.take(ALICE))) == sorted([f"200 {method}", "487 INVITE"])
    assert methods(exchange.take(BOB)) == ["BYE"]


@pytest.mark.parametrize(
    ("rack", "status"),
    [("2 4 INVITE", 481), ("1 9 INVITE", 481), ("1 4 BYE", 481), ("1 4", 400), ("x 4 INVITE", 400), ("", 200)],
)
def test_a_prack_must_name_what_waits_for_it(rack: str, status: int) -> None:
    exchange = Exchange()
    alice, bob, invite = invited(exchange, "\nRequire: 100rel")
    bob.reply(invite, 180)
    ringing = heard(exchange)
    assert ringing.cseq.number == 4
    prack(alice, ringing, rack=rack)
    assert heard(exchange).status == status
    prack(alice, ringing, rack=rack)
    assert heard(exchange).status == (status if status != 200 else 481)


def test_a_new_offer_in_a_prack_is_refused() -> None:
    exchange = Exchange()
    alice, bob, invite = invited(exchange, "\nRequire: 100rel")
    bob.reply(invite, 183, EARLY)
    prack(alice, heard(exchange), SDP)
    assert heard(exchange).status == 488


@pytest.mark.parametrize("moment", ["told", "acknowledged"])
def test_a_restart_goes_on_with_what_is_to_be_acknowledged(moment: str) -> None:
    exchange = Exchange()
    alice, bob, invite = invited(exchange, "\nRequire: 100rel")
    bob.reply(invite, 183, EARLY)
    early = heard(exchange)
    if moment == "acknowledged":
        prack(alice, early)
    said = {data for _, data in exchange.wire}
    again = Exchange(exchange.journal, epoch=2, start_s=exchange.clock_s)
    assert {data for _, data in again.wire} <= said
    alice.exchange = bob.exchange = again
    if moment == "told":
        again.wait(1)
        assert methods(again.take(ALICE)) == ["183 INVITE", "183 INVITE"]
        prack(alice, early)
    assert methods(again.take(ALICE)) == ["200 PRACK"]
    bob.reply(invite, 200, EARLY)
    assert methods(again.take(ALICE)) == ["200 INVITE"]


def test_a_late_offer_in_progress_is_answered_by_the_prack() -> None:
    exchange = Exchange()
    alice, bob, invite = invited(exchange, "\nSupported: 100rel", sdp="")
    assert "100rel" in (invite.get("Supported") or "")
    progress(bob, invite, 4, 183, EARLY)
    assert exchange.take(BOB) == []
    early = heard(exchange)
    assert (early.get("RSeq"), early.body.decode()) == ("1", EARLY)
    prack(alice, early, ANSWER)
    (passed_on,) = exchange.take(BOB)
    assert (methods([passed_on]), passed_on.body.decode()) == (["PRACK"], ANSWER)
    assert methods(exchange.take(ALICE)) == ["200 PRACK"]
    progress(bob, invite, 5)
    (second,) = exchange.take(BOB)
    assert second.body == b""
    bob.reply(invite, 200)
    answered = heard(exchange)
    assert (answered.status, answered.body) == (200, b"")
    ack = request(exchange)
    assert (ack.method, ack.body) == ("ACK", b"")


def test_a_late_offer_is_not_reliable_for_a_caller_that_cannot_answer_it() -> None:
    exchange = Exchange()
    _, _, invite = invited(exchange, sdp="")
    assert invite.get("Supported") == "timer"


def test_a_late_offer_in_progress_that_the_prack_does_not_answer_ends_the_call() -> None:
    exchange = Exchange()
    alice, bob, invite = invited(exchange, "\nRequire: 100rel", sdp="")
    progress(bob, invite, 4, 183, EARLY)
    prack(alice, heard(exchange))
    assert sorted(methods(exchange.take(ALICE))) == ["200 PRACK", "488 INVITE"]
    assert methods(exchange.take(BOB)) == ["CANCEL"]
