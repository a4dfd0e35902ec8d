"""A caller who hears the messages of a mailbox: what its keys mean there, as tables. Pure.

`1` plays a message again, `2` keeps it and goes on, `3` deletes it and goes on, `0` sees to greetings (`greeting`), `*`
ends; a PIN and a number are digits and `#`, and `*` in the place of a PIN asks for another mailbox.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec

from domain.guess import TRIES
from domain.mailbox import greeting
from domain.mailbox.leaving import Sound
from domain.mailbox.visit import Place, Shown, Step, Visit, admitted

PATIENCE_S = 15
"""How long a key is waited for once all has been said."""
LONGEST_S = 60
"""How long it is waited for at all, should the media never say that all has been said."""
_LONGEST = 32
_OPEN = frozenset({Place.NEW, Place.OLD, Place.EMPTY, Place.MAIN, Place.MESSAGE, Place.MENU, Place.DELETED})
_CHOOSING = frozenset({Place.MESSAGE, Place.MENU})


class Mailboxes(NamedTuple):
    """What a visit is told of mailboxes, by their numbers: whether digits are the PIN, and what is there; None for one
    that is elsewhere."""

    is_pin: Callable[[str, str], bool]
    shown: Callable[[str], Shown | None]


def begins(number: str, asks: bool, mailboxes: Mailboxes) -> Visit:
    """A visit at its beginning: to the mailbox with a number, or empty for none yet; `asks` for a PIN, or not."""
    visit = Visit(Place.NUMBER, "")
    return _known(visit, number, asks, mailboxes) if number else visit


def press(visit: Visit, digit: str, mailboxes: Mailboxes) -> Step:
    """The caller pressed one of 0-9, `*`, `#`, A-D."""
    if visit.asked:
        return Step(_at_the_door(visit, digit, mailboxes))
    if visit.place is Place.INVALID:  # as where it was pressed
        visit = msgspec.structs.replace(visit, place=visit.back)
    if visit.place in greeting.PLACES:
        return greeting.press(visit, digit) or Step(admitted(visit, mailboxes.shown(visit.number)))
    if digit == "0" and visit.place in _OPEN:
        return Step(visit.at(Place.GREETINGS))
    if visit.place in _CHOOSING:
        return _CHOICES.get(digit, _invalid)(visit)
    return Step(visit.at(Place.BYE)) if digit == "*" and visit.place is not Place.BYE else Step(visit)


def played(visit: Visit) -> Step:
    """What was to be heard is over."""
    if visit.place is Place.MESSAGE:
        return Step(visit.at(Place.MENU), heard=visit.queue[0])
    then = _THEN.get(visit.place)
    return Step(visit.at(then(visit)) if then is not None else visit)


def tired(visit: Visit) -> Visit:
    """Nothing was pressed, or somebody has spoken, for too long; or no PIN is taken now."""
    return visit.at(_TIRED.get(visit.place, Place.BYE))


def sound_at(visit: Visit) -> Sound | None:
    """What is heard there; None where nothing is. A `greeting` is the one of its state, recorded or not."""
    new, old = visit.counts
    if visit.place is Place.MESSAGE:
        return Sound("message", visit.queue[0])
    if visit.place is Place.LISTEN:
        return Sound("greeting", visit.greeting)
    if visit.place is Place.TONE:
        return Sound("tone", "beep")
    if visit.place in (Place.NEW, Place.OLD):
        is_new = visit.place is Place.NEW
        return Sound("prompt", "voicemail-new" if is_new else "voicemail-old", new if is_new else old)
    name = _PROMPTS.get(visit.place)
    return Sound("prompt", name) if name else None


_PROMPTS: Mapping[Place, str] = {
    Place.NUMBER: "voicemail-number",
    Place.PIN: "voicemail-pin",
    Place.WRONG: "pin-wrong",
    Place.ELSEWHERE: "voicemail-elsewhere",
    Place.EMPTY: "voicemail-empty",
    Place.MAIN: "voicemail-main",
    Place.MENU: "voicemail-menu",
    Place.INVALID: "invalid",
    Place.DELETED: "voicemail-deleted",
    Place.GREETINGS: "greeting-states",
    Place.GREETING: "greeting-menu",
    Place.ASK: "greeting-record",
    Place.KEPT: "greeting-kept",
    Place.SHORT: "greeting-short",
    Place.ERASED: "greeting-erased",
    Place.BYE: "goodbye",
}

_THEN: Mapping[Place, Callable[[Visit], Place]] = {
    Place.ELSEWHERE: lambda visit: Place.BYE,
    Place.NEW: lambda visit: Place.OLD if visit.counts[1] else Place.MESSAGE,
    Place.OLD: lambda visit: Place.MESSAGE,
    Place.EMPTY: lambda visit: Place.MAIN,
    Place.INVALID: lambda visit: visit.back,
    Place.DELETED: lambda visit: Place.MESSAGE if visit.queue else Place.BYE,
    Place.BYE: lambda visit: Place.OVER,
    **{place: lambda visit: greeting.THEN[visit.place] for place in greeting.THEN},
}
"""Where one is once the sound of a place is over."""

_TIRED: Mapping[Place, Place] = {Place.RECORD: Place.KEEP, Place.KEEP: Place.GREETING}


def _at_the_door(visit: Visit, digit: str, mailboxes: Mailboxes) -> Visit:
    if digit.isdecimal():
        return msgspec.structs.replace(visit, digits=(visit.digits + digit)[: _LONGEST + 1])
    if digit == "*":  # begin again
        again = visit.place is Place.NUMBER or visit.digits
        return msgspec.structs.replace(visit, digits="") if again else visit.at(Place.NUMBER, number="")
    if digit != "#":
        return visit
    if visit.place is Place.NUMBER:
        return _known(visit, visit.digits, True, mailboxes) if visit.digits else visit
    if mailboxes.is_pin(visit.number, visit.digits):
        return admitted(visit, mailboxes.shown(visit.number))
    tries = visit.tries + 1
    return visit.at(Place.WRONG if tries < TRIES else Place.BYE, tries=tries)


def _known(visit: Visit, number: str, asks: bool, mailboxes: Mailboxes) -> Visit:
    """A visit whose number is known. Who does not hold a mailbox judges no PIN of it: one alone counts guesses."""
    shown = mailboxes.shown(number)
    if asks and shown is not None:
        return visit.at(Place.PIN, number=number)
    return admitted(msgspec.structs.replace(visit, number=number), shown)


def _next(visit: Visit, place: Place = Place.MESSAGE) -> Visit:
    rest = visit.queue[1:]
    return visit.at(place if rest or place is Place.DELETED else Place.BYE, queue=rest)


def _again(visit: Visit) -> Step:
    return Step(visit.at(Place.MESSAGE))


def _keep(visit: Visit) -> Step:
    return Step(_next(visit), heard=visit.queue[0])


def _delete(visit: Visit) -> Step:
    return Step(_next(visit, Place.DELETED), deleted=visit.queue[0])


def _end(visit: Visit) -> Step:
    return Step(visit.at(Place.BYE))


def _invalid(visit: Visit) -> Step:
    return Step(visit.at(Place.INVALID, back=Place.MENU))


_CHOICES: Mapping[str, Callable[[Visit], Step]] = {"1": _again, "2": _keep, "3": _delete, "*": _end}
