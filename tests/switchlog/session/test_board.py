"""Faults of one call or stream: the others are served, it is told, and memory never says other than the journal."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple, cast
from uuid import UUID

import msgspec
import pytest

from adapters.journal.codec import decode, encode
from adapters.sip.dialog.identifier import SipIdentifiers
from adapters.sip.message.message import Request
from domain.call.call import Call
from domain.call.effect import Effect
from domain.call.input import Reoffered
from domain.ids import shard_of, shard_of_call, shard_of_registration
from domain.ports import Stored
from domain.registration import Registration
from switchlog.session.board import Board
from switchlog.session.outlet import Outlets
from switchlog.session.shard import Shard
from tests.domain.world import START, directory, seconds
from tests.switchlog.exchange import Exchange
from tests.switchlog.logged import lines
from tests.switchlog.phone import ALICE, BOB, SDP, methods, parties, talk
from tests.switchlog.test_exchange_ownership import reclaim


class Successor:
    """Who takes the calls of an exchange over, and cannot say what one of them owes."""

    def __init__(self, exchange: Exchange, spoil: Callable[[Sequence[Stored]], Sequence[Stored]] = list) -> None:
        self.said: list[UUID] = []
        self.broken: set[UUID] = set()
        self.clock_s = exchange.clock_s
        self.board = Board(
            journal=exchange.journal,
            encode=encode,
            identifiers=SipIdentifiers(b"k" * 32),
            directory=directory,
            node="a",
            outlets=Outlets(self._perform, lambda *lost: None, lambda: None, lambda events: None, self.now, bytes),
        )
        live = (one for shard in range(64) for one in exchange.journal.live(shard, self.now().timestamp()))
        streams = [spoil(stream) for stream in live]
        self.calls = self.board.load(dict.fromkeys(range(64), 2), streams, decode)

    def now(self) -> datetime:
        return START + seconds(self.clock_s)

    def _perform(self, call: Call, effects: tuple[Effect, ...]) -> None:
        if call.id in self.broken:
            raise ValueError("a Contact of before that nobody can read")
        self.said.append(call.id)


def three_that_ring() -> Exchange:
    exchange = Exchange()
    alice, bob = parties(exchange)
    for number in range(3):
        alice.invite("1002", call_id=f"call-{number}")
        (invite,) = exchange.take(BOB)
        assert isinstance(invite, Request)
        bob.reply(invite, 180)
    return exchange


def test_one_call_that_cannot_be_taken_up_does_not_keep_the_others_from_it(stream: io.StringIO) -> None:
    after = Successor(three_that_ring())
    first = after.calls[0].id
    after.broken.add(first)
    after.board.resume(after.calls)
    assert after.said == [call.id for call in after.calls[1:]]
    assert after.board.find(first) is not None, "its phones may still end it"
    (line,) = lines(stream)
    assert (line["level"], line["call"], line["tenant"]) == ("error", str(first), "acme")
    assert "a Contact of before that nobody can read" in line["exception"]


def test_one_call_that_cannot_act_at_its_deadline_does_not_keep_the_others_from_it(stream: io.StringIO) -> None:
    after = Successor(three_that_ring())
    after.broken.add(after.calls[0].id)
    after.clock_s += 400
    after.board.on_deadline(after.now())
    after.board.on_deadline(after.now())  # what was far away is armed by the first
    assert set(after.said) == {call.id for call in after.calls[1:]}
    assert all(call.ended_at is not None for call in after.board.live_calls)
    assert [line["call"] for line in lines(stream)] == [str(after.calls[0].id)]


class Unfinished(NamedTuple):
    """What a translation that is wrong could hand over as a transaction: only a part of what the fold makes of it."""

    cseq: int


def test_a_fault_after_the_fold_loses_the_shard_so_that_no_gap_is_journaled() -> None:
    exchange = Exchange()
    alice, bob, answered, _ = talk(exchange)
    (call,) = exchange.board.live_calls
    wrong = cast("Any", Unfinished(7))
    with pytest.raises(AttributeError):
        exchange.board.handle(
            call.id, Reoffered("c", "x", call.caller_leg, wrong, "sip:x@h", SDP, "sendrecv"), lambda accepted: None
        )
    assert exchange.lost == [shard_of(call.id)]
    assert not exchange.board.owns(shard_of(call.id))
    reclaim(exchange)
    exchange.take(BOB)
    alice.cseq = 50
    alice.within(answered, "BYE")  # a gap would be refused by the journal
    assert methods(exchange.take(BOB)) == ["BYE"]
    assert methods(exchange.take(ALICE))[-1] == "200 BYE"
    assert len(exchange.board._offers) == 1
    assert bob.register().status == 200


def test_a_fault_before_the_fold_loses_nothing() -> None:
    exchange = Exchange()
    alice, _, answered, _ = talk(exchange)
    (call,) = exchange.board.live_calls
    with pytest.raises(AttributeError):
        exchange.board.handle(
            call.id,
            Reoffered("c", "x", call.caller_leg, cast("Any", None), "sip:x@h", SDP, "sendrecv"),
            lambda accepted: None,
        )
    assert exchange.lost == []
    alice.within(answered, "BYE")
    assert methods(exchange.take(BOB)) == ["BYE"]


def test_a_stream_with_a_gap_is_left_out_and_its_shard_is_served(stream: io.StringIO) -> None:
    exchange = three_that_ring()
    broken = exchange.board.live_calls[0].id
    after = Successor(exchange, lambda one: [*one[:1], *one[2:]] if one[0].record.stream == broken else one)
    assert {call.id for call in after.calls} == {call.id for call in exchange.board.live_calls} - {broken}
    assert (after.board.find(broken), after.board.owns(shard_of(broken))) == (None, True)
    assert (after.board.parked, after.board.refused) == (1, 0)
    (line,) = lines(stream)
    assert (line["level"], line["stream"], line["tenant"]) == ("error", str(broken), "acme")


def test_a_shard_with_a_record_that_cannot_be_read_is_refused_until_it_can(stream: io.StringIO) -> None:
    exchange = three_that_ring()
    broken = exchange.board.live_calls[0].id
    shard = shard_of(broken)

    def spoil(one: Sequence[Stored]) -> Sequence[Stored]:
        if one[0].record.stream != broken:
            return one
        return [*one[:-1], msgspec.structs.replace(one[-1], record=msgspec.structs.replace(one[-1].record, data=b"{"))]

    after = Successor(exchange, spoil)
    assert [number for number in range(64) if not after.board.owns(number)] == [shard]
    assert {call.id for call in after.calls} == {
        call.id for call in exchange.board.live_calls if shard_of(call.id) != shard
    }
    (line,) = lines(stream)
    assert (line["level"], line["shard"]) == ("error", shard)
    assert (after.board.refused, after.board.parked) == (1, 0)
    theirs = next(name for name in map(str, range(10_000)) if shard_of_call(name) == shard)
    assert after.board.home(theirs) != shard, "a new call would be refused there for ever"
    after.board.load({shard: 3}, list(exchange.journal.live(shard, 0)), decode)
    assert (after.board.owns(shard), after.board.refused) == (True, 0)
    assert after.board.find(broken) is not None


class Leaking(Shard):
    """Raises after the fold."""

    def hold(self, registration: Registration) -> None:
        raise AttributeError(f"what a fault of ours could be: {registration.number}")


def test_a_fault_after_the_fold_of_a_registration_loses_the_shard_too() -> None:
    exchange = Exchange()
    bob = parties(exchange)[1]
    shard = shard_of_registration("acme", "1002")
    healthy = exchange.board._shards[shard]
    leaking = exchange.board._shards[shard] = Leaking(shard, 1)
    leaking.registrations, leaking.streams = healthy.registrations, healthy.streams
    with pytest.raises(AttributeError):
        bob.register()
    assert (exchange.lost, exchange.board.owns(shard)) == ([shard], False)
    reclaim(exchange)
    bob.cseq += 1
    assert bob.register().status == 200  # a gap would be refused by the journal
