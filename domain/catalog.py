"""Every event type that the journal can hold: type name -> class, and the category (Kafka topic) that it belongs to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from domain import apikey, extension, guard, registration, tenant
from domain.base import Event
from domain.call import call

_BY_CATEGORY: Mapping[str, tuple[Iterable[type[Event]], ...]] = {
    "calls": (call.EVENTS,),
    "registrations": (registration.EVENTS,),
    "security": (guard.EVENTS,),
    "config": (tenant.EVENTS, extension.EVENTS, apikey.EVENTS),
}


def topic(event: type[Event]) -> str:
    """The type name with its version, such as `call.connected.1`."""
    name: str | None = getattr(event, "TOPIC", None)
    if name is None:
        raise TypeError(f"{event.__qualname__} has no TOPIC")
    return name


def _collect() -> tuple[dict[str, type[Event]], dict[str, str]]:
    events: dict[str, type[Event]] = {}
    categories: dict[str, str] = {}
    for category, groups in _BY_CATEGORY.items():
        for event in (event for group in groups for event in group):
            name = topic(event)
            if name in events:
                raise TypeError(f"two events have the type {name}")
            events[name], categories[name] = event, category
    return events, categories


_events, _categories = _collect()
EVENTS: Mapping[str, type[Event]] = MappingProxyType(_events)
"""Type name -> event class."""
CATEGORIES: Mapping[str, str] = MappingProxyType(_categories)
"""Type name -> `calls`, `registrations`, `security` or `config`."""
