"""Calls as ladders of real messages, in memory: who is told what, when, and only after the journal."""

from __future__ import annotations

import re

import pytest

from adapters.sip.message.message import Request, Response
from tests.switchlog.exchange import Exchange, HeldJournal
from tests.switchlog.phone import ALICE, BOB, HOLD, MALLORY, SDP, Phone, methods, parties, picked_up, talk


@pytest.fixture
def exchange() -> Exchange:
    return Exchange()


def test_the_ladder_of_a_plain_call(exchange: Exchange) -> None:
    alice, bob = parties(exchange)
    alice.invite("1002")
    assert methods(exchange.take(ALICE)) == ["100 INVITE"]
    (invite,) = exchange.take(BOB)
    assert isinstance(invite, Request)
    bob.reply(invite, 180)
    assert methods(exchange.take(ALICE)) == ["180 INVITE"]
    bob.reply(invite, 200, SDP)
    (answered,) = exchange.take(ALICE)
    assert isinstance(answered, Response)
    assert answered.body.decode() == SDP
    assert methods(exchange.take(BOB)) == ["ACK"]
    alice.within(answered, "ACK")
    alice.within(answered, "BYE")
    assert methods(exchange.take(ALICE)) == ["200 BYE"]
    assert methods(exchange.take(BOB)) == ["BYE"]
    assert exchange.types == ["offered", "routed", "legs_dialed", "leg_ringing", "connected", "ended"]


def test_nothing_of_one_side_reaches_the_other(exchange: Exchange) -> None:
    talk(exchange)
    to_bob = b"".join(data for address, data in exchange.wire if address == BOB)
    assert b"127.0.0.1:6001" not in to_bob
    assert b"call-1" not in to_bob


def test_nothing_leaves_before_the_journal_has_it() -> None:
    journal = HeldJournal()
    exchange = Exchange(journal)
    alice, _ = parties(exchange)
    journal.held = True
    alice.invite("1002")
    assert exchange.take(ALICE) == exchange.take(BOB) == []
    journal.commit()
    exchange.deliver()
    assert methods(exchange.take(ALICE)) == ["100 INVITE"]
    assert methods(exchange.take(BOB)) == ["INVITE"]


def test_a_lost_append_says_nothing_and_drops_the_shard() -> None:
    journal = HeldJournal()
    exchange = Exchange(journal)
    alice, _ = parties(exchange)
    journal.held = True
    alice.invite("1002")
    journal.lose()
    exchange.deliver()
    assert exchange.take(ALICE) == exchange.take(BOB) == []
    assert len(exchange.lost) == 1
    assert exchange.board.live_calls == ()


def test_a_wrong_password_appends_nothing(exchange: Exchange) -> None:
    alice = Phone(exchange, "1001", ALICE)
    before = len(exchange.journal.stored)
    exchange.send(
        ALICE,
        f"REGISTER sip:acme.example SIP/2.0\nVia: SIP/2.0/UDP {ALICE};branch=z9hG4bKx\n"
        "From: <sip:1001@acme.example>;tag=r\nTo: <sip:1001@acme.example>\nCall-ID: x\nCSeq: 1 REGISTER\n"
        f"Contact: <sip:1001@{ALICE}>\n"
        'Authorization: Digest username="1001", realm="acme.example", nonce="x", uri="sip:acme.example", '
        'response="0", qop=auth, nc=1, cnonce="1", algorithm=SHA-256',
    )
    challenge = exchange.last(alice.address)
    assert isinstance(challenge, Response)
    assert challenge.status == 401
    assert [value.split("algorithm=")[1].split(",")[0] for value in challenge.get_all("WWW-Authenticate")] == [
        "SHA-256",
        "MD5",
    ]
    assert len(exchange.journal.stored) == before


@pytest.mark.parametrize(
    ("domain", "number", "status"), [("globex.example", "1002", 480), ("acme.example", "4711", 404)]
)
def test_nothing_crosses_tenants(exchange: Exchange, domain: str, number: str, status: int) -> None:
    parties(exchange)
    Phone(exchange, "1001", MALLORY, domain).invite(number)
    refused = exchange.last(MALLORY)
    assert isinstance(refused, Response)
    assert refused.status == status
    assert exchange.take(BOB) == []


def test_a_device_may_claim_only_its_own_number(exchange: Exchange) -> None:
    alice, _ = parties(exchange)
    alice.invite("1002", from_="1003")
    refused = exchange.last(ALICE)
    assert isinstance(refused, Response)
    assert refused.status == 403


def test_hold_and_glare(exchange: Exchange) -> None:
    alice, bob, answered, invite = talk(exchange)
    alice.within(answered, "INVITE", HOLD)
    (reinvite,) = exchange.take(BOB)
    assert isinstance(reinvite, Request)
    assert reinvite.body.decode() == HOLD
    assert methods(exchange.take(ALICE)) == ["100 INVITE"]
    exchange.send(
        BOB,
        f"INVITE sip:x SIP/2.0\nVia: SIP/2.0/UDP {BOB};branch=z9hG4bKglare\nFrom: {reinvite.get('To')}\n"
        f"To: {reinvite.get('From')}\nCall-ID: {reinvite.call_id}\nCSeq: 9 INVITE\nContact: <sip:1002@{BOB}>\n"
        "Content-Type: application/sdp",
        HOLD,
    )
    assert methods(exchange.take(BOB)) == ["491 INVITE"]
    bob.reply(reinvite, 200, SDP)
    assert methods(exchange.take(ALICE)) == ["200 INVITE"]
    assert methods(exchange.take(BOB)) == ["ACK"]
    assert invite.from_.tag == reinvite.from_.tag


def test_the_caller_cancels(exchange: Exchange) -> None:
    alice, bob = parties(exchange)
    branch = alice.invite("1002")
    trying = exchange.last(ALICE)
    (invite,) = exchange.take(BOB)
    assert isinstance(invite, Request)
    assert isinstance(trying, Response)
    bob.reply(invite, 180)
    exchange.take(ALICE)
    alice.within(trying, "CANCEL", branch=branch)
    assert sorted(methods(exchange.take(ALICE))) == ["200 CANCEL", "487 INVITE"]
    assert methods(exchange.take(BOB)) == ["CANCEL"]
    bob.reply(invite, 487)
    assert methods(exchange.take(BOB)) == ["ACK"]


def test_a_stranger_cannot_end_a_call(exchange: Exchange) -> None:
    _, _, answered, _ = talk(exchange)
    to = answered.get("To") or ""
    guessed = re.sub(r"tag=(\w+)\.(\w+)\.\w+", r"tag=\1.\2.0000000000000000", to)
    for wrong_to, wrong_from in ((guessed, answered.get("From")), (to, "<sip:1001@acme.example>;tag=guess")):
        exchange.send(
            MALLORY,
            f"BYE sip:x SIP/2.0\nVia: SIP/2.0/UDP {MALLORY};branch=z9hG4bK{len(wrong_to)}{len(wrong_from or '')}\n"
            f"From: {wrong_from}\nTo: {wrong_to}\nCall-ID: call-1\nCSeq: 99 BYE",
        )
        assert methods(exchange.take(MALLORY)) == ["481 BYE"]
    assert exchange.board.open_calls == 1


@pytest.mark.parametrize("moment", ["before", "ringing", "answered"])
def test_a_restart_repeats_what_is_owed_and_nothing_else(exchange: Exchange, moment: str) -> None:
    alice, bob = parties(exchange)
    alice.invite("1002")
    (invite,) = exchange.take(BOB)
    assert isinstance(invite, Request)
    if moment != "before":
        bob.reply(invite, 180)
    if moment == "answered":
        bob.reply(invite, 200, SDP)
    said = {data for _, data in exchange.wire}
    exchange.take(ALICE), exchange.take(BOB)

    again = Exchange(exchange.journal, epoch=2, start_s=exchange.clock_s)
    owed = {
        "before": (["100 INVITE"], ["INVITE"]),
        "ringing": (["180 INVITE"], []),
        "answered": (["200 INVITE"], ["ACK"]),
    }
    assert (methods(again.take(ALICE)), methods(again.take(BOB))) == owed[moment]
    assert {data for _, data in again.wire} <= said, "byte for byte what was said before"
    bob.exchange = again
    if moment != "answered":
        bob.reply(invite, 200, SDP)
    answered = again.take(ALICE)
    if moment != "answered":
        assert methods(answered)[-1] == "200 INVITE"
    again.take(BOB)
    call = again.board.live_calls[0]
    assert call.answered_at is not None


def test_after_a_restart_the_call_can_be_held_and_ended(exchange: Exchange) -> None:
    alice, bob, answered, _ = talk(exchange)
    again = Exchange(exchange.journal, epoch=2, start_s=40)
    assert again.wire == []
    alice.exchange = bob.exchange = again
    alice.within(answered, "INVITE", HOLD)
    (reinvite,) = again.take(BOB)
    assert isinstance(reinvite, Request)
    assert reinvite.cseq.number == 1001
    bob.reply(reinvite, 200, SDP)
    held = again.last(ALICE)
    assert isinstance(held, Response)
    alice.within(held, "ACK")
    again.take(BOB)
    alice.within(held, "BYE")
    assert methods(again.take(ALICE)) == ["200 BYE"]
    (bye,) = again.take(BOB)
    assert bye.cseq.number == 1002


def test_a_device_that_never_answers_is_dropped_after_timer_b(exchange: Exchange) -> None:
    alice, _ = parties(exchange)
    alice.invite("1002")
    exchange.wait(33)
    refused = exchange.last(ALICE)
    assert isinstance(refused, Response)
    assert exchange.types[-1] == "ended"


def test_bindings_expire(exchange: Exchange) -> None:
    alice, bob = parties(exchange)
    exchange.wait(301)
    alice.register()
    alice.invite("1002")
    refused = exchange.last(ALICE)
    assert isinstance(refused, Response)
    assert refused.status == 480
    assert bob.register(30).status == 423


def test_phones_are_told_the_announced_address(exchange: Exchange) -> None:
    exchange.addresses.announce("udp", "pbx.example:5070")
    alice, _ = parties(exchange)
    alice.invite("1002")
    (invite,) = exchange.take(BOB)
    assert (invite.via.host, invite.via.port) == ("pbx.example", 5070)
    assert "@pbx.example:5070" in (invite.get("Contact") or "")


@pytest.mark.parametrize("gone", ["unregistered", "expired"])
def test_a_number_without_phones_at_a_restart_registers_anew(exchange: Exchange, gone: str) -> None:
    alice, bob = parties(exchange)
    if gone == "unregistered":
        bob.register(0)
    after_s = 10 if gone == "unregistered" else 400
    again = Exchange(exchange.journal, epoch=2, start_s=after_s)
    alice.exchange = bob.exchange = again
    assert bob.register().status == 200
    alice.invite("1002")
    assert methods(again.take(BOB)) == ["INVITE"]
    assert again.lost == []


def test_a_caller_that_acknowledged_before_the_restart_is_not_hung_up(exchange: Exchange) -> None:
    talk(exchange)
    again = Exchange(exchange.journal, epoch=2, start_s=5)
    assert methods(again.take(ALICE)) == ["200 INVITE"]
    again.wait(60)
    assert again.board.open_calls == 1


def test_a_caller_that_never_acknowledges_loses_the_call(exchange: Exchange) -> None:
    picked_up(exchange)
    exchange.wait(40)
    assert exchange.types[-1] == "ended"
    assert exchange.board.open_calls == 0


def test_a_caller_that_may_not_know_of_the_answer_is_told_before_its_bye() -> None:
    before = Exchange()
    _, bob, _, invite = picked_up(before)
    bob.cseq = 1
    names = {"From": f"{invite.get('To')};tag=b", "To": invite.get("From") or "", "Call-ID": invite.call_id}
    bob.within(Response(200, "", [*names.items(), ("Contact", invite.get("Contact") or "")]), "BYE")
    after = Exchange(before.journal, epoch=2, start_s=5)
    assert methods(after.take(ALICE)) == ["200 INVITE"], "a BYE before it would end what she knows nothing of"
    assert methods(after.take(BOB)) == ["200 BYE"]
    after.wait(3)  # her ACK may have come before the restart: it is not waited for longer
    said = methods(after.take(ALICE))
    assert said[0] == "200 INVITE" and "BYE" in said
    late = Exchange(before.journal, epoch=3, start_s=40)
    assert methods(late.take(ALICE)) == []
