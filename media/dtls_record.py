"""DTLS records as far as anybody may look into them (RFC 6347 section 4.1): their heads, and those of messages in them.

What may live here: bounded pure functions of bytes. They keep from OpenSSL what no honest party sends, and cut what it
gives, which is a stream of records, into datagrams again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

LONGEST_MESSAGE = 16_384
"""bytes of a handshake message: memory is set aside for what its first fragment announces"""
_HEAD, _MESSAGE_HEAD = 13, 12
_TYPES = range(20, 24)  # change cipher spec, alert, handshake, application data
_HANDSHAKE = 22
_CLIENT_HELLO = b"\1"
_LONGEST_RECORD = (1 << 14) + 2048
_VERSIONS = (b"\xfe\xff", b"\xfe\xfd")  # a first ClientHello may still say 1.0


class Record(NamedTuple):
    """One record with its head; `bare` if it is not encrypted yet."""

    content_type: int
    bare: bool
    data: memoryview

    @property
    def body(self) -> memoryview:
        """Without its head."""
        return self.data[_HEAD:]


def records(datagram: bytes) -> Iterator[Record]:
    """The records of a datagram. Raises ValueError where it is not made of whole ones."""
    rest = memoryview(datagram)
    if not rest:
        raise ValueError("it is empty")
    while rest:
        if len(rest) < _HEAD or rest[0] not in _TYPES or bytes(rest[1:3]) not in _VERSIONS:
            raise ValueError("it is no DTLS record")
        length = _HEAD + int.from_bytes(rest[11:13], "big")
        if length > min(len(rest), _HEAD + _LONGEST_RECORD):
            raise ValueError("its record is longer than it is, or than one may be")
        yield Record(rest[0], bytes(rest[3:5]) == b"\0\0", rest[:length])
        rest = rest[length:]


def is_sound(datagram: bytes) -> bool:
    """Whether it is made of whole records, and announces no handshake message that is longer than may be."""
    try:
        return all(_fits(record) for record in records(datagram))
    except ValueError:
        return False


def is_client_hello(datagram: bytes) -> bool:
    """Whether it begins with one: the only thing that begins a handshake. It must be sound."""
    first = next(records(datagram))
    return first.content_type == _HANDSHAKE and first.bare and bytes(first.body[:1]) == _CLIENT_HELLO


def datagrams(stream: bytes, mtu: int) -> list[bytes]:
    """Records in their order, as many in each datagram as fit; a longer one goes alone.

    Raises ValueError for what is not made of whole records.
    """
    found: list[bytearray] = []
    for record in records(stream) if stream else ():
        if found and len(found[-1]) + len(record.data) <= mtu:
            found[-1] += record.data
        else:
            found.append(bytearray(record.data))
    return [bytes(one) for one in found]


def _fits(record: Record) -> bool:
    if record.content_type != _HANDSHAKE or not record.bare:
        return True
    body = record.body
    while body:
        if len(body) < _MESSAGE_HEAD:
            return False
        whole, fragment = int.from_bytes(body[1:4], "big"), int.from_bytes(body[9:12], "big")
        if whole > LONGEST_MESSAGE or fragment > len(body) - _MESSAGE_HEAD:
            return False
        body = body[_MESSAGE_HEAD + fragment :]
    return True
