"""REGISTER (RFC 3261 section 10) in the domain's words, and its answers.

With Path (RFC 3327), Service-Route (3608), several flows of a device (5626), GRUUs (5627) and keep-alives (6223).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from adapters.sip.dialog.capability import REGISTRAR_TAGS
from adapters.sip.dialog.dialog import check_routes, flow_to, host_of, instance_of
from adapters.sip.message.error import NotAllowed
from adapters.sip.message.header import NameAddr
from adapters.sip.message.message import MessageError, Request, Response, response_to
from adapters.sip.message.uri import Uri
from adapters.sip.request import gruu
from adapters.sip.request.translate import number_of, user_agent
from domain.registering import MIN_EXPIRES_S, ContactWish, Register, RegisterRefused
from domain.routing.directory import Directory
from domain.values import Contact, Flow

KEEP_ALIVE_S = {"udp": 29}
"""How often a peer is asked to be heard: often enough for the NATs between (RFC 5626 4.4.2)."""
_KEEP_ALIVE_STREAM_S = 120
_KEEP = re.compile(r";\s*keep\s*(?=;|$)", re.IGNORECASE)
_Q = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")
_MAX_REG_ID = 2**31 - 1
_MAX_EXPIRES_S = 2**31 - 1


def registration_of(request: Request, flow: Flow, tenant: str, device: str, directory: Directory) -> Register:
    """What a REGISTER asks for. Raises NotAllowed(403, 404) or MessageError(400)."""
    extension = directory.extension_of(tenant, device)
    uri = request.to.uri
    if extension is None or directory.tenant_of(host_of(uri)) != tenant:
        raise NotAllowed(404, "no such address-of-record here")
    user = number_of(uri)
    if user not in (extension.number, device):
        raise NotAllowed(403, "this device may not register for somebody else")
    values = request.get_all("Contact")
    flows = _flows_wanted(request)
    wildcard = "*" in (value.strip() for value in values)
    return Register(
        tenant=tenant,
        number=extension.number,
        device=device,
        whole=user == extension.number,
        wildcard=wildcard,
        contacts=_wishes([value for value in values if value.strip() != "*"], request, flow, flows, directory),
        expires_s=_seconds(request.get("Expires"), request),
        call_id=request.call_id,
        cseq=request.cseq.number,
        path=tuple(request.get_all("Path")),
        user_agent=user_agent(request),
    )


class Home(NamedTuple):
    """What the registrar is to the phone that is answered: its address-of-record, and the way to us."""

    number: str
    domain: str
    service_route: str
    flow: Flow
    seal: Callable[[str], str]


def granted(request: Request, contacts: tuple[Contact, ...], now: datetime, tag: str, home: Home) -> Response:
    """The 200 with every binding that holds and the seconds that each has left (10.3 step 8)."""
    response = response_to(request, 200, to_tag=tag)
    tags = _tags(request)
    for contact in contacts:
        response.add("Contact", _bound(contact, now, home, "gruu" in tags))
    for path in request.get_all("Path"):
        response.add("Path", path)
    response.add("Service-Route", home.service_route)
    response.add("Supported", ", ".join(REGISTRAR_TAGS))
    keep_alive_s = KEEP_ALIVE_S.get(home.flow.transport, _KEEP_ALIVE_STREAM_S)
    if "outbound" in tags and any(contact.reg_id and _asked(contact, request) for contact in contacts):
        response.add("Require", "outbound")
        response.add("Flow-Timer", str(keep_alive_s))
    response.add("Date", _date(int(now.timestamp())))
    name, via = response.headers[0]
    if "keep" in via.lower():
        response.headers[0] = (name, _KEEP.sub(f";keep={keep_alive_s}", via))
    return response


def _bound(contact: Contact, now: datetime, home: Home, with_gruu: bool) -> str:
    left_s = max(1, round((contact.expires_at - now).total_seconds()))
    text = f"<{contact.uri}>;expires={left_s}"
    if contact.q != 1000:
        text += f";q={contact.q / 1000:.3f}"
    if contact.instance:
        text += f';+sip.instance="<{contact.instance}>"'
        if contact.reg_id:
            text += f";reg-id={contact.reg_id}"
        if with_gruu:
            text += f';pub-gruu="{gruu.public(home.number, home.domain, contact.instance)}"'
            text += f';temp-gruu="{gruu.temporary(home.number, home.domain, contact, home.seal)}"'
    return text


def made(
    request: Request, before: tuple[Contact, ...], after: tuple[Contact, ...]
) -> Iterator[tuple[Contact, Contact | None]]:
    """The bindings that a REGISTER made, each with what it was before if that was the same device's."""
    known = {contact.key: contact for contact in before}
    for contact in after:
        if _asked(contact, request):
            was = known.get(contact.key)
            yield contact, was if was is not None and was.device == contact.device else None


def _asked(contact: Contact, request: Request) -> bool:
    """Whether the binding is what this very request made."""
    return (contact.call_id, contact.cseq) == (request.call_id, request.cseq.number)


@lru_cache(maxsize=4)
def _date(at: int) -> str:
    """A Unix second as RFC 3261 20.17 writes it."""
    return datetime.fromtimestamp(at, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")


def refused(request: Request, why: RegisterRefused, tag: str) -> Response:
    """The answer to a REGISTER that changed nothing."""
    response = response_to(request, why.status, why.reason, tag)
    if why.status == 423:
        response.add("Min-Expires", str(MIN_EXPIRES_S))
    return response


def _tags(request: Request) -> frozenset[str]:
    """The extensions that the phone itself has; what it requires it has, too."""
    return frozenset(tag.lower() for tag in (*request.get_all("Supported"), *request.get_all("Require")))


def _flows_wanted(request: Request) -> bool:
    """Whether the phone registers by several flows (RFC 5626 section 6) and every proxy between knows how.

    Raises NotAllowed(420) for a Path that the phone would not understand (RFC 3327 5.3), (439) if the first proxy
    cannot keep a flow.
    """
    paths = request.get_all("Path")
    check_routes(paths, request)
    tags = _tags(request)
    if paths and "path" not in tags:
        raise NotAllowed(420, "", (("Unsupported", "path"),))
    if "outbound" not in tags:
        return False
    direct = len(request.get_all("Via")) == 1
    if not direct and any("reg-id" in value for value in request.get_all("Contact")):
        first_hop = NameAddr.parse(paths[-1]).uri.params if paths else {}
        if "ob" not in first_hop:
            raise NotAllowed(439, "First Hop Lacks Outbound Support")
    return True


def _wishes(
    values: list[str], request: Request, flow: Flow, flows: bool, directory: Directory
) -> tuple[ContactWish, ...]:
    wishes = tuple(_wish(value, request, flow, flows, directory) for value in values)
    if sum(wish.expires_s != 0 for wish in wishes) > 1 and any(wish.reg_id for wish in wishes):
        raise MessageError(400, "one Contact a flow (RFC 5626 6)", request)
    return wishes


def _wish(value: str, request: Request, flow: Flow, flows: bool, directory: Directory) -> ContactWish:
    try:
        contact = NameAddr.parse(value)
    except ValueError as error:
        raise MessageError(400, "Malformed Contact", request) from error
    _check_contact(contact.uri, request, flow, directory)
    instance, params = instance_of(contact), contact.params
    way = flow_to(contact.uri, tuple(request.get_all("Path")), flow)
    return ContactWish(
        uri=str(contact.uri),
        flow=way,
        instance=instance,
        expires_s=_seconds(params.get("expires"), request),
        reg_id=_reg_id(params.get("reg-id"), request) if flows and instance and "reg-id" in params else 0,
        q=_thousandths(params.get("q"), request),
    )


def _check_contact(uri: Uri, request: Request, flow: Flow, directory: Directory) -> None:
    if uri.scheme not in ("sip", "sips"):
        raise MessageError(400, "a Contact must be a SIP URI", request)
    if uri.scheme == "sips" and flow.transport != "tls":
        raise NotAllowed(403, "a sips Contact needs TLS")
    if "gr" in uri.params and directory.tenant_of(host_of(uri)):  # RFC 5627 5.1: it would lead to itself
        raise NotAllowed(403, "a GRUU of this server is no Contact")


def _reg_id(text: str | None, request: Request) -> int:
    if not text or not (text.isascii() and text.isdecimal()) or not 0 < int(text[:11]) <= _MAX_REG_ID:
        raise MessageError(400, "reg-id must be a number from 1", request)
    return int(text)


def _thousandths(text: str | None, request: Request) -> int:
    if text is None:
        return 1000
    if not _Q.fullmatch(text.strip()):
        raise MessageError(400, "q must be a number from 0 to 1", request)
    return round(float(text) * 1000)


def _seconds(text: str | None, request: Request) -> int | None:
    """Delta-seconds; a malformed value counts as absent only in the RFC's wording, so it is refused here."""
    if text is None:
        return None
    digits = text.strip()
    if not digits.isdecimal() or len(digits) > 10:
        raise MessageError(400, "Expires must be whole seconds", request)
    return min(int(digits), _MAX_EXPIRES_S)
