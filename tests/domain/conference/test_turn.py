"""Conferences: who comes in, who hears whom, who has to go; and the laws of any history."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.journal.codec import decode, encode
from domain.catalog import CATEGORIES, topic
from domain.conference.conference import Conference, Standing, live_until
from domain.conference.input import Announce, Arrive, Deafen, EnterPin, Input, Kick, Leave, Lock, Mute, Tire
from domain.conference.turn import (
    GONE,
    GUESSED,
    KICKED,
    LOCKED,
    NO_PIN,
    PATIENCE,
    WRONG_PIN,
    Door,
    deadline,
    expelled,
    fold,
    refusal,
)
from domain.ids import conference_id, shard_of, shard_of_room
from domain.routing.directory import Room
from tests.domain.conference.meeting import CLOSED, HOSTED, OPEN, STREAM, Meeting
from tests.domain.world import START, seconds


def test_the_first_opens_and_the_last_closes() -> None:
    meeting = Meeting()
    assert meeting.play(Arrive, "a", "1001", "Alice") == ["Opened", "Arrived", "Joined"]
    assert meeting.play(Arrive, "b", "1002", "Bob") == ["Arrived", "Joined"]
    assert meeting.play(Arrive, "b", "1002", "Bob") == [], "said again after a restart"
    assert meeting.play(Leave, "a") == ["Left"]
    conference = meeting.conference
    assert conference is not None
    assert live_until(conference) is None
    assert meeting.play(Leave, "b") == ["Left", "Closed"]
    assert live_until(conference) == START.timestamp()
    assert meeting.play(Leave, "b") == []


def test_a_rooms_conferences_are_in_one_shard() -> None:
    assert shard_of(STREAM) == shard_of_room("acme", "7000") == shard_of(conference_id("acme", "7000", 1, b"abcdefgh"))


@pytest.mark.parametrize(("digits", "moderator"), [("1234", False), ("9999", True)])
def test_a_pin_lets_in(digits: str, moderator: bool) -> None:
    meeting = Meeting(CLOSED)
    assert meeting.play(Arrive, "a", "1001", "Alice") == ["Opened", "Arrived"]
    assert meeting.member("a").standing is Standing.DOOR
    assert meeting.play(EnterPin, "a", digits) == ["Joined"]
    assert (meeting.member("a").standing, meeting.member("a").moderator) == (Standing.INSIDE, moderator)
    assert meeting.play(EnterPin, "a", digits) == []
    assert not any(digits.encode() in encode(event).replace(b"2023-11", b"") for event in meeting.events)


def test_three_wrong_pins_end_the_call() -> None:
    meeting = Meeting(CLOSED)
    meeting.arrive("a")
    assert [meeting.play(EnterPin, "a", digits) for digits in ("", "999", "12345")] == [
        ["PinRefused"],
        ["PinRefused"],
        ["PinRefused", "Expelled"],
    ]
    assert meeting.conference is not None
    assert expelled(meeting.conference) == (("a", WRONG_PIN),)
    assert meeting.play(EnterPin, "a", "1234") == [], "too late"


def test_where_only_moderators_have_a_pin_others_enter_none() -> None:
    meeting = Meeting(HOSTED)
    meeting.arrive("a", "b")
    assert meeting.play(EnterPin, "a", "") == ["Joined"]
    assert meeting.play(EnterPin, "b", "9999") == ["Joined"]
    assert (meeting.member("a").moderator, meeting.member("b").moderator) == (False, True)


def test_nobody_stands_at_the_door_for_ever() -> None:
    meeting = Meeting(CLOSED)
    meeting.arrive("a")
    meeting.now += seconds(1)
    meeting.arrive("b")
    assert meeting.conference is not None
    assert deadline(meeting.conference) == (START + PATIENCE, "a")
    meeting.play(EnterPin, "a", "1234")
    assert deadline(meeting.conference) == (START + seconds(1) + PATIENCE, "b")
    assert meeting.play(Tire, "a") == []
    assert meeting.play(Tire, "b") == ["Expelled"]
    assert expelled(meeting.conference) == (("b", NO_PIN),)
    assert deadline(meeting.conference) is None


def test_where_too_many_were_wrong_nobody_is_asked() -> None:
    meeting = Meeting(CLOSED)
    meeting.arrive("a", "b")
    meeting.play(EnterPin, "a", "1234")
    meeting.door = meeting.door._replace(shut=True)
    assert refusal(None, meeting.door) == GUESSED
    assert meeting.play(EnterPin, "b", "9999") == ["Expelled"], "right or wrong"
    assert meeting.play(Arrive, "c", "10c", "Carol") == ["Arrived", "Expelled"]
    assert meeting.conference is not None
    assert expelled(meeting.conference) == (("b", GUESSED), ("c", GUESSED))
    assert meeting.play(Mute, "a", "a", True) == ["Muted"], "who is inside does not notice"


def test_where_only_moderators_have_a_pin_others_come_in_while_it_is_guessed() -> None:
    meeting = Meeting(HOSTED)
    meeting.door = meeting.door._replace(shut=True)
    assert refusal(None, meeting.door) is None
    meeting.arrive("a", "b")
    assert meeting.play(EnterPin, "a", "") == ["Joined"]
    assert meeting.play(EnterPin, "b", "9999") == ["Expelled"]


def test_who_is_at_the_door_of_a_room_that_is_no_more_is_sent_away() -> None:
    meeting = Meeting(CLOSED)
    meeting.arrive("a", "b", "c")
    meeting.play(EnterPin, "a", "1234")
    meeting.door = Door(OPEN, str, declared=False)
    assert refusal(meeting.conference, meeting.door) == GONE
    assert meeting.play(EnterPin, "b", "") == ["Expelled"]
    assert meeting.play(Tire, "c") == ["Expelled"]
    assert meeting.play(Arrive, "d", "10d", "Dave") == ["Arrived", "Expelled"]
    assert meeting.conference is not None
    assert expelled(meeting.conference) == (("b", GONE), ("c", GONE), ("d", GONE))
    assert meeting.play(Leave, "a") == ["Left"], "who is inside stays for as long as it likes"


def test_a_locked_room_is_opened_by_moderators_only() -> None:
    meeting = Meeting(CLOSED)
    meeting.arrive("a")
    meeting.play(EnterPin, "a", "9999")
    assert meeting.play(Lock, "a", True) == ["Locked"]
    assert meeting.play(Lock, "a", True) == []
    meeting.arrive("b", "c")
    assert meeting.play(EnterPin, "b", "1234") == ["Expelled"]
    assert meeting.play(EnterPin, "c", "9999") == ["Joined"]
    assert meeting.conference is not None
    assert expelled(meeting.conference) == (("b", LOCKED),)
    assert meeting.play(Lock, "c", False) == ["Unlocked"]
    meeting.arrive("d")
    assert meeting.play(EnterPin, "d", "1234") == ["Joined"]


def test_a_room_that_asks_for_no_pin_turns_away_while_it_is_locked() -> None:
    meeting = Meeting()
    meeting.arrive("a")
    meeting.play(Lock, "", True)
    assert meeting.play(Arrive, "b", "1002", "Bob") == ["Arrived", "Expelled"]
    assert meeting.play(Leave, "b") == ["Left"]


@pytest.mark.parametrize(
    ("kind", "events", "attribute"),
    [(Mute, ["Muted", "Unmuted"], "muted"), (Deafen, ["Deafened", "Undeafened"], "deaf")],
)
def test_muting_and_deafening(kind: type[Input], events: list[str], attribute: str) -> None:
    meeting = Meeting(HOSTED)
    meeting.arrive("a", "b")
    meeting.play(EnterPin, "a", "")
    assert meeting.play(kind, "", "b", True) == [], "who is not inside is not heard anyway"
    meeting.play(EnterPin, "b", "9999")
    assert meeting.play(kind, "a", "b", True) == [], "only a moderator may"
    for by in ("", "a", "b"):
        assert meeting.play(kind, by, "a", True) == events[:1]
        assert getattr(meeting.member("a"), attribute) is True
        assert meeting.play(kind, by, "a", True) == []
        assert meeting.play(kind, by, "a", False) == events[1:]
        assert getattr(meeting.member("a"), attribute) is False
    assert meeting.play(kind, "nobody", "a", True) == []


def test_a_kick_is_owed_until_the_call_is_over() -> None:
    meeting = Meeting(HOSTED)
    meeting.arrive("a", "b", "c")
    for leg, digits in (("a", "9999"), ("b", ""), ("c", "")):
        meeting.play(EnterPin, leg, digits)
    assert meeting.play(Kick, "b", "c") == []
    assert meeting.play(Kick, "a", "a") == [], "who wants to go hangs up"
    assert meeting.play(Kick, "a", "") == ["Expelled"], "the one that came last"
    assert meeting.conference is not None
    assert expelled(meeting.conference) == (("c", KICKED),)
    assert meeting.play(Kick, "", "c") == [], "it is on its way"
    assert meeting.play(Leave, "c") == ["Left"]
    assert expelled(meeting.conference) == ()


def test_who_may_have_something_said_and_to_whom() -> None:
    meeting = Meeting(HOSTED)
    assert meeting.play(Announce, "", "", "Hello") == [], "nobody is there"
    meeting.arrive("a", "b", "c")
    meeting.play(EnterPin, "a", "9999")
    meeting.play(EnterPin, "b", "")
    assert meeting.play(Announce, "", "", "Hello", "de") == ["Announced"]
    assert meeting.play(Announce, "", "b", "Hello") == ["Announced"]
    assert meeting.play(Announce, "a", "b", "Hello") == ["Announced"]
    assert meeting.play(Announce, "b", "", "Hello") == [], "no moderator"
    assert meeting.play(Announce, "", "c", "Hello") == [], "at the door there are other things to hear"
    assert meeting.play(Announce, "", "x", "Hello") == []


LEGS = st.sampled_from(["a", "b", "c"])
BY = st.sampled_from(["", "a", "b"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just(Arrive), LEGS, st.just("1001"), st.just("Alice")),
        st.tuples(st.just(Leave), LEGS),
        st.tuples(st.just(EnterPin), LEGS, st.sampled_from(["", "1234", "9999"])),
        st.tuples(st.just(Tire), LEGS),
        st.tuples(st.sampled_from([Mute, Deafen]), BY, LEGS, st.booleans()),
        st.tuples(st.just(Lock), BY, st.booleans()),
        st.tuples(st.just(Announce), BY, st.sampled_from(["", "a", "b"]), st.just("Hello")),
        st.tuples(st.just(Kick), BY, st.sampled_from(["", "a", "b"])),
    ),
    max_size=30,
)


def state_of(conference: Conference) -> dict[str, object]:
    return {name: value for name, value in vars(conference).items() if name != "_pending_events"}


@given(st.sampled_from([OPEN, CLOSED, HOSTED]), STEPS)
def test_the_laws_of_every_history(room: Room, steps: list[tuple[Any, ...]]) -> None:
    meeting = Meeting(room)
    for kind, *fields in steps:
        if meeting.conference is not None and meeting.conference.closed_at is not None:
            break
        meeting.now += seconds(1)
        meeting.play(kind, *fields)
    assert [event.originator_version for event in meeting.events] == list(range(1, len(meeting.events) + 1))
    conference = meeting.conference
    if conference is None:
        return
    assert (conference.closed_at is not None) == (not conference.members)
    assert all((one.standing is Standing.EXPELLED) == (one.why is not None) for one in conference.members.values())
    if room is not OPEN:
        inside = [one for one in conference.members.values() if one.standing is Standing.INSIDE]
        assert len(inside) <= sum(kind is EnterPin for kind, *_ in steps)
    stored = [decode(topic(type(event)), encode(event)) for event in meeting.events]
    again = fold(None, tuple(stored))
    assert again is not None
    assert state_of(again) == state_of(conference)
    assert {CATEGORIES[topic(type(event))] for event in meeting.events} == {"conferences"}
    assert isinstance(conference.modified_on, datetime)
