"""Which bindings of an extension a call goes to."""

from __future__ import annotations

from collections.abc import Iterable

from domain.values import Contact


def targets(contacts: Iterable[Contact], instance: str = "", secure: bool = False) -> tuple[Contact, ...]:
    """One flow of each device, the one that was refreshed last (RFC 5626 section 7), the most preferred device first.

    With `instance` only that one (RFC 5627); with `secure` only those that are reached by TLS.
    """
    chosen: dict[tuple[str, str], Contact] = {}
    for contact in contacts:
        if (instance and contact.instance.lower() != instance.lower()) or (secure and contact.flow.transport != "tls"):
            continue
        device = (contact.device, contact.instance) if contact.reg_id else ("", contact.key)
        before = chosen.get(device)
        if before is None or contact.expires_at >= before.expires_at:
            chosen[device] = contact
    return tuple(sorted(chosen.values(), key=lambda contact: -contact.q))
