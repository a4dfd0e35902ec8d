"""Calls to a room as ladders of real messages: what phones are told, what the media worker is, what is journaled."""

from __future__ import annotations

import re

import msgspec
import pytest

from adapters.journal.codec import decode
from adapters.sip.message.message import Request, Response
from domain.call.call import CallState
from domain.conference.input import Arrive, Lock
from domain.ids import leg_id, new_stream_id, shard_of_room
from media.wire import Codec, Load
from projections.cdr import fold_cdr
from tests.switchlog.exchange import Exchange, HeldJournal
from tests.switchlog.mixing import (
    BOTH,
    CAROL,
    NEITHER,
    ROOM,
    RememberedRooms,
    conference,
    conference_types,
    joined,
    wish,
)
from tests.switchlog.mixing import exchange as exchange
from tests.switchlog.mixing import rooms as rooms
from tests.switchlog.phone import ALICE, BOB, HOLD, SDP, Phone, methods


def test_the_ladder_of_a_call_to_a_room(exchange: Exchange, rooms: RememberedRooms) -> None:
    phone = Phone(exchange, "1001", ALICE)
    phone.register()
    phone.invite("7000")
    trying, answered = exchange.take(ALICE)
    assert methods([trying, answered]) == ["100 INVITE", "200 INVITE"]
    assert isinstance(answered, Response)
    assert re.search(rb"m=audio 20000 RTP/AVP 0\r\n", answered.body)
    assert b"c=IN IP4 127.0.0.1\r\n" in answered.body
    (leg,) = rooms.room().values()
    assert (leg.port, leg.remote, leg.codecs) == (20000, ("127.0.0.1", 4000), (Codec("PCMU", 0),))
    phone.within(answered, "ACK")
    assert exchange.types == ["offered", "routed", "legs_dialed", "connected"]
    assert conference_types(exchange) == ["opened", "arrived", "joined"]
    phone.within(answered, "BYE")
    assert methods(exchange.take(ALICE)) == ["200 BYE"]
    assert rooms.has == {}
    assert conference_types(exchange)[3:] == ["left", "closed"]
    exchange.wait(60)
    assert exchange.take(ALICE) == []


def test_members_hear_each_other_until_they_leave(exchange: Exchange, rooms: RememberedRooms) -> None:
    alice, answered = joined(exchange)
    joined(exchange, "1002", BOB)
    joined(exchange, "1003", CAROL)
    assert rooms.heard_in() == [BOTH] * 3
    assert len({leg.port for leg in rooms.room().values()}) == 3
    assert [one.number for one in conference(exchange).members.values()] == ["1001", "1002", "1003"]
    alice.within(answered, "BYE")
    assert rooms.heard_in() == [BOTH] * 2
    assert len(conference(exchange).members) == 2


def test_the_record_of_such_a_call(exchange: Exchange) -> None:
    phone, answered = joined(exchange)
    exchange.wait(5)
    phone.within(answered, "BYE")
    stored = [one.record for one in exchange.journal.stored if one.record.category == "calls"]
    record = fold_cdr(decode(one.type, one.data) for one in stored)
    assert record is not None
    cdr = record.cdr
    assert (cdr.to_number, cdr.answered_by, cdr.disposition, cdr.hangup_by) == ("7000", "7000", "answered", "caller")
    assert (cdr.route_rule, cdr.talk_ms, cdr.legs, cdr.final) == ("conference", 5000, 2, True)
    (segment,) = record.segments
    assert (segment.party_a, segment.party_b) == ("1001", "7000")


def test_nobody_is_answered_before_the_port_is_open(exchange: Exchange, rooms: RememberedRooms) -> None:
    rooms.die()
    phone = Phone(exchange, "1001", ALICE)
    phone.register()
    phone.invite("7000")
    assert methods(exchange.take(ALICE)) == ["100 INVITE"]
    exchange.wait(3)
    rooms.start()
    assert methods(exchange.take(ALICE)) == ["200 INVITE"]


def test_without_a_media_worker_the_call_fails(exchange: Exchange, rooms: RememberedRooms) -> None:
    rooms.die()
    phone = Phone(exchange, "1001", ALICE)
    phone.register()
    phone.invite("7000")
    exchange.wait(6)
    refused = exchange.take(ALICE)[1]
    assert isinstance(refused, Response)
    assert (refused.status, refused.get("Reason")) == (480, 'Q.850;cause=41;text="no media worker has answered"')
    rooms.start()
    assert rooms.has == {}


def test_a_port_that_somebody_else_has_is_another_leg_s(exchange: Exchange, rooms: RememberedRooms) -> None:
    joined(exchange)
    rooms.taken_ports = {20002, 20004}
    joined(exchange, "1002", BOB)
    assert [leg.port for leg in rooms.room().values()] == [20000, 20006]


def test_a_worker_that_refuses_every_port_is_told_of_no_more_of_them(
    exchange: Exchange, rooms: RememberedRooms
) -> None:
    joined(exchange)
    rooms.taken_ports = set(range(20002, 20100))
    bob = Phone(exchange, "1002", BOB)
    bob.register()
    bob.invite("7000")
    refused = exchange.last(BOB)
    assert isinstance(refused, Response)
    assert (refused.status, "the media worker refused" in (refused.get("Reason") or "")) == (480, True)
    assert rooms.heard_in() == [BOTH]


@pytest.mark.parametrize(
    ("sdp", "status"),
    [
        (SDP.replace("AVP 0", "AVP 18"), 488),
        (SDP.replace("RTP/AVP", "UDP/TLS/RTP/SAVPF"), 488),
        (SDP.replace("m=audio", "m=video"), 488),
    ],
)
def test_what_we_cannot_have_is_not_acceptable(
    exchange: Exchange, rooms: RememberedRooms, sdp: str, status: int
) -> None:
    phone = Phone(exchange, "1001", ALICE)
    phone.register()
    phone.invite("7000", sdp)
    refused = exchange.last(ALICE)
    assert isinstance(refused, Response)
    assert refused.status == status
    assert rooms.puts == []


def test_hold_silences_who_holds_and_resume_gives_its_voice_back(exchange: Exchange, rooms: RememberedRooms) -> None:
    phone, answered = joined(exchange)
    joined(exchange, "1002", BOB)
    phone.within(answered, "INVITE", HOLD, branch="z9hG4bKhold")
    held = exchange.last(ALICE)
    assert isinstance(held, Response)
    assert (held.status, b"a=recvonly" in held.body) == (200, True)
    phone.within(answered, "ACK")
    first = next(iter(rooms.room().values()))
    assert (first.muted, first.sends, first.port) == (True, False, 20000)
    phone.within(answered, "INVITE", SDP, branch="z9hG4bKresume")
    resumed = exchange.last(ALICE)
    assert isinstance(resumed, Response)
    assert (resumed.status, b"a=sendrecv" in resumed.body, b" 3 IN IP4 " in resumed.body) == (200, True, True)
    assert rooms.heard_in() == [BOTH] * 2


def test_a_change_that_we_cannot_have_changes_nothing(exchange: Exchange, rooms: RememberedRooms) -> None:
    phone, answered = joined(exchange)
    before = rooms.room()
    phone.within(answered, "INVITE", SDP.replace("AVP 0", "AVP 18"))
    refused = exchange.last(ALICE)
    assert isinstance(refused, Response)
    assert refused.status == 488
    assert rooms.room() == before


def test_a_phone_that_makes_no_offer_answers_ours(exchange: Exchange, rooms: RememberedRooms) -> None:
    phone = Phone(exchange, "1001", ALICE)
    phone.register()
    phone.invite("7000", sdp="")
    answered = exchange.last(ALICE)
    assert isinstance(answered, Response)
    assert b"m=audio 20000 RTP/AVP 96 9 8 0 97 101 102 103\r\n" in answered.body
    assert rooms.heard_in() == [NEITHER]
    phone.within(answered, "ACK", SDP)
    (leg,) = rooms.room().values()
    assert (leg.remote, leg.codecs, leg.sends, leg.receives) == (("127.0.0.1", 4000), (Codec("PCMU", 0),), True, True)
    assert rooms.heard_in() == [BOTH]


def test_an_answer_that_takes_nothing_of_ours_ends_the_call(exchange: Exchange, rooms: RememberedRooms) -> None:
    phone = Phone(exchange, "1001", ALICE)
    phone.register()
    phone.invite("7000", sdp="")
    answered = exchange.last(ALICE)
    assert isinstance(answered, Response)
    phone.within(answered, "ACK", SDP.replace("AVP 0", "AVP 18"))
    bye = exchange.last(ALICE)
    assert isinstance(bye, Request)
    assert bye.method == "BYE"
    assert rooms.has == {}


def test_a_caller_that_gives_up_leaves_nothing(exchange: Exchange, rooms: RememberedRooms) -> None:
    rooms.die()
    phone = Phone(exchange, "1001", ALICE)
    phone.register()
    branch = phone.invite("7000")
    trying = exchange.last(ALICE)
    assert isinstance(trying, Response)
    exchange.send(
        ALICE,
        f"CANCEL sip:7000@acme.example SIP/2.0\nVia: SIP/2.0/UDP {ALICE};branch={branch}\n"
        f"From: {trying.get('From')}\nTo: <sip:7000@acme.example>\nCall-ID: call-1\nCSeq: {phone.cseq} CANCEL",
    )
    assert methods(exchange.take(ALICE)) == ["200 CANCEL", "487 INVITE"]
    rooms.start()
    assert rooms.has == {}


# --- deaths


def test_a_worker_that_is_started_again_gets_the_room_with_the_same_ports(
    exchange: Exchange, rooms: RememberedRooms
) -> None:
    joined(exchange)
    joined(exchange, "1002", BOB)
    before = rooms.room()
    rooms.die()
    joined_while_away = Phone(exchange, "1003", CAROL)
    joined_while_away.register()
    rooms.start()
    assert rooms.room() == before
    assert exchange.take(ALICE) == exchange.take(BOB) == []


def test_after_a_restart_of_the_sessions_the_room_goes_on(rooms: RememberedRooms) -> None:
    journal = HeldJournal()
    first = Exchange(journal, media=rooms)
    alice, answered = joined(first)
    joined(first, "1002", BOB)
    before, events = rooms.room(), len(journal.stored)
    rooms.measures = None  # of streams that end in between only in this test, whose worker is there before all else
    again = Exchange(journal, epoch=2, start_s=60, media=rooms)
    assert rooms.room() == before
    assert len(journal.stored) == events, "nothing happened"
    assert rooms.has["room/acme/7000"].epoch == 2
    alice.exchange = again
    joined(again, "1003", CAROL)
    assert [leg.port for leg in rooms.room().values()] == [20000, 20002, 20004]
    alice.within(answered, "BYE")
    assert len(rooms.room()) == 2
    assert [one.number for one in conference(again).members.values()] == ["1002", "1003"]


def test_a_port_that_was_opened_before_a_kill_and_not_written_down_keeps_nobody_out(rooms: RememberedRooms) -> None:
    journal, killed = HeldJournal(), HeldJournal()
    joined(Exchange(journal, media=rooms))
    ((name, put),) = rooms.has.items()
    (leg,) = put.desired.legs
    there = msgspec.structs.replace(put.desired, legs=(msgspec.structs.replace(leg, port=20100),))  # free then
    rooms.has[name] = msgspec.structs.replace(put, desired=there)
    for one in journal.stored[: [one.record.type.split(".")[1] for one in journal.stored].index("connected")]:
        killed.submit(one.shard, one.epoch, [one.record], lambda result: None)
    rooms.there = False
    again = Exchange(killed, epoch=2, start_s=1, media=rooms)
    rooms.start()
    assert methods(again.take(ALICE))[-1] == "200 INVITE"
    assert [leg.port for leg in rooms.room().values()] == [20002]


def test_who_left_while_nobody_looked_is_found_to_be_gone(rooms: RememberedRooms) -> None:
    """The call's end was journaled, and then the process died before the conference had its word."""
    journal = HeldJournal()
    first = Exchange(journal, media=rooms)
    joined(first)
    alice, answered = joined(first, "1002", BOB)
    last = len(journal.stored)
    alice.within(answered, "BYE")
    journal.stored = [one for one in journal.stored[:] if one.position <= last + 1]  # the call's end, nothing more
    journal = _copy(journal)
    again = Exchange(journal, epoch=2, start_s=100, media=rooms)
    assert [one.number for one in conference(again).members.values()] == ["1001"]
    assert conference_types(again)[-1] == "left"
    assert rooms.heard_in() == [BOTH]


def test_a_call_whose_shard_comes_later_is_not_gone(rooms: RememberedRooms) -> None:
    """Shards are claimed one by one, and a call of before may be in another one than its room."""
    journal = HeldJournal()
    first = Exchange(journal, media=rooms)
    shard = shard_of_room(*ROOM)
    leg = leg_id(new_stream_id(1, shard + 1, b"12345678"), 1)
    assert first.studio is not None
    first.studio.hall.handle(ROOM, Arrive("c", f"leg:{leg}", leg, "1001", "Alice"))
    again = Exchange(journal, epoch={shard: 2}, start_s=60, media=rooms)
    assert list(conference(again).members) == [leg]
    again.board.load({shard + 1: 2}, (), decode)
    assert again.studio is not None
    again.studio.resume()
    assert conference_types(again) == ["opened", "arrived", "joined", "left", "closed"]


def test_a_lost_port_silences_one_call_and_not_its_room(exchange: Exchange, rooms: RememberedRooms) -> None:
    joined(exchange)
    joined(exchange, "1002", BOB)
    joined(exchange, "1003", CAROL)
    before = rooms.room()
    rooms.die()
    rooms.taken_ports = {20002}
    rooms.start()
    assert [leg.port for leg in rooms.room().values()] == [20000, 20004]
    rooms.say(Load(2, 0))
    assert [leg.port for leg in rooms.room().values()] == [20000, 20004]
    rooms.taken_ports.clear()
    rooms.say(Load(2, 0))
    assert rooms.room() == before
    assert exchange.take(BOB) == []


def test_who_had_a_port_that_is_lost_for_long_is_told_another_one(exchange: Exchange, rooms: RememberedRooms) -> None:
    """A member alone in its room is asked for again, too."""
    alice, _ = joined(exchange)
    rooms.die()
    rooms.taken_ports = {20000}
    rooms.start()
    for _ in range(2):
        rooms.say(Load(0, 0))
    assert exchange.take(ALICE) == []
    rooms.say(Load(0, 0))
    (offer,) = exchange.take(ALICE)
    assert isinstance(offer, Request)
    assert (offer.method, b"m=audio 20002 RTP/AVP 0\r\n" in offer.body) == ("INVITE", True)
    alice.reply(offer, 200, SDP)
    assert methods(exchange.take(ALICE)) == ["ACK"]
    assert rooms.heard_in() == [BOTH]
    assert [leg.port for leg in rooms.room().values()] == [20002]
    rooms.say(Load(1, 0))
    exchange.wait(100)
    assert exchange.take(ALICE) == []


def test_who_has_not_taken_a_port_that_is_lost_as_well_is_told_the_next_one(
    exchange: Exchange, rooms: RememberedRooms
) -> None:
    alice, _ = joined(exchange)
    for lost, port in ({20000}, 20002), ({20000, 20002}, 20004):
        rooms.die()
        rooms.taken_ports = lost
        rooms.start()
        for _ in range(3):
            rooms.say(Load(0, 0))
        offer = exchange.last(ALICE)
        assert isinstance(offer, Request)
        alice.reply(offer, 491)
        assert methods(exchange.take(ALICE)) == ["ACK"]
        exchange.wait(2.1)
        again = exchange.last(ALICE)
        assert isinstance(again, Request)
        assert f"m=audio {port} RTP/AVP 0\r\n".encode() in again.body
        alice.reply(again, 491)


def test_where_no_port_can_be_had_any_more_the_call_ends(exchange: Exchange, rooms: RememberedRooms) -> None:
    joined(exchange)
    rooms.die()
    rooms.taken_ports = set(range(20000, 20100))
    rooms.start()
    for _ in range(3):
        rooms.say(Load(0, 0))
    bye = exchange.last(ALICE)
    assert isinstance(bye, Request)
    assert bye.method == "BYE"
    assert rooms.has == {}


def test_a_room_that_is_locked_meanwhile_keeps_no_port_for_who_dials_again(
    exchange: Exchange, rooms: RememberedRooms
) -> None:
    joined(exchange)
    rooms.die()
    bob = Phone(exchange, "1002", BOB)
    bob.register()
    bob.invite("7000")
    wish(exchange, Lock("c", "api:1", "", True))
    (call,) = [one for one in exchange.board.live_calls if one.state is CallState.RINGING]
    exchange.board.repeat(call, set(call.legs))
    exchange.deliver()
    assert methods(exchange.take(BOB))[-1] == "403 INVITE"
    assert exchange.studio is not None
    assert len(exchange.studio.performer) == 1
    rooms.start()
    assert [leg.port for leg in rooms.room().values()] == [20000]


def _copy(journal: HeldJournal) -> HeldJournal:
    """The same records, as a process that knows nothing else finds them."""
    made = HeldJournal()
    for one in journal.stored:
        made.submit(one.shard, one.epoch, [one.record], lambda result: None)
    return made
