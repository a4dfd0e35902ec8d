"""One message as the edge saw it. What may live here: the value, and how its Call-ID is found without a parser."""

from __future__ import annotations

import re
from typing import NamedTuple

_CALL_ID = re.compile(rb"(?im)^(?:call-id|i)[ \t]*:[ \t]*([^\s]+)")


class Seen(NamedTuple):
    """`at_us` is Unix time in microseconds; `outbound` = we sent it; addresses are `host:port` (IPv6 in brackets)."""

    at_us: int
    outbound: bool
    transport: str
    local: str
    remote: str
    data: bytes


def call_id_of(data: bytes) -> bytes:
    """The value of the first Call-ID line; empty if there is none."""
    found = _CALL_ID.search(data)
    return found.group(1) if found else b""
