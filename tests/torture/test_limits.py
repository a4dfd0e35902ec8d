"""Sizes, numbers and lengths that lie: what each gets, in a datagram and on a stream."""

from __future__ import annotations

import pytest

from adapters.sip.message.message import Request, Response
from adapters.sip.message.parser import MAX_HEADER_LINE, MAX_HEADERS, MAX_MESSAGE
from tests.torture.generator import request
from tests.torture.line import Line

OPTIONS = request("OPTIONS", 1)
BODY = b"v=0\r\n"


def with_lines(lines: bytes) -> bytes:
    return OPTIONS.replace(b"X-Thing: y\r\n", lines)


def with_length(text: str, body: bytes) -> bytes:
    return request("OPTIONS", 1, content_length=text, body=body)


CASES = {
    "good": (OPTIONS, "200", "200"),
    "compact": (OPTIONS.replace(b"Call-ID", b"i").replace(b"Via", b"v").replace(b"Content-Length", b"l"), "200", "200"),
    "a thousand headers": (with_lines(b"X: y\r\n" * 1_000), "513", "513"),
    "just enough headers": (with_lines(b"X: y\r\n" * (MAX_HEADERS - 12)), "200", "200"),
    "a header too long": (with_lines(b"X: " + b"y" * MAX_HEADER_LINE + b"\r\n"), "513", "513"),
    "a header nearly too long": (with_lines(b"X: " + b"y" * (MAX_HEADER_LINE - 4) + b"\r\n"), "200", "200"),
    "a folded header too long": (with_lines(b"X: y\r\n" + b" y\r\n" * MAX_HEADER_LINE), "513", "513"),
    "a message too long": (with_length(str(MAX_MESSAGE), b"a" * MAX_MESSAGE), "", "513"),
    "headers without an end": (OPTIONS[:-4] + b"\r\nX: y" * (MAX_MESSAGE // 6), "", ""),
    "a body shorter than its length": (with_length("50", BODY), "400", ""),
    "a body longer than its length": (with_length("0", BODY), "200", "200"),
    "a length of nothing": (with_length("", BODY), "400", "400"),
    "a negative length": (with_length("-5", BODY), "400", "400"),
    "a length in hex": (with_length("0x5", BODY), "400", "400"),
    "a length with a sign": (with_length("+5", BODY), "400", "400"),
    "a length beyond all": (with_length("9" * 40, BODY), "400", "400"),
    "two lengths": (with_length("5\r\nl: 0", BODY), "400", "400"),
    "the same length twice": (with_length("5\r\nContent-Length: 5", BODY), "400", "400"),
    "a length in another header": (with_lines(b"X: y\r\n Content-Length: 900\r\n"), "200", "200"),
    "no length": (OPTIONS.replace(b"Content-Length: 0\r\n", b""), "200", "400"),
}


def statuses(said: list[tuple[str, Request | Response]]) -> str:
    return " ".join(str(one.status) for _, one in said if isinstance(one, Response))


@pytest.mark.parametrize("name", CASES)
def test_each_is_answered_or_not(name: str) -> None:
    data, datagram, stream = CASES[name]
    line = Line()
    assert statuses(line.datagram(data)) == datagram
    assert statuses(Line().stream(data)) == stream
    assert line.exchange.journal.stored == []


def test_what_follows_a_shortened_body_on_a_stream_is_no_request_of_anybody() -> None:
    """A proxy before us might read the length otherwise: the rest is the next message, and answered as such."""
    inner = request("REGISTER", 2)
    said = Line().stream(with_length("0", inner))
    assert statuses(said) == "200 401"
