"""STUN as a keep-alive beside SIP (RFC 5626 4.4.2, RFC 8489): the answer to a Binding request, and nothing more.

What may live here: bytes in, bytes out. No state, no authentication: it says no more than where a packet came from.
"""

from __future__ import annotations

import ipaddress
import struct
from zlib import crc32

_COOKIE = 0x2112A442
_HEADER = struct.Struct("!HHI12s")
_ATTRIBUTE = struct.Struct("!HH")
_BINDING_REQUEST, _BINDING_SUCCESS, _BINDING_ERROR = 0x0001, 0x0101, 0x0111
_XOR_MAPPED_ADDRESS, _ERROR_CODE, _UNKNOWN_ATTRIBUTES, _FINGERPRINT = 0x0020, 0x0009, 0x000A, 0x8028
_FINGERPRINT_XOR = 0x5354554E
_OPTIONAL = 0x8000
"""Attributes from here on may be ignored (section 5)."""
_UNDERSTOOD = frozenset({0x0001, 0x0006, 0x0008, 0x0020, 0x0024, 0x0025})
"""Those below that ask nothing of us: who it is and how sure (USERNAME, MESSAGE-INTEGRITY), ICE's priority."""
_LARGEST = 548


def is_stun(data: bytes) -> bool:
    """Whether a datagram is STUN and not SIP, whose first byte is a letter (section 5)."""
    return len(data) >= _HEADER.size and data[0] < 0x40 and data[4:8] == b"\x21\x12\xa4\x42"


def answer(data: bytes, host: str, port: int) -> bytes | None:
    """What a Binding request from `host` (numeric, without brackets) and `port` is answered; None for anything else."""
    kind, length, _, transaction = _HEADER.unpack_from(data)
    if kind != _BINDING_REQUEST or length % 4 or length != len(data) - _HEADER.size or len(data) > _LARGEST:
        return None
    attributes = _attributes(data)
    if attributes is None:
        return None
    unknown = [one for one in attributes if one < _OPTIONAL and one not in _UNDERSTOOD]
    if unknown:
        body = _attribute(_ERROR_CODE, b"\0\0\x04\x14" + b"Unknown Attribute")  # 420
        body += _attribute(_UNKNOWN_ATTRIBUTES, struct.pack(f"!{len(unknown)}H", *unknown))
        reply = _message(_BINDING_ERROR, transaction, body)
    else:
        reply = _message(
            _BINDING_SUCCESS, transaction, _attribute(_XOR_MAPPED_ADDRESS, _mapped(host, port, transaction))
        )
    return _with_fingerprint(reply, transaction) if _FINGERPRINT in attributes else reply


def _attributes(data: bytes) -> list[int] | None:
    """The types; None if they do not fill the message."""
    found, place = [], _HEADER.size
    while place < len(data):
        if place + 4 > len(data):
            return None
        kind, length = _ATTRIBUTE.unpack_from(data, place)
        place += 4 + length + -length % 4
        found.append(kind)
    return found if place == len(data) else None


def _mapped(host: str, port: int, transaction: bytes) -> bytes:
    """XOR-MAPPED-ADDRESS (section 14.2): NATs that rewrite addresses in packets do not find it."""
    address = ipaddress.ip_address(host.partition("%")[0])
    key = _COOKIE.to_bytes(4, "big") + transaction
    masked = bytes(one ^ other for one, other in zip(address.packed, key, strict=False))
    return struct.pack("!BBH", 0, 1 if address.version == 4 else 2, port ^ (_COOKIE >> 16)) + masked


def _attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(kind, len(value)) + value + bytes(-len(value) % 4)


def _message(kind: int, transaction: bytes, body: bytes) -> bytes:
    return _HEADER.pack(kind, len(body), _COOKIE, transaction) + body


def _with_fingerprint(reply: bytes, transaction: bytes) -> bytes:
    """The checksum goes over a header whose length counts it already (section 14.7)."""
    kind, length, _, _ = _HEADER.unpack_from(reply)
    whole = _HEADER.pack(kind, length + 8, _COOKIE, transaction) + reply[_HEADER.size :]
    return whole + _attribute(_FINGERPRINT, struct.pack("!I", crc32(whole) ^ _FINGERPRINT_XOR))
