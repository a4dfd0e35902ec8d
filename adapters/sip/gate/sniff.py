"""What a message is, told from its bytes before anything is parsed: for floods, where parsing is what costs.

What may live here: cheap looks at a datagram or a framed message. A look may be wrong about a malformed message; it is
used only to choose who waits and who is refused, never to decide what a message means.
"""

from __future__ import annotations

import re
from enum import Enum

_TO = re.compile(rb"\n(?:to|t)[ \t]*:", re.IGNORECASE)
_CALL_ID = re.compile(rb"\n(?:call-id|i)[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE)
_VIA = re.compile(rb"\n(?:via|v)[ \t]*:", re.IGNORECASE)
_TAG = re.compile(rb";[ \t]*tag[ \t]*=[ \t]*([^\s;,>]+)", re.IGNORECASE)
_BRANCH = re.compile(rb";[ \t]*branch[ \t]*=[ \t]*([^\s;,]+)", re.IGNORECASE)
_CREDENTIALS = re.compile(rb"\n(?:proxy-)?authorization[ \t]*:", re.IGNORECASE)
_AGENT = re.compile(rb"\nuser-agent[ \t]*:([^\r\n]*)", re.IGNORECASE)
_SCANNERS = re.compile(rb"friendly-scanner|friendly-request|sipvicious|sipcli|sip-?scan|sundayddr|sippts|sipptk|pplsip|"
                       rb"vaxsipuseragent|siparmyknife|smap|sipburner|gulp", re.IGNORECASE)  # fmt: skip
_PROBED = re.compile(rb"OPTIONS sips?:(?:100|nm)@([^\s;>]+)", re.IGNORECASE)
_LONGEST_METHOD = 20


class Kind(Enum):
    """How a message is treated when there is more than can be done."""

    RESPONSE = "a response"
    WITHIN = "a request that can only belong to something under way: ACK, BYE, CANCEL, or any with a To tag"
    INVITE = "an INVITE outside any dialog"
    REGISTER = "a REGISTER"
    OTHER = "another request outside any dialog"


_ALWAYS_WITHIN = frozenset({b"ACK", b"BYE", b"CANCEL", b"PRACK", b"UPDATE"})
_OPENING = {b"INVITE": Kind.INVITE, b"REGISTER": Kind.REGISTER}


def kind_of(data: bytes) -> Kind:
    """The kind of one message; noise is OTHER."""
    if data.startswith(b"SIP/2.0 "):
        return Kind.RESPONSE
    method = data[: max(data.find(b" ", 0, _LONGEST_METHOD), 0)]
    if method in _ALWAYS_WITHIN or (method != b"REGISTER" and to_tag(data)):
        return Kind.WITHIN
    return _OPENING.get(method, Kind.OTHER)


def to_tag(data: bytes) -> str:
    """The tag of the To header, or empty."""
    found = _TAG.search(_value(data, _TO))
    return found[1].decode("latin-1") if found else ""


def branch(data: bytes) -> str:
    """The branch of the top Via, or empty."""
    found = _BRANCH.search(_value(data, _VIA))
    return found[1].decode("latin-1") if found else ""


def top_via(data: bytes) -> str:
    """The value of the top Via as text, or empty. Several in one header are cut at the first comma."""
    return _value(data, _VIA).partition(b",")[0].strip().decode("latin-1")


def call_id(data: bytes) -> bytes:
    """The Call-ID, or empty."""
    found = _CALL_ID.search(data)
    return found[1].rstrip() if found else b""


def has_credentials(data: bytes) -> bool:
    """Whether a request brings credentials, right or wrong."""
    return _CREDENTIALS.search(data) is not None


def scanner(data: bytes) -> bool:
    """Whether a request names one of the well-known scanning tools as its user agent."""
    found = _AGENT.search(data)
    return found is not None and _SCANNERS.search(found[1]) is not None


def probed_host(data: bytes) -> str:
    """The host that an OPTIONS for the scanners' usual user asks about, without port; empty for anything else."""
    found = _PROBED.match(data)
    if found is None:
        return ""
    text = found[1].decode("latin-1").lower()
    if text.startswith("["):
        return text.partition("]")[0] + "]"
    return text.partition(":")[0]


def _value(data: bytes, name: re.Pattern[bytes]) -> bytes:
    """The first header of a name, with the lines that continue it; empty if the head has none."""
    found = name.search(data)
    if found is None:
        return b""
    start = end = found.end()
    while True:
        end = data.find(b"\n", end)
        if end < 0:
            return data[start:]
        if data[end + 1 : end + 2] not in (b" ", b"\t"):
            return data[start:end]
        end += 1
