"""The aggregate `Registration`: the bindings of one address-of-record (RFC 3261 section 10.3).

Decisions are pure functions of the folded state; the registrar of the SIP adapter translates and answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from domain.base import Aggregate, Created, Event, Step
from domain.values import Contact, Flow

MIN_EXPIRES_S = 60
"""Shorter wishes are answered 423 (RFC 3261 10.3 step 7), unless they are zero."""
MAX_EXPIRES_S = 7200
DEFAULT_EXPIRES_S = 3600
MAX_CONTACTS = 10


class Registration(Aggregate):
    """The devices at which one extension can be reached."""

    TOPIC = "registration"

    def __init__(self) -> None:
        self.tenant = ""
        self.number = ""
        self.contacts: dict[str, Contact] = {}

    def at(self, now: datetime) -> tuple[Contact, ...]:
        """The bindings that hold at `now`, oldest first."""
        return tuple(contact for contact in self.contacts.values() if contact.expires_at > now)

    @dataclass(frozen=True)
    class Opened(Created):
        """The address-of-record was used for the first time."""

        TOPIC = "registration.opened.1"

        number: str

        def apply(self, aggregate: Registration) -> None:
            aggregate.tenant = self.context.tenant
            aggregate.number = self.number

    @dataclass(frozen=True)
    class ContactBound(Event):
        """A device can be reached at `contact`, newly or again; `replaces` is its binding until now or empty."""

        TOPIC = "registration.contact_bound.1"

        number: str
        contact: Contact
        replaces: str

        def apply(self, aggregate: Registration) -> None:
            if self.replaces and self.replaces != self.contact.uri:
                aggregate.contacts.pop(self.replaces, None)
            aggregate.contacts[self.contact.uri] = self.contact

    @dataclass(frozen=True)
    class ContactsRemoved(Event):
        """Bindings ended; `reason` is `unregistered`, `expired` or `replaced`."""

        TOPIC = "registration.contacts_removed.1"

        number: str
        uris: tuple[str, ...]
        reason: str

        def apply(self, aggregate: Registration) -> None:
            for uri in self.uris:
                aggregate.contacts.pop(uri, None)


EVENTS: tuple[type[Event], ...] = (
    Registration.Opened,
    Registration.ContactBound,
    Registration.ContactsRemoved,
)


class ContactWish(msgspec.Struct, frozen=True):
    """One Contact of a REGISTER and the flow that leads to it: `expires_s` None = the request's default, 0 = remove."""

    uri: str
    flow: Flow
    instance: str
    expires_s: int | None


class Register(msgspec.Struct, frozen=True):
    """A REGISTER that has proved itself. `wildcard` is `Contact: *`; `whole` means that the address-of-record was
    the extension's number, so that the wildcard reaches every device and not only the asking one."""

    tenant: str
    number: str
    device: str
    whole: bool
    wildcard: bool
    contacts: tuple[ContactWish, ...]
    expires_s: int | None
    call_id: str
    cseq: int
    path: tuple[str, ...]
    user_agent: str


class RegisterRefused(Exception):
    """Their fault; `status` is the SIP status that says so."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


def register(registration: Registration | None, ask: Register, step: Step) -> tuple[Event, ...]:
    """The events that a REGISTER causes; none for a mere query.

    All of it or nothing (RFC 3261 10.3): raises RegisterRefused with 400, 403, 423 or 500 and changes nothing.
    """
    now = step.at
    current = registration.contacts if registration else {}
    if ask.wildcard:
        return _remove_all(registration, ask, step)
    if not ask.contacts:
        return ()
    events = _Events(registration, ask, step)
    granted = [(wish, _expires(wish, ask)) for wish in ask.contacts]
    moving = {wish.instance for wish, expires_s in granted if expires_s and wish.instance}
    removed = _unwanted(current, [wish for wish, expires_s in granted if not expires_s], moving, ask)
    if removed:
        events.remove(removed, "unregistered")
    kept = {uri for uri, contact in current.items() if contact.expires_at > now}.difference(removed)
    for wish, expires_s in granted:
        bound = _bound(current, wish)
        if expires_s == 0 or _repeated(bound, wish, ask):
            continue
        _check_order(bound, ask)
        kept.discard(bound.uri if bound else "")
        kept.add(wish.uri)
        events.bind(wish, bound.uri if bound else "", now + timedelta(seconds=expires_s))
    if len(kept) > MAX_CONTACTS:
        raise RegisterRefused(403, f"at most {MAX_CONTACTS} devices can be registered at once")
    return events.all()


def _unwanted(current: dict[str, Contact], wishes: Sequence[ContactWish], moving: set[str], ask: Register) -> list[str]:
    """The bindings to remove: by URI, else by instance, unless the same request binds that instance elsewhere
    (a phone that reconnects removes its old contact and gives its new one at once)."""
    removed = []
    for wish in wishes:
        bound = current.get(wish.uri) or (None if wish.instance in moving else _bound(current, wish))
        if bound is not None and bound.uri not in removed:
            _check_order(bound, ask)
            removed.append(bound.uri)
    return removed


def _repeated(bound: Contact | None, wish: ContactWish, ask: Register) -> bool:
    """The very REGISTER that made the binding, once more: its 200 was lost, perhaps by a restart."""
    return bound is not None and (bound.uri, bound.call_id, bound.cseq) == (wish.uri, ask.call_id, ask.cseq)


def expire(registration: Registration, step: Step) -> tuple[Event, ...]:
    """The event that ends the bindings whose time has passed; none if there are none."""
    gone = [uri for uri, contact in registration.contacts.items() if contact.expires_at <= step.at]
    if not gone:
        return ()
    return (
        Registration.ContactsRemoved(
            step.stream,
            step.version + 1,
            step.at,
            step.context,
            registration.number,
            tuple(gone),
            "expired",
        ),
    )


def deadline(registration: Registration) -> datetime | None:
    """When the next binding expires."""
    return min((contact.expires_at for contact in registration.contacts.values()), default=None)


def held_until(registration: Registration) -> float:
    """Until when an owner must hold the bindings in memory, in Unix seconds; the moment of the end if none is left."""
    ends = [contact.expires_at for contact in registration.contacts.values()]
    return max(ends, default=registration.modified_on).timestamp()


class _Events:
    """Numbers the events of one REGISTER."""

    def __init__(self, registration: Registration | None, ask: Register, step: Step) -> None:
        self._ask, self._step = ask, step
        self._opening = registration is None
        self._events: list[Event] = []

    def _next(self) -> int:
        if self._opening:
            self._opening = False
            step = self._step
            self._events.append(
                Registration.Opened(
                    step.stream,
                    step.version + 1,
                    step.at,
                    step.context,
                    originator_topic=Registration.TOPIC,
                    number=self._ask.number,
                )
            )
        return self._step.version + len(self._events) + 1

    def bind(self, wish: ContactWish, replaces: str, expires_at: datetime) -> None:
        ask = self._ask
        contact = Contact(
            uri=wish.uri,
            device=ask.device,
            flow=wish.flow,
            path=ask.path,
            instance=wish.instance,
            user_agent=ask.user_agent,
            expires_at=expires_at,
            call_id=ask.call_id,
            cseq=ask.cseq,
        )
        version, step = self._next(), self._step
        self._events.append(
            Registration.ContactBound(
                step.stream,
                version,
                step.at,
                step.context,
                ask.number,
                contact,
                replaces,
            )
        )

    def remove(self, uris: Sequence[str], reason: str) -> None:
        version, step = self._next(), self._step
        self._events.append(
            Registration.ContactsRemoved(
                step.stream,
                version,
                step.at,
                step.context,
                self._ask.number,
                tuple(uris),
                reason,
            )
        )

    def all(self) -> tuple[Event, ...]:
        return tuple(self._events)


def _remove_all(registration: Registration | None, ask: Register, step: Step) -> tuple[Event, ...]:
    if ask.contacts or ask.expires_s != 0:
        raise RegisterRefused(400, "Contact: * must stand alone and needs Expires: 0 (RFC 3261 10.2.2)")
    if registration is None:
        return ()
    mine = [c for c in registration.contacts.values() if ask.whole or c.device == ask.device]
    for contact in mine:
        _check_order(contact, ask)
    if not mine:
        return ()
    events = _Events(registration, ask, step)
    events.remove([contact.uri for contact in mine], "unregistered")
    return events.all()


def _bound(current: dict[str, Contact], wish: ContactWish) -> Contact | None:
    """The binding that the wish is about: the same instance (RFC 5626) or the same URI."""
    if wish.instance:
        for contact in current.values():
            if contact.instance == wish.instance:
                return contact
    return current.get(wish.uri)


def _check_order(bound: Contact | None, ask: Register) -> None:
    """RFC 3261 10.3 step 7: within one Call-ID the CSeq must rise."""
    if bound is not None and bound.call_id == ask.call_id and ask.cseq <= bound.cseq:
        raise RegisterRefused(500, "this REGISTER is older than one that was already handled")


def _expires(wish: ContactWish, ask: Register) -> int:
    """Seconds granted. Raises RegisterRefused(423) for less than the minimum."""
    wanted = wish.expires_s if wish.expires_s is not None else ask.expires_s
    if wanted is None:
        return DEFAULT_EXPIRES_S
    if 0 < wanted < MIN_EXPIRES_S:
        raise RegisterRefused(423, f"register for at least {MIN_EXPIRES_S} seconds")
    return min(wanted, MAX_EXPIRES_S)
