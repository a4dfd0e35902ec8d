"""The header values that the stack reads (RFC 3261 sections 20 and 25): Via, CSeq, name-addr, lists, credentials.

What may live here: text into values and back. Each parser raises MessageError (a ValueError): whoever wrote the
text is to be answered 400. No messages, no policy. All take linear time in what they are given.
"""

from __future__ import annotations

import re

import msgspec

from adapters.sip.error import MessageError
from adapters.sip.uri import Uri, parse_host_port, write_params

_VIA = re.compile(r"\s*SIP\s*/\s*2\.0\s*/\s*([A-Za-z0-9-]+)\s+([^;]+)(.*)", re.IGNORECASE | re.DOTALL)
_CSEQ = re.compile(r"\s*([0-9]{1,10})\s+([A-Za-z0-9.!%*_+`'~-]+)\s*")
_NAME = re.compile(r"[A-Za-z0-9.!%*_+`'~-]+")
_SEPARATORS = {",": re.compile('[",<>]'), ";": re.compile('[";]')}
_PARAM = re.compile(r'\s*([A-Za-z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))\s*(?:,|$)')
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
MAX_CSEQ = 2**31 - 1


class Via(msgspec.Struct, frozen=True):
    """One Via value; `transport` in upper case, `host` keeps IPv6 brackets."""

    transport: str
    host: str
    port: int | None
    params: dict[str, str | None]

    @property
    def branch(self) -> str:
        return self.params.get("branch") or ""

    @property
    def received(self) -> str:
        return self.params.get("received") or ""

    @property
    def rport(self) -> str | None:
        """None if it was not asked for, empty if asked and not filled."""
        return (self.params["rport"] or "") if "rport" in self.params else None

    @classmethod
    def parse(cls, text: str) -> Via:
        """Raises MessageError."""
        found = _VIA.fullmatch(text)
        if found is None:
            raise MessageError(400, "Malformed Via")
        host, port = parse_host_port(found.group(2))
        return cls(found.group(1).upper(), host, port, header_params(found.group(3)))

    def __str__(self) -> str:
        port = f":{self.port}" if self.port is not None else ""
        return f"SIP/2.0/{self.transport} {self.host}{port}{write_params(self.params)}"


class CSeq(msgspec.Struct, frozen=True):
    """`number` below 2**31, `method` as written."""

    number: int
    method: str

    @classmethod
    def parse(cls, text: str) -> CSeq:
        """Raises MessageError."""
        found = _CSEQ.fullmatch(text)
        if found is None or int(found.group(1)) > MAX_CSEQ:
            raise MessageError(400, "Malformed CSeq")
        return cls(int(found.group(1)), found.group(2))

    def __str__(self) -> str:
        return f"{self.number} {self.method}"


class NameAddr(msgspec.Struct, frozen=True):
    """A display name (unescaped), a URI, and the header's parameters."""

    display: str
    uri: Uri
    params: dict[str, str | None]

    @property
    def tag(self) -> str:
        """Empty when absent."""
        return self.params.get("tag") or ""

    @classmethod
    def parse(cls, text: str) -> NameAddr:
        """name-addr or addr-spec; in the latter all parameters are the header's (20.10). Raises MessageError."""
        text = text.strip(" \t")
        display = ""
        if text.startswith('"'):
            end = _closing_quote(text)
            display, text = _ESCAPED.sub(r"\1", text[1:end]), text[end + 1 :].lstrip(" \t")
            if not text.startswith("<"):
                raise MessageError(400, "A quoted name without <URI>")
        opening = text.find("<")
        if opening < 0:
            address, _, params = text.partition(";")
            return cls(display, Uri.parse(address), header_params(params))
        closing = text.find(">", opening)
        if closing < 0:
            raise MessageError(400, "A < without its >")
        display = display or text[:opening].strip(" \t")
        rest = text[closing + 1 :].strip(" \t")
        if rest and not rest.startswith(";"):
            raise MessageError(400, "Text after the >")
        return cls(display, Uri.parse(text[opening + 1 : closing]), header_params(rest))

    def __str__(self) -> str:
        name = f"{quote(self.display)} " if self.display else ""
        return f"{name}<{self.uri}>{write_params(self.params)}"


def split_list(text: str) -> list[str]:
    """The values of a comma-separated header; commas in quotes and in <> do not count. Raises MessageError."""
    parts = _split(text, ",") if "," in text else [text]
    return [value for part in parts if (value := part.strip(" \t"))]


def header_params(text: str) -> dict[str, str | None]:
    """`;a=1;b;c="x;y"` -> {"a": "1", "b": None, "c": '"x;y"'}; names in lower case, values as written.

    Of two with the same name the first one counts. Raises MessageError for a name that is none.
    """
    params: dict[str, str | None] = {}
    if not text:
        return params
    for part in _split(text, ";") if '"' in text else text.split(";"):
        name, equals, value = part.partition("=")
        name = name.strip(" \t").lower()
        if not _NAME.fullmatch(name):
            if name or equals:
                raise MessageError(400, "A parameter without a proper name")
            continue
        params.setdefault(name, value.strip(" \t") if equals else None)
    return params


def quote(text: str) -> str:
    """A quoted-string (25.1); what may not stand in one becomes a space."""
    plain = text.replace("\r", " ").replace("\n", " ").replace("\\", "\\\\").replace('"', '\\"')
    return f'"{plain}"'


def parse_credentials(text: str) -> dict[str, str]:
    """`Digest name=value, ...` of an Authorization or a challenge; names in lower case, quotes removed.

    Raises MessageError when it is not Digest, malformed, or names a parameter twice.
    """
    scheme, _, rest = text.strip().partition(" ")
    if scheme.lower() != "digest":
        raise MessageError(400, "Only Digest is served")
    found: dict[str, str] = {}
    position = 0
    rest = rest.strip()
    while position < len(rest):
        match = _PARAM.match(rest, position)
        if match is None:
            raise MessageError(400, "A malformed Digest parameter")
        name, quoted, plain = match.groups()
        name = name.lower()
        if name in found:
            raise MessageError(400, "A Digest parameter twice")
        found[name] = _ESCAPED.sub(r"\1", quoted) if quoted is not None else plain
        position = match.end()
    return found


def _split(text: str, separator: str) -> list[str]:
    """The parts between separators outside quotes (and outside <>, where the separator is a comma)."""
    special = _SEPARATORS[separator]
    parts, start, position = [], 0, 0
    in_angle = False
    while found := special.search(text, position):
        position = found.end()
        match found.group():
            case '"':
                if not in_angle:
                    position = _closing_quote(text, found.start()) + 1
            case "<":
                in_angle = True
            case ">":
                in_angle = False
            case _:
                if not in_angle:
                    parts.append(text[start : found.start()])
                    start = position
    parts.append(text[start:])
    return parts


def _closing_quote(text: str, start: int = 0) -> int:
    """The index of the quote that closes the one at `start`. Raises MessageError."""
    position = start + 1
    while (position := text.find('"', position)) >= 0:
        backslashes = 0
        while text[position - 1 - backslashes] == "\\":
            backslashes += 1
        if backslashes % 2 == 0:
            return position
        position += 1
    raise MessageError(400, "A quote that is not closed")
