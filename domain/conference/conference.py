"""The aggregate `Conference` and its events: one meeting in a room, from the first who comes to the last who leaves.

State changes in `apply` only; what may happen when is decided in `turn`. No PIN is in an event. What sounds, and how,
is known to the calls: a member is a leg of one, and that call's events hold its media.
"""

from __future__ import annotations

from datetime import datetime
from enum import Enum

import msgspec

from domain import base
from domain.base import Aggregate, Created, fact
from domain.values import Cause


class Standing(Enum):
    """Where a member is: at the door it is asked for a PIN; who is expelled is about to be hung up on."""

    DOOR = "door"
    INSIDE = "inside"
    EXPELLED = "expelled"


class Member(msgspec.Struct, frozen=True):
    """A leg with the number and name of its caller; `tries` counts wrong PINs, `why` says why it was expelled."""

    leg: str
    number: str
    name: str
    arrived_at: datetime
    standing: Standing = Standing.DOOR
    tries: int = 0
    moderator: bool = False
    muted: bool = False
    """nobody hears it"""
    deaf: bool = False
    """it hears nobody"""
    why: Cause | None = None


class Conference(Aggregate):
    """Who is in the room `number` of a tenant, in the order in which they came."""

    TOPIC = "conference"

    def __init__(self) -> None:
        self.tenant = ""
        self.number = ""
        self.members: dict[str, Member] = {}
        self.locked = False
        self.closed_at: datetime | None = None

    def change(self, leg: str, **fields: object) -> None:
        """For events only."""
        self.members[leg] = msgspec.structs.replace(self.members[leg], **fields)

    @fact
    class Opened(Created):
        """Somebody comes to a room that was empty."""

        TOPIC = "conference.opened.1"

        number: str

        def apply(self, aggregate: Conference) -> None:
            aggregate.tenant = self.context.tenant
            aggregate.number = self.number

    @fact
    class Arrived(base.Event):
        """A call reached the room: its caller hears nobody yet, and nobody hears it."""

        TOPIC = "conference.arrived.1"

        leg: str
        number: str
        name: str

        def apply(self, aggregate: Conference) -> None:
            aggregate.members[self.leg] = Member(self.leg, self.number, self.name, self.timestamp)

    @fact
    class PinRefused(base.Event):
        """What a member typed is no PIN of this room."""

        TOPIC = "conference.pin_refused.1"

        leg: str

        def apply(self, aggregate: Conference) -> None:
            aggregate.change(self.leg, tries=aggregate.members[self.leg].tries + 1)

    @fact
    class Joined(base.Event):
        """A member and all others hear each other from now on."""

        TOPIC = "conference.joined.1"

        leg: str
        moderator: bool

        def apply(self, aggregate: Conference) -> None:
            aggregate.change(self.leg, standing=Standing.INSIDE, moderator=self.moderator)

    @fact
    class Muted(base.Event):
        """Nobody hears a member any more, until it is `Unmuted`."""

        TOPIC = "conference.muted.1"

        leg: str

        def apply(self, aggregate: Conference) -> None:
            aggregate.change(self.leg, muted=True)

    @fact
    class Unmuted(base.Event):
        """A member is heard again."""

        TOPIC = "conference.unmuted.1"

        leg: str

        def apply(self, aggregate: Conference) -> None:
            aggregate.change(self.leg, muted=False)

    @fact
    class Deafened(base.Event):
        """A member hears nobody any more, until it is `Undeafened`."""

        TOPIC = "conference.deafened.1"

        leg: str

        def apply(self, aggregate: Conference) -> None:
            aggregate.change(self.leg, deaf=True)

    @fact
    class Undeafened(base.Event):
        """A member hears the others again."""

        TOPIC = "conference.undeafened.1"

        leg: str

        def apply(self, aggregate: Conference) -> None:
            aggregate.change(self.leg, deaf=False)

    @fact
    class Announced(base.Event):
        """Something is said aloud to a member, or to all (`leg` is empty); `language` is empty for the room's."""

        TOPIC = "conference.announced.1"

        leg: str
        text: str
        language: str = ""

    @fact
    class Locked(base.Event):
        """Nobody but a moderator comes in any more."""

        TOPIC = "conference.locked.1"

        def apply(self, aggregate: Conference) -> None:
            aggregate.locked = True

    @fact
    class Unlocked(base.Event):
        """Others may come in again."""

        TOPIC = "conference.unlocked.1"

        def apply(self, aggregate: Conference) -> None:
            aggregate.locked = False

    @fact
    class Expelled(base.Event):
        """A member has to go: kicked, without a PIN, or too late. Its call is ended for the reason `why`."""

        TOPIC = "conference.expelled.1"

        leg: str
        why: Cause

        def apply(self, aggregate: Conference) -> None:
            aggregate.change(self.leg, standing=Standing.EXPELLED, why=self.why)

    @fact
    class Left(base.Event):
        """A member's call is over."""

        TOPIC = "conference.left.1"

        leg: str

        def apply(self, aggregate: Conference) -> None:
            del aggregate.members[self.leg]

    @fact
    class Closed(base.Event):
        """The last one has left. Who comes now begins another conference."""

        TOPIC = "conference.closed.1"

        def apply(self, aggregate: Conference) -> None:
            aggregate.closed_at = self.timestamp


EVENTS: tuple[type[base.Event], ...] = (
    Conference.Opened,
    Conference.Arrived,
    Conference.PinRefused,
    Conference.Joined,
    Conference.Muted,
    Conference.Unmuted,
    Conference.Deafened,
    Conference.Undeafened,
    Conference.Announced,
    Conference.Locked,
    Conference.Unlocked,
    Conference.Expelled,
    Conference.Left,
    Conference.Closed,
)


def live_until(conference: Conference) -> float | None:
    """Until when an owner must hold it: Unix seconds, or None while somebody is there."""
    return conference.closed_at.timestamp() if conference.closed_at else None
