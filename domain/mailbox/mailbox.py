"""The aggregate `Mailbox` and its events: the messages for a number, from the first one to the end of the last.

State changes in `apply` only; what may happen when is decided in `turn`. What was said is in no event: a message is a
file in the storage, sealed with a key of its own, which is itself sealed in the event that begins it.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from domain import base
from domain.base import Aggregate, Created, fact


class Message(msgspec.Struct, frozen=True):
    """A message, named by the leg that left it; without a `file` it is still being recorded, or brought away.

    Of a `greeting` (the state that it is for: `busy`, `away` or `none`) it is what is recorded for callers to hear, by
    its owner; such a one is no message to anybody else.

    `sha256` is over the WAV as it is served. `mail` says that somebody is to be told by mail; one that is `deleted` is
    known until its file is erased.
    """

    id: str
    number: str
    name: str
    key: str
    begun_at: datetime
    file: str = ""
    sha256: str = ""
    duration_ms: int = 0
    left_at: datetime | None = None
    heard: bool = False
    deleted: bool = False
    mail: bool = False
    greeting: str = ""

    @property
    def there(self) -> bool:
        """Whether it is a message that can be heard."""
        return self.is_kept and not self.greeting

    @property
    def is_kept(self) -> bool:
        """Whether its sound is in the storage, and wanted."""
        return bool(self.file) and not self.deleted


class Mailbox(Aggregate):
    """The messages for the number of a tenant, in the order in which they were begun."""

    TOPIC = "mailbox"

    def __init__(self) -> None:
        self.tenant = ""
        self.number = ""
        self.messages: dict[str, Message] = {}
        self.closed_at: datetime | None = None

    @property
    def there(self) -> tuple[Message, ...]:
        """Those that can be heard: the new ones first, the oldest of them first."""
        return tuple(sorted((one for one in self.messages.values() if one.there), key=lambda one: one.heard))

    @property
    def counts(self) -> tuple[int, int]:
        """How many are new, and how many have been heard."""
        there = self.there
        heard = sum(one.heard for one in there)
        return len(there) - heard, heard

    @property
    def greetings(self) -> dict[str, Message]:
        """What callers are greeted with, by state, where that is recorded."""
        return {one.greeting: one for one in self.messages.values() if one.greeting and one.is_kept}

    def change(self, message: str, **fields: object) -> None:
        """For events only."""
        self.messages[message] = msgspec.structs.replace(self.messages[message], **fields)

    @fact
    class Opened(Created):
        """There was nothing in it, and now somebody leaves a message."""

        TOPIC = "mailbox.opened.1"

        number: str

        def apply(self, aggregate: Mailbox) -> None:
            aggregate.tenant, aggregate.number = self.context.tenant, self.number

    @fact
    class RecordingBegun(base.Event):
        """A caller heard the tone and is recorded; or whose mailbox it is, to greet callers (`greeting`: in which
        state). The name of a message is that of its leg."""

        TOPIC = "mailbox.recording_begun.2"
        FORMER = ("mailbox.recording_begun.1",)

        message: str
        number: str
        name: str
        key: str
        greeting: str = ""

        def apply(self, aggregate: Mailbox) -> None:
            message = Message(self.message, self.number, self.name, self.key, self.timestamp, greeting=self.greeting)
            aggregate.messages[self.message] = message

    @fact
    class RecordingDropped(base.Event):
        """Nothing became of it, for this reason."""

        TOPIC = "mailbox.recording_dropped.1"

        message: str
        reason: str

        def apply(self, aggregate: Mailbox) -> None:
            del aggregate.messages[self.message]

    @fact
    class MessageLeft(base.Event):
        """A message is in the storage, whole. `mail` says that somebody is to be told by mail."""

        TOPIC = "mailbox.message_left.1"

        message: str
        file: str
        sha256: str
        duration_ms: int
        mail: bool

        def apply(self, aggregate: Mailbox) -> None:
            aggregate.change(
                self.message,
                file=self.file,
                sha256=self.sha256,
                duration_ms=self.duration_ms,
                mail=self.mail,
                left_at=self.timestamp,
            )

    @fact
    class GreetingKept(base.Event):
        """A greeting is in the storage, whole: callers hear it from now on."""

        TOPIC = "mailbox.greeting_kept.1"

        message: str
        greeting: str
        file: str
        sha256: str
        duration_ms: int

        def apply(self, aggregate: Mailbox) -> None:
            fields = {"file": self.file, "sha256": self.sha256, "duration_ms": self.duration_ms}
            aggregate.change(self.message, left_at=self.timestamp, **fields)

    @fact
    class GreetingRemoved(base.Event):
        """Callers do not hear it any more; its file is to be erased. `why` is `asked` or `replaced`."""

        TOPIC = "mailbox.greeting_removed.1"

        message: str
        greeting: str
        why: str

        def apply(self, aggregate: Mailbox) -> None:
            aggregate.change(self.message, deleted=True)

    @fact
    class MessageHeard(base.Event):
        """It is not new any more."""

        TOPIC = "mailbox.message_heard.1"

        message: str

        def apply(self, aggregate: Mailbox) -> None:
            aggregate.change(self.message, heard=True)

    @fact
    class MessageRenewed(base.Event):
        """It counts as new again."""

        TOPIC = "mailbox.message_renewed.1"

        message: str

        def apply(self, aggregate: Mailbox) -> None:
            aggregate.change(self.message, heard=False)

    @fact
    class MessageMailed(base.Event):
        """A mail server took the mail about it."""

        TOPIC = "mailbox.message_mailed.1"

        message: str

        def apply(self, aggregate: Mailbox) -> None:
            aggregate.change(self.message, mail=False)

    @fact
    class MailGivenUp(base.Event):
        """No mail about it can be sent, for this reason."""

        TOPIC = "mailbox.mail_given_up.1"

        message: str
        reason: str

        def apply(self, aggregate: Mailbox) -> None:
            aggregate.change(self.message, mail=False)

    @fact
    class MessageDeleted(base.Event):
        """Nobody hears it any more; its file is to be erased. `why` is `asked` or `expired`."""

        TOPIC = "mailbox.message_deleted.1"

        message: str
        why: str

        def apply(self, aggregate: Mailbox) -> None:
            aggregate.change(self.message, deleted=True, mail=False)

    @fact
    class MessageErased(base.Event):
        """Its file is gone, be it a message's or a greeting's."""

        TOPIC = "mailbox.message_erased.1"

        message: str

        def apply(self, aggregate: Mailbox) -> None:
            del aggregate.messages[self.message]

    @fact
    class Closed(base.Event):
        """Nothing is in it any more. With the next message another stream begins."""

        TOPIC = "mailbox.closed.1"

        def apply(self, aggregate: Mailbox) -> None:
            aggregate.closed_at = self.timestamp


EVENTS: tuple[type[base.Event], ...] = (
    Mailbox.Opened,
    Mailbox.RecordingBegun,
    Mailbox.RecordingDropped,
    Mailbox.MessageLeft,
    Mailbox.GreetingKept,
    Mailbox.GreetingRemoved,
    Mailbox.MessageHeard,
    Mailbox.MessageRenewed,
    Mailbox.MessageMailed,
    Mailbox.MailGivenUp,
    Mailbox.MessageDeleted,
    Mailbox.MessageErased,
    Mailbox.Closed,
)


def live_until(mailbox: Mailbox) -> float | None:
    """Until when an owner must hold it: Unix seconds, or None while something is in it."""
    return mailbox.closed_at.timestamp() if mailbox.closed_at else None
