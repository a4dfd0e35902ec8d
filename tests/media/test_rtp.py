"""RTP packets: what is built is parsed back, what is malformed is refused, what wraps is compared the short way."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.rtp import (
    HEADER_BYTES,
    Packet,
    build,
    header,
    parse,
    sequence_difference,
    timestamp_difference,
    write_headers,
)

SEQUENCE = st.integers(0, 0xFFFF)
WORD = st.integers(0, 0xFFFFFFFF)
PACKETS = st.builds(Packet, st.integers(0, 127), st.booleans(), SEQUENCE, WORD, WORD, st.binary(max_size=200))
PLAIN = bytes.fromhex("80e0 1234 00000140 deadbeef") + b"sound"


@given(PACKETS)
def test_what_is_built_is_parsed_back(packet: Packet) -> None:
    assert parse(build(packet)) == packet


@given(st.binary(max_size=80))
def test_noise_is_refused_or_parsed_and_never_raises(data: bytes) -> None:
    packet = parse(data)
    assert packet is None or len(packet.payload) <= len(data) - HEADER_BYTES


def test_a_packet_byte_for_byte() -> None:
    assert parse(PLAIN) == Packet(0x60, True, 0x1234, 320, 0xDEADBEEF, b"sound")
    assert header(0x60, 0x1234, 320, 0xDEADBEEF, marker=True) + b"sound" == PLAIN


@given(PACKETS, st.integers(0, 15), st.none() | st.integers(0, 20), st.integers(0, 9))
def test_sources_extension_and_padding_are_stepped_over(
    packet: Packet, sources: int, extension: int | None, padding: int
) -> None:
    data = bytearray(build(packet))
    data[0] |= sources | (0x10 if extension is not None else 0) | (0x20 if padding else 0)
    extra = b"\xbe\xde" + extension.to_bytes(2, "big") + bytes(4 * extension) if extension is not None else b""
    whole = data[:HEADER_BYTES] + bytes(4 * sources) + extra + data[HEADER_BYTES:]
    whole += bytes(padding - 1) + bytes([padding]) if padding else b""
    assert parse(bytes(whole)) == packet


@pytest.mark.parametrize(("words", "payload"), [(0, b""), (300, b"payload")])
def test_an_extension_may_be_empty_or_long(words: int, payload: bytes) -> None:
    data = b"\x90" + PLAIN[1:HEADER_BYTES] + b"\xbe\xde" + words.to_bytes(2, "big") + bytes(4 * words) + payload
    packet = parse(data)
    assert packet is not None
    assert packet.payload == payload


@pytest.mark.parametrize(
    ("first", "rest"),
    [
        (0x00, b"payload"),
        (0x40, b"payload"),
        (0xC0, b"payload"),
        (0x82, b"sources"),
        (0x90, b"ext"),
        (0x90, b"\xbe\xde\x00\x02four"),
        (0xA0, b"padding\x00"),
        (0xA0, b"padding\x09"),
        (0xA0, b""),
        (0xB1, b"srce\xbe\xde\x00\x01exts\x01\x03"),
    ],
    ids=["version 0", "version 1", "version 3", "sources", "extension's head", "extension", "no padding",
         "padding longer than the payload", "padding and nothing", "padding into the extension"],
)  # fmt: skip
def test_lengths_that_do_not_fit_are_refused(first: int, rest: bytes) -> None:
    assert parse(bytes([first]) + PLAIN[1:HEADER_BYTES] + rest) is None


def test_every_cut_of_a_header_is_refused() -> None:
    assert [length for length in range(HEADER_BYTES) if parse(PLAIN[:length])] == []
    assert parse(PLAIN[:HEADER_BYTES]) is not None


@given(st.lists(st.tuples(st.integers(0, 127), st.integers(0, 1 << 40), WORD, WORD, st.booleans()), max_size=8))
def test_headers_of_many_packets_are_those_of_each(rows: list[tuple[int, int, int, int, bool]]) -> None:
    packets = np.full((len(rows), 20), 0xAA, np.uint8)
    columns = [np.array(column) for column in zip(*rows, strict=True)] if rows else [np.zeros(0, np.int64)] * 5
    payload_types, sequences, timestamps, ssrcs, markers = columns
    write_headers(packets, payload_types, sequences, timestamps, ssrcs, markers)
    for row, (payload_type, sequence, timestamp, ssrc, marker) in zip(packets, rows, strict=True):
        assert row.tobytes() == header(payload_type, sequence, timestamp, ssrc, marker) + b"\xaa" * 8


def test_headers_share_what_is_the_same_for_all() -> None:
    packets = np.zeros((2, 12), np.uint8)
    write_headers(packets, 8, np.array([65535, 65536]), 160, np.array([1, 2], np.uint32))
    assert [row.tobytes() for row in packets] == [header(8, 65535, 160, 1), header(8, 0, 160, 2)]


@given(SEQUENCE, st.integers(-32768, 32767))
def test_sequences_are_compared_the_shorter_way_round(start: int, step: int) -> None:
    assert sequence_difference((start + step) % 65536, start) == step


@given(WORD, st.integers(-(2**31), 2**31 - 1))
def test_timestamps_are_compared_the_shorter_way_round(start: int, step: int) -> None:
    assert timestamp_difference((start + step) % 2**32, start) == step
