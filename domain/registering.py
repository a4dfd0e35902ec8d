"""What a REGISTER makes of the bindings of its address-of-record (RFC 3261 10.3, RFC 5626 section 6). Pure.

Decisions are functions of the folded state; the registrar of the SIP adapter translates and answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from domain.base import Event, Step
from domain.registration import Registration
from domain.values import Contact, Flow

MIN_EXPIRES_S = 60
"""Shorter wishes are answered 423 (RFC 3261 10.3 step 7), unless they are zero."""
MAX_EXPIRES_S = 7200
DEFAULT_EXPIRES_S = 3600
MAX_CONTACTS = 10


class ContactWish(msgspec.Struct, frozen=True):
    """One Contact of a REGISTER and the flow that leads to it: `expires_s` None = the request's default, 0 = remove.

    `reg_id` is not 0 if the device wants several flows (RFC 5626); `q` is in thousandths.
    """

    uri: str
    flow: Flow
    instance: str
    expires_s: int | None
    reg_id: int = 0
    q: int = 1000


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
    moving = {(wish.instance, wish.reg_id) for wish, expires_s in granted if expires_s and wish.instance}
    removed = _unwanted(current, [wish for wish, expires_s in granted if not expires_s], moving, ask)
    if removed:
        events.remove(removed, "unregistered")
    gone = {contact.key for contact in removed}
    kept = {key for key, contact in current.items() if contact.expires_at > now}.difference(gone)
    for wish, expires_s in granted:
        bound = _bound(current, wish)
        if expires_s == 0 or _repeated(bound, wish, ask):
            continue
        _check_order(bound, ask)
        contact = _contact(wish, ask, now + timedelta(seconds=expires_s))
        kept.discard(bound.key if bound else "")
        kept.add(contact.key)
        events.bind(contact, bound)
    if len(kept) > MAX_CONTACTS:
        raise RegisterRefused(403, f"at most {MAX_CONTACTS} devices can be registered at once")
    return events.all()


def _unwanted(
    current: dict[str, Contact], wishes: Sequence[ContactWish], moving: set[tuple[str, int]], ask: Register
) -> list[Contact]:
    """The bindings to remove: by URI, else by instance, unless the same request binds that instance elsewhere
    (a phone that reconnects removes its old contact and gives its new one at once)."""
    removed: list[Contact] = []
    for wish in wishes:
        bound = _named(current, wish)
        if bound is None and (wish.instance, wish.reg_id) not in moving:
            bound = _bound(current, wish)
        if bound is not None and bound not in removed:
            _check_order(bound, ask)
            removed.append(bound)
    return removed


def _named(current: dict[str, Contact], wish: ContactWish) -> Contact | None:
    """The binding at the wish's very URI: the wish's own one if it says whose, else whosever it is."""
    same = [contact for contact in current.values() if contact.uri == wish.uri]
    own = [one for one in same if (one.instance, one.reg_id) == (wish.instance, wish.reg_id)]
    if wish.reg_id:
        return own[0] if own else None
    return next(iter(own or same), None)


def _repeated(bound: Contact | None, wish: ContactWish, ask: Register) -> bool:
    """The very REGISTER that made the binding, once more: its 200 was lost, perhaps by a restart."""
    return bound is not None and (bound.uri, bound.call_id, bound.cseq) == (wish.uri, ask.call_id, ask.cseq)


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

    def bind(self, contact: Contact, bound: Contact | None) -> None:
        replaces, key = (bound.uri, bound.key) if bound else ("", "")
        version, step, number = self._next(), self._step, self._ask.number
        self._events.append(
            Registration.ContactBound(step.stream, version, step.at, step.context, number, contact, replaces, key)
        )

    def remove(self, contacts: Sequence[Contact], reason: str) -> None:
        version, step, number = self._next(), self._step, self._ask.number
        uris, keys = tuple(one.uri for one in contacts), tuple(one.key for one in contacts)
        self._events.append(
            Registration.ContactsRemoved(step.stream, version, step.at, step.context, number, uris, reason, keys)
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
    events.remove(mine, "unregistered")
    return events.all()


def _contact(wish: ContactWish, ask: Register, expires_at: datetime) -> Contact:
    return Contact(
        uri=wish.uri,
        device=ask.device,
        flow=wish.flow,
        path=ask.path,
        instance=wish.instance,
        user_agent=ask.user_agent,
        expires_at=expires_at,
        call_id=ask.call_id,
        cseq=ask.cseq,
        reg_id=wish.reg_id,
        q=wish.q,
    )


def _bound(current: dict[str, Contact], wish: ContactWish) -> Contact | None:
    """The binding that the wish is about: the same flow of the same instance (RFC 5626), or the same URI.

    Two instances behind two NATs may well have the same private URI: then the host that was heard tells them apart.
    """
    if wish.instance:
        for contact in current.values():
            if (contact.instance, contact.reg_id) == (wish.instance, wish.reg_id):
                return contact
    for contact in current.values():
        if contact.uri == wish.uri and _same_phone(contact, wish):
            return contact
    return None


def _same_phone(contact: Contact, wish: ContactWish) -> bool:
    """Of a binding with the wish's URI that is not its own by instance and reg-id."""
    if contact.instance == wish.instance:
        return not (contact.reg_id and wish.reg_id)  # several flows of one instance often share a URI
    if not contact.instance or not wish.instance:
        return True
    return _host(contact.flow) == _host(wish.flow)


def _host(flow: Flow) -> str:
    return flow.remote.rpartition(":")[0]


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
