"""Whom a request means: this server itself, an extension, one device of it, a call. Questions to shards and directory.

What may live here: look-ups that need the application's parts. No answers, no state.
"""

from __future__ import annotations

from functools import partial

from adapters.sip.application.parts import Parts
from adapters.sip.dialog.dialog import contact_instance, contact_uri, host_of
from adapters.sip.dialog.identifier import SipIdentifiers
from adapters.sip.message.error import NotAllowed
from adapters.sip.message.message import Request
from adapters.sip.message.uri import Uri
from adapters.sip.request import gruu, translate
from adapters.sip.request.gruu import Meant
from domain.ids import call_of_leg, shard_of
from domain.switchboard import Switchboard


def is_ours(parts: Parts, uri: Uri) -> bool:
    """Whether a route names this server: by one of its addresses, or by a tenant's domain."""
    directory = parts.switchboard.directory
    return parts.addresses.ours(uri.host, uri.port) or directory.tenant_of(host_of(uri)) is not None


def dialled(parts: Parts, request: Request, tenant: str) -> Meant:
    """The number, and the one instance if the Request-URI is a GRUU. Raises NotAllowed(404) for one of the past."""
    uri = translate.request_uri(request)
    contacts = partial(parts.switchboard.contacts, tenant)
    meant = gruu.meant(uri, translate.number_of(uri), contacts, parts.sealer.unseal)
    if meant is None:
        raise NotAllowed(404, "this GRUU is no longer valid")
    return meant


def instance_of_caller(parts: Parts, request: Request, tenant: str, number: str) -> str:
    """The caller's instance id: its Contact's, or that of the binding with the same URI."""
    instance = contact_instance(request)
    if instance:
        return instance
    uri = contact_uri(request)
    bindings = parts.switchboard.contacts(tenant, number)
    return next((binding.instance for binding in bindings if binding.uri == uri), "")


def names_call(switchboard: Switchboard, identifiers: SipIdentifiers, tag: str) -> bool:
    """Whether a To tag is ours and of a call or subscription that we have, or may have once its shard is claimed.

    Nobody else can make one, and one that somebody kept is worth nothing once that is forgotten.
    """
    leg = identifiers.leg_of_tag(tag)
    stream = call_of_leg(leg) if leg is not None else None
    return stream is not None and (switchboard.knows(stream) or not switchboard.owns(shard_of(stream)))


def belongs(switchboard: Switchboard, identifiers: SipIdentifiers, request: Request) -> bool:
    """Whether a request names a dialog of ours or an offer of a call; not whether it may. Raises MessageError."""
    if request.method == "CANCEL":
        return bool(switchboard.find_offers(request.via.branch))
    return names_call(switchboard, identifiers, request.to.tag)
