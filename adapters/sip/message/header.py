"""The header values that the stack reads (RFC 3261 sections 20 and 25): Via, CSeq, name-addr, lists, credentials.

What may live here: text into values and back. Each parser raises MessageError (a ValueError): whoever wrote the
text is to be answered 400. No messages, no policy. All take linear time in what they are given.
"""

from __future__ import annotations

import re

import msgspec

from adapters.sip.message.error import MessageError
from adapters.sip.message.memo import Memo
from adapters.sip.message.uri import Uri, parse_host_port, write_params

_VIA = re.compile(r"\s*SIP\s*/\s*2\.0\s*/\s*([A-Za-z0-9-]+)\s+([^;]+)(.*)", re.IGNORECASE | re.DOTALL)
_PLAIN_VIA = re.compile(
    r"SIP/2\.0/([A-Z]+) (\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?(;rport)?"
    r";branch=([A-Za-z0-9.!%*_+`'~:-]+)(?:(;rport)(?:=([0-9]+))?)?(?:;received=([0-9A-Fa-f.:]+))?"
)  # as nearly every peer writes it; anything else goes the general way
_PLAIN_NAME = re.compile(r"""(?:"([^"\\]*)" ?)?<([^<>"]+)>(?:;tag=([A-Za-z0-9.!%*_+`'~-]+))?""")
_CSEQ = re.compile(r"\s*([0-9]{1,10})\s+([A-Za-z0-9.!%*_+`'~-]+)\s*")
_NAME = re.compile(r"[A-Za-z0-9.!%*_+`'~-]+")
_SEPARATORS = {",": re.compile('[",<>]'), ";": re.compile('[";]')}
_PARAM_TEXT = r'\s*([A-Za-z0-9_-]+)\s*=\s*(?:"([^"\\]*(?:\\.[^"\\]*)*)"|([^\s,"]+))\s*(?:,|$)'
_PARAM = re.compile(_PARAM_TEXT)
_PARAMS = re.compile(f"(?>{_PARAM_TEXT})*")  # atomic: linear time also in what does not match
_DIGEST_PARAMS = frozenset(
    {"username", "realm", "nonce", "uri", "response", "algorithm", "cnonce", "opaque", "qop", "nc", "userhash"}
)
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

    @classmethod
    def parse(cls, text: str) -> Via:
        """Raises MessageError."""
        return _vias.get(text) or plain_via(text) or _any_via(text)

    def keep(self, text: str) -> None:
        """This is what `text` says, and it will be asked for again soon."""
        _vias.put(text, self)

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
        known = _cseqs.get(text)
        if known is not None:
            return known
        found = _CSEQ.fullmatch(text)
        if found is None or int(found.group(1)) > MAX_CSEQ:
            raise MessageError(400, "Malformed CSeq")
        return _cseqs.put(text, cls(int(found.group(1)), found.group(2)))

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
        return _name_addrs.get(text) or _name_addrs.put(text, _plain_name_addr(text) or _any_name_addr(text))

    def __str__(self) -> str:
        name = f"{quote(self.display)} " if self.display else ""
        return f"{name}<{self.uri}>{write_params(self.params)}"


_vias: Memo[Via] = Memo(16_384)
"""Only those that come again: ours in what answers us, and a peer's until it is answered."""
kept_via = _vias.get
_cseqs: Memo[CSeq] = Memo()
_name_addrs: Memo[NameAddr] = Memo()


def plain_via(text: str) -> Via | None:
    """One Via as nearly every peer writes it; None for anything else, which `Via.parse` reads."""
    found = _PLAIN_VIA.fullmatch(text)
    if found is None:
        return None
    transport, host, port, before, branch, after, filled, received = found.groups()
    if (port and int(port) > 65535) or (before and after):
        return None
    params: dict[str, str | None] = {"branch": branch}
    if before:
        params = {"rport": None, "branch": branch}
    elif after:
        params["rport"] = filled
    if received:
        params["received"] = received
    return Via(transport, host, int(port) if port else None, params)


def _any_via(text: str) -> Via:
    found = _VIA.fullmatch(text)
    if found is None:
        raise MessageError(400, "Malformed Via")
    host, port = parse_host_port(found.group(2))
    return Via(found.group(1).upper(), host, port, header_params(found.group(3)))


def _plain_name_addr(text: str) -> NameAddr | None:
    found = _PLAIN_NAME.fullmatch(text)
    if found is None:
        return None
    display, uri, tag = found.groups()
    return NameAddr(display or "", Uri.parse(uri), {"tag": tag} if tag else {})


def _any_name_addr(text: str) -> NameAddr:
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
        return NameAddr(display, Uri.parse(address), header_params(params))
    closing = text.find(">", opening)
    if closing < 0:
        raise MessageError(400, "A < without its >")
    display = display or text[:opening].strip(" \t")
    rest = text[closing + 1 :].strip(" \t")
    if rest and not rest.startswith(";"):
        raise MessageError(400, "Text after the >")
    return NameAddr(display, Uri.parse(text[opening + 1 : closing]), header_params(rest))


def split_list(text: str) -> list[str]:
    """The values of a comma-separated header; commas in quotes and in <> do not count. Raises MessageError."""
    parts = _split(text, ",") if "," in text else [text]
    return [value for part in parts if (value := part.strip(" \t"))]


def split_params(text: str) -> list[str]:
    """What stands before the first semicolon, and each parameter as written. Raises MessageError."""
    return _split(text, ";")


def header_params(text: str) -> dict[str, str | None]:
    """`;a=1;b;c="x;y"` -> {"a": "1", "b": None, "c": '"x;y"'}; names in lower case, values as written.

    Of two with the same name the first one counts. Raises MessageError for a name that is none.
    """
    params: dict[str, str | None] = {}
    if not text:
        return params
    if text.startswith(";tag=") and text.isascii() and text[5:].isalnum():  # nearly always
        return {"tag": text[5:]}
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
    rest = rest.strip()
    found = _plain_params(rest)
    if found is not None:
        return found
    if _PARAMS.fullmatch(rest) is None:
        raise MessageError(400, "A malformed Digest parameter")
    params = _PARAM.findall(rest)
    found = {name.lower(): plain or quoted for name, quoted, plain in params}
    if len(found) != len(params):
        raise MessageError(400, "A Digest parameter twice")
    if "\\" in rest:
        found = {name.lower(): plain or _ESCAPED.sub(r"\1", quoted) for name, quoted, plain in params}
    return found


def _plain_params(text: str) -> dict[str, str] | None:
    """As nearly everybody writes them, with no comma and no quote inside a value; None for anything else."""
    found: dict[str, str] = {}
    for part in text.split(","):
        name, _, value = part.partition("=")
        name = name.strip(" ")
        if name not in _DIGEST_PARAMS or name in found:
            return None
        if not value.isalnum():
            plain = value[1:-1]
            if len(value) < 2 or not value[0] == value[-1] == '"' or '"' in plain or "\\" in plain:
                return None
            value = plain
        found[name] = value
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
