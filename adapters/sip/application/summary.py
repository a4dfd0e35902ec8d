"""Message summaries (RFC 3842): what lights the lamps of phones whose number has a mailbox.

What may live here: NOTIFY to phones that did not subscribe, which most of them take from their registrar. What each
was told is kept as long as its binding, so that it is not said again whenever that is refreshed; a phone that misses
one is told again then. One at a time to each phone: nothing in it says which of two is the newer one. Phones that did
subscribe are the notifier's.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from typing import NamedTuple

from adapters.sip.application.notifier import Notifier
from adapters.sip.application.parts import Now, Parts
from adapters.sip.dialog.capability import MESSAGE_SUMMARY
from adapters.sip.dialog.dialog import request_of
from adapters.sip.request.summary import SUMMARY_TYPE, account_of, counts_of, summary_of
from adapters.sip.transaction.event import ResponseReceived, TimedOut, TransportFailed
from adapters.sip.transaction.key import ClientKey
from domain.call.decision.dialing import first_dialog
from domain.ids import shard_of_registration
from domain.subscription.turn import tells
from domain.values import Contact


class _Phone(NamedTuple):
    """A binding of a number's, as long as its phone is not started anew: then it registers with another Call-ID."""

    key: str
    call_id: str


Account = tuple[str, str]
"""Tenant and number."""


class _Telling(NamedTuple):
    """A NOTIFY that is under way."""

    account: Account
    phone: _Phone
    counts: str


class Summaries:
    """Tells phones how many messages there are."""

    def __init__(self, parts: Parts, notifier: Notifier) -> None:
        self._parts, self._notifier = parts, notifier
        self._telling: dict[ClientKey, _Telling] = {}
        self._busy: set[tuple[Account, _Phone]] = set()
        self._told: dict[Account, dict[_Phone, str]] = {}
        self._numbers = count(1)

    def __len__(self) -> int:
        return len(self._telling) + sum(map(len, self._told.values()))

    def tell(self, tenant: str, number: str) -> None:
        """All phones of a number, those that subscribed and those that did not; none if it has no mailbox."""
        self._notifier.tell(tenant, number)
        self._tell(tenant, number, self._parts.switchboard.contacts(tenant, number))

    def bound(self, tenant: str, number: str, contacts: Iterable[Contact]) -> None:
        """Phones that have registered just now: one that was told already is not told again."""
        self._tell(tenant, number, contacts)

    def leave(self, shard: int) -> None:
        """Forget what phones were told: another owner may tell them something else."""
        self._told = {one: told for one, told in self._told.items() if shard_of_registration(*one) != shard}

    def _tell(self, tenant: str, number: str, contacts: Iterable[Contact]) -> None:
        known = self._parts.counts(tenant, number)
        if known is None:
            self._told.pop((tenant, number), None)
            return
        told, counts = self._remembered(tenant, number), counts_of(*known)
        subscriptions = tuple(self._parts.subscriptions.of(tenant, number))
        for contact in contacts:
            is_busy = ((tenant, number), _phone(contact)) in self._busy
            is_told = (
                is_busy or told.get(_phone(contact)) == counts or any(tells(one, contact) for one in subscriptions)
            )
            if not is_told:
                self._notify(tenant, number, contact, counts)

    def _remembered(self, tenant: str, number: str) -> dict[_Phone, str]:
        """What the phones that are bound now were told."""
        bound = {_phone(one) for one in self._parts.switchboard.contacts(tenant, number)}
        told = {one: what for one, what in self._told.get((tenant, number), {}).items() if one in bound}
        if bound:
            self._told[tenant, number] = told
        else:
            self._told.pop((tenant, number), None)
        return told

    # --- adapters.sip.application.returning.Passing: whatever phones say to it, they were told

    def takes(self, key: ClientKey) -> bool:
        return key in self._telling

    def answered(self, event: ResponseReceived, now: Now) -> None:
        if event.response.status >= 200:
            telling = self._over(event.key)
            self._told.setdefault(telling.account, {})[telling.phone] = telling.counts
            self._go_on(telling)

    def silent(self, event: TimedOut, now: Now) -> None:
        self._go_on(self._over(event.key))

    def unreachable(self, event: TransportFailed, now: Now) -> None:
        self._over(event.key)

    def _over(self, key: ClientKey) -> _Telling:
        telling = self._telling.pop(key)
        self._busy.discard((telling.account, telling.phone))
        return telling

    def _go_on(self, telling: _Telling) -> None:
        """Tell the phone what has changed meanwhile."""
        counts = self._parts.counts(*telling.account)
        if counts is not None and counts_of(*counts) != telling.counts:
            contacts = self._parts.switchboard.contacts(*telling.account)
            self._tell(*telling.account, [one for one in contacts if _phone(one) == telling.phone])

    def _notify(self, tenant: str, number: str, contact: Contact, counts: str) -> None:
        parts, now = self._parts, self._parts.clock()
        known = parts.switchboard.directory.tenants.get(tenant)
        if known is None:
            return
        domain = known.domains[0]
        about = f"summary {next(self._numbers)} {now.utc.isoformat()} {contact.key}"
        name = parts.identifiers.stateless_tag(about, number)
        account = account_of(tenant, number, parts.switchboard.directory)
        dialog = first_dialog(parts.identifiers.call_id(name), name, account, (number, domain), contact)
        flow = parts.peers.route(tenant, dialog)
        if flow is None:
            return
        via = parts.addresses.via(flow, f"z9hG4bK.summary.{name}")
        request = request_of("NOTIFY", dialog, via, parts.addresses.contact(flow, number))
        state = ("Subscription-State", "terminated")
        for header in (("Event", MESSAGE_SUMMARY), state, ("Content-Type", SUMMARY_TYPE)):
            request.add(*header)
        request.body = summary_of(account, counts)
        key = parts.layer.request(request, flow, now.monotonic)
        telling = self._telling[key] = _Telling((tenant, number), _phone(contact), counts)
        self._busy.add((telling.account, telling.phone))


def _phone(contact: Contact) -> _Phone:
    return _Phone(contact.key, contact.call_id)
