"""A caller who hears the messages of a mailbox, or sees to its greetings: where it is. Pure.

What may live here: places, what a visit remembers, and steps from one place to another. What keys mean there is said in
`hearing` and `greeting`.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

import msgspec


class Place(Enum):
    """Where in its visit a caller is."""

    NUMBER = "number"
    """asked whose mailbox it is"""
    PIN = "pin"
    WRONG = "wrong"
    ELSEWHERE = "elsewhere"
    """the mailbox is at another node"""
    NEW = "new"
    OLD = "old"
    EMPTY = "empty"
    MAIN = "main"
    MESSAGE = "message"
    MENU = "menu"
    INVALID = "invalid"
    DELETED = "deleted"
    GREETINGS = "greetings"
    """asked which of the greetings"""
    GREETING = "greeting"
    """asked what is to become of it"""
    LISTEN = "listen"
    ASK = "ask"
    """told to speak after the tone"""
    TONE = "tone"
    RECORD = "record"
    KEEP = "keep"
    """what was said is brought away"""
    KEPT = "kept"
    SHORT = "short"
    """nothing was said"""
    ERASED = "erased"
    BYE = "bye"
    OVER = "over"


_DOOR = frozenset({Place.NUMBER, Place.PIN, Place.WRONG})
_PATIENT = _DOOR | {Place.MENU, Place.INVALID, Place.MAIN, Place.GREETINGS, Place.GREETING, Place.KEEP}


class Visit(msgspec.Struct, frozen=True):
    """Where a caller is. The first of `queue` is the message in hand; `round` rises with each sound; `digits` are of a
    PIN or a number.

    `number` is whose mailbox it is; `greeting` is the state of the greeting in hand (`busy`, `away`, `none`); `back`
    is where one is again after a key that means nothing.
    """

    place: Place
    number: str
    queue: tuple[str, ...] = ()
    counts: tuple[int, int] = (0, 0)
    round: int = 0
    digits: str = ""
    tries: int = 0
    greeting: str = ""
    back: Place = Place.MENU

    @property
    def asked(self) -> bool:
        """Whether the caller has to enter a number or a PIN."""
        return self.place in _DOOR

    @property
    def waits(self) -> bool:
        """Whether a caller who presses nothing is not waited for for ever."""
        return self.place in _PATIENT

    def at(self, place: Place, **changes: object) -> Visit:
        """The visit at another place, or once more at this one."""
        return msgspec.structs.replace(self, place=place, round=self.round + 1, digits="", **changes)


class Step(NamedTuple):
    """A visit after something, and the message that was heard, or is to be deleted, if one is; or the state of the
    greeting that is to be erased."""

    visit: Visit
    heard: str = ""
    deleted: str = ""
    erased: str = ""


class Shown(NamedTuple):
    """What is in the mailbox: the messages in the order in which they are played, and how many are new and heard."""

    queue: tuple[str, ...]
    counts: tuple[int, int]


def admitted(visit: Visit, shown: Shown | None) -> Visit:
    """The visit of a caller who may hear the messages; None for a mailbox that is elsewhere."""
    if shown is None:
        return visit.at(Place.ELSEWHERE)
    place = Place.NEW if shown.queue else Place.EMPTY
    return visit.at(place, queue=shown.queue, counts=shown.counts)
