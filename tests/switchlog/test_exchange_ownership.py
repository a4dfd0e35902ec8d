"""Shards that are lost and claimed again, journals that are slow or full: memory and journal must agree afterwards."""

from __future__ import annotations

import msgspec
import pytest

from adapters.sip.message.message import Request, Response
from domain.catalog import EVENTS
from domain.ids import shard_of
from tests.switchlog.exchange import Exchange, HeldJournal
from tests.switchlog.phone import ALICE, BOB, HOLD, SDP, methods, parties, talk


def reclaim(exchange: Exchange) -> None:
    """What the session does about a lost shard: claim it, fold it again, say what is owed."""
    for shard in exchange.lost:
        streams = list(exchange.journal.live(shard, 0))
        calls = exchange.board.load(
            {shard: 2}, streams, lambda kind, data: msgspec.json.decode(data, type=EVENTS[kind])
        )
        exchange.board.resume(calls)
    exchange.lost.clear()
    exchange.deliver()


def test_a_reclaimed_shard_still_lets_bindings_expire() -> None:
    journal = HeldJournal()
    exchange = Exchange(journal)
    alice, _ = parties(exchange)
    for shard in range(64):
        exchange.board.drop(shard, 1)
        exchange.lost.append(shard)
    exchange.wait(301)
    reclaim(exchange)
    exchange.wait(1)
    assert exchange.board.next_deadline() is None
    assert [one.record.type for one in journal.stored].count("registration.contacts_removed.2") == 2
    assert alice.register().status == 200


def test_only_the_last_offer_of_a_call_is_remembered() -> None:
    exchange = Exchange()
    alice, bob, answered, _ = talk(exchange)
    for sdp in (HOLD, SDP, HOLD, SDP):
        alice.within(answered, "INVITE", sdp)
        (reinvite,) = exchange.take(BOB)
        assert isinstance(reinvite, Request)
        bob.reply(reinvite, 200, SDP)
        again = exchange.last(ALICE)
        assert isinstance(again, Response)
        alice.within(again, "ACK")
        exchange.take(BOB)
    assert len(exchange.board._offers) == 2
    alice.within(answered, "BYE")
    exchange.wait(64)
    assert len(exchange.board._offers) == 0
    assert len(exchange.layer) == 0


def test_an_answer_that_the_journal_lost_is_taken_when_the_phone_repeats_it() -> None:
    journal = HeldJournal()
    exchange = Exchange(journal)
    alice, bob = parties(exchange)
    alice.invite("1002")
    (invite,) = exchange.take(BOB)
    assert isinstance(invite, Request)
    journal.held = True
    bob.reply(invite, 200, SDP)
    journal.lose()
    journal.held = False
    bob.reply(invite, 200, SDP)  # while nobody owns the shard
    reclaim(exchange)
    exchange.take(ALICE), exchange.take(BOB)
    bob.reply(invite, 200, SDP)
    assert methods(exchange.take(BOB)) == ["ACK"]
    assert methods(exchange.take(ALICE)) == ["200 INVITE"]
    bob.reply(invite, 200, SDP)
    assert methods(exchange.take(BOB)) == ["ACK"]
    assert exchange.types.count("connected") == 1


def test_a_full_journal_is_said_and_memory_agrees_with_it_afterwards() -> None:
    journal = HeldJournal()
    exchange = Exchange(journal)
    alice, _, answered, _ = talk(exchange)
    stored = len(journal.stored)
    journal.full = True
    alice.within(answered, "BYE")
    (refused,) = exchange.take(ALICE)
    assert isinstance(refused, Response)
    assert (refused.status, refused.get("Retry-After")) == (503, "2")
    assert exchange.take(BOB) == []
    journal.full = False
    assert len(exchange.lost) == 1
    reclaim(exchange)
    assert len(journal.stored) == stored
    assert exchange.board.open_calls == 1
    exchange.take(ALICE), exchange.take(BOB)
    alice.within(answered, "BYE")
    assert methods(exchange.take(ALICE)) == ["200 BYE"]
    assert methods(exchange.take(BOB)) == ["BYE"]


def test_a_shard_that_leaves_says_what_was_begun_and_takes_no_more_work() -> None:
    journal = HeldJournal()
    exchange = Exchange(journal)
    alice, _, answered, _ = talk(exchange)
    (shard,) = {shard_of(one.record.stream) for one in journal.stored if one.record.category == "calls"}
    settled: list[bool] = []
    journal.held = True
    alice.within(answered, "BYE")
    exchange.board.leave(shard, lambda: settled.append(True))
    assert not exchange.board.owns(shard) and exchange.board.open_calls == 0
    alice.within(answered, "INVITE", HOLD)
    assert exchange.take(ALICE) == [] and settled == []
    journal.held = False
    journal.commit()
    exchange.deliver()
    assert methods(exchange.take(ALICE)) == ["200 BYE"]
    assert methods(exchange.take(BOB)) == ["BYE"]
    assert settled == [True] and exchange.lost == []
    exchange.board.leave(shard, lambda: settled.append(False))
    assert settled == [True, False], "there is nothing to wait for"


def test_a_shard_that_is_lost_while_it_leaves_says_nothing() -> None:
    journal = HeldJournal()
    exchange = Exchange(journal)
    alice, _, answered, _ = talk(exchange)
    (shard,) = {shard_of(one.record.stream) for one in journal.stored if one.record.category == "calls"}
    journal.held = True
    alice.within(answered, "BYE")
    exchange.board.leave(shard, lambda: None)
    journal.lose()
    exchange.deliver()
    assert exchange.lost == [shard]
    assert exchange.take(ALICE) == exchange.take(BOB) == []
    exchange.board.leave(shard, lambda: None)


def test_a_shard_that_is_abandoned_says_nothing_more() -> None:
    journal = HeldJournal()
    exchange = Exchange(journal)
    alice, _, answered, _ = talk(exchange)
    journal.held = True
    alice.within(answered, "BYE")
    for shard in range(64):
        exchange.board.abandon(shard)
    journal.held = False
    journal.commit()
    exchange.deliver()
    assert exchange.take(ALICE) == exchange.take(BOB) == []
    assert exchange.lost == []


def test_a_cancelled_leg_is_cancelled_again_with_the_uri_that_was_dialled() -> None:
    exchange = Exchange()
    alice, bob = parties(exchange)
    branch = alice.invite("1002")
    (trying,) = exchange.take(ALICE)
    (invite,) = exchange.take(BOB)
    assert isinstance(invite, Request)
    assert isinstance(trying, Response)
    bob.exchange.send(
        BOB,
        f"SIP/2.0 180 Ringing\nVia: {invite.get('Via')}\nFrom: {invite.get('From')}\nTo: {invite.get('To')};tag=b\n"
        f"Call-ID: {invite.call_id}\nCSeq: {invite.get('CSeq')}\nContact: <sip:elsewhere@{BOB}>",
    )
    again = Exchange(exchange.journal, epoch=2, start_s=exchange.clock_s)
    again.take(ALICE), again.take(BOB)
    alice.exchange = bob.exchange = again
    alice.within(trying, "CANCEL", branch=branch)
    assert sorted(methods(again.take(ALICE))) == ["200 CANCEL", "487 INVITE"]
    (cancel,) = again.take(BOB)
    assert isinstance(cancel, Request)
    assert (cancel.method, cancel.uri) == ("CANCEL", invite.uri)
    bob.reply(invite, 200, SDP)
    assert methods(again.take(BOB)) == ["ACK", "BYE"]


def test_a_call_that_ended_long_ago_owes_nothing() -> None:
    exchange = Exchange()
    alice, _, answered, _ = talk(exchange)
    alice.within(answered, "BYE")
    soon = Exchange(exchange.journal, epoch=2, start_s=exchange.clock_s + 1)
    assert methods(soon.take(ALICE)) == ["200 BYE"]
    assert methods(soon.take(BOB)) == ["BYE"]
    late = Exchange(exchange.journal, epoch=3, start_s=exchange.clock_s + 33)
    assert late.wire == []


def test_a_re_invite_that_was_under_way_goes_on_after_a_restart() -> None:
    exchange = Exchange()
    alice, bob, answered, _ = talk(exchange)
    alice.within(answered, "INVITE", HOLD)
    (reinvite,) = exchange.take(BOB)
    assert isinstance(reinvite, Request)
    again = Exchange(exchange.journal, epoch=2, start_s=exchange.clock_s + 1)
    assert methods(again.take(ALICE)) == ["100 INVITE"]
    (repeated,) = again.take(BOB)
    assert repeated.serialise() == reinvite.serialise()
    alice.exchange = bob.exchange = again
    bob.reply(reinvite, 200, HOLD)
    assert methods(again.take(ALICE)) == ["200 INVITE"]
    assert methods(again.take(BOB)) == ["ACK"]


def test_a_bye_that_the_journal_lost_ends_the_call_when_it_is_repeated() -> None:
    journal = HeldJournal()
    exchange = Exchange(journal)
    alice, _, answered, _ = talk(exchange)
    journal.held = True
    alice.within(answered, "BYE", branch="z9hG4bKlostbye")
    journal.lose()
    exchange.deliver()
    assert exchange.take(ALICE) == []
    journal.held = False
    reclaim(exchange)
    exchange.take(ALICE), exchange.take(BOB)
    alice.cseq -= 1
    alice.within(answered, "BYE", branch="z9hG4bKlostbye")
    assert methods(exchange.take(ALICE)) == ["200 BYE"]
    assert methods(exchange.take(BOB)) == ["BYE"]


@pytest.mark.parametrize(("by", "transport"), [("caller", "udp"), ("callee", "udp"), ("callee", "tcp")])
def test_the_cancel_of_a_re_invite_waits_for_its_shard(by: str, transport: str) -> None:
    journal = HeldJournal()
    exchange = Exchange(journal)
    _, _, answered, invite = talk(exchange)
    if by == "caller":
        address, other = ALICE, BOB
        named = f"From: {answered.get('From')}\nTo: {answered.get('To')}\nCall-ID: {answered.call_id}"
    else:
        address, other = BOB, ALICE
        named = f"From: {invite.get('To')};tag=b\nTo: {invite.get('From')}\nCall-ID: {invite.call_id}"

    def send(method: str) -> None:
        exchange.send(
            address,
            f"{method} sip:x@127.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP {address};branch=z9hG4bKagain\n{named}\n"
            f"CSeq: 77 {method}\nContact: <sip:x@{address}>\nContent-Type: application/sdp",
            HOLD if method == "INVITE" else "",
            transport,
        )

    send("INVITE")
    (call,) = exchange.board.live_calls
    exchange.board.drop(shard_of(call.id), 1)
    exchange.lost.append(shard_of(call.id))
    exchange.take(address)
    send("CANCEL")
    told = methods(exchange.take(address))
    assert told == ([] if transport == "udp" else ["503 CANCEL"])
    reclaim(exchange)
    exchange.take(other)
    if transport == "udp":
        send("CANCEL")
        assert "200 CANCEL" in methods(exchange.take(address))
        assert exchange.types[-1] == "renegotiation_withdrawn"
