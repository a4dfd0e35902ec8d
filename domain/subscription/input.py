"""What can happen to a subscription, in words of no protocol; `turn` decides on it."""

from __future__ import annotations

import msgspec

from domain.subscription.subscription import Why
from domain.values import Dialog


class Input(msgspec.Struct, frozen=True):
    """Something that happened. `cause` identifies it, `actor` is who stands behind it."""

    cause: str
    actor: str


class Subscribe(Input, frozen=True):
    """A phone wants to be told of `package` about `number`, for so many seconds; 0 is once, now."""

    tenant: str
    number: str
    package: str
    event_id: str
    dialog: Dialog
    expires_s: int


class Refresh(Input, frozen=True):
    """It asks again, in the same dialog; 0 seconds end it."""

    dialog: Dialog
    expires_s: int


class Take(Input, frozen=True):
    """The phone has taken what it was told at this version."""

    at: int
    what: str


class Fail(Input, frozen=True):
    """It cannot be told any more (`REFUSED`, `SILENT`), is told otherwise (`REPLACED`), or of nothing
    (`NO_RESOURCE`)."""

    why: Why


class Expire(Input, frozen=True):
    """It may be time to end it."""


class Look(Input, frozen=True):
    """What there is to tell may be other than before: once all is durable that was decided, it is owed."""
