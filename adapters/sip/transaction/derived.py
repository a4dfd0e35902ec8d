"""The two requests that a transaction builds from its INVITE: the ACK of a 300-699 and the CANCEL.

What may live here: copying headers as RFC 3261 17.1.1.3 and 9.1 say. The ACK of a 2xx is the TU's.
"""

from __future__ import annotations

from collections.abc import Iterable

from adapters.sip.message.message import MessageError, Request, Response


def ack_of(invite: Request, response: Response) -> Request:
    """The ACK of a 300-699 (17.1.1.3): the INVITE's URI, top Via, routes, From; the response's To."""
    return _derived(invite, "ACK", response.get("To") or "")


def cancel_of(invite: Request, headers: Iterable[tuple[str, str]] = ()) -> Request:
    """The CANCEL of an INVITE (9.1): everything as in the INVITE, also its branch; `headers` are added."""
    cancel = _derived(invite, "CANCEL", invite.get("To") or "")
    for name, value in headers:
        cancel.add(name, value)
    return cancel


def tag_of(message: Request | Response) -> str:
    """The To tag; empty if To cannot be read. A refusal must be acknowledged all the same, with what it said."""
    try:
        return message.to.tag
    except MessageError:
        return ""


def _derived(invite: Request, method: str, to: str) -> Request:
    headers = [("Via", invite.get_all("Via")[0]), ("Max-Forwards", "70")]
    headers += [("Route", value) for value in invite.get_all("Route")]
    headers += [
        ("From", invite.get("From") or ""),
        ("To", to),
        ("Call-ID", invite.call_id),
        ("CSeq", f"{invite.cseq.number} {method}"),
    ]
    return Request(method, invite.uri, headers)
