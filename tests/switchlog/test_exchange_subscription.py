"""Phones that subscribe to how many messages there are (RFC 3842, RFC 6665), as ladders of real messages."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from adapters.sip.message.message import Request, Response
from adapters.storage.folder import FolderStorage
from domain.mailbox.input import Delete, Hear
from switchlog.session.subscribers import MOST
from switchlog.studio.clerk import Clerk
from tests.switchlog.exchange import Exchange
from tests.switchlog.mixing import RememberedRooms
from tests.switchlog.phone import ALICE, BOB
from tests.switchlog.watch import DESK, Watch, boxed, change, put, subscriptions, types


@pytest.fixture
def clerk(tmp_path: Path) -> Clerk:
    return Clerk(lambda: FolderStorage(tmp_path / "storage"), tmp_path / "spool")


@pytest.fixture
def exchange(clerk: Clerk) -> Exchange:
    return Exchange(media=RememberedRooms(), directory=boxed, clerk=clerk)


def test_a_phone_subscribes_and_its_lamp_follows(exchange: Exchange) -> None:
    bob = Watch(exchange, "1002", BOB)
    answer = bob.subscribe()
    assert (answer.status, answer.get("Expires")) == (200, "600")
    (first,) = bob.notified()
    assert first.get("Event") == "message-summary"
    assert first.get("Subscription-State") == "active;expires=600"
    assert first.get("Content-Type") == "application/simple-message-summary"
    assert (first.call_id, first.to.tag, first.from_.tag) == (answer.call_id, "w", answer.to.tag)
    assert (
        first.body == b"Messages-Waiting: no\r\nMessage-Account: sip:1002@acme.example\r\nVoice-Message: 0/0 (0/0)\r\n"
    )
    bob.reply(first, 200)
    put(exchange)
    (second,) = bob.notified()
    assert second.body.startswith(b"Messages-Waiting: yes\r\n")
    assert second.cseq.number > first.cseq.number
    bob.reply(second, 200)
    exchange.wait(100)
    change(exchange, Hear)
    assert bob.told() == [("active;expires=500", "0/1")]
    change(exchange, Delete)
    assert bob.told() == [("active;expires=500", "0/0")]
    exchange.wait(40)
    assert bob.told() == [], "what was taken is not said again"


def test_what_changes_while_a_notice_is_under_way_is_told_after_it(exchange: Exchange) -> None:
    bob = Watch(exchange, "1002", BOB)
    bob.subscribe()
    (first,) = bob.notified()
    put(exchange, "m")
    put(exchange, "n")
    assert bob.notified() == []
    bob.reply(first, 200)
    assert bob.told() == [("active;expires=600", "2/0")]


def test_the_answer_comes_before_what_is_told(exchange: Exchange) -> None:
    bob = Watch(exchange, "1002", BOB)
    exchange.journal.held = True
    uri = "sip:1002@acme.example"
    with pytest.raises(ValueError, match="not enough"):
        bob.subscribe()
    assert exchange.take(BOB) == [], f"the journal has not got {uri} yet"
    put(exchange)
    assert exchange.take(BOB) == []
    exchange.journal.held = False
    exchange.journal.commit()
    exchange.deliver()
    answer, notify = exchange.take(BOB)
    assert isinstance(answer, Response)
    assert isinstance(notify, Request)


def test_a_refresh_prolongs_and_is_followed_by_a_notice(exchange: Exchange) -> None:
    bob = Watch(exchange, "1002", BOB)
    bob.subscribe()
    bob.told()
    exchange.wait(500)
    assert bob.subscribe(within=True).get("Expires") == "600"
    assert bob.told() == [("active;expires=600", "0/0")]
    exchange.wait(590)
    assert len(subscriptions(exchange)) == 1
    put(exchange)
    assert bob.told() == [("active;expires=10", "1/0")]


def test_one_that_is_not_refreshed_runs_out(exchange: Exchange) -> None:
    bob = Watch(exchange, "1002", BOB)
    bob.subscribe()
    bob.told()
    exchange.wait(601)
    assert bob.told() == [("terminated;reason=timeout", "0/0")]
    assert subscriptions(exchange) == []
    assert bob.subscribe(within=True).status == 481
    assert len(exchange.application.notifier) == 0


def test_a_phone_unsubscribes(exchange: Exchange) -> None:
    bob = Watch(exchange, "1002", BOB)
    bob.subscribe()
    bob.told()
    assert bob.subscribe(within=True, expires_s=0).get("Expires") == "0"
    assert bob.told() == [("terminated;reason=timeout", "0/0")]
    put(exchange)
    assert bob.told() == []
    assert subscriptions(exchange) == []


def test_one_that_ends_while_a_notice_is_under_way_is_ended_by_the_next(exchange: Exchange) -> None:
    bob = Watch(exchange, "1002", BOB)
    bob.subscribe()
    (first,) = bob.notified()
    bob.subscribe(within=True, expires_s=0)
    assert bob.notified() == []
    bob.reply(first, 200)
    assert bob.told() == [("terminated;reason=timeout", "0/0")]


def test_who_asks_once_is_told_once(exchange: Exchange) -> None:
    put(exchange)
    bob = Watch(exchange, "1002", BOB)
    assert bob.subscribe(expires_s=0).get("Expires") == "0"
    assert bob.told() == [("terminated;reason=timeout", "1/0")]
    assert subscriptions(exchange) == []


@pytest.mark.parametrize(
    ("asked", "status", "header"),
    [
        ({"event": "presence"}, 489, ("Allow-Events", "message-summary")),
        ({"event": ""}, 489, ("Allow-Events", "message-summary")),
        ({"expires_s": 30}, 423, ("Min-Expires", "60")),
        ({"extra": "\nAccept: application/pidf+xml"}, 406, ("Expires", None)),
        ({"to": "1001"}, 403, ("Expires", None)),
        ({"to": "1777"}, 404, ("Expires", None)),
        ({"expires_s": None}, 200, ("Expires", "3600")),
        ({"expires_s": 90_000}, 200, ("Expires", "7200")),
        ({"extra": "\nAccept: application/simple-message-summary"}, 200, ("Expires", "600")),
        ({"to": "*97"}, 200, ("Expires", "600")),
        ({"to": "1500"}, 200, ("Expires", "600")),
    ],
)
def test_what_may_be_asked_for(
    exchange: Exchange, asked: dict[str, object], status: int, header: tuple[str, str | None]
) -> None:
    bob = Watch(exchange, "1002", BOB)
    answer = bob.subscribe(**asked)  # type: ignore[arg-type]
    assert (answer.status, answer.get(header[0])) == (status, header[1])
    assert len(subscriptions(exchange)) == (status == 200)
    assert (types(exchange) != []) == (status == 200), "who is refused writes nothing"


def test_who_proves_nothing_learns_nothing(exchange: Exchange) -> None:
    bob = Watch(exchange, "1002", BOB)
    bob.subscribe()
    bob.told()
    stranger = Watch(exchange, "1001", ALICE)
    assert stranger.subscribe(to="1002").status == 403, "another extension's"
    stranger.subscribed = bob.subscribed
    assert stranger.subscribe(within=True).status in (403, 481), "another one's dialog"
    other = Watch(exchange, "1002", DESK, domain="globex.example")
    assert other.subscribe().status == 404, "another tenant's extension of the same number"
    assert len(subscriptions(exchange)) == 1
    assert bob.told() == []


def test_a_phone_that_does_not_know_it_any_more_ends_it(exchange: Exchange) -> None:
    bob = Watch(exchange, "1002", BOB)
    bob.subscribe()
    bob.told(481)
    assert subscriptions(exchange) == []
    put(exchange)
    assert bob.told() == []


def test_a_phone_that_does_not_answer_ends_it(exchange: Exchange) -> None:
    bob = Watch(exchange, "1002", BOB)
    bob.subscribe()
    exchange.wait(40)
    assert subscriptions(exchange) == []
    assert types(exchange) == ["begun", "ended"]


def test_what_a_phone_does_not_want_now_is_not_repeated(exchange: Exchange) -> None:
    bob = Watch(exchange, "1002", BOB)
    bob.subscribe()
    assert len(bob.told(500)) == 1
    put(exchange)
    assert bob.told() == [("active;expires=600", "1/0")]


def test_a_phone_that_was_started_anew_has_one_subscription(exchange: Exchange) -> None:
    bob = Watch(exchange, "1002", BOB)
    bob.subscribe()
    bob.told()
    bob.subscribe(call_id="after-the-restart", tag="w2")
    assert len(bob.told()) == 1
    assert [one.dialog.call_id for one in subscriptions(exchange)] == ["after-the-restart"]
    put(exchange)
    assert len(bob.told()) == 1


def test_so_many_phones_are_told_of_a_number(exchange: Exchange) -> None:
    for place in range(MOST):
        assert Watch(exchange, "1002", f"127.0.0.1:{7000 + place}").subscribe().status == 200
    assert Watch(exchange, "1002", BOB).subscribe().status == 403
    assert Watch(exchange, "1002", "127.0.0.1:7000").subscribe(call_id="again").status == 200


def test_a_phone_that_subscribed_is_told_by_that_alone(exchange: Exchange) -> None:
    bob = Watch(exchange, "1002", BOB)
    bob.subscribe()
    bob.told()
    bob.register()
    assert bob.told() == []
    desk = Watch(exchange, "1002", DESK)
    desk.register()
    assert desk.told() == [("terminated", "0/0")]
    put(exchange)
    assert bob.told() == [("active;expires=600", "1/0")]
    assert desk.told() == [("terminated", "1/0")]


def test_a_phone_that_did_not_subscribe_is_told_once(exchange: Exchange) -> None:
    """Not whenever it registers again, unless it was started anew or has missed something."""
    bob = Watch(exchange, "1002", BOB)
    bob.register()
    assert bob.told() == [("terminated", "0/0")]
    bob.register()
    assert bob.told() == []
    put(exchange)
    assert len(bob.notified()) == 1
    exchange.wait(40)
    bob.notified()
    bob.register()
    assert bob.told() == [("terminated", "1/0")], "it has not taken it"
    bob.register()
    assert bob.told() == []
    bob.register(expires_s=0)
    bob.register()
    assert bob.told() == [("terminated", "1/0")], "it was away"
    put(exchange, "n")
    (under_way,) = bob.notified()
    change(exchange, Hear)
    assert bob.notified() == [], "nothing says which of two is the newer one"
    bob.reply(under_way, 200)
    assert bob.told() == [("terminated", "1/1")]
    bob.register(expires_s=0)
    assert len(exchange.application.summaries) in (0, 1)


def test_a_phone_that_is_another_numbers_now_is_told_nothing_of_the_former_one(clerk: Clerk) -> None:
    declared = [boxed()]
    exchange = Exchange(media=RememberedRooms(), directory=lambda: declared[0], clerk=clerk)
    bob, nobodys = Watch(exchange, "1002", BOB), Watch(exchange, "1002", DESK)
    bob.subscribe()
    assert nobodys.subscribe("1500", call_id="1500").status == 200
    bob.told()
    nobodys.told()
    known = declared[0]
    device = ("acme", "1002")
    other = known.extensions["acme", "1001"]
    declared[0] = msgspec.structs.replace(known, devices={**known.devices, device: other})
    put(exchange)
    assert bob.told() == [("terminated;reason=noresource", "0/0")]
    assert [one.number for one in subscriptions(exchange)] == ["1500"], "which is nobody's"
