"""Bytes of the wire as text that any JSON can hold, and back exactly.

SIP is UTF-8 (RFC 3261 section 7), but phones exist that send Latin-1 names. Each byte that is no UTF-8 becomes one
private-use character, U+EF80 to U+EFFF. Python's surrogateescape would do for the way back, but lone surrogates
cannot be journaled. The same characters, if a peer really sends them, are taken byte by byte: so nothing is ambiguous.
"""

from __future__ import annotations

import re

_GENUINE = re.compile("[\uef80-\uefff]")
_ESCAPE = {0xDC00 + byte: 0xEF00 + byte for byte in range(0x80, 0x100)}
_UNESCAPE = {escaped: lone for lone, escaped in _ESCAPE.items()}


def to_text(data: bytes) -> str:
    """Never raises; `to_wire(to_text(data)) == data` for all bytes."""
    text = data.decode("utf-8", "surrogateescape")
    if text.isascii():
        return text
    text = _GENUINE.sub(lambda found: "".join(chr(0xDC00 + byte) for byte in found.group().encode()), text)
    return text.translate(_ESCAPE)


def to_wire(text: str) -> bytes:
    """The inverse. Raises UnicodeEncodeError for surrogates, which `to_text` never makes."""
    if text.isascii():
        return text.encode("ascii")
    return text.translate(_UNESCAPE).encode("utf-8", "surrogateescape")
