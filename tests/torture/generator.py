"""Malformed requests by the thousand, after the manner of PROTOS (c07-sip): each field of a grammar replaced by each
of the things that break parsers. Deterministic: the same seed makes the same messages.

What may live here: bytes. Who reads them, and what must come of it, is the tests'.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

METHODS = ("INVITE", "REGISTER", "ACK", "BYE", "CANCEL", "OPTIONS")
_TEMPLATE = (
    "{method}{sp}{uri.scheme}:{uri.user}{uri.at}{uri.host}{uri.params}{sp}{version}{crlf}"
    "Via{colon}{via.protocol}/{via.transport} {via.host}:{via.port};branch={via.branch}{via.params}{crlf}"
    "Max-Forwards{colon}{max_forwards}{crlf}"
    "From{colon}{from.display} <{from.uri}>;tag={from.tag}{crlf}"
    "To{colon}{to.display}<{to.uri}>{to.params}{crlf}"
    "Call-ID{colon}{call_id}{crlf}"
    "CSeq{colon}{cseq.number} {cseq.method}{crlf}"
    "Contact{colon}{contact.display}<{contact.uri}>{contact.params}{crlf}"
    "Record-Route{colon}{record_route}{crlf}"
    "Expires{colon}{expires}{crlf}"
    "User-Agent{colon}{user_agent}{crlf}"
    "{authorization}"
    "{name}{colon}{value}{crlf}"
    "Content-Type{colon}{content_type}{crlf}"
    "Content-Length{colon}{content_length}{crlf}"
    "{end}{body}"
)
_SDP = (
    "v={v}\r\no={o}\r\ns={s}\r\nc={c.net} {c.family} {c.host}\r\nt={t}\r\n"
    "m={m.media} {m.port} {m.profile} {m.formats}\r\na=rtpmap:{a.rtpmap}\r\na={a.direction}\r\n"
    "a=crypto:{a.crypto}\r\n"
)
_FIELDS = {
    "sp": " ", "crlf": "\r\n", "colon": ": ", "end": "\r\n", "version": "SIP/2.0",
    "uri.scheme": "sip", "uri.user": "1002", "uri.at": "@", "uri.host": "acme.example", "uri.params": "",
    "via.protocol": "SIP/2.0", "via.transport": "UDP", "via.host": "192.0.2.77", "via.port": "5060",
    "via.params": ";rport", "max_forwards": "70",
    "from.display": '"A B"', "from.uri": "sip:1001@acme.example", "from.tag": "1",
    "to.display": "", "to.uri": "sip:1002@acme.example", "to.params": "",
    "contact.display": "", "contact.uri": "sip:1001@192.0.2.77:5060", "contact.params": "",
    "record_route": "<sip:192.0.2.77;lr>", "expires": "300", "user_agent": "x/1", "authorization": "",
    "name": "X-Thing", "value": "y",
}  # fmt: skip
_SDP_FIELDS = {
    "v": "0", "o": "- 1 1 IN IP4 192.0.2.77", "s": "-", "c.net": "IN", "c.family": "IP4", "c.host": "192.0.2.77",
    "t": "0 0", "m.media": "audio", "m.port": "4000", "m.profile": "RTP/AVP", "m.formats": "0 8 101",
    "a.rtpmap": "0 PCMU/8000", "a.direction": "sendrecv",
    "a.crypto": "1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0LXNydHAta2V5LXRoYXQtbm9ib2R5LW1heS1zZWU9",
}  # fmt: skip
DIGEST = {
    "username": '"1001"', "realm": '"acme.example"', "nonce": '"0.0"', "uri": '"sip:acme.example"', "response": '"0"',
    "algorithm": "MD5", "qop": "auth", "nc": "00000001", "cnonce": '"c"',
}  # fmt: skip

Spoil = Callable[[bytes, random.Random], bytes]
ANOMALIES: Mapping[str, Spoil] = {
    "empty": lambda old, chance: b"",
    "space": lambda old, chance: b" ",
    "tabs": lambda old, chance: b"\t" * 40,
    "long 300": lambda old, chance: b"a" * 300,
    "long 3000": lambda old, chance: b"a" * 3_000,
    "long 9000": lambda old, chance: b"a" * 9_000,
    "long 60000": lambda old, chance: b"a" * 60_000,
    "digits 3000": lambda old, chance: b"9" * 3_000,
    "format": lambda old, chance: b"%s%n%x%d%p" * 20,
    "format width": lambda old, chance: b"%.99999d{0.__class__}${jndi:x}",
    "nul": lambda old, chance: b"\0",
    "nul after": lambda old, chance: old + b"\0",
    "binary": lambda old, chance: chance.randbytes(1 + chance.randrange(64)),
    "every byte": lambda old, chance: bytes(range(256)),
    "8 bit": lambda old, chance: b"\xff\xfe\xfd" + old,
    "utf-8 cut": lambda old, chance: old + b"\xe2\x82",
    "utf-8 overlong": lambda old, chance: b"\xc0\xaf\xc1\x81" + old,
    "utf-8 surrogate": lambda old, chance: b"\xed\xa0\x80",
    "utf-8 right": lambda old, chance: "\u202e\ufeff\U0001f600".encode(),
    "private use": lambda old, chance: "\uef80\uefff".encode(),
    "quote": lambda old, chance: b'"' + old,
    "quotes": lambda old, chance: b'"' * 1_001,
    "backslash": lambda old, chance: old + b"\\",
    "quoted backslash": lambda old, chance: b'"\\"',
    "angle": lambda old, chance: b"<" + old,
    "angles": lambda old, chance: b"<" * 500 + b">" * 499,
    "bracket": lambda old, chance: b"[" + old,
    "brackets": lambda old, chance: b"[" * 300,
    "parentheses": lambda old, chance: b"(" * 300,
    "twice": lambda old, chance: old + old,
    "twice, comma": lambda old, chance: old + b"," + old,
    "twice, blank": lambda old, chance: old + b" " + old,
    "500 times": lambda old, chance: (old or b"x") * 500,
    "500 times, comma": lambda old, chance: b",".join([old or b"x"] * 500),
    "semicolons": lambda old, chance: old + b";" * 200,
    "commas": lambda old, chance: old + b"," * 200,
    "equals": lambda old, chance: old + b"=" * 20,
    "colons": lambda old, chance: old + b":" * 20,
    "ats": lambda old, chance: old + b"@" * 20,
    "params": lambda old, chance: old + b"".join(b";p%d=%d" % (n, n) for n in range(400)),
    "star": lambda old, chance: b"*",
    "zero": lambda old, chance: b"0",
    "minus": lambda old, chance: b"-1",
    "2^31": lambda old, chance: b"2147483648",
    "2^32": lambda old, chance: b"4294967296",
    "2^64": lambda old, chance: b"18446744073709551616",
    "10^100": lambda old, chance: b"1" + b"0" * 100,
    "hex": lambda old, chance: b"0x7f",
    "exponent": lambda old, chance: b"1e9",
    "other digits": lambda old, chance: "٣²".encode(),
    "escape cut": lambda old, chance: old + b"%",
    "escape bad": lambda old, chance: old + b"%zz%g",
    "escape nul": lambda old, chance: old + b"%00%0d%0a",
    "ipv4": lambda old, chance: b"999.999.999.999",
    "ipv4 short": lambda old, chance: b"127.1",
    "ipv6 open": lambda old, chance: b"[::1",
    "ipv6 nonsense": lambda old, chance: b"[:::::::::::::::::zz]",
    "ipv6 zone": lambda old, chance: b"[fe80::1%25eth0]",
    "broadcast": lambda old, chance: b"255.255.255.255",
    "cr": lambda old, chance: old + b"\r",
    "lf": lambda old, chance: old + b"\n",
    "line": lambda old, chance: old + b"\r\nX: y",
    "second Via": lambda old, chance: old + b"\r\nVia: SIP/2.0/UDP 203.0.113.1;branch=z9hG4bKevil",
    "second To": lambda old, chance: old + b"\r\nTo: <sip:evil@acme.example>;tag=evil",
    "second length": lambda old, chance: old + b"\r\nl: 1",
    "head ends": lambda old, chance: old + b"\r\n\r\n",
    "folded": lambda old, chance: old + b"\r\n " * 20,
    "lines 300": lambda old, chance: old + b"\r\nX: y" * 300,
    "request": lambda old, chance: old + b"\r\n\r\nBYE sip:x SIP/2.0\r\n\r\n",
    "flipped": lambda old, chance: bytes(byte ^ (1 << chance.randrange(8)) for byte in old),
    "cut": lambda old, chance: old[: chance.randrange(len(old) + 1)],
}
"""What a field becomes, by name: (the value that stands there, chance) -> bytes."""


class Malformed(NamedTuple):
    """One spoilt request. `name` says where and how, `field` where."""

    name: str
    method: str
    field: str
    data: bytes


def request(method: str, number: int, **changed: str | bytes) -> bytes:
    """A good request of a stranger's, outside any dialog; `changed` are fields as in the grammar (`_` for `.`).

    `number` makes it unlike any other.
    """
    return _build(method, number, {name.replace("__", "."): _bytes(value) for name, value in changed.items()})


def fields(method: str) -> tuple[str, ...]:
    """Where a request of this method can be spoilt: `sdp.` and `digest.` are in its body and its credentials."""
    names = ["method", "via.branch", "call_id", "cseq.number", "cseq.method", *_FIELDS]
    names += ["content_type", "content_length", "body", *(f"digest.{name}" for name in DIGEST)]
    return tuple(names + ([f"sdp.{name}" for name in _SDP_FIELDS] if method in ("INVITE", "ACK") else []))


def every() -> list[tuple[str, str, str]]:
    """(method, field, anomaly): all that can be made, in a fixed order."""
    return [(method, field, how) for method in METHODS for field in fields(method) for how in ANOMALIES]


def malformed(seed: int, count: int | None = None) -> Iterator[Malformed]:
    """`count` spoilt requests, all different (all there are, if None), in an order that the seed decides."""
    chance = random.Random(seed)
    chosen = every()
    chance.shuffle(chosen)
    for number, (method, field, how) in enumerate(chosen[:count]):
        yield spoil(method, field, how, number, chance)


def spoil(method: str, field: str, how: str, number: int, chance: random.Random, **changed: str | bytes) -> Malformed:
    """One request with one field spoilt; `changed` as in `request`."""
    base = {name.replace("__", "."): _bytes(value) for name, value in changed.items()}
    old = base.get(field) or _value(method, number, field)
    base[field] = ANOMALIES[how](old, chance)
    return Malformed(f"{method} {field}: {how}", method, field, _build(method, number, base))


def _value(method: str, number: int, field: str) -> bytes:
    if field.startswith("sdp."):
        return _SDP_FIELDS[field[4:]].encode()
    if field.startswith("digest."):
        return DIGEST[field[7:]].encode()
    return _defaults(method, number, {})[field]


def _defaults(method: str, number: int, changed: Mapping[str, bytes]) -> dict[str, bytes]:
    body = _body(method, changed)
    plain = {name: value.encode() for name, value in _FIELDS.items()}
    return plain | {
        "method": method.encode(),
        "via.branch": b"z9hG4bKg%d" % number,
        "call_id": b"generated-%d" % number,
        "cseq.number": b"1",
        "cseq.method": method.encode(),
        "content_type": b"application/sdp",
        "content_length": b"%d" % len(changed.get("body", body)),
        "body": body,
        "authorization": _authorization(changed),
    }


def _body(method: str, changed: Mapping[str, bytes]) -> bytes:
    if method not in ("INVITE", "ACK"):
        return b""
    return _fill(_SDP, {name: changed.get(f"sdp.{name}", value.encode()) for name, value in _SDP_FIELDS.items()})


def _authorization(changed: Mapping[str, bytes]) -> bytes:
    spoilt = {name[7:]: value for name, value in changed.items() if name.startswith("digest.")}
    if not spoilt:
        return b""
    given = {name: value.encode() for name, value in DIGEST.items()} | spoilt
    return b"Authorization: Digest " + b", ".join(b"%s=%s" % (n.encode(), v) for n, v in given.items()) + b"\r\n"


def _build(method: str, number: int, changed: Mapping[str, bytes]) -> bytes:
    return _fill(_TEMPLATE, _defaults(method, number, changed) | dict(changed))


def _fill(template: str, values: Mapping[str, bytes]) -> bytes:
    out, rest = [], template
    while rest:
        plain, brace, rest = rest.partition("{")
        out.append(plain.encode())
        if brace:
            name, _, rest = rest.partition("}")
            out.append(values[name])
    return b"".join(out)


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode()


def spoil_line(data: bytes, how: str, chance: random.Random) -> bytes:
    """Any message with the value of one header line, its start line or its body spoilt: for responses."""
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    at = chance.randrange(len(lines) + 1)
    if at == len(lines):
        return head + b"\r\n\r\n" + ANOMALIES[how](body, chance)
    name, colon, value = lines[at].partition(b": ")
    lines[at] = name + colon + ANOMALIES[how](value, chance) if colon else ANOMALIES[how](lines[at], chance)
    return b"\r\n".join(lines) + b"\r\n\r\n" + body
