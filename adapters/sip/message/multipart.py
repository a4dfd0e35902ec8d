"""Bodies of several parts (RFC 5621, RFC 2046): the session description among them.

What may live here: cutting a body at its boundary and choosing the part that is understood. Bounded: the number of
parts and the depth are limited before any work is done.
"""

from __future__ import annotations

import re

from adapters.sip.message.text import to_text, to_wire

SDP = "application/sdp"
MAX_PARTS = 16
_BOUNDARY = re.compile(r';\s*boundary\s*=\s*(?:"([^"\\]{1,70})"|([^\s;,"]{1,70}))', re.IGNORECASE)
_OPTIONAL = re.compile(r";\s*handling\s*=\s*\"?optional\b", re.IGNORECASE)


class NotUnderstood(ValueError):
    """A part that must be understood is not, or there is no session description: 415."""


def media_type(content_type: str) -> str:
    """`Application/SDP; x=y` -> `application/sdp`."""
    return content_type.partition(";")[0].strip().lower()


def is_optional(disposition: str) -> bool:
    """Whether a Content-Disposition says `handling=optional`: what is not understood may be left aside (RFC 3204)."""
    return _OPTIONAL.search(disposition) is not None


def session_part(content_type: str, body: bytes) -> bytes:
    """The session description of a body: the body itself, or its first part of that type.

    In multipart/alternative the last one counts (RFC 2046 5.1.4). Parts of other types are left aside if they say
    `handling=optional` (RFC 3204), and refused otherwise. Raises NotUnderstood.
    """
    kind = media_type(content_type)
    if kind == SDP:
        return body
    if kind not in ("multipart/mixed", "multipart/related", "multipart/alternative"):
        raise NotUnderstood(f"only {SDP} is understood")
    found: list[bytes] = []
    for headers, part in _parts(content_type, body):
        if media_type(headers.get("content-type", "text/plain")) == SDP:
            found.append(part)
        elif kind != "multipart/alternative" and not is_optional(headers.get("content-disposition", "")):
            raise NotUnderstood("a part of the body must be understood, and is not")
    if not found:
        raise NotUnderstood(f"no part of the body is {SDP}")
    return found[-1 if kind == "multipart/alternative" else 0]


def _parts(content_type: str, body: bytes) -> list[tuple[dict[str, str], bytes]]:
    named = _BOUNDARY.search(content_type)
    if named is None:
        raise NotUnderstood("a multipart body without its boundary")
    boundary = to_wire(named.group(1) or named.group(2))
    pieces = re.split(rb"(?:^|\r\n)--" + re.escape(boundary) + rb"(--)?[ \t]*(?:\r\n|$)", body, maxsplit=MAX_PARTS)
    parts: list[tuple[dict[str, str], bytes]] = []
    for at in range(2, len(pieces), 2):
        if pieces[at - 1] is not None:
            return parts
        parts.append(_read(pieces[at]))
    raise NotUnderstood("a multipart body without its end, or of too many parts")


def _read(piece: bytes) -> tuple[dict[str, str], bytes]:
    if piece.startswith(b"\r\n"):
        return {}, piece[2:]
    head, _, body = piece.partition(b"\r\n\r\n")
    headers = {}
    for line in re.sub(r"\r\n[ \t]+", " ", to_text(head)).split("\r\n"):
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return headers, body
