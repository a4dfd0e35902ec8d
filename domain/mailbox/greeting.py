"""What keys mean to a caller who sees to the greetings of a mailbox, as tables. Pure.

`1`, `2` and `3` choose the greeting of a state; then `1` plays it, `2` records another one, which `#` ends, and `3`
erases it, so that words are spoken again; `*` goes back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from domain.mailbox.visit import Place, Step, Visit

LONGEST_S = 120
"""How long a greeting may be."""
STATES: Mapping[str, str] = {"1": "busy", "2": "away", "3": "none"}
"""Key -> for whom the greeting is."""


def press(visit: Visit, digit: str) -> Step | None:
    """The caller pressed a key at one of these places; None where it goes back to the messages."""
    if visit.place is Place.GREETINGS and digit == "*":
        return None
    return _KEYS.get((visit.place, digit), _nothing)(visit)


def _nothing(visit: Visit) -> Step:
    """At a menu that is told; elsewhere a key is let pass."""
    if visit.place not in _MENUS:
        return Step(visit)
    return Step(visit.at(Place.INVALID, back=_MENUS[visit.place]))


def _to(place: Place) -> Callable[[Visit], Step]:
    return lambda visit: Step(visit.at(place))


def _of(state: str) -> Callable[[Visit], Step]:
    return lambda visit: Step(visit.at(Place.GREETING, greeting=state))


def _erase(visit: Visit) -> Step:
    return Step(visit.at(Place.ERASED), erased=visit.greeting)


_OF_ONE = (Place.GREETING, Place.LISTEN, Place.KEPT, Place.SHORT, Place.ERASED)
_MENUS: Mapping[Place, Place] = {Place.GREETINGS: Place.GREETINGS, **dict.fromkeys(_OF_ONE, Place.GREETING)}

_CHOICES: Mapping[str, Callable[[Visit], Step]] = {
    "1": _to(Place.LISTEN),
    "2": _to(Place.ASK),
    "3": _erase,
    "*": _to(Place.GREETINGS),
}

_KEYS: Mapping[tuple[Place, str], Callable[[Visit], Step]] = {
    **{(Place.GREETINGS, key): _of(state) for key, state in STATES.items()},
    **{(place, key): step for place in _OF_ONE for key, step in _CHOICES.items()},
    (Place.ASK, "#"): _to(Place.TONE),
    (Place.RECORD, "#"): _to(Place.KEEP),
}

THEN: Mapping[Place, Place] = {
    Place.LISTEN: Place.GREETING,
    Place.ASK: Place.TONE,
    Place.TONE: Place.RECORD,
    Place.KEPT: Place.GREETING,
    Place.SHORT: Place.GREETING,
    Place.ERASED: Place.GREETING,
}
"""Where one is once the sound of a place is over."""
PLACES = frozenset({*_MENUS, *THEN, Place.RECORD, Place.KEEP})


def name_of(leg: str, sound: int) -> str:
    """What is recorded as a greeting by a caller's leg, as its so many-th sound: it looks as the id of another leg of
    that call."""
    return f"{leg}{sound:04d}"


def is_of(name: str, leg: str) -> bool:
    """Whether such a name is of that leg."""
    return name.startswith(leg) and len(name) >= len(leg) + 4


def kept(visit: Visit, is_there: bool) -> Visit:
    """What was recorded is in the storage, or was nothing."""
    if visit.place is not Place.KEEP:
        return visit
    return visit.at(Place.KEPT if is_there else Place.SHORT)
