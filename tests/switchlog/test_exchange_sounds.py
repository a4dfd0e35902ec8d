"""What is heard in a room of what happens there: tones, words and announcements, until they have sounded."""

from __future__ import annotations

from domain.conference.input import Announce, Kick
from tests.switchlog.exchange import Exchange, HeldJournal
from tests.switchlog.mixing import CAROL, RememberedRooms, conference_types, joined, talkative, wish
from tests.switchlog.mixing import rooms as rooms
from tests.switchlog.phone import BOB


def alone(rooms: RememberedRooms) -> list[list[str]]:
    """What each member hears in the room's place."""
    return [[play.source for play in leg.plays] for leg in rooms.room().values()]


def test_a_tone_tells_of_who_comes_and_who_leaves(rooms: RememberedRooms) -> None:
    exchange = Exchange(media=rooms, directory=talkative("tones"))
    joined(exchange)
    joins = rooms.all_hear()
    assert (list(joins), alone(rooms)) == (["tone:join"], [[]])
    rooms.end(joins["tone:join"])
    assert rooms.all_hear() == {}
    bob, answered = joined(exchange, "1002", BOB)
    assert rooms.all_hear()["tone:join"] != joins["tone:join"], "another one sounds anew"
    bob.within(answered, "BYE")
    assert list(rooms.all_hear()) == ["tone:join", "tone:leave"]


def test_words_tell_who_comes_how_many_others_there_are(rooms: RememberedRooms) -> None:
    exchange = Exchange(media=rooms, directory=talkative("words"))
    joined(exchange)
    (first,) = rooms.room().values()
    assert alone(rooms) == [["prompt:conference-first:de"]]
    rooms.end(first.plays[0], first.id)
    joined(exchange, "1002", BOB)
    assert alone(rooms) == [[], ["prompt:conference-one:de"]]
    joined(exchange, "1003", CAROL)
    assert alone(rooms) == [[], ["prompt:conference-one:de"], ["prompt:conference-others:de:2"]]
    rooms.press(first.id, "*1*1")
    assert alone(rooms)[0] == ["prompt:muted:de", "prompt:unmuted:de"]


def test_who_is_sent_away_is_not_heard_to_leave_twice(rooms: RememberedRooms) -> None:
    exchange = Exchange(media=rooms, directory=talkative("tones"))
    joined(exchange)
    joined(exchange, "1002", BOB)
    rooms.end(rooms.all_hear()["tone:join"])
    _, bob = rooms.room()
    wish(exchange, Kick("c", "api:1", "", bob))
    assert [play.source for play in rooms.has["room/acme/7000"].desired.plays].count("tone:leave") == 1


def test_a_silent_room_says_nothing_but_what_it_is_told_to(rooms: RememberedRooms) -> None:
    exchange = Exchange(media=rooms, directory=talkative("none"))
    joined(exchange)
    joined(exchange, "1002", BOB)
    assert (rooms.all_hear(), alone(rooms)) == ({}, [[], []])
    first, _ = rooms.room()
    wish(exchange, Announce("c", "api:1", "", "", "Good day", "en-gb"))
    wish(exchange, Announce("c", "api:1", "", first, "Guten Tag"))
    assert list(rooms.all_hear()) == ["say:en-gb:Good day"]
    assert alone(rooms) == [["say:de:Guten Tag"], []]
    assert conference_types(exchange)[-2:] == ["announced", "announced"]


def test_after_a_restart_of_the_sessions_nothing_is_said_again(rooms: RememberedRooms) -> None:
    journal = HeldJournal()
    joined(Exchange(journal, media=rooms, directory=talkative("words")))
    assert (list(rooms.all_hear()), len(alone(rooms)[0])) == (["tone:join"], 1)
    Exchange(journal, epoch=2, start_s=60, media=rooms, directory=talkative("words"))
    assert (rooms.all_hear(), alone(rooms)) == ({}, [[]])


def test_of_many_sounds_the_newest_are_heard(rooms: RememberedRooms) -> None:
    exchange = Exchange(media=rooms, directory=talkative("none"))
    joined(exchange)
    for number in range(6):
        wish(exchange, Announce("c", "api:1", "", "", str(number)))
    assert list(rooms.all_hear()) == [f"say:de:{number}" for number in (2, 3, 4, 5)]
