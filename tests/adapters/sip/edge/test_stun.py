"""STUN: RFC 5769's own messages, and what is no Binding request."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.sip.edge.stun import answer, is_stun
from tests.adapters.sip.station import OPTIONS

TRANSACTION = bytes.fromhex("b7e7a701bc34d686fa87dfae")
RFC_5769_REQUEST = bytes.fromhex(
    "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff"
    "80290008932ff9b151263b36000600096576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2"
    "80280004e57a3bcf"
)
PLAIN = bytes.fromhex("000100002112a442") + TRANSACTION


def attributes(message: bytes) -> dict[int, bytes]:
    found, place = {}, 20
    while place < len(message):
        kind, length = struct.unpack_from("!HH", message, place)
        found[kind] = message[place + 4 : place + 4 + length]
        place += 4 + length + -length % 4
    return found


@pytest.mark.parametrize(
    ("host", "port", "value"),
    [
        ("192.0.2.1", 32853, "0001a147e112a643"),  # RFC 5769 2.2
        ("2001:db8:1234:5678:11:2233:4455:6677", 32853, "0002a1470113a9faa5d3f179bc25f4b5bed2b9d9"),  # 2.3
    ],
)
def test_rfc_5769_addresses(host: str, port: int, value: str) -> None:
    reply = answer(PLAIN, host, port)
    assert reply is not None
    assert reply[:2] == b"\x01\x01"
    assert reply[4:20] == PLAIN[4:20]
    assert struct.unpack_from("!H", reply, 2)[0] == len(reply) - 20
    assert attributes(reply) == {0x0020: bytes.fromhex(value)}


def test_rfc_5769_request_is_answered_with_a_fingerprint() -> None:
    assert is_stun(RFC_5769_REQUEST)
    reply = answer(RFC_5769_REQUEST, "192.0.2.1", 32853)
    assert reply is not None
    assert set(attributes(reply)) == {0x0020, 0x8028}
    # The very same rule as for the request's own fingerprint, which the RFC gives.
    from zlib import crc32

    for message in (RFC_5769_REQUEST, reply):
        assert struct.pack("!I", crc32(message[:-8]) ^ 0x5354554E) == message[-4:]


def test_an_attribute_that_must_be_understood_is_named() -> None:
    body = bytes.fromhex("0003000400000006") + bytes.fromhex("7777000161000000")
    reply = answer(bytes.fromhex("00010010") + PLAIN[4:] + body, "192.0.2.1", 5060)
    assert reply is not None
    assert reply[:2] == b"\x01\x11"
    assert attributes(reply)[0x0009][:4] == b"\0\0\x04\x14"
    assert attributes(reply)[0x000A] == bytes.fromhex("00037777")


@pytest.mark.parametrize(
    "data",
    [
        bytes.fromhex("01010000") + PLAIN[4:],  # an answer must not be answered
        bytes.fromhex("00110000") + PLAIN[4:],  # an indication
        bytes.fromhex("00010004") + PLAIN[4:],
        bytes.fromhex("00010002") + PLAIN[4:] + b"\0\0",
        bytes.fromhex("00010004") + PLAIN[4:] + bytes.fromhex("80220004"),
        bytes.fromhex("00010400") + PLAIN[4:] + bytes.fromhex("802203fc") + bytes(1020),
    ],
)
def test_anything_else_is_not_answered(data: bytes) -> None:
    assert is_stun(data)
    assert answer(data, "192.0.2.1", 5060) is None


def test_sip_is_no_stun() -> None:
    for data in (OPTIONS, b"", b"\r\n\r\n", PLAIN[:19], b"\0" * 20, b"\x80" + PLAIN[1:]):
        assert not is_stun(data)


@given(st.binary(max_size=80))
def test_any_bytes_are_answered_by_no_more_than_they_cost(tail: bytes) -> None:
    data = struct.pack("!HH", 1, len(tail)) + PLAIN[4:] + tail
    reply = answer(data, "192.0.2.1", 5060)
    assert reply is None or len(reply) <= len(data) + 44
