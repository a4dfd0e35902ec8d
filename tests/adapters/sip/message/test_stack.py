"""Headers whose values form a stack: Via, Route, Path are put on top and taken off again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from adapters.sip.message.message import Message, Request
from adapters.sip.message.parser import parse

VIA = st.integers(0, 99).map(lambda number: f"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK{number}")


def request(*headers: tuple[str, str]) -> Request:
    return Request("OPTIONS", "sip:b@example.com", headers)


def vias(message: Message) -> list[str]:
    return message.get_all("Via")


@given(st.lists(st.lists(VIA, min_size=1, max_size=3), min_size=1, max_size=4), VIA)
def test_what_is_pushed_is_popped_and_the_others_stay(lines: list[list[str]], top: str) -> None:
    message = request(("Call-ID", "c"), *(("Via", ", ".join(line)) for line in lines), ("CSeq", "1 OPTIONS"))
    before = vias(message)
    assert message.via.branch == before[0].partition("branch=")[2]
    message.push("Via", top)
    assert message.via.branch == top.partition("branch=")[2]
    assert vias(message) == [top, *before]
    assert message.pop("Via") == top
    assert [message.pop("Via") for _ in before] == before
    assert vias(message) == []
    assert message.headers == [("Call-ID", "c"), ("CSeq", "1 OPTIONS")]


def test_there_is_nothing_to_pop() -> None:
    assert request(("Call-ID", "c")).pop("Route") == ""


def test_a_comma_inside_a_route_does_not_end_it() -> None:
    message = request(("Route", '"a, b" <sip:a,b@192.0.2.1;lr>, <sip:192.0.2.2;lr>'))
    assert message.pop("Route") == '"a, b" <sip:a,b@192.0.2.1;lr>'
    assert message.get_all("Route") == ["<sip:192.0.2.2;lr>"]


def test_what_came_is_not_what_is_sent_once_it_was_changed() -> None:
    wire = (
        b"OPTIONS sip:b@example.com SIP/2.0\r\nv: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nf: <sip:a@x>;tag=1\r\n"
        b"t: <sip:b@x>\r\ni: c\r\nCSeq: 1 OPTIONS\r\n\r\n"
    )
    message = parse(wire)
    assert message.original() == wire
    message.push("Via", "SIP/2.0/TLS 192.0.2.9;branch=z9hG4bK2")
    assert message.original().startswith(b"OPTIONS sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/TLS 192.0.2.9;")
