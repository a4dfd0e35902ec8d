"""Who a caller is to others: read from what phones claim, written as what we assert (RFC 3325, RFC 3323).

What may live here: pure reading and writing of identity headers, and of those that tell a call's way (RFC 5806,
RFC 7044). A phone is not trusted to assert anything: what it is was proved by digest, what it is called is declared.
"""

from __future__ import annotations

from adapters.sip.dialog.dialog import host_of, quoted
from adapters.sip.message.error import NotAllowed
from adapters.sip.message.header import NameAddr, split_list
from adapters.sip.message.message import MessageError, Request
from adapters.sip.request.admission import hops_of
from adapters.sip.request.translate import number_of
from domain.call.leg import Leg
from domain.call.presentation import ANONYMOUS_URI, Presentation
from domain.routing.directory import Directory, Extension
from domain.values import Dialog

MAX_ENTRIES = 10
"""Entries of Diversion or History-Info of one request that are passed on."""
MAX_ENTRY = 512
_ANONYMOUS_HOST = "anonymous.invalid"
_HIDING = frozenset({"id", "user", "header"})
_PRIVACY_KNOWN = frozenset({*_HIDING, "none", "critical", "history"})


def caller_of(request: Request, tenant: str, device: str, directory: Directory) -> tuple[Extension, Presentation]:
    """The extension that calls, and what of it may be shown. Raises NotAllowed and MessageError.

    From names the extension or the device that proved itself, or nobody (RFC 3323 4.1); P-Preferred-Identity can only
    say the same again. P-Asserted-Identity of a phone is not looked at.
    """
    extension = directory.extension_of(tenant, device)
    if extension is None:
        raise NotAllowed(403, "this device belongs to no extension")
    uri = request.from_.uri
    nobody = host_of(uri) == _ANONYMOUS_HOST
    if not nobody and (directory.tenant_of(host_of(uri)) != tenant or number_of(uri) not in (extension.number, device)):
        raise NotAllowed(403, "From must name the extension or the device that authenticated")
    privacy = _privacy(request)
    wanted = directory.tenants[tenant].identity if tenant in directory.tenants else None
    keeps_way = "history" not in privacy and "header" not in privacy
    return extension, Presentation(
        hops=hops_of(request),
        anonymous=nobody or bool(privacy & _HIDING),
        diversion=_entries(request, "Diversion") if wanted and wanted.diversion == "pass" else None,
        history=_entries(request, "History-Info") if wanted and wanted.history == "pass" and keeps_way else None,
    )


def _privacy(request: Request) -> frozenset[str]:
    """The kinds of privacy asked for. Raises NotAllowed(500) for one that is critical and not served (RFC 3323 5)."""
    asked = frozenset(
        token.strip().lower()
        for value in request.get_all("Privacy")
        for token in value.replace(",", ";").split(";")
        if token.strip()
    )
    if "critical" in asked and not asked <= _PRIVACY_KNOWN:
        raise NotAllowed(500, "this kind of privacy is not served")
    return frozenset() if "none" in asked else asked


def _entries(request: Request, name: str) -> tuple[str, ...]:
    """The values of a header that tells a call's way, those that can be read."""
    found = []
    for value in request.get_all(name):
        try:
            entries = split_list(value)
            for entry in entries:
                NameAddr.parse(entry)
        except MessageError:
            continue
        found += [entry for entry in entries if len(entry) <= MAX_ENTRY]
    return tuple(found[:MAX_ENTRIES])


def assert_caller(request: Request, dialog: Dialog, display: str, shown: Presentation) -> None:
    """Say who asks, unless nobody does, and how far the request may still go."""
    request.set("Max-Forwards", str(max(shown.hops - 1, 0)))
    if dialog.local_uri != ANONYMOUS_URI:
        request.add("P-Asserted-Identity", f"{quoted(display)}<{dialog.local_uri}>")


def present(request: Request, dialog: Dialog, display: str, shown: Presentation, leg: Leg) -> None:
    """Say on an INVITE to a device who calls and how the call came here."""
    assert_caller(request, dialog, display, shown)
    domain = dialog.remote_uri.rpartition("@")[2]
    if shown.diversion is not None:
        if leg.diverted:
            request.add("Diversion", f"<sip:{leg.diverted}@{domain}>;reason=deflection")
        for entry in shown.diversion:
            request.add("Diversion", entry)
    if shown.history is not None:
        for entry in (*shown.history, *_history(shown.history, leg, domain)):
            request.add("History-Info", entry)


def _history(before: tuple[str, ...], leg: Leg, domain: str) -> tuple[str, ...]:
    """Our own entries (RFC 7044 10): who was dialled, and who instead. Their numbers go on from those that came."""
    root = len(before) + 1
    if not leg.diverted:
        return (f"<sip:{leg.number}@{domain}>;index={root}",)
    moved = f"<sip:{leg.diverted}@{domain}?Reason=SIP%3Bcause%3D302>;index={root}"
    return (moved, f"<sip:{leg.number}@{domain}>;index={root}.1;mp={root}")
