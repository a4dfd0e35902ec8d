"""Calls that are to be recorded while their phones hear each other directly: offers of ours, and what comes of them."""

from __future__ import annotations

import pytest

from adapters.sip.message.message import Request
from domain.values import MediaPolicy
from tests.domain.world import directory, new_call, with_media
from tests.switchlog.exchange import Exchange, HeldJournal
from tests.switchlog.phone import ALICE, BOB, HOLD, SDP, methods, picked_up, talk
from tests.switchlog.test_exchange_recorded import Recorders
from tests.switchlog.ways import BOBS, Make, as_bob, ask, of_us, offered, place, press, relayed, since, take
from tests.switchlog.ways import exchange as exchange
from tests.switchlog.ways import make as make
from tests.switchlog.ways import rooms as rooms

TAKEN = [
    "relay_requested",
    "media_relayed",
    "way_offered",
    "way_taken",
    "way_offered",
    "way_taken",
    "recording_started",
]
LEFT = ["recording_ended", "relay_released", "way_offered", "way_taken", "way_offered", "way_taken"]


def test_both_phones_are_offered_our_ends_and_then_the_recording_begins(exchange: Exchange, rooms: Recorders) -> None:
    alice, bob, answered, _ = talk(exchange)
    assert rooms.has == {}
    assert ask(exchange, "start")
    assert ask(exchange, "start") is False
    assert exchange.take(ALICE) == [], "one after the other"
    assert take(exchange, bob, BOBS) == (2, 20002, "sendrecv")
    assert rooms.records == {}
    assert take(exchange, alice) == (2, 20000, "sendrecv")
    assert since(exchange, "connected") == TAKEN
    one, other = of_us(rooms).legs
    assert ((one.port, one.remote), (other.port, other.remote)) == (
        (20000, ("127.0.0.1", 4000)),
        (20002, ("127.0.0.1", 4600)),
    )
    assert one.sends and one.receives and other.sends and other.receives
    (record,) = rooms.records.values()
    assert record.sides == (one.id, other.id)
    alice.within(answered, "BYE")
    assert (rooms.has, since(exchange, "recording_started")) == ({}, ["ended", "recording_stopped"])
    exchange.wait(60)
    assert exchange.board.live_calls == ()


def test_they_hear_each_other_directly_again_when_the_recording_ends(exchange: Exchange, rooms: Recorders) -> None:
    alice, bob, answered, _ = relayed(exchange)
    assert ask(exchange, "stop")
    assert rooms.records == {}
    assert take(exchange, bob, BOBS) == (3, 4000, "sendrecv")
    assert rooms.has
    assert take(exchange, alice) == (3, 4600, "sendrecv")
    assert [one for one in since(exchange, "recording_started") if one != "recording_stopped"] == LEFT
    assert rooms.has == {}
    alice.within(answered, "INVITE", HOLD.replace("1 1 IN", "1 2 IN"), branch="z9hG4bKhold")
    assert place(offered(exchange, BOB)) == (4, 4000, "sendonly"), "versions go on"


def test_it_may_be_recorded_once_more(exchange: Exchange, rooms: Recorders) -> None:
    alice, bob, *_ = relayed(exchange)
    ask(exchange, "stop")
    take(exchange, bob, BOBS)
    take(exchange, alice)
    assert ask(exchange, "start")
    version, port, _ = take(exchange, bob, BOBS)
    assert (version, port > 20002) == (4, True), "a port that was just used rests"
    take(exchange, alice)
    (record,) = rooms.records.values()
    assert record.id.endswith("-2")


def test_who_holds_goes_on_holding(exchange: Exchange, rooms: Recorders) -> None:
    alice, bob, answered, _ = talk(exchange)
    alice.within(answered, "INVITE", HOLD, branch="z9hG4bKhold")
    bob.reply(offered(exchange, BOB), 200, f"{SDP}a=recvonly\r\n")
    alice.within(answered, "ACK")
    exchange.take(ALICE), exchange.take(BOB)
    ask(exchange, "start")
    assert take(exchange, bob, f"{BOBS}a=recvonly\r\n") == (2, 20002, "sendonly")
    assert take(exchange, alice, HOLD) == (2, 20000, "recvonly")
    one, other = of_us(rooms).legs
    assert (one.sends, one.receives, other.sends, other.receives) == (False, True, True, False)
    (call,) = exchange.board.live_calls
    assert call.held_by == {call.caller_leg}


def test_what_is_asked_before_our_ends_are_open_waits_for_them(exchange: Exchange, rooms: Recorders) -> None:
    rooms.die()
    _, bob, *_ = talk(exchange)
    ask(exchange, "start")
    assert exchange.take(BOB) == []
    exchange.wait(2)
    rooms.start()
    exchange.wait(0)
    assert take(exchange, bob)[1] == 20002


def test_it_waits_for_a_change_that_is_under_way(exchange: Exchange, rooms: Recorders) -> None:
    alice, bob, answered, _ = talk(exchange)
    alice.within(answered, "INVITE", HOLD, branch="z9hG4bKhold")
    hold = offered(exchange, BOB)
    ask(exchange, "start")
    assert exchange.take(BOB) == []
    bob.reply(hold, 200, f"{SDP}a=recvonly\r\n")
    exchange.take(ALICE)
    exchange.wait(0)
    assert methods(exchange.take(BOB)) == ["ACK", "INVITE"]


def test_a_repeated_answer_is_confirmed_again(exchange: Exchange) -> None:
    alice, bob, *_ = talk(exchange)
    ask(exchange, "start")
    first = offered(exchange, BOB)
    bob.reply(first, 200, BOBS)
    exchange.take(BOB)
    take(exchange, alice)
    bob.reply(first, 200, BOBS)
    assert methods(exchange.take(BOB)) == ["ACK"]


def test_keys_that_a_phone_says_by_info_begin_and_end_it(make: Make, rooms: Recorders) -> None:
    """They are passed on as well. Only phones of extensions with recordings on demand have these keys."""
    policy = MediaPolicy(recording="on_demand", keys=False)
    exchange = make(known=lambda: with_media(directory(), "1002", policy))
    alice, bob, answered, invite = talk(exchange)
    press(exchange, alice, answered, "*1")
    assert "relay_requested" not in exchange.types
    press(exchange, bob, as_bob(invite, bob), "*1")
    assert take(exchange, bob)[1] == 20002
    take(exchange, alice)
    (record,) = rooms.records.values()
    assert exchange.studio is not None
    press(exchange, bob, as_bob(invite, bob), "**2")
    (record,) = rooms.records.values()
    assert record.masked
    press(exchange, bob, as_bob(invite, bob), "*1")
    assert take(exchange, bob)[1] == 4000
    take(exchange, alice)
    assert (rooms.has, len(exchange.studio.keys)) == ({}, 0)


def test_of_keys_in_calls_that_are_over_nothing_is_remembered(make: Make) -> None:
    policy = MediaPolicy(recording="on_demand", keys=False)
    exchange = make(known=lambda: with_media(directory(), "1002", policy))
    alice, _, answered, _ = talk(exchange)
    press(exchange, alice, answered, "*")
    alice.within(answered, "BYE")
    exchange.wait(60)
    assert exchange.studio is not None
    exchange.studio.keys.pressed(new_call(), "caller", "*")
    exchange.studio.keys.pressed(new_call(), "callee", "*")
    assert len(exchange.studio.keys) == 1, "the newest only"


# --- deaths


@pytest.mark.parametrize("moment", [1, 3, 5, 7])
def test_after_a_death_at_any_moment_the_change_is_made_to_its_end(make: Make, rooms: Recorders, moment: int) -> None:
    """The server dies when the journal has so many events of the change, whatever of it was said: those of a turn are
    there as one."""
    journal = HeldJournal()
    first = make(journal)
    alice, bob, answered, _ = talk(first)
    before = len(journal.stored)
    ask(first, "start")
    take(first, bob, BOBS)
    take(first, alice)
    lost = [one.record for one in journal.stored[before + moment :]]
    del journal.stored[before + moment :]
    for record in lost:
        journal._lengths[record.stream] -= 1
    again = make(journal, epoch=2, at_s=1)
    again.wait(0)
    alice.exchange = bob.exchange = again
    for _ in range(2):
        for phone, sdp in ((bob, BOBS), (alice, SDP)):
            for reoffer in [one for one in again.take(phone.address) if methods([one]) == ["INVITE"]]:
                assert isinstance(reoffer, Request)
                phone.reply(reoffer, 200, sdp)
                again.wait(0)
    assert since(again, "connected") == TAKEN
    assert [leg.remote for leg in of_us(rooms).legs] == [("127.0.0.1", 4000), ("127.0.0.1", 4600)]
    assert len(rooms.records) == 1
    alice.within(answered, "BYE")
    assert rooms.has == {}


def test_what_is_said_again_after_a_death_is_the_same(make: Make) -> None:
    journal = HeldJournal()
    first = make(journal)
    picked_up(first)
    ask(first, "start")
    (offer,) = [one for one in first.take(BOB) if methods([one]) == ["INVITE"]]
    again = make(journal, epoch=2, at_s=1)
    assert offer.body in [one.body for one in again.take(BOB) if methods([one]) == ["INVITE"]]
