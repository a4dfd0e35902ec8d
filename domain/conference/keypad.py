"""What the keys of a member's phone mean. Pure: what was pressed before is an argument.

At the door digits are a PIN, ended by `#`. Inside a command is `*` and a digit: `*1` mutes the member itself, or gives
its voice back; `*2` locks the room or opens it; `*3` kicks who came last; `*4` deafens the member itself, or ends that.
"""

from __future__ import annotations

from typing import NamedTuple

from domain.conference.conference import Conference, Member, Standing
from domain.conference.input import Deafen, EnterPin, Input, Kick, Lock, Mute

LONGEST_PIN = 16


class Keys(NamedTuple):
    """What was pressed and means nothing yet, and what now has a meaning."""

    waiting: str
    meant: Input | None = None


def press(conference: Conference, member: Member, waiting: str, digit: str) -> Keys:
    """A member pressed one of 0-9, `*`, `#`, A-D after what is `waiting`."""
    if member.standing is Standing.DOOR:
        return _at_the_door(member, waiting, digit)
    if digit == "*":
        return Keys("*")
    return Keys("", _command(conference, member, digit) if waiting == "*" else None)


def _at_the_door(member: Member, waiting: str, digit: str) -> Keys:
    if digit.isdecimal():
        return Keys((waiting + digit)[: LONGEST_PIN + 1])  # one too many is no PIN either
    if digit == "*":  # begin again
        return Keys("")
    return Keys("", EnterPin(_cause(member), _actor(member), member.leg, waiting)) if digit == "#" else Keys(waiting)


def _command(conference: Conference, member: Member, digit: str) -> Input | None:
    cause, actor, leg = _cause(member), _actor(member), member.leg
    commands = {
        "1": Mute(cause, actor, leg, leg, not member.muted),
        "2": Lock(cause, actor, leg, not conference.locked),
        "3": Kick(cause, actor, leg, ""),
        "4": Deafen(cause, actor, leg, leg, not member.deaf),
    }
    return commands.get(digit)


def _cause(member: Member) -> str:
    return f"dtmf:{member.leg}"


def _actor(member: Member) -> str:
    return f"leg:{member.leg}"
