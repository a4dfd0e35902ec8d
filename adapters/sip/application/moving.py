"""A phone that speaks in its dialog from where it was not known: what it must prove before its call follows it there.

What may live here: where a phone is by a request of its own, and what becomes of that once it has proved itself.
Whoever saw or guessed a dialog's tags could otherwise divert a call, or its media, by one request. Only where a request
came from counts as known: what it says of itself anybody can write.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from adapters.sip.application.parts import Parts
from adapters.sip.dialog.dialog import contact_uri, flow_to, host_of
from adapters.sip.dialog.moves import Place
from adapters.sip.dialog.peer import Device, phone_of
from adapters.sip.message.error import NotAllowed
from adapters.sip.message.message import Request
from adapters.sip.message.uri import Uri
from adapters.sip.transaction.event import AckReceived
from adapters.sip.transaction.key import ServerKey, restored_key, written_branch
from domain.call.call import Call
from domain.call.leg import Leg
from domain.call.resume import offers
from domain.ids import leg_id
from domain.values import Contact, Dialog, Flow


def is_known(parts: Parts, call: Call, leg: Leg, flow: Flow) -> bool:
    """Whether what comes by `flow` in a leg's dialog may be taken for the phone's own.

    Behind proxies (a route set) requests come as the proxies like, and ours go to them whatever a phone does.
    """
    dialog = leg.dialog
    if dialog.routes or flow == parts.moves.route(call.tenant, leg.id, dialog):
        return True
    return flow == _proved_at(parts, call, leg) or parts.peers.known(call.tenant, dialog, flow)


def _proved_at(parts: Parts, call: Call, leg: Leg) -> Flow | None:
    """Where a leg's phone proved itself last in this dialog: by its INVITE, unless it has moved since."""
    place = parts.moves.place(call.tenant, leg.id, leg.dialog)
    if place is not None:
        return place.source
    return leg.transaction.flow if leg.caller and leg.transaction is not None else None


def new_place(parts: Parts, request: Request, flow: Flow, call: Call, leg: Leg) -> Place | None:
    """Where the phone of a re-INVITE or UPDATE claims to be, if that must be proved. Raises MessageError."""
    dialog, route = leg.dialog, parts.moves.route(call.tenant, leg.id, leg.dialog)
    known, stands = is_known(parts, call, leg, flow), parts.moves.place(call.tenant, leg.id, dialog)
    if known and (dialog.routes or flow.transport != "udp" or flow == route):
        return None
    place = flow_to(Uri.parse(contact_uri(request)), (), flow)
    return None if known and place == (stands.flow if stands else route) else Place(flow, place)


def realm_of(parts: Parts, call: Call, leg: Leg) -> str:
    """The domain by which the phone of a leg proves itself: its own, or the tenant's main one if it shows none."""
    domain, directory = host_of(Uri.parse(leg.dialog.remote_uri)), parts.switchboard.directory
    tenant = directory.tenants.get(call.tenant)
    return tenant.domains[0] if tenant and directory.tenant_of(domain) != call.tenant else domain


def check_device(leg: Leg, device: str) -> None:
    """NotAllowed(403) if a leg's phone is another than the device that proved itself."""
    if device != leg.dialog.device:
        raise NotAllowed(403, "this dialog is another device's")


def follow(parts: Parts, call: Call, leg: Leg, place: Place) -> None:
    """The phone has proved itself: from now on its requests go to `place`."""
    if place.flow.transport == "udp":
        parts.moves.moved(call.tenant, leg.id, leg.dialog, place)
    elif parts.peers.heard(phone := phone_of(call.tenant, leg.dialog), place.flow):
        parts.device_back(phone)


def bound(parts: Parts, tenant: str, source: Flow, bindings: Iterable[tuple[Contact, Contact | None]]) -> None:
    """A REGISTER that came by `source` has made each of these bindings, and what it was before.

    Of two phones with one user name only the one that stood where the binding led before is moved. What came by
    proxies tells nothing of where dialogs without them lead.
    """
    for now, before in bindings:
        if now.flow.transport != "udp" or now.path:
            continue
        phone = Device(tenant, now.device, now.instance)
        parts.moves.back(phone, now.flow)
        if before is not None and before.flow != now.flow and not before.path:
            _bring_along(parts, phone, before.flow, Place(source, now.flow))


def _bring_along(parts: Parts, phone: Device, before: Flow, place: Place) -> None:
    for leg, dialog in _dialogs(parts, phone.tenant, phone.username):
        same = phone_of(phone.tenant, dialog) == phone
        stood_there = same and parts.moves.route(phone.tenant, leg, dialog) == before
        if stood_there and dialog.remote_tag and not dialog.routes and dialog.flow != place.flow:
            parts.moves.moved(phone.tenant, leg, dialog, place)


def _dialogs(parts: Parts, tenant: str, device: str) -> Iterator[tuple[str, Dialog]]:
    """Those of calls in which a device is, and of what subscribed here, each by its leg."""
    for call in parts.switchboard.calls_of(tenant, device):
        for leg in call.legs.values():
            yield leg.id, leg.dialog
    for one in parts.subscriptions.all():
        if one.tenant == tenant:
            yield leg_id(one.id, 0), one.dialog


def acknowledges(parts: Parts, event: AckReceived, key: ServerKey) -> bool:
    """Whether the answer in an ACK counts: only from the host of the INVITE whose 2xx made the offer.

    An ACK cannot be challenged (RFC 3261 22.1), and without an answer it ends the call.
    """
    source = event.flow.remote.rpartition(":")[0]
    return any(
        restored_key(offer) == key and offer.flow.remote.rpartition(":")[0] == source
        for call in parts.switchboard.find_offers(written_branch(key))
        for _, offer in offers(call)
    )
