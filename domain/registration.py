"""The aggregate `Registration`: the bindings of one address-of-record (RFC 3261 section 10.3), and their end by time.

What a REGISTER makes of them is decided in `registering`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from domain.base import Aggregate, Created, Event, Step, fact
from domain.values import Contact

EXPIRED_KEPT = timedelta(days=365)
"""How long a binding that ran out while nobody was there waits for the event of its end."""


class Registration(Aggregate):
    """The devices at which one extension can be reached."""

    TOPIC = "registration"

    def __init__(self) -> None:
        self.tenant = ""
        self.number = ""
        self.contacts: dict[str, Contact] = {}
        """By their keys."""

    def forget(self, uris: Iterable[str]) -> None:
        """For events only: drop every binding of these URIs."""
        for key in [key for key, contact in self.contacts.items() if contact.uri in uris]:
            del self.contacts[key]

    def at(self, now: datetime) -> tuple[Contact, ...]:
        """The bindings that hold at `now`, oldest first."""
        return tuple(contact for contact in self.contacts.values() if contact.expires_at > now)

    @fact
    class Opened(Created):
        """The address-of-record was used for the first time."""

        TOPIC = "registration.opened.1"

        number: str

        def apply(self, aggregate: Registration) -> None:
            aggregate.tenant = self.context.tenant
            aggregate.number = self.number

    @fact
    class ContactBound(Event):
        """A device can be reached at `contact`, newly or again.

        `replaces` is the URI of its binding until now or empty, `replaces_key` tells which one of that URI.
        """

        TOPIC = "registration.contact_bound.2"
        FORMER = ("registration.contact_bound.1",)

        number: str
        contact: Contact
        replaces: str
        replaces_key: str = ""

        def apply(self, aggregate: Registration) -> None:
            key = self.contact.key
            if self.replaces_key not in ("", key):
                aggregate.contacts.pop(self.replaces_key, None)
            elif self.replaces and not self.replaces_key:  # written when a URI had one binding
                aggregate.forget((self.replaces, self.contact.uri))
            aggregate.contacts[key] = self.contact

    @fact
    class ContactsRemoved(Event):
        """Bindings ended; `reason` is `unregistered`, `expired` or `replaced`.

        `keys` tells which of those that have these URIs; all if it is empty.
        """

        TOPIC = "registration.contacts_removed.2"
        FORMER = ("registration.contacts_removed.1",)

        number: str
        uris: tuple[str, ...]
        reason: str
        keys: tuple[str, ...] = ()

        def apply(self, aggregate: Registration) -> None:
            for key in self.keys:
                aggregate.contacts.pop(key, None)
            if not self.keys:
                aggregate.forget(self.uris)


EVENTS: tuple[type[Event], ...] = (
    Registration.Opened,
    Registration.ContactBound,
    Registration.ContactsRemoved,
)


def expire(registration: Registration, step: Step) -> tuple[Event, ...]:
    """The event that ends the bindings whose time has passed; none if there are none."""
    gone = [contact for contact in registration.contacts.values() if contact.expires_at <= step.at]
    if not gone:
        return ()
    return (
        Registration.ContactsRemoved(
            step.stream,
            step.version + 1,
            step.at,
            step.context,
            registration.number,
            tuple(contact.uri for contact in gone),
            "expired",
            tuple(contact.key for contact in gone),
        ),
    )


def deadline(registration: Registration) -> datetime | None:
    """When the next binding expires."""
    return min((contact.expires_at for contact in registration.contacts.values()), default=None)


def held_until(registration: Registration) -> float:
    """Until when an owner must hold the bindings in memory, in Unix seconds; the moment of the end if none is left.

    That is longer than they last: an owner that comes too late still has to say that they ran out.
    """
    ends = [contact.expires_at + EXPIRED_KEPT for contact in registration.contacts.values()]
    return max(ends, default=registration.modified_on).timestamp()
