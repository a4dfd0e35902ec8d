"""SUBSCRIBE (RFC 6665) in the domain's words: what about, for how long, by whom.

What may live here: functions from a message to what it asks for, and which node it is for. Look-ups of subscriptions
and answers are the application's.
"""

from __future__ import annotations

from typing import NamedTuple

from adapters.sip.dialog.capability import PACKAGES
from adapters.sip.dialog.identifier import SipIdentifiers
from adapters.sip.message.error import NotAllowed
from adapters.sip.message.header import header_params
from adapters.sip.message.message import MessageError, Request
from adapters.sip.request import translate
from adapters.sip.request.summary import SUMMARY_TYPE
from domain.ids import call_of_leg, shard_of, shard_of_registration
from domain.routing.directory import Directory
from domain.subscription.subscription import Subscription

_RANGES = frozenset({SUMMARY_TYPE, "application/*", "*/*"})
MIN_EXPIRES_S = 60
"""Shorter wishes are answered 423 (RFC 6665 section 4.2.1.1), unless they are zero."""
DEFAULT_EXPIRES_S = 3600
"""RFC 3842 section 3.4."""
MAX_EXPIRES_S = 7200
_MAX_ID = 64


class Event(NamedTuple):
    """What a phone subscribes to, and what it calls that (RFC 6665 section 8.2.1)."""

    package: str
    id: str

    def __str__(self) -> str:
        return f"{self.package};id={self.id}" if self.id else self.package


def event_of(request: Request) -> Event:
    """Raises NotAllowed(489) for a package that we do not have, and for none; MessageError."""
    package, _, params = (request.get("Event") or "").partition(";")
    package = package.strip().lower()
    if package not in PACKAGES:
        raise NotAllowed(489, "")
    event_id = header_params(f";{params}" if params else "").get("id") or ""
    if len(event_id) > _MAX_ID:
        raise MessageError(400, "the id of the event is too long", request)
    return Event(package, event_id)


def check_accept(request: Request) -> None:
    """Raises NotAllowed(406) if the phone does not take what we would say (RFC 6665 section 3.1.3)."""
    kinds = [one.split(";")[0].strip().lower() for one in request.get_all("Accept")]
    if kinds and _RANGES.isdisjoint(kinds):
        raise NotAllowed(406, f"only {SUMMARY_TYPE} is sent")


def expires_of(request: Request) -> int:
    """Seconds granted. Raises NotAllowed(423) for less than the minimum, MessageError for what is no number."""
    text = request.get("Expires")
    if text is None:
        return DEFAULT_EXPIRES_S
    digits = text.strip()
    if not (digits.isascii() and digits.isdecimal()) or len(digits) > 10:
        raise MessageError(400, "Expires must be whole seconds", request)
    wanted = int(digits)
    if 0 < wanted < MIN_EXPIRES_S:
        raise NotAllowed(423, "", (("Min-Expires", str(MIN_EXPIRES_S)),))
    return min(wanted, MAX_EXPIRES_S)


def resource_of(request: Request, tenant: str, directory: Directory) -> str:
    """The number that a SUBSCRIBE outside a dialog is about: that of the Request-URI, or the phone's own where that is
    the number which it would dial to hear its messages."""
    asked = translate.number_of(translate.request_uri(request))
    if asked and asked == directory.voicemail(tenant) and directory.extension(tenant, asked) is None:
        asked = translate.number_of(request.from_.uri)
    known = directory.extension(tenant, asked) or directory.extension_of(tenant, asked)
    return known.number if known is not None else asked


def shard_of_subscribe(request: Request, directory: Directory, identifiers: SipIdentifiers) -> int:
    """The shard that its subscription is in, or would be. Raises NotAllowed(404) for nobody's tenant."""
    leg = identifiers.leg_of_tag(request.to.tag)
    if leg is not None:
        return shard_of(call_of_leg(leg))
    tenant, _ = translate.tenant_of(request, directory)
    return shard_of_registration(tenant, resource_of(request, tenant, directory))


def may_watch(subscription: Subscription, directory: Directory) -> bool:
    """Whether its device may still know: numbers and phones are declared anew while it goes on."""
    try:
        check_watcher(subscription.tenant, subscription.number, subscription.dialog.device, directory)
    except NotAllowed:
        return False
    return True


def check_watcher(tenant: str, number: str, device: str, directory: Directory) -> None:
    """Raises NotAllowed(403) if a device may not know how many messages are there, (404) if there can be none.

    It may of its own number's, and of a mailbox that is nobody's.
    """
    own = directory.extension_of(tenant, device)
    if directory.extension(tenant, number) is not None and (own is None or own.number != number):
        raise NotAllowed(403, "this mailbox is somebody else's")
    if directory.box(tenant, number) is None:
        raise NotAllowed(404, "this number has no mailbox")
