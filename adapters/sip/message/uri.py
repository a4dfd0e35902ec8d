"""SIP URIs (RFC 3261 section 19.1): parsing, writing and comparing, nothing that resolves.

All parsers raise MessageError (a ValueError): whoever wrote the text is to be answered 400, or 416 for its scheme.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import unquote

import msgspec

from adapters.sip.message.error import MessageError
from adapters.sip.message.memo import Memo

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
        """Raises MessageError when the text is no URI of scheme sip, sips or tel."""
        return _uris.get(text) or _uris.put(text, cls._parse(text))

    @classmethod
    def _parse(cls, text: str) -> Uri:
        text = text.strip(" \t")
        if len(text) > LIMIT or _FORBIDDEN.search(text):
            raise MessageError(400, "A URI with spaces, brackets or control characters, or too long")
        scheme, colon, rest = text.partition(":")
        scheme = scheme.lower()
        if not colon or not _SCHEME.fullmatch(scheme):
            raise MessageError(400, "A URI without its scheme")
        if scheme == "tel":
            number, _, params = rest.partition(";")
            if not number:
                raise MessageError(400, "A tel URI without its number")
            return cls(scheme, number, "", "", None, parse_params(params), "")
        if scheme not in ("sip", "sips"):
            raise MessageError(416, "")
        userinfo, at, hostpart = rest.rpartition("@")
        user, _, password = userinfo.partition(":")
        if at and (not user or "@" in userinfo):  # two readings of one address would be two identities
            raise MessageError(400, "A URI without a user before its @, or with two of them")
        hostpart, _, headers = hostpart.partition("?")
        hostport, _, params = hostpart.partition(";")
        host, port = parse_host_port(hostport)
        return cls(scheme, user, password, host, port, parse_params(params), headers)

    def __str__(self) -> str:
        if self.scheme == "tel":
            return f"tel:{self.user}{write_params(self.params)}"
        if not (self.params or self.password or self.headers) and self.user:
            return f"{self.scheme}:{self.user}@{self.host}" + (f":{self.port}" if self.port is not None else "")
        userinfo = self.user + (f":{self.password}" if self.password else "")
        port = f":{self.port}" if self.port is not None else ""
        headers = f"?{self.headers}" if self.headers else ""
        at = "@" if self.user else ""
        return f"{self.scheme}:{userinfo}{at}{self.host}{port}{write_params(self.params)}{headers}"


_uris: Memo[Uri] = Memo()


def same_resource(one: str, other: str) -> bool:
    """Whether two URIs name the same resource: scheme, user, host and port as in 19.1.4, whatever their parameters.

    A default port may be left out. False for anything that is no URI.
    """
    try:
        return _resource(Uri.parse(one)) == _resource(Uri.parse(other))
    except MessageError:
        return False


def names_a_server(text: str) -> bool:
    """Whether a URI names a server by its numeric address, and nobody at it."""
    try:
        uri = Uri.parse(text)
        ipaddress.ip_address(uri.host.strip("[]"))
    except ValueError:
        return False
    return not uri.user


def _resource(uri: Uri) -> tuple[str, str, str, int]:
    port = uri.port if uri.port is not None else (5061 if uri.scheme == "sips" else 5060)
    return uri.scheme, unquote(uri.user), uri.host.lower().rstrip("."), port


def parse_host_port(text: str) -> tuple[str, int | None]:
    """`host[:port]` with IPv6 in brackets. Raises MessageError."""
    text = text.strip(" \t")
    found = _HOST.match(text)
    if found is None:
        raise MessageError(400, "An address without its host")
    rest = text[found.end() :].strip(" \t")
    if not rest:
        return found.group(), None
    digits = rest[1:].strip(" \t")
    if rest[0] != ":" or not (digits.isascii() and digits.isdecimal()) or len(digits) > 5 or int(digits) > 65535:
        raise MessageError(400, "An address with a malformed port")
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
