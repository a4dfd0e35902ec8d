"""What an apply would do: checks a declaration against everything that exists, and makes the events and secrets.

What may live here: decisions without effects. The office carries a plan out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Literal, NoReturn
from uuid import UUID

import msgspec

from adapters.keys.store import Secrets, SecretStore
from adapters.sip.digest.challenge import ha1
from domain import extension as extensions
from domain import letterbox as letterboxes
from domain import room as rooms
from domain import tenant as tenants
from domain.base import Context, Event, Step
from domain.declaration import (
    HA1_HEX,
    ConferenceDeclaration,
    DeviceDeclaration,
    ExtensionDeclaration,
    TenantDeclaration,
)
from domain.declaration_mailbox import MailboxDeclaration
from domain.document import Item
from domain.extension import Device, extension_id
from domain.letterbox import letterbox_id
from domain.refusal import Refusal
from domain.room import room_id
from domain.tenant import tenant_id
from domain.values import DIRECT
from switchlog.office.state import OfficeState

Outcome = Literal["created", "changed", "unchanged"]


class Row(msgspec.Struct, frozen=True):
    """What became of one declared thing; `kind` is `tenant`, `extension`, `conference` or `mailbox`, `name` its slug or
    number."""

    kind: str
    tenant: str
    name: str
    outcome: Outcome


class Plan(msgspec.Struct):
    """Events to append and credentials to store, in this order: credentials, events, then forget `gone`."""

    rows: list[Row] = []
    events: list[Event] = []
    secrets: dict[tuple[str, str], Secrets] = {}
    gone: set[tuple[str, str]] = set()
    warnings: list[str] = []


def plan_of(
    declared: Sequence[TenantDeclaration],
    state: OfficeState,
    store: SecretStore,
    context: Callable[[str], Context],
    at: datetime,
    no_rooms: str = "",
) -> Plan:
    """Raises Refusal with source, line and field if any part contradicts another or what exists.

    `no_rooms` says why there can be no conferences, mailboxes and relayed media here, if there can be none.
    """
    _check_domains(declared, state)
    for place in (place for one in declared for place in _with_media(one)):
        if no_rooms:
            place.refuse(no_rooms)
    for extension in (extension for one in declared for extension in one.extensions):
        if no_rooms and extension.media != DIRECT:
            extension.place.refuse(no_rooms)
    planner = _Planner(state, store, context, at)
    for one in declared:
        planner.tenant(one)
    planner.plan.gone -= planner.kept
    return planner.plan


def _with_media(one: TenantDeclaration) -> list[Item]:
    """What needs media of our own, whatever else is declared of it."""
    return [room.place for room in one.conferences] + [box.place for box in one.mailboxes]


def _check_domains(declared: Sequence[TenantDeclaration], state: OfficeState) -> None:
    domains = {one.slug: one.domains for one in declared}
    for one in declared:
        for place, domain in zip(one.domain_places, one.domains, strict=True):
            owner = state.directory.domains.get(domain)
            if owner is not None and owner != one.slug and domain in domains.get(owner, (domain,)):
                place.refuse(f"the domain {domain} belongs to the tenant {owner}")


def _lacks(place: Item, what: str, pin: str) -> NoReturn:
    place.refuse(
        f"{what} shall have the {pin} that it has, and here it has none: declare the {pin}, or export with --secrets"
    )


class _Planner:
    def __init__(self, state: OfficeState, store: SecretStore, context: Callable[[str], Context], at: datetime) -> None:
        self.plan = Plan()
        self.kept: set[tuple[str, str]] = set()
        self._state, self._store, self._context, self._at = state, store, context, at

    def tenant(self, one: TenantDeclaration) -> None:
        current = self._state.tenants.get(one.slug)
        step = self._step(one.slug, tenant_id(one.slug))
        about = (one.name, one.domains, one.country, one.timezone, one.identity, one.language, one.voicemail)
        wanted_tenant = tenants.Wanted(*about)
        event = tenants.declare(current, one.slug, wanted_tenant, step)
        self._row("tenant", one.slug, one.slug, current is not None, event, mended=False)
        wanted = {declared.number: self._devices(one, declared) for declared in one.extensions}
        self._check_devices(one, wanted)
        for declared in one.extensions:
            self._extension(one, declared, wanted[declared.number])
        for room in one.conferences:
            self._room(one.slug, room)
        for box in one.mailboxes:
            self._mailbox(one.slug, box)
        self._warn(one, wanted)

    def _devices(self, tenant: TenantDeclaration, one: ExtensionDeclaration) -> dict[str, Secrets]:
        """User name -> credential, of every device that the extension has from now on."""
        current = self._state.extensions.get((tenant.slug, one.number))
        default = one.default
        wanted = {default.username: self._secrets(tenant, default)} if default else {}
        if default is None and current and any(device.username == one.number for device in current.devices):
            kept = self._store.device(tenant.slug, one.number)
            if kept is None:
                self._missing(one.place.source, one.place.line, one.place.field)
            wanted[one.number] = kept
        wanted.update({device.username: self._secrets(tenant, device) for device in one.devices})
        if not wanted:
            self._missing(one.place.source, one.place.line, one.place.field)
        return wanted

    def _secrets(self, tenant: TenantDeclaration, device: DeviceDeclaration) -> Secrets:
        if device.password is not None:
            password = device.password
            return {
                domain: {name: ha1(device.username, domain, password, name) for name in HA1_HEX}
                for domain in tenant.domains
            }
        if device.ha1 is not None:
            given = {domain or tenant.domains[0]: hashes for domain, hashes in device.ha1.items()}
            for domain in given:
                if domain not in tenant.domains:
                    device.place.refuse(f"ha1 is given for {domain}, which is not a domain of {tenant.slug}")
            return given
        kept = self._store.device(tenant.slug, device.username)
        if kept is None:
            place = device.place
            self._missing(place.source, place.line, place.field.rpartition(".")[0])
        return kept

    @staticmethod
    def _missing(source: str, line: int, field: str) -> NoReturn:
        raise Refusal(
            "invalid",
            "is missing: a new device needs a password or ha1",
            source=source,
            line=line,
            field=f"{field}.password",
        )

    def _check_devices(self, tenant: TenantDeclaration, wanted: Mapping[str, Mapping[str, Secrets]]) -> None:
        """A device's user name is unique in its tenant, counting extensions that the file does not name."""
        holders: dict[str, str] = {}
        for one in tenant.extensions:
            for username in wanted[one.number]:
                known = self._state.directory.extension_of(tenant.slug, username)
                other = holders.get(username) or (known.number if known and known.number not in wanted else one.number)
                if other != one.number:
                    one.place.refuse(f"the device {username} belongs to the extension {other}")
                holders[username] = one.number

    def _extension(self, tenant: TenantDeclaration, one: ExtensionDeclaration, wanted: Mapping[str, Secrets]) -> None:
        slug = tenant.slug
        if (slug, one.number) in self._state.rooms:
            one.place.refuse(f"the number {one.number} belongs to a conference")
        current = self._state.extensions.get((slug, one.number))
        devices = tuple(Device(name, self._store.fingerprint(secrets)) for name, secrets in wanted.items())
        step = self._step(slug, extension_id(slug, one.number))
        declared = extensions.Wanted(one.name, one.ring_s, devices, one.media)
        event = extensions.declare(current, one.number, declared, step)
        mended = {
            (slug, name): secrets for name, secrets in wanted.items() if self._store.device(slug, name) != secrets
        }
        self.plan.secrets.update(mended)
        self.kept |= {(slug, name) for name in wanted}
        if current:
            self.plan.gone |= {(slug, device.username) for device in current.devices if device.username not in wanted}
        self._row("extension", slug, one.number, current is not None, event, bool(mended))

    def _room(self, slug: str, one: ConferenceDeclaration) -> None:
        if (slug, one.number) in self._state.extensions:
            one.place.refuse(f"the number {one.number} belongs to an extension")
        current = self._state.rooms.get((slug, one.number))
        pins = {"pin": current.pin, "moderator_pin": current.moderator_pin} if current else {}
        for name in one.kept:
            if not pins.get(name):
                _lacks(one.place, f"the conference {one.number}", name)
        pin = self._pin(one.pin, pins.get("pin", ""))
        moderator_pin = self._pin(one.moderator_pin, pins.get("moderator_pin", ""))
        if pin and self._unsealed(pin) == self._unsealed(moderator_pin):
            one.place.refuse("the moderators' PIN must be another one than that of all others")
        step = self._step(slug, room_id(slug, one.number))
        wanted = rooms.Wanted(one.name, pin, moderator_pin, one.language, one.announce)
        event = rooms.declare(current, one.number, wanted, step)
        self._row("conference", slug, one.number, current is not None, event, mended=False)

    def _mailbox(self, slug: str, one: MailboxDeclaration) -> None:
        if (slug, one.number) in self._state.rooms:
            one.place.refuse(f"the number {one.number} belongs to a conference")
        current = self._state.letterboxes.get((slug, one.number))
        has = current.wanted.pin if current else ""
        if one.kept and not has:
            _lacks(one.place, f"the mailbox {one.number}", "pin")
        pin = self._pin(one.pin, has)
        wanted = msgspec.structs.replace(one.wanted, pin=pin)
        step = self._step(slug, letterbox_id(slug, one.number))
        event = letterboxes.declare(current, one.number, wanted, step)
        self._row("mailbox", slug, one.number, current is not None, event, mended=False)

    def _pin(self, wanted: str | None, current: str) -> str:
        """Sealed as it is, if it stays: sealed anew the same would be another text."""
        if wanted is None or (wanted and wanted == self._unsealed(current)):
            return current
        return self._store.seal(wanted) if wanted else ""

    def _unsealed(self, pin: str) -> str:
        """Empty for one that cannot be read any more, too: it lets nobody in."""
        try:
            return self._store.unseal(pin) if pin else ""
        except ValueError:
            return ""

    def _warn(self, tenant: TenantDeclaration, wanted: Mapping[str, Mapping[str, Secrets]]) -> None:
        """Devices that keep a credential made for fewer domains than the tenant has now."""
        before = self._state.tenants.get(tenant.slug)
        new = set(tenant.domains) - set(before.domains if before else tenant.domains)
        numbers = self._state.numbers(tenant.slug) if new else ()
        left = [number for number in numbers if number not in wanted]
        left += [number for number, devices in wanted.items() if any(new - s.keys() for s in devices.values())]
        for domain in sorted(new) if left else ():
            self.plan.warnings.append(
                f"devices of {', '.join(left)} cannot register at {domain} until their passwords are declared again"
            )

    def _step(self, tenant: str, stream: UUID) -> Step:
        return Step(stream, self._state.version(stream), self._at, self._context(tenant))

    def _row(self, kind: str, tenant: str, name: str, existed: bool, event: Event | None, mended: bool) -> None:
        outcome: Outcome = "unchanged"
        if event is not None or mended:
            outcome = "changed" if existed else "created"
        if event is not None:
            self.plan.events.append(event)
        self.plan.rows.append(Row(kind, tenant, name, outcome))
