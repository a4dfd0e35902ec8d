"""What we can do, as data: methods, option tags, body formats. Whoever adds one writes it here, and nowhere else.

What may live here: closed sets and the header values made of them. No decisions.
"""

from __future__ import annotations

METHODS = ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "REGISTER", "INFO", "MESSAGE", "PRACK", "UPDATE", "SUBSCRIBE")
"""Served, in the order in which Allow names them (RFC 3261 20.5)."""
REGISTERED = frozenset({*METHODS, "NOTIFY", "PUBLISH", "PUT", "REFER"})
"""Methods that have an RFC: one of these that is not served is 405, any other word is 501 (21.4.6, 21.5.2)."""
MESSAGE_SUMMARY = "message-summary"
PACKAGES = (MESSAGE_SUMMARY,)
"""What a phone may subscribe to, for Allow-Events (RFC 6665 section 8.2.2)."""
RELIABLE = "100rel"
TIMER = "timer"
OPTION_TAGS: tuple[str, ...] = (RELIABLE, TIMER)
"""What a peer may require of us (RFC 3261 19.2), in the order in which Supported names it."""
REGISTRAR_TAGS = ("path", "outbound", "gruu")
"""What a phone may require of us as its registrar."""
BODIES = ("application/sdp",)
"""Body formats that we read ourselves, for Accept (20.1)."""
ENCODINGS = ("identity",)
"""Content codings, for Accept-Encoding (20.2)."""

ALLOW = ", ".join(METHODS)
ALLOW_EVENTS = ", ".join(PACKAGES)
SUPPORTED = ", ".join(OPTION_TAGS)
ACCEPT = ", ".join(BODIES)
ACCEPT_ENCODING = ", ".join(ENCODINGS)


def supported_but(tag: str) -> str:
    """Supported without one of the tags; empty if there is no other."""
    return ", ".join(one for one in OPTION_TAGS if one != tag)
