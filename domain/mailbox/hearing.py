"""A caller who hears the messages of a mailbox: where it is, and what its keys mean there, as tables. Pure.

`1` plays a message again, `2` keeps it and goes on, `3` deletes it and goes on, `*` ends; a PIN is digits and `#`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import NamedTuple

import msgspec

from domain.guess import TRIES
from domain.mailbox.leaving import Sound

PATIENCE_S = 15
"""How long a key is waited for once all has been said."""
LONGEST_S = 60
"""How long it is waited for at all, should the media never say that all has been said."""
_LONGEST_PIN = 16


class Place(Enum):
    """Where in its visit a caller is."""

    PIN = "pin"
    WRONG = "wrong"
    NEW = "new"
    OLD = "old"
    EMPTY = "empty"
    MESSAGE = "message"
    MENU = "menu"
    INVALID = "invalid"
    DELETED = "deleted"
    BYE = "bye"
    OVER = "over"


_ASKED = frozenset({Place.PIN, Place.WRONG})
_CHOOSING = frozenset({Place.MESSAGE, Place.MENU, Place.INVALID})


class Visit(msgspec.Struct, frozen=True):
    """Where a caller is. The first of `queue` is the message in hand; `round` rises with each sound; `digits` are of a
    PIN."""

    place: Place
    queue: tuple[str, ...] = ()
    counts: tuple[int, int] = (0, 0)
    round: int = 0
    digits: str = ""
    tries: int = 0

    @property
    def asked(self) -> bool:
        """Whether the caller has to enter a PIN."""
        return self.place in _ASKED

    @property
    def waits(self) -> bool:
        """Whether a caller who presses nothing is not waited for for ever."""
        return self.asked or self.place in (Place.MENU, Place.INVALID)


class Step(NamedTuple):
    """A visit after something, and the message that was heard, or is to be deleted, if one is."""

    visit: Visit
    heard: str = ""
    deleted: str = ""


class Shown(NamedTuple):
    """What is in the mailbox: the messages in the order in which they are played, and how many are new and heard."""

    queue: tuple[str, ...]
    counts: tuple[int, int]


def begins(asks: bool, shown: Shown) -> Visit:
    """A visit at its beginning; `asks` for a PIN, or not."""
    return Visit(Place.PIN) if asks else _admitted(Visit(Place.PIN), shown)


def press(visit: Visit, digit: str, is_pin: Callable[[str], bool], shown: Shown) -> Step:
    """The caller pressed one of 0-9, `*`, `#`, A-D."""
    if visit.asked:
        return Step(_at_the_door(visit, digit, is_pin, shown))
    if visit.place in _CHOOSING:
        return _CHOICES.get(digit, _invalid)(visit)
    return Step(_at(visit, Place.BYE)) if digit == "*" and visit.place is not Place.BYE else Step(visit)


def played(visit: Visit) -> Step:
    """What was to be heard is over."""
    if visit.place is Place.MESSAGE:
        return Step(_at(visit, Place.MENU), heard=visit.queue[0])
    then = _THEN.get(visit.place)
    if then is None:
        return Step(visit)
    place = then(visit)
    return Step(_at(visit, place))


def dismissed(visit: Visit) -> Visit:
    """Nothing was pressed for too long, or no PIN is taken now."""
    return _at(visit, Place.BYE)


def sound_at(visit: Visit) -> Sound | None:
    """What is heard there; None where nothing is."""
    new, old = visit.counts
    if visit.place is Place.MESSAGE:
        return Sound("message", visit.queue[0])
    if visit.place in (Place.NEW, Place.OLD):
        is_new = visit.place is Place.NEW
        return Sound("prompt", "voicemail-new" if is_new else "voicemail-old", new if is_new else old)
    name = _PROMPTS.get(visit.place)
    return Sound("prompt", name) if name else None


_PROMPTS: Mapping[Place, str] = {
    Place.PIN: "voicemail-pin",
    Place.WRONG: "pin-wrong",
    Place.EMPTY: "voicemail-empty",
    Place.MENU: "voicemail-menu",
    Place.INVALID: "invalid",
    Place.DELETED: "voicemail-deleted",
    Place.BYE: "goodbye",
}

_THEN: Mapping[Place, Callable[[Visit], Place]] = {
    Place.NEW: lambda visit: Place.OLD if visit.counts[1] else Place.MESSAGE,
    Place.OLD: lambda visit: Place.MESSAGE,
    Place.EMPTY: lambda visit: Place.BYE,
    Place.INVALID: lambda visit: Place.MENU,
    Place.DELETED: lambda visit: Place.MESSAGE if visit.queue else Place.BYE,
    Place.BYE: lambda visit: Place.OVER,
}
"""Where one is once the sound of a place is over."""


def _at(visit: Visit, place: Place) -> Visit:
    return msgspec.structs.replace(visit, place=place, round=visit.round + 1, digits="")


def _admitted(visit: Visit, shown: Shown) -> Visit:
    known = msgspec.structs.replace(visit, queue=shown.queue, counts=shown.counts)
    return _at(known, Place.NEW if shown.queue else Place.EMPTY)


def _at_the_door(visit: Visit, digit: str, is_pin: Callable[[str], bool], shown: Shown) -> Visit:
    if digit.isdecimal():
        return msgspec.structs.replace(visit, digits=(visit.digits + digit)[: _LONGEST_PIN + 1])
    if digit == "*":  # begin again
        return msgspec.structs.replace(visit, digits="")
    if digit != "#":
        return visit
    if is_pin(visit.digits):
        return _admitted(visit, shown)
    refused = msgspec.structs.replace(visit, tries=visit.tries + 1)
    return _at(refused, Place.WRONG if refused.tries < TRIES else Place.BYE)


def _next(visit: Visit, place: Place = Place.MESSAGE) -> Visit:
    rest = msgspec.structs.replace(visit, queue=visit.queue[1:])
    return _at(rest, place if rest.queue or place is Place.DELETED else Place.BYE)


def _again(visit: Visit) -> Step:
    return Step(_at(visit, Place.MESSAGE))


def _keep(visit: Visit) -> Step:
    return Step(_next(visit), heard=visit.queue[0])


def _delete(visit: Visit) -> Step:
    return Step(_next(visit, Place.DELETED), deleted=visit.queue[0])


def _end(visit: Visit) -> Step:
    return Step(_at(visit, Place.BYE))


def _invalid(visit: Visit) -> Step:
    return Step(_at(visit, Place.INVALID))


_CHOICES: Mapping[str, Callable[[Visit], Step]] = {"1": _again, "2": _keep, "3": _delete, "*": _end}
