"""SIP URIs (RFC 3261 section 19.1): parsing and writing, nothing that resolves or compares."""

from __future__ import annotations

import re

import msgspec

_HOST = re.compile(r"\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f<>\"]")
LIMIT = 2048


class Uri(msgspec.Struct, frozen=True):
    """`scheme:user:password@host:port;params?headers`; a `tel:` URI has its number in `user` and no host.

    `user` is as written (escapes kept), `host` keeps IPv6 brackets, parameter names are in lower case.
    """

    scheme: str
    user: str
    password: str
    host: str
    port: int | None
    params: dict[str, str | None]
    headers: str

    @classmethod
    def parse(cls, text: str) -> Uri:
        """Raises ValueError when the text is no URI of scheme sip, sips or tel."""
        text = text.strip()
        if len(text) > LIMIT or _FORBIDDEN.search(text):
            raise ValueError("a URI with spaces, brackets or control characters, or too long")
        scheme, colon, rest = text.partition(":")
        scheme = scheme.lower()
        if not colon or not _SCHEME.fullmatch(scheme):
            raise ValueError(f"no scheme in the URI {text[:60]!r}")
        if scheme == "tel":
            number, _, params = rest.partition(";")
            return cls(scheme, number, "", "", None, parse_params(params), "")
        if scheme not in ("sip", "sips"):
            raise ValueError(f"the scheme {scheme[:20]!r} is not served")
        userinfo, at, hostpart = rest.rpartition("@")
        if at and not userinfo:
            raise ValueError("an empty user in the URI")
        user, _, password = userinfo.partition(":")
        hostpart, _, headers = hostpart.partition("?")
        hostport, _, params = hostpart.partition(";")
        host, port = parse_host_port(hostport)
        return cls(scheme, user, password, host, port, parse_params(params), headers)

    def __str__(self) -> str:
        if self.scheme == "tel":
            return f"tel:{self.user}{write_params(self.params)}"
        userinfo = self.user + (f":{self.password}" if self.password else "")
        port = f":{self.port}" if self.port is not None else ""
        headers = f"?{self.headers}" if self.headers else ""
        at = "@" if self.user else ""
        return f"{self.scheme}:{userinfo}{at}{self.host}{port}{write_params(self.params)}{headers}"


def parse_host_port(text: str) -> tuple[str, int | None]:
    """`host[:port]` with IPv6 in brackets. Raises ValueError."""
    text = text.strip()
    found = _HOST.match(text)
    if found is None:
        raise ValueError(f"no host in {text[:60]!r}")
    rest = text[found.end() :].strip()
    if not rest:
        return found.group(), None
    digits = rest[1:].strip()
    if rest[0] != ":" or not (digits.isascii() and digits.isdecimal()) or not 0 <= int(digits[:6]) <= 65535:
        raise ValueError(f"no port in {text[:60]!r}")
    return found.group(), int(digits)


def parse_params(text: str) -> dict[str, str | None]:
    """`a=1;b` -> {"a": "1", "b": None}; names in lower case, values as written, later ones win."""
    params: dict[str, str | None] = {}
    for part in text.split(";") if text else ():
        name, equals, value = part.partition("=")
        if name := name.strip().lower():
            params[name] = value.strip() if equals else None
    return params


def write_params(params: dict[str, str | None]) -> str:
    """The inverse of `parse_params`, with its leading semicolon."""
    return "".join(f";{name}" if value is None else f";{name}={value}" for name, value in params.items())
