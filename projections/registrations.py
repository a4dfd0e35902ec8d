"""Bindings as rows: one row from the first REGISTER of a device at a URI to the end of that binding.

A refresh prolongs the row; a device that comes back at another URI ends it (`replaced`) and begins another.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from domain.registration import Registration
from projections.excerpt import Seen, table
from projections.row import RegistrationRow


class BindingFold:
    """The bindings of one address-of-record, event by event. Skips what it has seen."""

    def __init__(self) -> None:
        self.version = 0
        self.bound: dict[str, RegistrationRow] = {}
        """key -> the binding that holds"""
        self._changed: list[RegistrationRow] = []

    def apply(self, event: Seen) -> None:
        """Take the next event in; one that was taken in before changes nothing."""
        self._changed = []
        if event.originator_version <= self.version:
            return
        self.version = event.originator_version
        handler = _HANDLERS.get(type(event))
        if handler is not None:
            handler(self, event)

    def changed(self) -> tuple[RegistrationRow, ...]:
        """The rows that the last event changed."""
        return tuple(self._changed)

    def _bind(self, event: Any) -> None:
        contact = event.contact
        bound_at = event.timestamp
        for key in self._replaced(event):
            before = self.bound[key]
            if before.contact == contact.uri:
                bound_at = before.bound_at
                del self.bound[key]
            else:
                self._end(key, event.timestamp, "replaced")
        row = _row(event.context.tenant, event.number, contact, bound_at, self.version)
        self.bound[contact.key] = row
        self._changed.append(row)

    def _replaced(self, event: Any) -> tuple[str, ...]:
        if event.replaces_key:
            return (event.replaces_key,) if event.replaces_key in self.bound else ()
        return self._keys((event.replaces, event.contact.uri)) if event.replaces else ()

    def _remove(self, event: Registration.ContactsRemoved) -> None:
        for key in event.keys or self._keys(event.uris):
            self._end(key, event.timestamp, event.reason)

    def _keys(self, uris: tuple[str, ...]) -> tuple[str, ...]:
        """For events from when a URI had one binding."""
        return tuple(key for key, row in self.bound.items() if row.contact in uris)

    def _end(self, key: str, at: datetime, cause: str) -> None:
        row = self.bound.pop(key, None)
        if row is not None:
            self._changed.append(msgspec.structs.replace(row, ended_at=at, cause=cause, version=self.version))


_HANDLERS = table({Registration.ContactBound: BindingFold._bind, Registration.ContactsRemoved: BindingFold._remove})


def _row(tenant: str, number: str, contact: Any, bound_at: datetime, version: int) -> RegistrationRow:
    return RegistrationRow(
        tenant=tenant,
        aor=number,
        contact=contact.uri,
        device=contact.device,
        user_agent=contact.user_agent,
        transport=contact.flow.transport,
        source=contact.flow.remote,
        instance=contact.instance,
        bound_at=bound_at,
        expires_at=contact.expires_at,
        ended_at=None,
        cause="",
        version=version,
    )
