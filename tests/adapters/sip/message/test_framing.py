"""Streams: the same messages whatever the pieces, keep-alives, and where a stream cannot go on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.sip.message.framing import StreamFramer
from adapters.sip.message.message import MessageError
from adapters.sip.message.parser import MAX_MESSAGE, parse
from tests.adapters.sip.message.test_message import wire


def message(body: bytes = b"", name: str = "Content-Length", eol: bytes = b"\r\n") -> bytes:
    head = wire(more=f"{name}: {len(body)}\r\n")
    return head.replace(b"\r\n", eol) + body


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=50).map(message),
            st.just(b"\r\n\r\n"),
            st.just(message(b"\r\n\r\nx", "l ")),
            st.just(message(b"x", eol=b"\n")),
        ),
        max_size=5,
    ),
    st.data(),
)
def test_pieces_make_no_difference(parts: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    framer = StreamFramer()
    received: list[bytes] = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        received += framer.receive(stream[start:end])
    assert received == [part for part in parts if part.strip()]
    assert framer.pings == parts.count(b"\r\n\r\n")
    assert framer.buffered == 0
    for one in received:
        parse(one)


def test_byte_by_byte() -> None:
    framer = StreamFramer()
    stream = b"\r\n\r\n" + message(b"four") + b"\r\n" + message()
    received = [one for byte in stream for one in framer.receive(bytes([byte]))]
    assert received == [message(b"four"), message()]
    assert framer.pings == 1


def test_short_message_after_a_long_one() -> None:
    framer = StreamFramer()
    long = wire(more="X: y\r\n" * 9 + "Content-Length: 0\r\n")
    assert [one for byte in long for one in framer.receive(bytes([byte]))] == [long]
    assert framer.receive(message()) == [message()]


def test_what_is_held_counts_but_not_keep_alives() -> None:
    framer = StreamFramer()
    for data, held in ((b"\r", 0), (b"\n\r", 0), (b"\n", 0), (b"\r\nOPT", 3), (message()[3:-1], len(message()) - 1)):
        framer.receive(data)
        assert framer.buffered == held
    assert framer.receive(message()[-1:]) == [message()]
    assert (framer.buffered, framer.pings) == (0, 1)


@pytest.mark.parametrize(
    ("data", "status", "answerable"),
    [
        (wire(), 400, True),
        (wire(more="Content-Length: many\r\n"), 400, True),
        (wire(more="Content-Length: -1\r\n"), 400, True),
        (wire(more="X-Content-Length: 0\r\n"), 400, True),
        (wire(more="X: a\r\n l: 0\r\n"), 400, True),
        (wire(more="Content-Length: 65536\r\n"), 513, True),
        (wire(more="Content-Length: 999999999\r\n"), 513, True),
        (b"\x16\x03\x01\r\n\r\n", 400, False),
        (b"x" * (MAX_MESSAGE + 1), 513, False),
    ],
)
def test_stream_that_cannot_go_on(data: bytes, status: int, answerable: bool) -> None:
    with pytest.raises(MessageError) as refused:
        StreamFramer().receive(data)
    assert refused.value.status == status
    assert (refused.value.request is not None) is answerable


def test_what_was_whole_before_is_not_lost() -> None:
    framer = StreamFramer()
    assert framer.receive(message() + wire()) == [message()]
    assert framer.buffered > 0
    for _ in range(2):
        with pytest.raises(MessageError):
            framer.receive(b"")


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_any_bytes_are_cut_or_refused(pieces: list[bytes]) -> None:
    framer = StreamFramer()
    refused = None
    for piece in pieces:
        try:
            framer.receive(piece)
        except MessageError as error:
            refused = error.status
            break
    assert refused in (None, 400, 513)
    assert framer.buffered <= sum(map(len, pieces))
