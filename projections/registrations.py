"""Bindings as rows: one row from the first REGISTER of a device at a URI to the end of that binding.

A refresh prolongs the row; a device that comes back at another URI ends it (`replaced`) and begins another.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from domain.base import Event
from domain.registration import Registration
from domain.values import Contact
from projections.row import RegistrationRow


class BindingFold:
    """The bindings of one address-of-record, event by event. Skips what it has seen."""

    def __init__(self) -> None:
        self.version = 0
        self.bound: dict[str, RegistrationRow] = {}
        """URI -> the binding that holds"""
        self._changed: list[RegistrationRow] = []

    def apply(self, event: Event) -> None:
        """Take the next event in; one that was taken in before changes nothing."""
        self._changed = []
        if event.originator_version <= self.version:
            return
        self.version = event.originator_version
        if isinstance(event, Registration.ContactBound):
            self._bind(event)
        elif isinstance(event, Registration.ContactsRemoved):
            for uri in event.uris:
                self._end(uri, event.timestamp, event.reason)

    def changed(self) -> tuple[RegistrationRow, ...]:
        """The rows that the last event changed."""
        return tuple(self._changed)

    def _bind(self, event: Registration.ContactBound) -> None:
        contact = event.contact
        if event.replaces and event.replaces != contact.uri:
            self._end(event.replaces, event.timestamp, "replaced")
        before = self.bound.get(contact.uri)
        row = _row(event.context.tenant, event.number, contact, before.bound_at if before else event.timestamp)
        row = msgspec.structs.replace(row, version=self.version)
        self.bound[contact.uri] = row
        self._changed.append(row)

    def _end(self, uri: str, at: datetime, cause: str) -> None:
        row = self.bound.pop(uri, None)
        if row is not None:
            self._changed.append(msgspec.structs.replace(row, ended_at=at, cause=cause, version=self.version))


def _row(tenant: str, number: str, contact: Contact, bound_at: datetime) -> RegistrationRow:
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
        version=0,
    )
