"""Events as the journal's bytes: JSON by msgspec, one cached decoder per event class.

What may live here: the translation between events and bytes in both directions, and the errors that name a
record that cannot be read. Nothing that knows where the bytes are kept.
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import cast
from uuid import UUID

import msgspec
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import JSONTranscoder, Mapper, StoredEvent

from domain.base import Event
from domain.catalog import CATEGORIES, EVENTS, topic
from domain.ports import JournalError, Record

_encoder = msgspec.json.Encoder()


class UnknownType(JournalError):
    """A record has a type that this version does not know: it was written by a newer one."""


class Undecodable(JournalError):
    """A record's bytes are not an event of its type: it was damaged or written by something else."""


def encode(event: Event) -> bytes:
    """The whole event as JSON."""
    return _encoder.encode(event)


def decode(kind: str, data: bytes) -> Event:
    """The event of type `kind` that `encode` gave `data` for.

    Raises UnknownType or Undecodable, which name stream and sequence as far as they can be read from `data`.
    """
    event_class = EVENTS.get(kind)
    if event_class is None:
        raise UnknownType(f"{_place(data)}: no event of type {kind!r} is known; was a newer Switchlog here?")
    try:
        return _decoder(event_class).decode(data)
    except (msgspec.DecodeError, ValueError, TypeError) as error:
        raise Undecodable(f"{_place(data)}: not a {kind}: {error}") from error


@cache
def _decoder(event_class: type[Event]) -> msgspec.json.Decoder[Event]:
    return msgspec.json.Decoder(event_class)


class _Place(msgspec.Struct):
    originator_id: UUID
    originator_version: int


class _Tenancy(msgspec.Struct):
    tenant: str


class _Head(msgspec.Struct):
    timestamp: datetime
    context: _Tenancy


_places = msgspec.json.Decoder(_Place)
_heads = msgspec.json.Decoder(_Head)


def _place(data: bytes) -> str:
    """`stream <id>, sequence <n>`, or what can be said when not even that can be read."""
    try:
        place = _places.decode(data)
    except msgspec.DecodeError:
        return "a record whose stream cannot be read"
    return f"stream {place.originator_id}, sequence {place.originator_version}"


def record_of(stored: StoredEvent) -> Record:
    """What the library stores as the journal's record: tenant and time are read from the event's JSON.

    Raises UnknownType or Undecodable.
    """
    category = CATEGORIES.get(stored.topic)
    if category is None:
        raise UnknownType(f"{_named(stored)}: no event of type {stored.topic!r} is known")
    try:
        head = _heads.decode(stored.state)
    except msgspec.DecodeError as error:
        raise Undecodable(f"{_named(stored)}: not a {stored.topic}: {error}") from error
    return Record(
        stream=cast("UUID", stored.originator_id),
        sequence=stored.originator_version,
        type=stored.topic,
        category=category,
        tenant=head.context.tenant,
        time=head.timestamp,
        data=stored.state,
    )


def _named(stored: StoredEvent) -> str:
    return f"stream {stored.originator_id}, sequence {stored.originator_version}"


class EventMapper(Mapper[UUID]):
    """The library's mapper with our bytes: topics are type names, state is the whole event."""

    def __init__(self) -> None:
        super().__init__(JSONTranscoder())

    def to_stored_event(self, domain_event: DomainEventProtocol[UUID]) -> StoredEvent:
        event = cast("Event", domain_event)
        return StoredEvent(event.originator_id, event.originator_version, topic(type(event)), encode(event))

    def to_domain_event(self, stored_event: StoredEvent) -> DomainEventProtocol[UUID]:
        return decode(stored_event.topic, stored_event.state)
