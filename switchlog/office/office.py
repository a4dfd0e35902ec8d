"""The office: the use cases of configuration. Declares, exports, makes keys, and keeps the directory current.

Order of an apply: everything is checked first; then a `Keeper` makes credentials and events durable. Things that a file
does not name stay as they are; an extension that it names is declared whole, except that a credential which is left out
stays.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from eventsourcing.application import Application
from eventsourcing.persistence import PersistenceError

from adapters.journal.codec import decode
from adapters.keys.master import KeyStoreError
from adapters.keys.store import SecretStore
from domain.apikey import ApiKey, Principal, apikey_id, check_role
from domain.base import Context, Event
from domain.declaration import Document, TenantDeclaration, declared
from domain.extension import shown_media
from domain.ports import JournalError, Note, Stored
from domain.refusal import Refusal
from domain.routing.directory import Directory
from domain.values import STRIP_ALL
from switchlog.office.keeper import Change, Keeper, LoneKeeper
from switchlog.office.plan import Row, plan_of
from switchlog.office.state import OfficeState


class Applied(msgspec.Struct, frozen=True):
    """What an apply did; `version` is the directory's version after it."""

    rows: tuple[Row, ...]
    warnings: tuple[str, ...]
    version: int


class Writer(NamedTuple):
    """Who the office writes as: its node and the epoch of the configuration's shard (may block)."""

    node: str
    epoch: Callable[[], int]


class Office:
    """One per installation, at the owner of the configuration's shard. Methods block; safe from several threads."""

    def __init__(
        self,
        application: Application[UUID],
        store: SecretStore,
        writer: Writer,
        clock: Callable[[], datetime],
        history: Iterable[Sequence[Stored]] = (),
        keeper: Keeper | None = None,
        no_rooms: str = "",
    ) -> None:
        """`history`: every configuration stream whole, as `Journal.live` gives them. `clock` is aware UTC.

        `keeper` of `store`, if it is not one of a node that is alone; `no_rooms` says why neither conferences nor
        mailboxes can be declared here, if they cannot. Raises JournalError if a record cannot be read.
        """
        self._no_rooms = no_rooms
        self._application, self._store, self._writer, self._clock = application, store, writer, clock
        self._keeper = keeper or LoneKeeper(store)
        self._lock, self._learning = threading.Lock(), threading.Lock()
        self._state = OfficeState()
        self._unreadable: dict[UUID, str] = {}
        """streams that cannot be read on, and why"""
        stored = sorted((one for stream in history for one in stream), key=lambda one: one.position)
        if stored:
            self._state.absorb((decode(one.record.type, one.record.data) for one in stored), stored[-1].position)

    def directory(self) -> Directory:
        """Who exists now; never blocks."""
        return self._state.directory

    def learn(self, records: Sequence[Stored]) -> None:
        """What the journal says of configuration, in its order, whoever declared it.

        What is known already changes nothing. Raises JournalError for a record that cannot be read; all others are
        learnt, but for those that follow it in its stream.
        """
        with self._learning:
            before = len(self._unreadable)
            readable = [one for one in map(self._read, records) if one is not None]
            if readable:
                self._state.absorb(readable, records[-1].position)
        if len(self._unreadable) > before:
            raise JournalError(self.unreadable)

    @property
    def unreadable(self) -> str:
        """Empty, or what of the configuration is not known here, and why."""
        return "; ".join(sorted(set(self._unreadable.values())))

    def _read(self, stored: Stored) -> Event | None:
        """None for what is known already, and for what cannot be read."""
        stream, sequence = stored.record.stream, stored.record.sequence
        if sequence <= self._state.version(stream) or stream in self._unreadable:
            return None
        try:
            return decode(stored.record.type, stored.record.data)
        except JournalError as error:
            self._unreadable[stream] = str(error)
            return None

    def apply(self, documents: Sequence[Document], actor: str, cause: str, only_tenant: str | None = None) -> Applied:
        """Make the world as the documents say, or change nothing and raise Refusal.

        `only_tenant` is the one tenant that the actor may declare, whose domains it may not change.
        """
        wanted = declared(documents)
        with self._lock:
            if only_tenant is not None:
                _check_scope(wanted, only_tenant, self._state)
            context = self._context(actor, cause)
            self._kept(self._keeper.current)
            plan = plan_of(wanted, self._state, self._store, context, self._clock(), self._no_rooms)
            self._keep(Change(plan.events, plan.secrets, plan.gone))
            return Applied(tuple(plan.rows), tuple(plan.warnings), self._state.directory.version)

    def export(self, tenant: str | None = None, with_secrets: bool = False) -> dict[str, Any]:
        """The declared format back, ordered by slug and number. Raises Refusal(`missing`)."""
        with self._lock:
            slugs = sorted(self._state.tenants) if tenant is None else [tenant]
            if tenant is not None and tenant not in self._state.tenants:
                raise Refusal("missing", f"there is no tenant {tenant}")
            if with_secrets:
                self._kept(self._keeper.current)
            return {"tenants": [self._export_tenant(slug, with_secrets) for slug in slugs]}

    def create_key(self, role: str, tenant: str | None, actor: str, cause: str) -> dict[str, str | None]:
        """A new API key, shown this once: `id`, `key`, `role`, `tenant`. Raises Refusal."""
        known = check_role(role, tenant)
        with self._lock:
            if tenant is not None and tenant not in self._state.tenants:
                raise Refusal("missing", f"there is no tenant {tenant}", field="tenant")
            key_id = secrets.token_hex(6)
            key = f"switchlog_{key_id}_{secrets.token_urlsafe(32)}"
            context = self._context(actor, cause)(tenant or "")
            event = ApiKey.Created(
                apikey_id(key_id), 1, self._clock(), context, ApiKey.TOPIC, key_id=key_id, role=str(known)
            )
            self._keep(Change([event], key=(key, Principal(key_id, known, tenant))))
        return {"id": key_id, "key": key, "role": str(known), "tenant": tenant}

    # --- inside

    def _keep(self, change: Change) -> None:
        self._kept(lambda: self._keeper.keep(change, self._append))

    def _append(self, events: Sequence[Event], notes: Sequence[Note] = ()) -> None:
        kept = {"notes": notes} if notes else {}
        try:
            recordings = self._application.save(*events, **kept)
        except (PersistenceError, JournalError) as error:
            raise Refusal("unavailable", f"the journal did not take it, apply it again: {error}") from error
        if recordings:
            with self._learning:
                self._state.absorb(events, recordings[-1].notification.id)

    @staticmethod
    def _kept(work: Callable[[], None]) -> None:
        try:
            work()
        except (KeyStoreError, JournalError) as error:
            raise Refusal("unavailable", str(error)) from error

    def _context(self, actor: str, cause: str) -> Callable[[str], Context]:
        try:
            epoch = self._writer.epoch()
        except JournalError as error:
            raise Refusal("unavailable", f"the configuration has no owner at the moment: {error}") from error
        return lambda tenant: Context(tenant, cause, cause, actor, self._writer.node, epoch)

    def _export_tenant(self, slug: str, with_secrets: bool) -> dict[str, Any]:
        tenant = self._state.tenants[slug]
        return {
            "slug": slug,
            "name": tenant.name,
            "domains": list(tenant.domains),
            "country": tenant.country,
            "timezone": tenant.timezone,
            **({"language": tenant.language} if tenant.language else {}),
            **({"identity": msgspec.to_builtins(tenant.identity)} if tenant.identity != STRIP_ALL else {}),
            "extensions": [self._export_extension(slug, number, with_secrets) for number in self._state.numbers(slug)],
            **({"conferences": rooms} if (rooms := self._export_rooms(slug, with_secrets)) else {}),
            **({"mailboxes": boxes} if (boxes := self._export_mailboxes(slug, with_secrets)) else {}),
            **({"voicemail": tenant.voicemail} if tenant.voicemail else {}),
        }

    def _export_pins(self, sealed: dict[str, str], with_secrets: bool) -> dict[str, Any]:
        """That there is a PIN is said without secrets, too: elsewhere it must not be open to all."""
        pins = {name: pin for name, pin in sealed.items() if pin}
        if with_secrets:
            return {name: self._store.unseal(pin) for name, pin in pins.items()}
        return dict.fromkeys((f"has_{name}" for name in pins), True)

    def _export_rooms(self, slug: str, with_secrets: bool) -> list[dict[str, Any]]:
        found = []
        for room in self._state.rooms_of(slug):
            shown: dict[str, Any] = {"number": room.number, "name": room.name, "announce": room.announce}
            if room.language:
                shown["language"] = room.language
            pins = {"pin": room.pin, "moderator_pin": room.moderator_pin}
            found.append(shown | self._export_pins(pins, with_secrets))
        return found

    def _export_mailboxes(self, slug: str, with_secrets: bool) -> list[dict[str, Any]]:
        found = []
        for box in self._state.letterboxes_of(slug):
            said = msgspec.to_builtins(box.wanted)
            greetings = {state: text or None for state, text in box.wanted.greetings.items()}
            pin = self._export_pins({"pin": box.wanted.pin}, with_secrets)
            said = {name: value for name, value in said.items() if name not in ("pin", "greetings") and value != ""}
            found.append({"number": box.number, **said, **({"greetings": greetings} if greetings else {}), **pin})
        return found

    def _export_extension(self, slug: str, number: str, with_secrets: bool) -> dict[str, Any]:
        extension = self._state.extensions[slug, number]
        shown: dict[str, Any] = {"number": number, "name": extension.name, "ring_s": extension.ring_s}
        shown |= shown_media(extension.media)
        names = [device.username for device in extension.devices]
        if with_secrets and number in names:
            shown |= self._export_secret(slug, number)
        others = [name for name in names if name != number]
        if others:
            shown["devices"] = [
                {"username": name} | (self._export_secret(slug, name) if with_secrets else {}) for name in others
            ]
        return shown

    def _export_secret(self, slug: str, username: str) -> dict[str, Any]:
        found = self._store.device(slug, username) or {}
        domains = self._state.tenants[slug].domains
        if len(domains) == 1 and set(found) == set(domains):
            return {"ha1": dict(found[domains[0]])}
        return {"ha1": {domain: dict(hashes) for domain, hashes in found.items() if domain in domains}}


def _check_scope(wanted: Sequence[TenantDeclaration], slug: str, state: OfficeState) -> None:
    for one in wanted:
        if one.slug != slug:
            raise Refusal("forbidden", f"this key may declare the tenant {slug} only", field=f"{one.place.field}.slug")
        current = state.tenants.get(slug)
        if current is None or current.domains != one.domains:
            raise Refusal("forbidden", "only an operator changes domains", field=f"{one.place.field}.domains")
