"""The aggregate `Letterbox`: what is declared about the mailbox with a number inside a tenant.

The PIN is sealed: whoever reads the journal alone cannot hear the messages.
"""

from __future__ import annotations

from uuid import UUID

import msgspec

from domain import base
from domain.base import Aggregate, Event, Step, fact
from domain.ids import CONFIG_SHARD, named_stream_id

DEFAULT_MESSAGE_S = 180
DEFAULT_MESSAGES = 100
DEFAULT_KEEP_DAYS = 30


def letterbox_id(tenant: str, number: str) -> UUID:
    """The stream of what is declared about the mailbox."""
    return named_stream_id(CONFIG_SHARD, "letterbox", tenant, number)


class Wanted(msgspec.Struct, frozen=True):
    """All that is declared of a mailbox beside its number.

    `pin` is sealed, empty where none is asked for; `greetings` are texts by state (`busy`, `away`, `none`), an empty
    one is a tone alone; `keep_days` 0 is for ever; `email` is empty where nobody is told by mail.
    """

    pin: str = ""
    pinless: bool = False
    """whether the extension's own phones are not asked for it"""
    language: str = ""
    """of what callers hear; empty for that of the tenant"""
    greetings: dict[str, str] = {}
    message_s: int = DEFAULT_MESSAGE_S
    messages: int = DEFAULT_MESSAGES
    keep_days: int = DEFAULT_KEEP_DAYS
    email: str = ""


class Letterbox(Aggregate):
    """What is declared about a mailbox."""

    TOPIC = "letterbox"

    def __init__(self) -> None:
        self.tenant = ""
        self.number = ""
        self.wanted = Wanted()

    @fact
    class Created(base.Created):
        """Messages are taken for the number from now on."""

        TOPIC = "letterbox.created.1"

        number: str
        wanted: Wanted

        def apply(self, aggregate: Letterbox) -> None:
            aggregate.tenant = self.context.tenant
            aggregate.number = self.number
            aggregate.wanted = self.wanted

    @fact
    class Changed(Event):
        """The mailbox is declared otherwise."""

        TOPIC = "letterbox.changed.1"

        wanted: Wanted

        def apply(self, aggregate: Letterbox) -> None:
            aggregate.wanted = self.wanted


EVENTS: tuple[type[Event], ...] = (Letterbox.Created, Letterbox.Changed)


def declare(current: Letterbox | None, number: str, wanted: Wanted, step: Step) -> Event | None:
    """The event that makes the mailbox so; None if it is so already. A PIN that stays must be sealed as it was."""
    if current is None:
        return Letterbox.Created(step.stream, step.version + 1, step.at, step.context, Letterbox.TOPIC, number, wanted)
    if current.wanted == wanted:
        return None
    return Letterbox.Changed(step.stream, step.version + 1, step.at, step.context, wanted)
