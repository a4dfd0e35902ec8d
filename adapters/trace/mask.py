"""What must not be kept of a message: credentials and media keys. Pure; everything else stays as it was."""

from __future__ import annotations

import re

_CREDENTIALS = re.compile(rb"(?im)^((?:proxy-)?authorization[ \t]*:[ \t]*\S+)[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*")
_KEYS = re.compile(rb"(?im)(inline:|^k=[^:\r\n]+:|^a=key-mgmt:\S+[ \t]+)[^\s;|]+")
_MASK = rb"\1 ***"


def masked(data: bytes) -> bytes:
    """The message without credentials (RFC 7616) and media keys (RFC 4568, RFC 4566 5.12)."""
    if b"uthorization" in data or b"UTHORIZATION" in data:
        data = _CREDENTIALS.sub(_MASK, data)
    if b"inline:" in data or b"key-mgmt" in data or b"\nk=" in data:
        data = _KEYS.sub(rb"\1***", data)
    return data
