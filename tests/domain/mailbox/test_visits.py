"""What callers hear at mailboxes and what their keys mean there, place by place."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.guess import TRIES
from domain.mailbox import leaving
from domain.mailbox.hearing import Place, Shown, Visit, begins, dismissed, played, press, sound_at
from domain.mailbox.leaving import Sound

SHOWN = Shown(("a", "b"), (1, 1))
NOTHING = Shown((), (0, 0))


def is_pin(digits: str) -> bool:
    return digits == "4321"


def keyed(visit: Visit, keys: str) -> Visit:
    for key in keys:
        visit = press(visit, key, is_pin, SHOWN).visit
    return visit


def test_a_message_is_left() -> None:
    place = leaving.begins(full=False, recording=False)
    heard = []
    for cue in (leaving.Cue.PLAYED, leaving.Cue.PLAYED, leaving.Cue.HASH, leaving.Cue.PLAYED):
        heard.append(leaving.sound_at(place, "busy", {}))
        place = leaving.turn(place, cue)
    assert heard == [
        Sound("prompt", "voicemail-busy"),
        Sound("tone", "beep"),
        None,
        Sound("prompt", "voicemail-saved"),
    ]
    assert place is leaving.Place.OVER


def test_every_pair_of_place_and_cue_leads_on_or_means_nothing() -> None:
    order = list(leaving.Place)
    for place, cue in product(leaving.Place, leaving.Cue):
        then = leaving.turn(place, cue)
        assert then is place or order.index(then) > order.index(place), "nobody goes round in circles"
    assert leaving.begins(full=True, recording=False) is leaving.Place.FULL
    assert leaving.begins(full=True, recording=True) is leaving.Place.RECORDING, "it was begun when there was room"


@pytest.mark.parametrize(
    ("greetings", "sound"),
    [
        ({}, Sound("prompt", "voicemail-away")),
        ({"away": "I am out."}, Sound("text", "I am out.")),
        ({"away": ""}, None),
        ({"busy": "I talk."}, Sound("prompt", "voicemail-away")),
    ],
)
def test_a_greeting_is_that_of_the_state(greetings: dict[str, str], sound: Sound | None) -> None:
    assert leaving.sound_at(leaving.Place.GREETING, "away", greetings) == sound


def test_messages_are_heard_one_after_the_other() -> None:
    visit = begins(asks=False, shown=SHOWN)
    assert sound_at(visit) == Sound("prompt", "voicemail-new", 1)
    visit = played(visit).visit
    assert sound_at(visit) == Sound("prompt", "voicemail-old", 1)
    visit = played(visit).visit
    assert sound_at(visit) == Sound("message", "a")
    step = played(visit)
    assert (step.heard, step.visit.place) == ("a", Place.MENU)
    again = press(step.visit, "1", is_pin, SHOWN).visit
    assert (sound_at(again), again.round) == (Sound("message", "a"), step.visit.round + 1)
    kept = press(again, "2", is_pin, SHOWN)
    assert (kept.heard, sound_at(kept.visit)) == ("a", Sound("message", "b"))
    deleted = press(kept.visit, "3", is_pin, SHOWN)
    assert (deleted.deleted, deleted.visit.place) == ("b", Place.DELETED)
    over = played(deleted.visit).visit
    assert over.place is Place.BYE, "there was no other one"
    assert played(over).visit.place is Place.OVER


def test_a_pin_is_asked_for_three_times_at_most() -> None:
    visit = begins(asks=True, shown=SHOWN)
    assert sound_at(visit) == Sound("prompt", "voicemail-pin")
    assert keyed(visit, "9*4321#").place is Place.NEW
    visit = keyed(visit, "1111#")
    assert (visit.place, visit.tries) == (Place.WRONG, 1)
    assert keyed(visit, "4321#").place is Place.NEW
    assert keyed(visit, "1#2#").place is Place.BYE


def test_who_presses_nothing_is_not_waited_for() -> None:
    assert begins(asks=True, shown=SHOWN).waits
    assert dismissed(begins(asks=True, shown=SHOWN)).place is Place.BYE
    assert begins(asks=False, shown=NOTHING).place is Place.EMPTY


@given(st.text("0123456789*#A", max_size=60), st.booleans())
def test_whatever_is_pressed_nobody_hears_messages_without_the_pin(keys: str, asks: bool) -> None:
    visit, admitted = begins(asks, SHOWN), not asks
    for key in keys:
        before = visit
        step = press(visit, key, is_pin, SHOWN)
        visit = step.visit
        if before.place in (Place.PIN, Place.WRONG):
            assert not step.heard
            assert not step.deleted
            admitted |= key == "#" and before.digits == "4321"
        if visit.place in (Place.NEW, Place.OLD, Place.MESSAGE, Place.MENU, Place.INVALID, Place.DELETED):
            assert admitted
        if visit.place in (Place.MESSAGE, Place.MENU, Place.INVALID):
            assert visit.queue, "there is one in hand"
        assert visit.tries <= TRIES
        visit = played(visit).visit
