"""RTCP: what is built is parsed back, a compound byte for byte, garbage, and formulas by the RFC's own example."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.demux import Kind, kind
from media.rtcp import (
    Block,
    Description,
    Goodbye,
    Message,
    ReceiverReport,
    SenderReport,
    build,
    interval_s,
    middle,
    ntp,
    parse,
    round_trip_ms,
)

WORD = st.integers(0, 2**32 - 1)
BLOCKS = st.lists(
    st.builds(Block, WORD, st.integers(0, 255), st.integers(-(2**23), 2**23 - 1), WORD, WORD, WORD, WORD), max_size=4
).map(tuple)
TEXT = st.text(max_size=60)
MESSAGES = st.one_of(
    st.builds(SenderReport, WORD, st.integers(0, 2**64 - 1), WORD, WORD, WORD, BLOCKS),
    st.builds(ReceiverReport, WORD, BLOCKS),
    st.builds(Description, WORD, TEXT),
    st.builds(Goodbye, st.lists(WORD, max_size=31).map(tuple), TEXT),
)

REPORT = SenderReport(
    0x11223344,
    0xB44D_B705_2000_0000,
    160,
    7,
    1120,
    (Block(0xAABBCCDD, 64, -2, 0x0001_0203, 99, 0xB705_2000, 0x5_4000),),
)
GOLDEN = bytes.fromhex(
    "81c8000c 11223344 b44db705 20000000 000000a0 00000007 00000460"
    "aabbccdd 40fffffe 00010203 00000063 b7052000 00054000"
    "81ca0003 11223344 0104 74657374 0000"
    "81cb0002 11223344 03 627965"
)
GOLDEN_MESSAGES = (REPORT, Description(0x11223344, "test"), Goodbye((0x11223344,), "bye"))


def test_a_compound_byte_for_byte() -> None:
    assert build(GOLDEN_MESSAGES) == GOLDEN
    assert parse(GOLDEN) == GOLDEN_MESSAGES


@given(st.lists(MESSAGES, min_size=1, max_size=5))
def test_what_is_built_is_parsed_back(messages: list[Message]) -> None:
    data = build(messages)
    assert len(data) % 4 == 0
    assert kind(data) is Kind.RTCP
    assert parse(data) == tuple(messages)


@given(st.binary(max_size=120))
def test_garbage_does_no_harm(data: bytes) -> None:
    parse(data)
    kind(data)


@given(st.lists(MESSAGES, min_size=1, max_size=3), st.data())
def test_what_is_changed_does_no_harm(messages: list[Message], data: st.DataObject) -> None:
    raw = bytearray(build(messages))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    parse(bytes(raw))


def test_a_report_has_room_for_31_blocks() -> None:
    blocks = tuple(Block(n, 0, 0, 0, 0) for n in range(40))
    assert parse(build([ReceiverReport(1, blocks)])) == (ReceiverReport(1, blocks[:31]),)


def test_every_cut_is_refused_but_between_packets() -> None:
    whole = [length for length in range(len(GOLDEN) + 1) if parse(GOLDEN[:length])]
    assert whole == [52, 68, 80]


def test_one_packet_alone_is_enough() -> None:
    assert parse(build([Goodbye((5,))])) == (Goodbye((5,)),)


def test_what_is_not_known_is_stepped_over() -> None:
    extended = bytes.fromhex("80cf0002 11223344 00000000")
    assert parse(build([ReceiverReport(1)]) + extended + build([Goodbye((1,))])) == (ReceiverReport(1), Goodbye((1,)))


def test_padding_is_allowed_at_the_end_only() -> None:
    padded = bytes.fromhex("a1cb0002 00000001 00000004")
    assert parse(padded) == (Goodbye((1,)),)
    assert parse(padded + build([Goodbye((1,))])) == ()
    assert parse(bytes.fromhex("a1cb0002 00000001 00000000")) == ()
    assert parse(bytes.fromhex("a1cb0002 00000001 00000009")) == ()


@pytest.mark.parametrize(
    "data",
    [
        "41c90001 00000001",
        "81c90001 00000001",
        "81c80006 00000001 00000000 00000000 00000000 00000000 00000000",
        "80c90000",
        "81ca0002 00000001 01ff6161",
        "81ca0001 00000001",
        "82ca0002 00000001 00000000",
        "81cb0000",
        "81cb0002 00000001 09000000",
    ],
    ids=["version 1", "no block", "sender without block", "nobody's report", "long item", "no end", "one chunk of two",
         "nobody leaves", "long reason"],
)  # fmt: skip
def test_counts_and_lengths_that_do_not_fit_are_refused(data: str) -> None:
    assert parse(bytes.fromhex(data)) == ()


@pytest.mark.parametrize(
    ("second", "expected"),
    [(0, False), (0x80, False), (0x60, False), (0xE0, False), (191, False), (192, True), (200, True), (223, True)],
)
def test_rtcp_is_told_from_rtp_by_its_second_byte(second: int, expected: bool) -> None:
    assert (kind(bytes([0x80, second, 0, 1])) is Kind.RTCP) is expected


def test_stun_and_dtls_are_no_rtcp() -> None:
    assert kind(b"\x00\xc8\x00\x00") is not Kind.RTCP
    assert kind(b"\x16\xc8\x00\x00") is not Kind.RTCP


def test_the_round_trip_of_the_rfcs_example() -> None:
    """RFC 3550, figure 2: A = b710:8000, LSR = b705:2000, DLSR = 5:4000, so 6.125 s."""
    block = Block(1, 0, 0, 0, 0, last_report=0xB705_2000, delay=0x5_4000)
    assert round_trip_ms(block, 0xB710_8000 << 16) == 6125
    assert middle(0xB44D_B705_2000_0000) == 0xB705_2000


@given(st.floats(1.7e9, 2.2e9), st.floats(0, 5000), st.floats(0, 20))
def test_a_round_trip_is_what_was_not_waited_for(sent_s: float, way_ms: float, delay_s: float) -> None:
    block = Block(1, 0, 0, 0, 0, middle(ntp(sent_s)) or 1, int(delay_s * 65536))
    found = round_trip_ms(block, ntp(sent_s + delay_s + way_ms / 1000))
    if found is None:  # Rounded down to less than nothing.
        assert way_ms < 0.1
    else:
        assert found == pytest.approx(way_ms, abs=0.1)


def test_no_report_and_an_impossible_one_have_no_round_trip() -> None:
    assert round_trip_ms(Block(1, 0, 0, 0, 0), ntp(1.8e9)) is None
    assert round_trip_ms(Block(1, 0, 0, 0, 0, middle(ntp(1.8e9)), 1 << 16), ntp(1.8e9)) is None


def test_ntp_time_counts_from_1900() -> None:
    assert ntp(0) == 2_208_988_800 << 32
    assert ntp(0.5) & 0xFFFFFFFF == 1 << 31


@given(st.floats(0, 1))
def test_reports_are_spread_around_five_seconds(chance: float) -> None:
    assert 2.05 <= interval_s(chance) <= 6.2
    assert interval_s(chance, first=True) == interval_s(chance) / 2
    assert interval_s(chance, members=500) > interval_s(chance)
