"""Everybody's bindings as the journal tells them, so that a node knows where a phone of another one's shard is.

What may live here: streams of registrations folded, and the one question about them. What it knows is as old as the
journal takes to be read, some milliseconds; the owner of a shard decides by what it holds itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from threading import Lock
from typing import NamedTuple, cast
from uuid import UUID

import structlog

from domain.base import Event
from domain.ports import Stored
from domain.registration import Registration
from domain.values import Contact

_log = structlog.get_logger(__name__)


class Bound(NamedTuple):
    """A binding of an extension, and what it was before."""

    tenant: str
    number: str
    contact: Contact
    before: Contact | None


class Gazette:
    """`load` it, then `take` every record that follows. Thread-safe.

    `told` hears at once of all bindings of what was taken in that others than `node` have made: what that one makes it
    knows.
    """

    def __init__(
        self,
        decode: Callable[[str, bytes], Event],
        told: Callable[[Sequence[Bound]], None] = lambda bound: None,
        node: str = "",
    ) -> None:
        self._decode, self._told, self._node = decode, told, node
        self._lock = Lock()
        self._streams: dict[UUID, Registration] = {}
        self._named: dict[tuple[str, str], UUID] = {}
        self.skipped = 0
        """records that could not be read or folded: their bindings are not known here"""

    def load(self, streams: Iterable[Sequence[Stored]]) -> None:
        """Streams that are live, whole; others than registrations count for nothing."""
        for stream in streams:
            self.take(stream)

    def take(self, records: Iterable[Stored]) -> None:
        """The next records of some streams, each stream's in order. One that is known already changes nothing."""
        bound: list[Bound] = []
        for stored in records:
            if stored.record.category != "registrations":
                continue
            try:
                event = self._decode(stored.record.type, stored.record.data)
                with self._lock:
                    self._fold(event, bound)
            except Exception as error:  # noqa: BLE001  boundary: one bad record must not hide the others
                self.skipped += 1
                _log.warning("a binding is not known here", stream=str(stored.record.stream), reason=str(error))
        if bound:
            self._told(bound)

    def contacts(self, tenant: str, number: str, now: datetime) -> tuple[Contact, ...]:
        """The bindings of an extension that hold at `now`, oldest first."""
        with self._lock:
            registration = self._streams.get(self._named.get((tenant, number), _NOBODY))
            return registration.at(now) if registration is not None else ()

    def __len__(self) -> int:
        """How many extensions have a binding."""
        return len(self._named)

    def _fold(self, event: Event, bound: list[Bound]) -> None:
        stream = event.originator_id
        known = self._streams.get(stream)
        version = known.version if known is not None else 0
        if event.originator_version <= version or (known is None and event.originator_version > 1):
            return  # known, or of a stream that was over before we looked
        before = known.contacts.get(_replaced(event)) if known is not None else None
        registration = cast("Registration", event.mutate(known))
        if isinstance(event, Registration.ContactBound) and event.context.node != self._node:
            bound.append(Bound(registration.tenant, event.number, event.contact, before))
        key = registration.tenant, registration.number
        if registration.contacts or not version:
            self._streams[stream] = registration
            self._named[key] = stream
        elif self._streams.pop(stream, None) is not None and self._named.get(key) == stream:
            del self._named[key]


def _replaced(event: Event) -> str:
    return event.replaces_key if isinstance(event, Registration.ContactBound) else ""


_NOBODY = UUID(int=0)
