"""What callers hear at mailboxes and what their keys mean there, place by place."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.guess import TRIES
from domain.mailbox import greeting, leaving
from domain.mailbox.hearing import Mailboxes, begins, played, press, sound_at, tired
from domain.mailbox.leaving import Sound
from domain.mailbox.visit import Place, Shown, Visit

SHOWN = Shown(("a", "b"), (1, 1))
NOTHING = Shown((), (0, 0))


def mailboxes(shown: Shown = SHOWN) -> Mailboxes:
    """1002 with the PIN 4321 and 1003 with 999; 1004 with 888 is at another node."""
    pins = {"1002": "4321", "1003": "999", "1004": "888"}
    return Mailboxes(
        lambda number, digits: pins.get(number) == digits, lambda number: None if number == "1004" else shown
    )


BOXES = mailboxes()
WORDS = ("4321#", "*", "1003#", "999#", "0", "1", "2", "3", "#")


def own(asks: bool, shown: Shown = SHOWN) -> Visit:
    return begins("1002", asks, mailboxes(shown))


def keyed(visit: Visit, keys: str) -> Visit:
    for key in keys:
        visit = press(visit, key, BOXES).visit
    return visit


def test_a_message_is_left() -> None:
    place = leaving.begins(full=False, recording=False)
    heard = []
    for cue in (leaving.Cue.PLAYED, leaving.Cue.PLAYED, leaving.Cue.HASH, leaving.Cue.PLAYED):
        heard.append(leaving.sound_at(place, "busy"))
        place = leaving.turn(place, cue)
    assert heard == [
        Sound("greeting", "busy"),
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
    assert leaving.greeting("away", greetings) == sound
    assert leaving.greeting("away", greetings, {"busy": "x"}) == sound
    assert leaving.greeting("away", greetings, {"away": "x"}) == Sound("message", "x"), "what is recorded comes first"


def test_messages_are_heard_one_after_the_other() -> None:
    visit = own(asks=False)
    assert sound_at(visit) == Sound("prompt", "voicemail-new", 1)
    visit = played(visit).visit
    assert sound_at(visit) == Sound("prompt", "voicemail-old", 1)
    visit = played(visit).visit
    assert sound_at(visit) == Sound("message", "a")
    step = played(visit)
    assert (step.heard, step.visit.place) == ("a", Place.MENU)
    again = press(step.visit, "1", BOXES).visit
    assert (sound_at(again), again.round) == (Sound("message", "a"), step.visit.round + 1)
    kept = press(again, "2", BOXES)
    assert (kept.heard, sound_at(kept.visit)) == ("a", Sound("message", "b"))
    deleted = press(kept.visit, "3", BOXES)
    assert (deleted.deleted, deleted.visit.place) == ("b", Place.DELETED)
    over = played(deleted.visit).visit
    assert over.place is Place.BYE, "there was no other one"
    assert played(over).visit.place is Place.OVER


def test_a_pin_is_asked_for_three_times_at_most() -> None:
    visit = own(asks=True)
    assert sound_at(visit) == Sound("prompt", "voicemail-pin")
    assert keyed(visit, "9*4321#").place is Place.NEW
    assert sound_at(keyed(visit, "9*")) == Sound("prompt", "voicemail-pin"), "it is begun again"
    visit = keyed(visit, "1111#")
    assert (visit.place, visit.tries) == (Place.WRONG, 1)
    assert keyed(visit, "4321#").place is Place.NEW
    assert keyed(visit, "1#2#").place is Place.BYE


def test_who_presses_nothing_is_not_waited_for() -> None:
    assert own(asks=True).waits
    assert tired(own(asks=True)).place is Place.BYE
    assert own(asks=False, shown=NOTHING).place is Place.EMPTY


def test_another_mailbox_is_asked_for_in_the_place_of_a_pin() -> None:
    visit = keyed(own(asks=True), "*")
    assert sound_at(visit) == Sound("prompt", "voicemail-number")
    assert keyed(visit, "9*#").place is Place.NUMBER, "nothing was entered"
    visit = keyed(visit, "1003#")
    assert (visit.place, visit.number) == (Place.PIN, "1003")
    assert keyed(visit, "4321#").place is Place.WRONG, "that is the PIN of the first one"
    assert keyed(visit, "999#").place is Place.NEW
    assert keyed(visit, "1#*1002#4321#").place is Place.NEW
    assert keyed(visit, "1#*1002#1#*1002#1#").place is Place.BYE, "wrong is wrong, whosever it is"
    assert keyed(own(asks=True), "*1004#").place is Place.ELSEWHERE, (
        "its PIN is not asked for where it cannot be counted"
    )
    assert begins("1004", asks=True, mailboxes=BOXES).place is Place.ELSEWHERE


def test_who_has_no_mailbox_is_asked_for_one() -> None:
    visit = begins("", False, BOXES)
    assert sound_at(visit) == Sound("prompt", "voicemail-number")
    assert keyed(visit, "1003#999#").place is Place.NEW


def test_a_greeting_is_heard_recorded_and_erased() -> None:
    visit = played(own(asks=False, shown=NOTHING)).visit
    assert (visit.place, sound_at(visit)) == (Place.MAIN, Sound("prompt", "voicemail-main"))
    visit = keyed(visit, "0")
    assert sound_at(visit) == Sound("prompt", "greeting-states")
    visit = keyed(visit, "2")
    assert (visit.greeting, sound_at(visit)) == ("away", Sound("prompt", "greeting-menu"))
    assert sound_at(keyed(visit, "1")) == Sound("greeting", "away")
    recording = played(played(keyed(visit, "2")).visit).visit
    assert (recording.place, sound_at(recording)) == (Place.RECORD, None)
    assert keyed(recording, "12*").place is Place.RECORD
    for keeping in (keyed(recording, "#"), tired(recording)):
        assert keeping.place is Place.KEEP
        assert sound_at(greeting.kept(keeping, is_there=True)) == Sound("prompt", "greeting-kept")
        assert sound_at(greeting.kept(keeping, is_there=False)) == Sound("prompt", "greeting-short")
        assert tired(keeping).place is Place.GREETING, "a storage that hangs holds nobody up"
    erased = press(visit, "3", BOXES)
    assert (erased.erased, sound_at(erased.visit)) == ("away", Sound("prompt", "greeting-erased"))
    assert played(erased.visit).visit.place is Place.GREETING
    back = keyed(visit, "*")
    assert back.place is Place.GREETINGS
    assert keyed(back, "*").place is Place.NEW, "the messages again"


@pytest.mark.parametrize("keys", ["0", "02"])
def test_a_key_that_means_nothing_is_told_and_the_menu_again(keys: str) -> None:
    menu = keyed(played(own(asks=False, shown=NOTHING)).visit, keys)
    wrong = keyed(menu, "9")
    assert sound_at(wrong) == Sound("prompt", "invalid")
    assert played(wrong).visit.place is menu.place
    assert keyed(wrong, "1").place is keyed(menu, "1").place, "it need not be heard to its end"


@given(st.text("0123456789*#A", max_size=60) | st.lists(st.sampled_from(WORDS)).map("".join), st.booleans())
def test_whatever_is_pressed_nobody_hears_messages_without_the_pin(keys: str, asks: bool) -> None:
    visit, admitted = own(asks), not asks
    for key in keys:
        before = visit
        step = press(visit, key, BOXES)
        visit = step.visit
        if before.asked:
            assert not (step.heard or step.deleted or step.erased)
            admitted |= key == "#" and BOXES.is_pin(before.number, before.digits)
        if not visit.asked and visit.place not in (Place.BYE, Place.OVER):
            assert admitted
        if visit.place in (Place.MESSAGE, Place.MENU):
            assert visit.queue, "there is one in hand"
        assert visit.tries <= TRIES
        visit = played(visit).visit
