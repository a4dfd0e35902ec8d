"""The aggregate `Subscription` and its events: a phone that asked to be told of something (RFC 6665).

State changes in `apply` only; what may happen when is decided in `turn`. What a phone is owed is a function of this
state and of what there is to tell (`owed`), so that it can be said after a restart, too.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import Enum

from domain import base
from domain.base import Aggregate, Created, fact
from domain.call.leg import CSEQ_JUMP
from domain.values import Dialog, Flow

LINGER = timedelta(seconds=32)
"""How long one that has ended is known, so that its phone can be told (64*T1)."""
_NEVER = datetime.min.replace(tzinfo=UTC)
_NOWHERE = Dialog("", "", "", "", "", "", (), 0, 0, Flow("", "", ""))


class Standing(Enum):
    """Where a subscription stands (RFC 6665 section 4.1.3; we have none that is pending)."""

    ACTIVE = "active"
    TERMINATED = "terminated"


class Why(Enum):
    """Why one ended."""

    UNSUBSCRIBED = "unsubscribed"
    EXPIRED = "expired"
    NO_RESOURCE = "noresource"
    """there is nothing any more that it could be told of"""
    REFUSED = "refused"
    """its phone does not know it"""
    SILENT = "silent"
    """its phone does not answer"""
    REPLACED = "replaced"
    """its phone began another one"""


class Subscription(Aggregate):
    """A dialog in which a phone is told of a package's events (`message-summary`) about a number of its tenant."""

    TOPIC = "subscription"

    def __init__(self) -> None:
        self.tenant = ""
        self.number = ""
        self.package = ""
        self.event_id = ""
        self.dialog = _NOWHERE
        self.standing = Standing.ACTIVE
        self.expires_at = _NEVER
        self.why: Why | None = None
        self.ended_at: datetime | None = None
        self.asked = 0
        """the version at which its phone asked last: each time it is to be told anew"""
        self.told_at = 0
        """the version of what its phone has taken last"""
        self.told = ""
        self.began_in = 0
        """the epoch"""

    def cseq(self, epoch: int) -> int:
        """Of the request that tells what is owed at this version: higher than any before it, also of former owners'
        that left no event."""
        return CSEQ_JUMP * (epoch - self.began_in) + self.version

    @fact
    class Begun(Created):
        """A phone asked to be told of `package` about `number`. `event_id` is what it calls that (RFC 6665 8.2.1)."""

        TOPIC = "subscription.begun.1"

        number: str
        package: str
        event_id: str
        dialog: Dialog
        expires_at: datetime

        def apply(self, aggregate: Subscription) -> None:
            aggregate.tenant, aggregate.number = self.context.tenant, self.number
            aggregate.package, aggregate.event_id = self.package, self.event_id
            aggregate.dialog, aggregate.expires_at = self.dialog, self.expires_at
            aggregate.asked = self.originator_version
            aggregate.began_in = self.context.epoch

    @fact
    class Refreshed(base.Event):
        """The phone asked again, perhaps from another place."""

        TOPIC = "subscription.refreshed.1"

        dialog: Dialog
        expires_at: datetime

        def apply(self, aggregate: Subscription) -> None:
            aggregate.dialog, aggregate.expires_at = self.dialog, self.expires_at
            aggregate.asked = self.originator_version

    @fact
    class Told(base.Event):
        """The phone has taken what it was told at a version of this stream."""

        TOPIC = "subscription.told.1"

        at: int
        what: str

        def apply(self, aggregate: Subscription) -> None:
            aggregate.told_at, aggregate.told = self.at, self.what

    @fact
    class Ended(base.Event):
        """It is over. If its phone need not know that by itself it is told so."""

        TOPIC = "subscription.ended.1"

        why: Why

        def apply(self, aggregate: Subscription) -> None:
            aggregate.standing, aggregate.why, aggregate.ended_at = Standing.TERMINATED, self.why, self.timestamp


EVENTS: tuple[type[base.Event], ...] = (
    Subscription.Begun,
    Subscription.Refreshed,
    Subscription.Told,
    Subscription.Ended,
)


def deadline(subscription: Subscription) -> datetime:
    """When it ends by itself; of one that has ended, when it need not be known any more."""
    return subscription.expires_at if subscription.ended_at is None else subscription.ended_at + LINGER


def live_until(subscription: Subscription) -> float:
    """Until when an owner must hold it, in Unix seconds. One that ran out longer ago than that is ended for everybody
    without an event: its phone knows the time as well."""
    ends = subscription.expires_at if subscription.ended_at is None else subscription.ended_at
    return (ends + LINGER).timestamp()
