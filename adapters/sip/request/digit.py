"""Keys that a phone says it has pressed, in the body of an INFO: what phones did before RFC 4733, and many still do.

What may live here: reading such bodies. Neither is in a standard; both are what every PBX takes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from adapters.sip.message.message import Request
from adapters.sip.message.text import to_text

_KEYS = "0123456789*#ABCD"
_SIGNAL = re.compile(r"^\s*Signal\s*=\s*(\S{1,2})\s*$", re.IGNORECASE | re.MULTILINE)
_LIMIT = 256


def digit_of(request: Request) -> str:
    """One of 0-9, `*`, `#`, A-D, or empty if the request says none."""
    read = DIGITS.get((request.get("Content-Type") or "").partition(";")[0].strip().lower())
    return read(to_text(request.body[:_LIMIT])) if read is not None and request.method == "INFO" else ""


def _relayed(text: str) -> str:
    found = _SIGNAL.search(text)
    return _key(found[1]) if found else ""


def _key(text: str) -> str:
    """As itself, or as the number of its event (RFC 4733 section 3.2)."""
    text = text.strip().upper()
    if text.isascii() and text.isdecimal() and len(text) <= 2 and int(text) < len(_KEYS):
        return _KEYS[int(text)]
    return text if len(text) == 1 and text in _KEYS else ""


DIGITS: Mapping[str, Callable[[str], str]] = {"application/dtmf-relay": _relayed, "application/dtmf": _key}
"""Content type -> how its body is read."""
