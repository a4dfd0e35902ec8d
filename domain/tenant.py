"""The aggregate `Tenant`: a customer with its SIP domains, country and time zone."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from domain import base
from domain.base import Aggregate, Event, Step, fact
from domain.ids import CONFIG_SHARD, named_stream_id
from domain.values import STRIP_ALL, IdentityPolicy


def tenant_id(slug: str) -> UUID:
    """The stream of the tenant."""
    return named_stream_id(CONFIG_SHARD, "tenant", slug)


class Wanted(NamedTuple):
    """All that is declared of a tenant beside its slug."""

    name: str
    domains: tuple[str, ...]
    country: str
    timezone: str
    identity: IdentityPolicy
    language: str = ""
    voicemail: str = ""
    """the number that is dialled to hear one's messages, empty for none"""


class Tenant(Aggregate):
    """What is declared about a customer. `domains` are in lower case, the main one first.

    `language` is what its callers are spoken to in (BCP 47, in lower case), empty for that of its country.
    """

    TOPIC = "tenant"

    def __init__(self) -> None:
        self.slug = ""
        self.name = ""
        self.domains: tuple[str, ...] = ()
        self.country = ""
        self.timezone = ""
        self.identity = STRIP_ALL
        self.language = ""
        self.voicemail = ""

    @fact
    class Created(base.Created):
        """A customer is served from now on."""

        TOPIC = "tenant.created.4"
        FORMER = ("tenant.created.3", "tenant.created.2", "tenant.created.1")

        slug: str
        name: str
        domains: tuple[str, ...]
        country: str
        timezone: str
        identity: IdentityPolicy = STRIP_ALL
        language: str = ""
        voicemail: str = ""

        def apply(self, aggregate: Tenant) -> None:
            aggregate.slug = self.slug
            aggregate.name = self.name
            aggregate.domains = self.domains
            aggregate.country = self.country
            aggregate.timezone = self.timezone
            aggregate.identity = self.identity
            aggregate.language = self.language
            aggregate.voicemail = self.voicemail

    @fact
    class Changed(Event):
        """The customer is declared otherwise; the fields are the whole new declaration."""

        TOPIC = "tenant.changed.4"
        FORMER = ("tenant.changed.3", "tenant.changed.2", "tenant.changed.1")

        name: str
        domains: tuple[str, ...]
        country: str
        timezone: str
        identity: IdentityPolicy = STRIP_ALL
        language: str = ""
        voicemail: str = ""

        def apply(self, aggregate: Tenant) -> None:
            aggregate.name = self.name
            aggregate.domains = self.domains
            aggregate.country = self.country
            aggregate.timezone = self.timezone
            aggregate.identity = self.identity
            aggregate.language = self.language
            aggregate.voicemail = self.voicemail


EVENTS: tuple[type[Event], ...] = (Tenant.Created, Tenant.Changed)


def declare(current: Tenant | None, slug: str, wanted: Wanted, step: Step) -> Event | None:
    """The event that makes the tenant so; None if it is so already."""
    if current is None:
        return Tenant.Created(step.stream, step.version + 1, step.at, step.context, Tenant.TOPIC, slug, *wanted)
    now = Wanted(
        current.name,
        current.domains,
        current.country,
        current.timezone,
        current.identity,
        current.language,
        current.voicemail,
    )
    if now == wanted:
        return None
    return Tenant.Changed(step.stream, step.version + 1, step.at, step.context, *wanted)
