"""REGISTER (RFC 3261 section 10) in the domain's words, and its answers."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

from adapters.sip.dialog import check_routes, flow_to, host_of, instance_of
from adapters.sip.header import NameAddr
from adapters.sip.message import MessageError, Request, Response, response_to
from adapters.sip.translate import NotAllowed, number_of, user_agent
from domain.registering import MIN_EXPIRES_S, ContactWish, Register, RegisterRefused
from domain.routing.directory import Directory
from domain.values import Contact, Flow

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
    check_routes(request.get_all("Path"), request)
    wildcard = "*" in (value.strip() for value in values)
    return Register(
        tenant=tenant,
        number=extension.number,
        device=device,
        whole=user == extension.number,
        wildcard=wildcard,
        contacts=tuple(_wish(value, request, flow) for value in values if value.strip() != "*"),
        expires_s=_seconds(request.get("Expires"), request),
        call_id=request.call_id,
        cseq=request.cseq.number,
        path=tuple(request.get_all("Path")),
        user_agent=user_agent(request),
    )


def granted(request: Request, contacts: tuple[Contact, ...], now: datetime, tag: str) -> Response:
    """The 200 with every binding that holds and the seconds that each has left (10.3 step 8)."""
    response = response_to(request, 200, to_tag=tag)
    for contact in contacts:
        left_s = max(1, round((contact.expires_at - now).total_seconds()))
        instance = f';+sip.instance="<{contact.instance}>"' if contact.instance else ""
        response.add("Contact", f"<{contact.uri}>;expires={left_s}{instance}")
    for path in request.get_all("Path"):
        response.add("Path", path)
    response.add("Date", _date(int(now.timestamp())))
    return response


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


def _wish(value: str, request: Request, flow: Flow) -> ContactWish:
    try:
        contact = NameAddr.parse(value)
    except ValueError as error:
        raise MessageError(400, "Malformed Contact", request) from error
    if contact.uri.scheme not in ("sip", "sips"):
        raise MessageError(400, "a Contact must be a SIP URI", request)
    expires = contact.params.get("expires")
    way = flow_to(contact.uri, tuple(request.get_all("Path")), flow)
    return ContactWish(str(contact.uri), way, instance_of(contact), _seconds(expires, request))


def _seconds(text: str | None, request: Request) -> int | None:
    """Delta-seconds; a malformed value counts as absent only in the RFC's wording, so it is refused here."""
    if text is None:
        return None
    digits = text.strip()
    if not digits.isdecimal() or len(digits) > 10:
        raise MessageError(400, "Expires must be whole seconds", request)
    return min(int(digits), _MAX_EXPIRES_S)
