"""Every event type that the journal can hold: type name -> class, and the category (Kafka topic) that it belongs to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from domain import apikey, extension, guard, letterbox, registration, room, tenant
from domain.base import Event
from domain.call import call
from domain.conference import conference
from domain.mailbox import mailbox
from domain.subscription import subscription

_BY_CATEGORY: Mapping[str, tuple[Iterable[type[Event]], ...]] = {
    "calls": (call.EVENTS,),
    "conferences": (conference.EVENTS,),
    "mailboxes": (mailbox.EVENTS,),
    "registrations": (registration.EVENTS,),
    "subscriptions": (subscription.EVENTS,),
    "security": (guard.EVENTS,),
    "config": (tenant.EVENTS, extension.EVENTS, room.EVENTS, letterbox.EVENTS, apikey.EVENTS),
}


def topic(event: type[Event]) -> str:
    """The type name with its version, such as `call.connected.1`."""
    name: str | None = getattr(event, "TOPIC", None)
    if name is None:
        raise TypeError(f"{event.__qualname__} has no TOPIC")
    return name


def names_of(event: type[Event]) -> tuple[str, ...]:
    """Every type name that is decoded into the class: its own, then the versions before it (`FORMER`), newest first.

    What a class gained since has a default that says what held before, so that old bytes mean what they always meant.
    """
    former: tuple[str, ...] = getattr(event, "FORMER", ())
    return (topic(event), *former)


def collect(
    by_category: Mapping[str, tuple[Iterable[type[Event]], ...]],
) -> tuple[dict[str, type[Event]], dict[str, str]]:
    """Type name -> class and -> category. Raises TypeError if a name stands for two classes."""
    events: dict[str, type[Event]] = {}
    categories: dict[str, str] = {}
    for category, groups in by_category.items():
        for event in (event for group in groups for event in group):
            for name in names_of(event):
                if name in events:
                    raise TypeError(f"two events have the type {name}")
                events[name], categories[name] = event, category
    return events, categories


_events, _categories = collect(_BY_CATEGORY)
EVENTS: Mapping[str, type[Event]] = MappingProxyType(_events)
"""Type name -> event class; former versions of a type lead to the class of now."""
CATEGORIES: Mapping[str, str] = MappingProxyType(_categories)
"""Type name -> `calls`, `conferences`, `mailboxes`, `registrations`, `subscriptions`, `security` or
`config`."""
