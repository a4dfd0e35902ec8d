"""What one shard holds in memory while it is owned here. Data only: what happens to it is the board's, the hall's, the
mailroom's and the subscribers'."""

from __future__ import annotations

from uuid import UUID

from domain.call.call import Call
from domain.conference.conference import Conference
from domain.mailbox.mailbox import Mailbox
from domain.registration import Registration
from domain.subscription.subscription import Subscription


class Shard:
    """What one shard holds in memory, in the term `epoch`."""

    __slots__ = (
        "calls",
        "conferences",
        "epoch",
        "mailboxes",
        "number",
        "registrations",
        "streams",
        "subscribed",
        "subscriptions",
    )

    def __init__(self, number: int, epoch: int) -> None:
        self.number = number
        self.epoch = epoch
        self.calls: dict[UUID, Call] = {}
        self.registrations: dict[UUID, Registration] = {}
        self.streams: dict[tuple[str, str], UUID] = {}
        """(tenant, number) -> the registration that is going on"""
        self.conferences: dict[tuple[str, str], Conference] = {}
        """(tenant, number) -> the conference that goes on in that room"""
        self.mailboxes: dict[tuple[str, str], Mailbox] = {}
        """(tenant, number) -> the mailbox, if anything is in it"""
        self.subscriptions: dict[UUID, Subscription] = {}
        self.subscribed: dict[tuple[str, str], dict[UUID, Subscription]] = {}
        """(tenant, number) -> the same, by what they are about"""

    def hold(self, registration: Registration) -> None:
        """Keep a registration as long as it has bindings."""
        key = (registration.tenant, registration.number)
        if registration.contacts:
            self.registrations[registration.id] = registration
            self.streams[key] = registration.id
        elif self.registrations.pop(registration.id, None) is not None:
            del self.streams[key]

    def hold_conference(self, conference: Conference) -> None:
        """Keep a conference until it is closed."""
        key = (conference.tenant, conference.number)
        if conference.closed_at is None:
            self.conferences[key] = conference
        elif self.conferences.get(key, conference).id == conference.id:
            self.conferences.pop(key, None)

    def hold_mailbox(self, mailbox: Mailbox) -> None:
        """Keep a mailbox until nothing is in it any more."""
        key = (mailbox.tenant, mailbox.number)
        if mailbox.closed_at is None:
            self.mailboxes[key] = mailbox
        elif self.mailboxes.get(key, mailbox).id == mailbox.id:
            self.mailboxes.pop(key, None)

    def hold_subscription(self, subscription: Subscription) -> None:
        """Keep one that goes on, or has ended and may still have to be said."""
        self.subscriptions[subscription.id] = subscription
        self.subscribed.setdefault((subscription.tenant, subscription.number), {})[subscription.id] = subscription

    def drop_subscription(self, subscription: Subscription) -> None:
        """Nothing is to be said about it any more."""
        key = (subscription.tenant, subscription.number)
        if self.subscriptions.pop(subscription.id, None) is not None:
            del self.subscribed[key][subscription.id]
            if not self.subscribed[key]:
                del self.subscribed[key]

    def registration(self, tenant: str, number: str) -> Registration | None:
        """What goes on for an address-of-record."""
        stream = self.streams.get((tenant, number))
        return self.registrations[stream] if stream else None
