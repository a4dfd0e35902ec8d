"""The header values that the stack reads (RFC 3261 sections 20 and 25): Via, CSeq, name-addr, lists, credentials.

What may live here: text into values, each parser raising ValueError with its own words. No messages, no policy.
"""

from __future__ import annotations

import re

import msgspec

from adapters.sip.uri import Uri, parse_host_port, parse_params

_VIA = re.compile(r"\s*SIP\s*/\s*2\.0\s*/\s*([A-Za-z0-9-]+)\s+([^;]+)(.*)", re.IGNORECASE | re.DOTALL)
_CSEQ = re.compile(r"\s*(\d{1,10})\s+([A-Za-z0-9.!%*_+`'~-]+)\s*")
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
        """Raises ValueError."""
        found = _VIA.fullmatch(text)
        if found is None:
            raise ValueError(f"no Via: {text[:60]!r}")
        host, port = parse_host_port(found.group(2))
        return cls(found.group(1).upper(), host, port, parse_params(found.group(3)))


class CSeq(msgspec.Struct, frozen=True):
    """`number` below 2**31, `method` as written."""

    number: int
    method: str

    @classmethod
    def parse(cls, text: str) -> CSeq:
        """Raises ValueError."""
        found = _CSEQ.fullmatch(text)
        if found is None or int(found.group(1)) > MAX_CSEQ:
            raise ValueError(f"no CSeq: {text[:60]!r}")
        return cls(int(found.group(1)), found.group(2))


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
        """name-addr or addr-spec; in the latter all parameters are the header's (20.10). Raises ValueError."""
        text = text.strip()
        display = ""
        if text.startswith('"'):
            end = _closing_quote(text)
            display, text = _ESCAPED.sub(r"\1", text[1:end]), text[end + 1 :].lstrip()
            if not text.startswith("<"):
                raise ValueError("a quoted name without <URI>")
        opening = text.find("<")
        if opening < 0:
            address, _, params = text.partition(";")
            return cls(display, Uri.parse(address), parse_params(params))
        closing = text.find(">", opening)
        if closing < 0:
            raise ValueError("a < without its >")
        display = display or text[:opening].strip()
        rest = text[closing + 1 :].strip()
        if rest and not rest.startswith(";"):
            raise ValueError("text after the >")
        return cls(display, Uri.parse(text[opening + 1 : closing]), parse_params(rest))


def split_list(text: str) -> list[str]:
    """The values of a comma-separated header; commas in quotes and in <> do not count."""
    if "," not in text:
        value = text.strip()
        return [value] if value else []
    values, start, position = [], 0, 0
    in_angle = False
    while position < len(text):
        char = text[position]
        if char == '"' and not in_angle:
            position = _closing_quote(text, position)
        elif char == "<":
            in_angle = True
        elif char == ">":
            in_angle = False
        elif char == "," and not in_angle:
            values.append(text[start:position].strip())
            start = position + 1
        position += 1
    values.append(text[start:].strip())
    return [value for value in values if value]


def parse_credentials(text: str) -> dict[str, str]:
    """`Digest name=value, ...` of an Authorization or a challenge; names in lower case, quotes removed.

    Raises ValueError when it is not Digest, malformed, or names a parameter twice.
    """
    scheme, _, rest = text.strip().partition(" ")
    if scheme.lower() != "digest":
        raise ValueError("only Digest is served")
    found: dict[str, str] = {}
    position = 0
    rest = rest.strip()
    while position < len(rest):
        match = _PARAM.match(rest, position)
        if match is None:
            raise ValueError("a malformed Digest parameter")
        name, quoted, plain = match.groups()
        name = name.lower()
        if name in found:
            raise ValueError(f"{name} twice")
        found[name] = _ESCAPED.sub(r"\1", quoted) if quoted is not None else plain
        position = match.end()
    return found


def _closing_quote(text: str, start: int = 0) -> int:
    """The index of the quote that closes the one at `start`. Raises ValueError."""
    position = start + 1
    while (position := text.find('"', position)) >= 0:
        backslashes = 0
        while text[position - 1 - backslashes] == "\\":
            backslashes += 1
        if backslashes % 2 == 0:
            return position
        position += 1
    raise ValueError("a quote that is not closed")
