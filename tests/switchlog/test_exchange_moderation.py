"""Who may come into a room, be heard there and stay: by keys of phones, by others, and after a restart."""

from __future__ import annotations

import msgspec

from adapters.sip.message.message import Request, Response
from domain.conference.input import Kick, Lock, Mute
from domain.ids import shard_of_room
from tests.switchlog.exchange import Exchange, HeldJournal
from tests.switchlog.mixing import (
    BOTH,
    CAROL,
    NEITHER,
    ROOM,
    RememberedRooms,
    closed,
    conference,
    conference_types,
    joined,
    wish,
)
from tests.switchlog.mixing import exchange as exchange
from tests.switchlog.mixing import rooms as rooms
from tests.switchlog.phone import ALICE, BOB, Phone, methods


def test_a_pin_is_asked_for_and_lets_in(rooms: RememberedRooms) -> None:
    exchange = Exchange(media=rooms, directory=closed)
    joined(exchange)
    (leg,) = rooms.room()
    assert rooms.heard_in() == [NEITHER]
    assert [play.source for play in rooms.room()[leg].plays] == ["prompt:conference-pin:en"]
    rooms.press(leg, "1111#")
    assert [(play.id, play.source) for play in rooms.room()[leg].plays] == [("door-1", "prompt:pin-wrong:en")]
    rooms.press(leg, "99*1234#")
    assert rooms.heard_in() == [BOTH]
    assert rooms.room()[leg].plays == ()
    assert conference_types(exchange) == ["opened", "arrived", "pin_refused", "joined"]


def test_three_wrong_pins_hang_up(rooms: RememberedRooms) -> None:
    exchange = Exchange(media=rooms, directory=closed)
    joined(exchange)
    (leg,) = rooms.room()
    rooms.press(leg, "1#2#3#")
    bye = exchange.last(ALICE)
    assert isinstance(bye, Request)
    assert (bye.method, "PIN" in (bye.get("Reason") or "")) == ("BYE", True)
    assert rooms.has == {}
    assert conference_types(exchange)[-3:] == ["expelled", "left", "closed"]


def guessed(phone: Phone, rooms: RememberedRooms, wrong: int) -> None:
    """So many wrong PINs, in as many calls as that takes."""
    exchange = phone.exchange
    for number in range(0, wrong, 3):
        phone.invite("7000", call_id=f"guess-{phone.cseq}")
        answered = exchange.last(ALICE)
        assert isinstance(answered, Response)
        assert answered.status == 200
        phone.within(answered, "ACK")
        rooms.press(list(rooms.room())[-1], "111#" * min(3, wrong - number))
        if methods(exchange.take(ALICE))[-1:] != ["BYE"]:
            phone.within(answered, "BYE")
    exchange.take(ALICE)


def dialled(phone: Phone) -> list[str]:
    """How another call to the room is answered."""
    phone.invite("7000", call_id=f"call-{phone.cseq}")
    return methods(phone.exchange.take(phone.address))[-1:]


def test_pins_are_not_guessed_over_many_calls(rooms: RememberedRooms) -> None:
    exchange = Exchange(media=rooms, directory=closed)
    bob, _ = joined(exchange, "1002", BOB)
    (moderator,) = rooms.room()
    rooms.press(moderator, "9999#")
    alice = Phone(exchange, "1001", ALICE)
    alice.register()
    guessed(alice, rooms, 9)
    carol, _ = joined(exchange, "1003", CAROL)
    waiting = list(rooms.room())[-1]
    guessed(alice, rooms, 1)
    assert dialled(alice) == ["403 INVITE"], "it is not even answered"
    rooms.press(waiting, "1234#")
    assert methods(exchange.take(CAROL))[-1:] == ["BYE"], "at the door nobody is asked either"
    assert dialled(bob) == ["200 INVITE"], "who was right before is"
    rooms.press(list(rooms.room())[-1], "9999#")
    assert rooms.heard_in() == [BOTH, BOTH]
    exchange.wait(3_600)
    carol.register()
    exchange.take(CAROL)
    assert dialled(carol) == ["200 INVITE"]


def test_a_hash_alone_guesses_nothing(rooms: RememberedRooms) -> None:
    exchange = Exchange(media=rooms, directory=closed)
    alice = Phone(exchange, "1001", ALICE)
    alice.register()
    for _ in range(4):
        assert dialled(alice) == ["200 INVITE"]
        rooms.press(list(rooms.room())[-1], "###")
        assert rooms.has == {}
        exchange.take(ALICE)
    assert dialled(alice) == ["200 INVITE"]


def test_the_door_of_a_room_that_is_no_more_opens_for_nobody(rooms: RememberedRooms) -> None:
    known = [closed()]
    exchange = Exchange(media=rooms, directory=lambda: known[0])
    joined(exchange)
    joined(exchange, "1002", BOB)
    first, second = rooms.room()
    rooms.press(second, "1234#")
    known[0] = msgspec.structs.replace(known[0], rooms={})
    rooms.press(first, "#")
    bye = exchange.last(ALICE)
    assert isinstance(bye, Request)
    assert (bye.method, "no more" in (bye.get("Reason") or "")) == ("BYE", True)
    assert rooms.heard_in() == [BOTH]
    assert conference_types(exchange).count("joined") == 1


def test_of_a_shard_that_is_lost_nothing_is_remembered(rooms: RememberedRooms) -> None:
    exchange = Exchange(media=rooms, directory=closed)
    joined(exchange)
    joined(exchange, "1002", BOB)
    first, second = rooms.room()
    rooms.press(first, "99")
    rooms.press(second, "1234#*")
    assert exchange.studio is not None
    hall = exchange.studio.hall
    assert (len(hall._keys), len(hall._seated), hall.next_due() is None) == (2, 1, False)
    for shard in range(64):
        if shard != shard_of_room(*ROOM):
            exchange.board.drop(shard, 1)
    assert (len(hall._keys), len(hall._seated), hall.next_due() is None) == (2, 1, False)
    exchange.board.drop(shard_of_room(*ROOM), 1)
    assert (len(hall._keys), len(hall._seated), hall.next_due()) == (0, 0, None)


def test_nobody_stands_at_the_door_for_more_than_a_minute(rooms: RememberedRooms) -> None:
    exchange = Exchange(media=rooms, directory=closed)
    joined(exchange)
    exchange.wait(59)
    assert exchange.take(ALICE) == []
    exchange.wait(2)
    assert set(methods(exchange.take(ALICE))) == {"BYE"}


def test_keys_that_come_by_info_count_as_well(rooms: RememberedRooms) -> None:
    exchange = Exchange(media=rooms, directory=closed)
    phone, answered = joined(exchange)
    for key in "1234#":
        phone.cseq += 1
        exchange.send(
            ALICE,
            f"INFO {(answered.get('Contact') or '').strip('<>')} SIP/2.0\n"
            f"Via: SIP/2.0/UDP {ALICE};branch=z9hG4bKinfo{phone.cseq}\nFrom: {answered.get('From')}\n"
            f"To: {answered.get('To')}\nCall-ID: {answered.call_id}\nCSeq: {phone.cseq} INFO\n"
            "Content-Type: application/dtmf-relay",
            f"Signal={key}\r\nDuration=100\r\n",
        )
        assert methods(exchange.take(ALICE)) == ["200 INFO"]
    assert rooms.heard_in() == [BOTH]


def test_other_requests_within_the_call_are_not_for_a_room(exchange: Exchange) -> None:
    phone, answered = joined(exchange)
    phone.within(answered, "MESSAGE", extra="\nContent-Type: text/plain")
    phone.within(answered, "INFO", extra="\nContent-Type: application/media_control+xml")
    assert methods(exchange.take(ALICE)) == ["415 MESSAGE", "415 INFO"]


def test_members_mute_themselves_and_moderators_lock_and_kick(rooms: RememberedRooms) -> None:
    exchange = Exchange(media=rooms, directory=closed)
    joined(exchange)
    joined(exchange, "1002", BOB)
    moderator, member = rooms.room()
    rooms.press(moderator, "9999#")
    rooms.press(member, "1234#")
    rooms.press(member, "*1")
    assert rooms.heard_in() == [BOTH, (False, True)]
    rooms.press(member, "*4")
    assert rooms.heard_in() == [BOTH, NEITHER]
    rooms.press(member, "*1*4*2*3")
    assert rooms.heard_in() == [BOTH, BOTH]
    assert not conference(exchange).locked
    rooms.press(moderator, "*2")
    assert conference(exchange).locked
    rooms.press(moderator, "*3")
    bye = exchange.last(BOB)
    assert isinstance(bye, Request)
    assert (bye.method, "moderator" in (bye.get("Reason") or "")) == ("BYE", True)
    assert rooms.heard_in() == [BOTH]
    joined(exchange, "1003", CAROL)
    late = list(rooms.room())[-1]
    rooms.press(late, "1234#")
    assert methods(exchange.take(CAROL)) == ["BYE"]


def test_others_may_mute_lock_and_kick_too(exchange: Exchange, rooms: RememberedRooms) -> None:
    joined(exchange)
    joined(exchange, "1002", BOB)
    first, second = rooms.room()
    wish(exchange, Mute("c", "api:1", "", first, True))
    assert rooms.heard_in() == [(False, True), BOTH]
    wish(exchange, Kick("c", "api:1", "", second))
    assert methods(exchange.take(BOB)) == ["BYE"]
    wish(exchange, Lock("c", "api:1", "", True))
    phone = Phone(exchange, "1003", CAROL)
    phone.register()
    phone.invite("7000")
    assert methods(exchange.take(CAROL)) == ["100 INVITE", "403 INVITE"]


def test_a_kick_is_owed_after_a_restart(rooms: RememberedRooms) -> None:
    journal = HeldJournal()
    first = Exchange(journal, media=rooms)
    joined(first)
    (leg,) = rooms.room()
    journal.held = True
    assert first.studio is not None
    first.studio.hall.handle(ROOM, Kick("c", "api:1", "", leg))
    expelled = journal._waiting.pop(0)  # it is durable, and the process dies before it acts on it
    journal.held = False
    journal.submit(*expelled[:3], lambda result: None)
    again = Exchange(journal, epoch=2, start_s=100, media=rooms)
    assert methods(again.take(ALICE)) == ["BYE"]
    assert rooms.has == {}


def test_nothing_is_heard_before_the_journal_has_it(rooms: RememberedRooms) -> None:
    journal = HeldJournal()
    exchange = Exchange(journal, media=rooms)
    phone = Phone(exchange, "1001", ALICE)
    phone.register()
    journal.held = True
    phone.invite("7000")
    assert rooms.puts == []
    for heard, said in ([NEITHER], []), ([BOTH], ["200 INVITE"]):
        exchange.take(ALICE)
        journal.held = False
        journal.commit()
        journal.held = True
        exchange.deliver()
        assert rooms.heard_in() == heard
        assert methods(exchange.take(ALICE))[-1:] == (said or ["100 INVITE"])


def test_who_asked_is_told_when_the_shard_is_lost_meanwhile(exchange: Exchange) -> None:
    joined(exchange)
    exchange.journal.held = True
    told: list[object] = []
    assert exchange.studio is not None
    exchange.studio.hall.handle(ROOM, Lock("c", "api:1", "", True), told.append, lambda: told.append("lost"))
    exchange.journal.lose()
    assert told == ["lost"]
