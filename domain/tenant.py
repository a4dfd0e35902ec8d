"""The aggregate `Tenant`: a customer with its SIP domains, country and time zone."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from domain import base
from domain.base import Aggregate, Event, Step
from domain.ids import CONFIG_SHARD, named_stream_id


def tenant_id(slug: str) -> UUID:
    """The stream of the tenant."""
    return named_stream_id(CONFIG_SHARD, "tenant", slug)


class Tenant(Aggregate):
    """What is declared about a customer. `domains` are in lower case, the main one first."""

    TOPIC = "tenant"

    def __init__(self) -> None:
        self.slug = ""
        self.name = ""
        self.domains: tuple[str, ...] = ()
        self.country = ""
        self.timezone = ""

    @dataclass(frozen=True)
    class Created(base.Created):
        """A customer is served from now on."""

        TOPIC = "tenant.created.1"

        slug: str
        name: str
        domains: tuple[str, ...]
        country: str
        timezone: str

        def apply(self, aggregate: Tenant) -> None:
            aggregate.slug = self.slug
            aggregate.name = self.name
            aggregate.domains = self.domains
            aggregate.country = self.country
            aggregate.timezone = self.timezone

    @dataclass(frozen=True)
    class Changed(Event):
        """The customer is declared otherwise; the fields are the whole new declaration."""

        TOPIC = "tenant.changed.1"

        name: str
        domains: tuple[str, ...]
        country: str
        timezone: str

        def apply(self, aggregate: Tenant) -> None:
            aggregate.name = self.name
            aggregate.domains = self.domains
            aggregate.country = self.country
            aggregate.timezone = self.timezone


EVENTS: tuple[type[Event], ...] = (Tenant.Created, Tenant.Changed)


def declare(
    current: Tenant | None, slug: str, name: str, domains: tuple[str, ...], country: str, timezone: str, step: Step
) -> Event | None:
    """The event that makes the tenant so; None if it is so already."""
    if current is None:
        return Tenant.Created(
            step.stream,
            step.version + 1,
            step.at,
            step.context,
            originator_topic=Tenant.TOPIC,
            slug=slug,
            name=name,
            domains=domains,
            country=country,
            timezone=timezone,
        )
    if (current.name, current.domains, current.country, current.timezone) == (name, domains, country, timezone):
        return None
    return Tenant.Changed(step.stream, step.version + 1, step.at, step.context, name, domains, country, timezone)
