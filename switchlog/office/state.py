"""What the office knows: the folded configuration aggregates, the indexes over them, and the directory made of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast
from uuid import UUID

import msgspec

from domain.apikey import ApiKey
from domain.base import Aggregate, Event
from domain.country import language_of
from domain.extension import Extension
from domain.letterbox import Letterbox
from domain.room import Room
from domain.routing import directory
from domain.routing.directory import Directory
from domain.tenant import Tenant
from domain.values import DIRECT


class OfficeState:
    """The fold of all configuration events. Changed by `absorb` only; `directory` is replaced, never changed."""

    def __init__(self) -> None:
        self.tenants: dict[str, Tenant] = {}
        self.extensions: dict[tuple[str, str], Extension] = {}
        self.rooms: dict[tuple[str, str], Room] = {}
        self.letterboxes: dict[tuple[str, str], Letterbox] = {}
        self.keys: dict[str, ApiKey] = {}
        self.directory = Directory()
        self._streams: dict[UUID, Aggregate] = {}

    def version(self, stream: UUID) -> int:
        """The version of the stream's last event, 0 if there is none."""
        aggregate = self._streams.get(stream)
        return aggregate.version if aggregate is not None else 0

    def numbers(self, tenant: str) -> tuple[str, ...]:
        """The tenant's extensions in order."""
        return tuple(sorted(number for owner, number in self.extensions if owner == tenant))

    def rooms_of(self, tenant: str) -> tuple[Room, ...]:
        """The tenant's rooms in the order of their numbers."""
        return tuple(room for (owner, _), room in sorted(self.rooms.items()) if owner == tenant)

    def letterboxes_of(self, tenant: str) -> tuple[Letterbox, ...]:
        """The tenant's mailboxes in the order of their numbers."""
        return tuple(box for (owner, _), box in sorted(self.letterboxes.items()) if owner == tenant)

    def absorb(self, events: Iterable[Event], position: int) -> None:
        """Fold events of configuration; `position` is the journal position of the last of them.

        Those of a stream that are folded already change nothing.
        """
        draft = _Draft(self.directory)
        for event in events:
            if event.originator_version <= self.version(event.originator_id):
                continue
            aggregate = cast("Aggregate | None", event.mutate(self._streams.get(event.originator_id)))
            if aggregate is None:
                raise TypeError(f"{type(event).__qualname__} left no aggregate")
            self._streams[event.originator_id] = aggregate
            if isinstance(aggregate, Tenant):
                self.tenants[aggregate.slug] = aggregate
                draft.tenant(aggregate)
            elif isinstance(aggregate, Extension):
                self.extensions[aggregate.tenant, aggregate.number] = aggregate
                draft.extension(aggregate)
            elif isinstance(aggregate, Room):
                self.rooms[aggregate.tenant, aggregate.number] = aggregate
                draft.room(aggregate)
            elif isinstance(aggregate, Letterbox):
                self.letterboxes[aggregate.tenant, aggregate.number] = aggregate
                draft.letterbox(aggregate)
            elif isinstance(aggregate, ApiKey):
                self.keys[aggregate.key_id] = aggregate
        self.directory = draft.finish(max(position, self.directory.version))


class _Draft:
    """The next directory: shallow copies of the last one's tables, changed where events say so."""

    def __init__(self, last: Directory) -> None:
        self._tenants = dict(last.tenants)
        self._domains = dict(last.domains)
        self._extensions = dict(last.extensions)
        self._devices = dict(last.devices)
        self._rooms = dict(last.rooms)
        self._boxes = dict(last.boxes)

    def tenant(self, tenant: Tenant) -> None:
        slug = tenant.slug
        before = self._tenants.get(slug)
        for domain in before.domains if before else ():
            if self._domains.get(domain) == slug:
                del self._domains[domain]
        self._domains.update(dict.fromkeys(tenant.domains, slug))
        declared = (tenant.name, tenant.domains, tenant.country, tenant.timezone, tenant.identity)
        language = tenant.language or language_of(tenant.country)
        self._tenants[slug] = directory.Tenant(slug, *declared, language, tenant.voicemail)

    def extension(self, extension: Extension) -> None:
        slug, number = extension.tenant, extension.number
        before = self._extensions.get((slug, number))
        for device in before.devices if before else ():
            owner = self._devices.get((slug, device))
            if owner is not None and owner.number == number:
                del self._devices[slug, device]
        names = tuple(device.username for device in extension.devices)
        media = DIRECT if extension.media == DIRECT else extension.media  # nearly all are, and then it is this one
        entry = directory.Extension(slug, number, extension.name, names, extension.ring_s, media)
        self._extensions[slug, number] = entry
        self._devices.update({(slug, name): entry for name in names})

    def room(self, room: Room) -> None:
        key = (room.tenant, room.number)
        declared = (room.name, room.pin, room.moderator_pin, room.language, room.announce)
        self._rooms[key] = directory.Room(*key, *declared)

    def letterbox(self, box: Letterbox) -> None:
        key = (box.tenant, box.number)
        self._boxes[key] = directory.Box(*key, **msgspec.structs.asdict(box.wanted))

    def finish(self, version: int) -> Directory:
        return Directory(
            version, self._tenants, self._domains, self._extensions, self._devices, self._rooms, self._boxes
        )
