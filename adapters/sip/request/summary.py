"""Message summaries (RFC 3842 section 5.2) as text.

What may live here: that format. Who is told is the application's.
"""

from __future__ import annotations

from domain.routing.directory import Directory

SUMMARY_TYPE = "application/simple-message-summary"


def counts_of(new: int, heard: int) -> str:
    """How many messages are new, and how many were heard."""
    return f"{new}/{heard}"


NOTHING = counts_of(0, 0)


def account_of(tenant: str, number: str, directory: Directory) -> str:
    """The URI of a mailbox."""
    known = directory.tenants.get(tenant)
    return f"sip:{number}@{known.domains[0] if known else tenant}"


def summary_of(account: str, counts: str) -> bytes:
    """The body for a mailbox with such `counts_of` messages."""
    waiting = "no" if counts.startswith("0/") else "yes"
    lines = (f"Messages-Waiting: {waiting}", f"Message-Account: {account}", f"Voice-Message: {counts} (0/0)", "")
    return "\r\n".join(lines).encode()
