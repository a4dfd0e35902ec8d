"""Shards that are lost and claimed again, journals that are slow or full: memory and journal must agree afterwards."""

from __future__ import annotations

import msgspec

from adapters.sip.message import Request, Response
from domain.catalog import EVENTS
from tests.switchlog.exchange import Exchange, HeldJournal
from tests.switchlog.test_exchange import ALICE, BOB, HOLD, SDP, methods, parties, talk


def reclaim(exchange: Exchange) -> None:
    """What the session does about a lost shard: claim it, fold it again, say what is owed."""
    for shard in exchange.lost:
        streams = list(exchange.journal.live(shard, 0))
        calls = exchange.board.load(
            {shard: 2}, streams, lambda kind, data: msgspec.json.decode(data, type=EVENTS[kind])
        )
        exchange.board.resume(calls)
    exchange.lost.clear()
    exchange._deliver()


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
    assert [one.record.type for one in journal.stored].count("registration.contacts_removed.1") == 2
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
    assert exchange.board._offers == {}
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
