"""Phones that subscribe to how many messages there are, when the server, a shard or a connection is gone a while."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.journal.codec import decode
from adapters.sip.message.message import Request
from adapters.storage.folder import FolderStorage
from domain.mailbox.input import Hear
from switchlog.studio.clerk import Clerk
from tests.switchlog.exchange import Exchange
from tests.switchlog.mixing import RememberedRooms
from tests.switchlog.phone import BOB
from tests.switchlog.test_exchange_moving import AWAY, HOME, PRIVATE, Nat
from tests.switchlog.watch import DESK, SHARD, Watch, again_with, boxed, change, put, subscriptions, types


@pytest.fixture
def clerk(tmp_path: Path) -> Clerk:
    return Clerk(lambda: FolderStorage(tmp_path / "storage"), tmp_path / "spool")


@pytest.fixture
def exchange(clerk: Clerk) -> Exchange:
    return Exchange(media=RememberedRooms(), directory=boxed, clerk=clerk)


@pytest.mark.parametrize("is_told", [True, False])
def test_a_subscription_outlives_the_server(clerk: Clerk, is_told: bool) -> None:
    """`kill -9`: what the phone has not taken is said again, and nothing else; the dialog goes on."""
    before = Exchange(media=RememberedRooms(), directory=boxed, clerk=clerk)
    bob = Watch(before, "1002", BOB)
    bob.subscribe()
    bob.told()
    put(before)
    (last,) = bob.notified()
    if is_told:
        bob.reply(last, 200)
    after = again_with(before, clerk)
    bob.exchange = after
    again = bob.notified()
    assert len(again) == (not is_told)
    for one in again:
        assert one.cseq.number > last.cseq.number
        bob.reply(one, 200)
    change(after, Hear)
    (heard,) = bob.notified()
    assert heard.cseq.number > last.cseq.number
    bob.reply(heard, 200)
    assert bob.subscribe(within=True).status == 200
    assert bob.told() == [("active;expires=600", "0/1")]
    after.wait(601)
    assert bob.told() == [("terminated;reason=timeout", "0/1")]


def test_a_subscribe_that_is_repeated_after_a_restart_is_answered_again(clerk: Clerk) -> None:
    before = Exchange(media=RememberedRooms(), directory=boxed, clerk=clerk)
    bob = Watch(before, "1002", BOB)
    first = bob.subscribe()
    cseq = bob.cseq
    after = again_with(before, clerk)
    bob.exchange, bob.cseq = after, cseq - 2  # it is challenged, and answers with the number of before
    bob.told()
    again = bob.subscribe()
    assert (again.status, again.to.tag) == (200, first.to.tag)
    assert len(subscriptions(after)) == 1


def test_one_whose_phone_is_away_is_told_once_it_is_back(clerk: Clerk) -> None:
    alive = {"now": True}
    exchange = Exchange(
        media=RememberedRooms(), directory=boxed, clerk=clerk, alive=lambda flow: alive["now"] or flow.remote == DESK
    )
    bob = Watch(exchange, "1002", BOB, transport="tcp")
    bob.subscribe()
    bob.told()
    alive["now"] = False
    put(exchange)
    assert bob.told() == []
    assert len(subscriptions(exchange)) == 1
    back = Watch(exchange, "1002", DESK, transport="tcp")
    back.register()
    told = [(one.get("Subscription-State"), one.call_id) for one in back.notified()]
    assert ("active;expires=600", f"sub-{BOB}") in told


def test_what_was_under_way_on_a_connection_that_broke_has_another_number(clerk: Clerk) -> None:
    exchange = Exchange(media=RememberedRooms(), directory=boxed, clerk=clerk)
    bob = Watch(exchange, "1002", BOB, transport="tcp")
    bob.subscribe()
    (first,) = bob.notified()
    (known,) = subscriptions(exchange)
    exchange.flow_closed(known.dialog.flow)
    assert subscriptions(exchange) == [known], "the phone may be back at once"
    put(exchange)
    exchange.deliver()
    (second,) = bob.notified()
    assert second.cseq.number > first.cseq.number
    bob.reply(second, 200)
    assert bob.told() == [("active;expires=600", "1/0")]


def test_a_lost_shard_goes_on_when_it_is_back(exchange: Exchange) -> None:
    bob = Watch(exchange, "1002", BOB)
    bob.subscribe()
    (first,) = bob.notified()
    exchange.board.drop(SHARD, 1)
    assert len(exchange.application.notifier) == 0
    bob.reply(first, 200)
    exchange.board.load({SHARD: 2}, list(exchange.journal.live(SHARD, 0.0)), decode)
    exchange.application.resume()
    exchange.deliver()
    (again,) = bob.notified()
    assert again.cseq.number > first.cseq.number
    bob.reply(again, 200)
    assert types(exchange) == ["begun", "told"]


def test_a_phone_whose_way_through_nat_is_another_one_is_told_there_once_it_has_registered(exchange: Exchange) -> None:
    nat = Nat(exchange, HOME)
    bob = Watch(nat, "1002", PRIVATE)  # type: ignore[arg-type]
    bob.register()
    bob.subscribe()
    (first,) = [one for one in exchange.sent.pop(PRIVATE) if isinstance(one, Request) and one.to.tag]
    bob.reply(first, 200)
    nat.source = AWAY
    bob.register()
    put(exchange)
    assert exchange.take(HOME) == []
    assert bob.told() == [("active;expires=600", "1/0")]
    assert len(subscriptions(exchange)) == 1
