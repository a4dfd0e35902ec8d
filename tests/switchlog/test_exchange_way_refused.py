"""Calls whose media are to go through us, and cannot: they go on as they were."""

from __future__ import annotations

import pytest

from adapters.sip.message.message import Response
from tests.switchlog.exchange import Exchange
from tests.switchlog.phone import ALICE, BOB, HOLD, SDP, Phone, methods, talk
from tests.switchlog.test_exchange_recorded import Recorders
from tests.switchlog.ways import as_bob, ask, offered, place, relayed, since, take
from tests.switchlog.ways import exchange as exchange
from tests.switchlog.ways import make as make
from tests.switchlog.ways import rooms as rooms


@pytest.mark.parametrize("status", [488, 603])
def test_a_phone_that_was_called_and_refuses_keeps_the_call_as_it_was(
    exchange: Exchange, rooms: Recorders, status: int
) -> None:
    _, bob, *_ = talk(exchange)
    ask(exchange, "start")
    bob.reply(offered(exchange, BOB), status)
    assert methods(exchange.take(BOB)) == ["ACK"]
    exchange.wait(0)
    assert (exchange.take(ALICE), rooms.has) == ([], {})
    assert since(exchange, "way_offered") == ["way_refused", "way_abandoned"]
    assert ask(exchange, "start"), "it may be tried again"


def test_if_the_caller_refuses_the_other_one_is_asked_back(exchange: Exchange, rooms: Recorders) -> None:
    alice, bob, *_ = talk(exchange)
    ask(exchange, "start")
    take(exchange, bob)
    alice.reply(offered(exchange, ALICE), 488)
    exchange.take(ALICE)
    exchange.wait(0)
    assert take(exchange, bob) == (3, 4000, "sendrecv")
    assert (rooms.has, exchange.board.open_calls) == ({}, 1)
    (call,) = exchange.board.live_calls
    assert (call.detour, call.recordings) == (None, ())


def test_an_answer_without_audio_is_a_refusal(exchange: Exchange, rooms: Recorders) -> None:
    alice, bob, *_ = talk(exchange)
    ask(exchange, "start")
    take(exchange, bob, SDP.replace("4000", "0"))
    exchange.wait(0)
    assert take(exchange, bob) == (3, 4000, "sendrecv")
    assert (exchange.take(ALICE), rooms.has) == ([], {})
    ask(exchange, "start")
    take(exchange, bob)
    take(exchange, alice, SDP.replace("4000", "0"))
    exchange.wait(0)
    assert take(exchange, bob)[1] == 4000
    exchange.wait(0)
    assert take(exchange, alice)[1] == 4000
    assert (rooms.has, exchange.board.open_calls) == ({}, 1)
    assert "recording_started" not in exchange.types


def test_offers_that_cross_are_made_again(exchange: Exchange, rooms: Recorders) -> None:
    """RFC 3261 14.1: the phone's own comes first, and passes directly as long as neither knows our ends."""
    alice, bob, *_, invite = talk(exchange)
    ask(exchange, "start")
    reoffer = offered(exchange, BOB)
    bob.within(as_bob(invite, bob), "INVITE", HOLD, branch="z9hG4bKcrossing")
    assert methods(exchange.take(BOB)) == ["491 INVITE"]
    bob.reply(reoffer, 491)
    exchange.take(BOB)
    exchange.wait(2)
    bob.within(as_bob(invite, bob), "INVITE", HOLD.replace("4000", "4600"), branch="z9hG4bKagain")
    hold = offered(exchange, ALICE)
    assert place(hold) == (1, 4600, "sendonly")
    alice.reply(hold, 200, f"{SDP}a=recvonly\r\n")
    assert place(exchange.take(BOB)[-1])[1:] == (4000, "recvonly")
    bob.within(as_bob(invite, bob), "ACK")
    exchange.take(ALICE)
    while not exchange.sent.get(BOB):
        exchange.wait(0.1)
    assert 2.1 <= exchange.clock_s <= 4.1
    assert take(exchange, bob, HOLD.replace("4000", "4600"))[1:] == (20002, "recvonly")
    assert take(exchange, alice, f"{SDP}a=recvonly\r\n")[1:] == (20000, "sendonly")
    assert len(rooms.records) == 1


def test_without_a_media_worker_the_call_goes_on_as_it_was(exchange: Exchange, rooms: Recorders) -> None:
    rooms.die()
    alice, _, answered, _ = talk(exchange)
    ask(exchange, "start")
    exchange.wait(6)
    assert since(exchange, "connected") == ["relay_requested", "way_abandoned"]
    assert exchange.take(ALICE) == exchange.take(BOB) == []
    rooms.start()
    assert rooms.has == {}
    alice.within(answered, "INVITE", HOLD.replace("1 1 IN", "1 2 IN"), branch="z9hG4bKhold")
    assert place(offered(exchange, BOB)) == (2, 4000, "sendonly")


def test_what_no_worker_can_pass_on_is_said_at_once(exchange: Exchange, rooms: Recorders) -> None:
    talk_in(exchange, SDP.replace("AVP 0", "AVP 18"))
    ask(exchange, "start")
    assert since(exchange, "connected") == ["relay_requested", "way_abandoned"]
    assert (exchange.take(ALICE), exchange.take(BOB), rooms.puts) == ([], [], [])


def talk_in(exchange: Exchange, sdp: str) -> None:
    """A call whose media are described so by both."""
    alice, bob = Phone(exchange, "1001", ALICE), Phone(exchange, "1002", BOB)
    alice.register(), bob.register()
    alice.invite("1002", sdp)
    bob.reply(exchange.take(BOB)[-1], 200, sdp)  # type: ignore[arg-type]
    answered = exchange.last(ALICE)
    assert isinstance(answered, Response)
    alice.within(answered, "ACK")
    exchange.take(BOB)


def test_a_demand_that_is_taken_back_meanwhile_is_undone(exchange: Exchange, rooms: Recorders) -> None:
    _, bob, *_ = talk(exchange)
    ask(exchange, "start")
    assert ask(exchange, "stop")
    take(exchange, bob)
    exchange.wait(0)
    assert take(exchange, bob) == (3, 4000, "sendrecv")
    assert (exchange.take(ALICE), rooms.has) == ([], {})
    assert "recording_started" not in exchange.types


def test_who_answers_otherwise_each_time_stays_with_us(exchange: Exchange, rooms: Recorders) -> None:
    """Each is offered what the other one says last, but not for ever."""
    alice, bob, *_ = relayed(exchange)
    ask(exchange, "stop")
    seen = []
    for port in range(4610, 4640, 2):
        for phone in (bob, alice):
            if any(methods([one]) == ["INVITE"] for one in exchange.sent.get(phone.address, ())):
                seen.append((phone.number, take(exchange, phone, SDP.replace("4000", str(port)))[1]))
        exchange.wait(0)
    assert [number for number, _ in seen] == ["1002", "1001", "1002", "1001", "1002", "1002", "1001"]
    assert [port for _, port in seen[-2:]] == [20002, 20000]
    (call,) = exchange.board.live_calls
    assert (call.detour, call.hears_us(call.caller_leg), call.hears_us(call.callee_leg)) == (None, True, True)
    assert ask(exchange, "start")
    assert len(rooms.records) == 1


def test_a_phone_that_does_not_know_the_call_ends_it(exchange: Exchange, rooms: Recorders) -> None:
    alice, bob, *_ = talk(exchange)
    ask(exchange, "start")
    take(exchange, bob)
    alice.reply(offered(exchange, ALICE), 481)
    assert exchange.board.open_calls == 0
    assert methods(exchange.take(BOB)) == ["BYE"]
    assert rooms.has == {}
