"""The few words of SIP that a load of many calls needs: written and read without the server's own parser.

So a mistake there cannot hide here. Fast rather than complete: it reads what our server says.
"""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

_PARAM = re.compile(r'(\w+)="?([^",]+)"?')


class Heard(NamedTuple):
    """A message: `method` of a request or `status` of a response (the other one is empty or 0)."""

    method: str
    status: int
    cseq: int
    cseq_method: str
    call_id: str
    headers: dict[str, str]
    vias: tuple[str, ...]
    body: str

    @property
    def branch(self) -> str:
        return self.vias[0].partition("branch=")[2].partition(";")[0]


def hear(data: bytes) -> Heard:
    """What a datagram says."""
    head, _, body = data.decode().partition("\r\n\r\n")
    start, *lines = head.split("\r\n")
    headers: dict[str, str] = {}
    vias = []
    for line in lines:
        name, _, value = line.partition(":")
        value = value.strip()
        if name == "Via":
            vias.append(value)
        else:
            headers.setdefault(name.lower(), value)
    number, _, method = headers["cseq"].partition(" ")
    words = start.split(" ", 2)
    response = words[0] == "SIP/2.0"
    return Heard(
        "" if response else words[0],
        int(words[1]) if response else 0,
        int(number),
        method,
        headers["call-id"],
        headers,
        tuple(vias),
        body,
    )


def uri_in(text: str) -> str:
    """The URI between the angle brackets."""
    return text[text.index("<") + 1 : text.index(">")]


def sdp(token: str, direction: str = "sendrecv") -> str:
    """A description that names its call: the server passes it on, so that both sides know which one they have."""
    return (
        f"v=0\r\no={token} 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        f"m=audio 40000 RTP/AVP 0\r\na={direction}\r\n"
    )


def token_in(body: str) -> str:
    """The name that `sdp` gave."""
    return body.partition("\r\no=")[2].partition(" ")[0]


def credentials(challenge: str, method: str, uri: str, username: str, password: str) -> str:
    """The Authorization line for an MD5 challenge with qop=auth (RFC 7616 3.4)."""
    asked = dict(_PARAM.findall(challenge))
    realm, nonce = asked["realm"], asked["nonce"]
    secret, what = _md5(f"{username}:{realm}:{password}"), _md5(f"{method}:{uri}")
    response = _md5(f"{secret}:{nonce}:00000001:c:auth:{what}")
    return (
        f'Authorization: Digest username="{username}", realm="{realm}", nonce="{nonce}", uri="{uri}", '
        f'algorithm=MD5, qop=auth, nc=00000001, cnonce="c", response="{response}"\r\n'
    )


def branch_of(token: str, cseq: int, method: str) -> str:
    """The same for the same request, so that a repetition is one."""
    return f"z9hG4bK{token}-{cseq}{method}"


def request(
    start: str,
    branch: str,
    address: str,
    call_id: str,
    cseq: str,
    from_: str,
    to: str,
    contact: str = "",
    extra: str = "",
    body: str = "",
) -> str:
    """A request as text; `start` is method and URI, `extra` are header lines."""
    contact = f"Contact: {contact}\r\n" if contact else ""
    kind = "Content-Type: application/sdp\r\n" if body else ""
    return (
        f"{start} SIP/2.0\r\nVia: SIP/2.0/UDP {address};branch={branch};rport\r\nMax-Forwards: 70\r\nFrom: {from_}\r\n"
        f"To: {to}\r\nCall-ID: {call_id}\r\nCSeq: {cseq}\r\n{contact}{extra}{kind}"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    )


def respond(request: Heard, line: str, *, tag: str = "", contact: str = "", body: str = "") -> str:
    """A response as text; `line` is status and reason, `contact` an address."""
    headers = request.headers
    to = headers["to"] if not tag or "tag=" in headers["to"] else f"{headers['to']};tag={tag}"
    vias = "".join(f"Via: {via}\r\n" for via in request.vias)
    contact = f"Contact: <sip:callee@{contact}>\r\n" if contact else ""
    kind = "Content-Type: application/sdp\r\n" if body else ""
    return (
        f"SIP/2.0 {line}\r\n{vias}From: {headers['from']}\r\nTo: {to}\r\nCall-ID: {request.call_id}\r\n"
        f"CSeq: {headers['cseq']}\r\n{contact}{kind}Content-Length: {len(body)}\r\n\r\n{body}"
    )


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()
