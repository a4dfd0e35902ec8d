"""GRUUs (RFC 5627): URIs that reach one instance of a device, made and read without any table.

The public one names the instance in its `gr` parameter. The temporary one hides number and instance in its user part,
which is sealed, and lasts as long as the registration (its Call-ID) under which it was given out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import NamedTuple
from urllib.parse import quote, unquote

from adapters.sip.message.uri import Uri
from domain.values import Contact

_TEMPORARY = "tgruu."
_UNRESERVED = "-_.!~*'()[]/:&+$"


class Meant(NamedTuple):
    """Whom a Request-URI means: an extension's number, and one instance of it or none in particular."""

    number: str
    instance: str = ""


def public(number: str, domain: str, instance: str) -> str:
    """Always the same for the same instance."""
    return f"sip:{number}@{domain};gr={quote(instance, safe=_UNRESERVED)}"


def temporary(number: str, domain: str, contact: Contact, seal: Callable[[str], str]) -> str:
    """A new one each time, from which nobody else can tell number or instance."""
    return f"sip:{_TEMPORARY}{seal(f'{number}.{_mark(contact)}')}@{domain};gr"


def meant(
    uri: Uri, number: str, contacts: Callable[[str], Iterable[Contact]], unseal: Callable[[str], str]
) -> Meant | None:
    """Whom `uri`, whose user part is `number` without its escapes, means.

    `contacts(number)` are the bindings of an extension. None for a temporary GRUU that is no longer valid.
    """
    if "gr" not in uri.params:
        return Meant(number)
    instance = unquote(uri.params["gr"] or "")
    if instance:
        return Meant(number, instance)
    if not number.startswith(_TEMPORARY):
        return Meant(number)
    try:
        owner, _, mark = unseal(number.removeprefix(_TEMPORARY)).rpartition(".")
    except ValueError:
        return None
    return next((Meant(owner, one.instance) for one in contacts(owner) if _mark(one) == mark), None)


def _mark(contact: Contact) -> str:
    """Short, and another one after the device registered anew with another Call-ID."""
    return blake2b(f"{contact.instance} {contact.call_id}".encode(), digest_size=8).hexdigest()
