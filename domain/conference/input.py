"""What can happen to a conference, in words of no protocol; `turn` decides on them."""

from __future__ import annotations

import msgspec


class Input(msgspec.Struct, frozen=True):
    """Something that happened or is wanted. `cause` identifies it, `actor` is who stands behind it."""

    cause: str
    actor: str


class Arrive(Input, frozen=True):
    """A call has reached the room: its leg there, and its caller."""

    leg: str
    number: str
    name: str


class Leave(Input, frozen=True):
    """The call of a leg is over."""

    leg: str


class EnterPin(Input, frozen=True):
    """A member at the door typed these digits; none means that it has no PIN."""

    leg: str
    digits: str


class Tire(Input, frozen=True):
    """A member has stood at the door for as long as one may."""

    leg: str


class Wish(Input, frozen=True):
    """Something that members and others may ask for; `by` is the leg that does, empty for who is not in the room."""

    by: str


class Mute(Wish, frozen=True):
    """A member is to be heard by nobody, or (`on` is False) again by all."""

    leg: str
    on: bool


class Deafen(Wish, frozen=True):
    """A member is to hear nobody, or (`on` is False) all others again."""

    leg: str
    on: bool


class Announce(Wish, frozen=True):
    """`text` is to be said to a member, or without a `leg` to all, in a `language`, or without one in the room's."""

    leg: str
    text: str
    language: str = ""


class Lock(Wish, frozen=True):
    """Nobody but moderators is to come in, or (`on` is False) anybody again."""

    on: bool


class Kick(Wish, frozen=True):
    """A member is to go; without a `leg` the one that came last."""

    leg: str
