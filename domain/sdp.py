"""Session descriptions (RFC 8866), as far as a switchboard reads them: streams, direction, connection, keys.

What may live here: reading lines, and rewriting single values with everything else left byte-identical. Offers and
answers of phones are passed on as they wrote them. It is for the adapters, which may not know each other: aggregates
keep descriptions and never read them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

import msgspec

_KEY = re.compile(r"(inline:|^k=(?:clear|base64):|^a=key-mgmt:\S+[ \t]+)([^\s;|]+)", re.IGNORECASE | re.MULTILINE)
_VERSION = re.compile(r"^(o=\S+ \S+ )(\d{1,20})(?= )", re.MULTILINE)
_KEY_MARKS = ("inline:", "\nk=", "key-mgmt:")  # a text without any of them holds no key
DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")
NOWHERE = "0.0.0.0"
"""The host of a stream on hold as RFC 2543 knew it (RFC 3264 section 8.4); not an address to bind."""
LIMIT = 32_768


class Sections(NamedTuple):
    """The session's lines, and those of each stream, its `m=` line first."""

    session: list[str]
    streams: list[list[str]]


class MediaLine(NamedTuple):
    """`kind` is `audio`, `video`...; `profile` such as `RTP/AVP`, `formats` its payload types as written."""

    kind: str
    port: int
    profile: str
    formats: tuple[str, ...]


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
        session, streams = sections(text)
        audio = next((stream for stream in streams if stream[0].startswith("m=audio")), streams[0])
        host = connection(audio) or connection(session)
        line = media_line(audio[0])
        names = rtpmaps(audio)
        return cls(
            direction=direction(audio, session, host),
            host=host,
            port=line.port,
            codecs=tuple(names.get(payload, payload) for payload in line.formats),
            encrypted="SAVP" in line.profile,
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


def raised(text: str, by: int) -> str:
    """The text with the version of its origin line so much higher (RFC 3264 8); as it was where that cannot be read."""
    return _VERSION.sub(lambda found: f"{found[1]}{int(found[2]) + by}", text, count=1) if by else text


def sections(text: str) -> Sections:
    """Raises ValueError: too long, no version line, or no stream."""
    if len(text) > LIMIT:
        raise ValueError("a session description of more than 32 kB")
    lines = [line.strip() for line in text.replace("\r\n", "\n").split("\n")]
    if not lines or not lines[0].startswith("v="):
        raise ValueError("it does not begin with v=")
    starts = [n for n, line in enumerate(lines) if line.startswith("m=")]
    if not starts:
        raise ValueError("it describes no stream")
    ends = [*starts[1:], len(lines)]
    return Sections(lines[: starts[0]], [lines[start:end] for start, end in zip(starts, ends, strict=True)])


def connection(lines: list[str]) -> str:
    """The host of the `c=` line, or empty. Raises ValueError for a malformed one."""
    for line in lines:
        if line.startswith("c="):
            parts = line[2:].split()
            if len(parts) != 3:
                raise ValueError("a malformed c= line")
            return parts[2].split("/")[0]
    return ""


def media_line(line: str) -> MediaLine:
    """Raises ValueError for a malformed one."""
    parts = line[2:].split()
    port = parts[1].split("/")[0] if len(parts) >= 4 else ""
    if not (port.isascii() and port.isdecimal()) or len(port) > 5 or int(port) > 65535:
        raise ValueError("a malformed m= line")
    return MediaLine(parts[0], int(port), parts[2], tuple(parts[3:]))


def direction(stream: list[str], session: list[str], host: str) -> str:
    """Which way a stream goes from its writer's view, who is at `host` (RFC 3264 section 5.1)."""
    found = _direction(stream) or _direction(session) or "sendrecv"
    if host == NOWHERE:
        return "inactive" if found in ("recvonly", "inactive") else "sendonly"
    return found


def _direction(lines: list[str]) -> str:
    return next((line[2:] for line in lines if line.startswith("a=") and line[2:] in DIRECTIONS), "")


def rtpmaps(stream: list[str]) -> dict[str, str]:
    """Payload type as written -> codec as in `a=rtpmap`, such as `opus/48000/2`."""
    names = {}
    for line in stream:
        if line.startswith("a=rtpmap:"):
            payload, _, name = line[len("a=rtpmap:") :].partition(" ")
            names[payload] = name.strip()
    return names
