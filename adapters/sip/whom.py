"""Whom a request means: this server itself, an extension, one device of it. Questions to the shards and the directory.

What may live here: look-ups that need the application's parts. No answers, no state.
"""

from __future__ import annotations

from functools import partial

from adapters.sip import gruu, translate
from adapters.sip.dialog import contact_instance, contact_uri, host_of
from adapters.sip.gruu import Meant
from adapters.sip.message import Request
from adapters.sip.outgoing import Parts
from adapters.sip.translate import NotAllowed
from adapters.sip.uri import Uri


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
