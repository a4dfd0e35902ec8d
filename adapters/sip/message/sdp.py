"""Session descriptions (RFC 8866), as far as a switchboard reads them: direction, connection, keys.

What may live here: reading lines, and rewriting single values with everything else left byte-identical. Offers and
answers are passed on as the phones wrote them.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

_KEY = re.compile(r"(inline:|^k=(?:clear|base64):|^a=key-mgmt:\S+[ \t]+)([^\s;|]+)", re.IGNORECASE | re.MULTILINE)
_KEY_MARKS = ("inline:", "\nk=", "key-mgmt:")  # a text without any of them holds no key
_DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")
LIMIT = 32_768


class Sdp(msgspec.Struct, frozen=True):
    """`direction` is that of the first audio stream from the sender's view (RFC 3264 section 5.1)."""

    direction: str
    host: str
    port: int
    codecs: tuple[str, ...]
    encrypted: bool

    @classmethod
    def parse(cls, text: str) -> Sdp:
        """Raises ValueError: no version line, no stream, or a malformed media line."""
        if len(text) > LIMIT:
            raise ValueError("a session description of more than 32 kB")
        session, audio = _sections(text)
        host = _connection(audio) or _connection(session)
        port, formats, profile = _media(audio[0])
        direction = _direction(audio) or _direction(session) or "sendrecv"
        if host == "0.0.0.0":  # hold as RFC 2543 knew it (RFC 3264 section 8.4); not an address to bind
            direction = "inactive" if direction in ("recvonly", "inactive") else "sendonly"
        names = _rtpmaps(audio)
        return cls(
            direction=direction,
            host=host,
            port=port,
            codecs=tuple(names.get(payload, payload) for payload in formats),
            encrypted="SAVP" in profile,
        )


def map_crypto(text: str, change: Callable[[str], str]) -> str:
    """The text with every media key replaced by `change(key)`, everything else as it was.

    Keys stand after `inline:` (RFC 4568, in `a=crypto`, but looked for everywhere: one overlooked would be journaled
    bare), and in the older `k=` (RFC 4566 5.12) and `a=key-mgmt` (RFC 4567). What `change` returns must hold no white
    space, `;` or `|`, so that it can be found again.
    """
    if text.isascii():
        lower = text.lower()
        if not any(mark in lower for mark in _KEY_MARKS) and not lower.startswith("k="):
            return text
    return _KEY.sub(lambda found: found.group(1) + change(found.group(2)), text)


def _sections(text: str) -> tuple[list[str], list[str]]:
    """The session's lines and those of the first audio stream (of the first stream at all, if none is audio)."""
    lines = [line.strip() for line in text.replace("\r\n", "\n").split("\n")]
    if not lines or not lines[0].startswith("v="):
        raise ValueError("it does not begin with v=")
    starts = [n for n, line in enumerate(lines) if line.startswith("m=")]
    if not starts:
        raise ValueError("it describes no stream")
    chosen = next((n for n in starts if lines[n].startswith("m=audio")), starts[0])
    end = next((n for n in starts if n > chosen), len(lines))
    return lines[: starts[0]], lines[chosen:end]


def _connection(lines: list[str]) -> str:
    for line in lines:
        if line.startswith("c="):
            parts = line[2:].split()
            if len(parts) != 3:
                raise ValueError("a malformed c= line")
            return parts[2].split("/")[0]
    return ""


def _media(line: str) -> tuple[int, tuple[str, ...], str]:
    parts = line[2:].split()
    port = parts[1].split("/")[0] if len(parts) >= 4 else ""
    if not (port.isascii() and port.isdecimal()) or len(port) > 5 or int(port) > 65535:
        raise ValueError("a malformed m= line")
    return int(port), tuple(parts[3:]), parts[2]


def _direction(lines: list[str]) -> str:
    return next((line[2:] for line in lines if line.startswith("a=") and line[2:] in _DIRECTIONS), "")


def _rtpmaps(lines: list[str]) -> dict[str, str]:
    names = {}
    for line in lines:
        if line.startswith("a=rtpmap:"):
            payload, _, name = line[len("a=rtpmap:") :].partition(" ")
            names[payload] = name.strip()
    return names
