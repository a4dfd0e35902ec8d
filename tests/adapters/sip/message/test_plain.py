"""Short ways through the parser, for text as nearly everybody writes it, come to what the long ways come to."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import example, given
from hypothesis import strategies as st

from adapters.sip.message.header import NameAddr, Via, header_params, parse_credentials
from adapters.sip.message.memo import LONGEST_TEXT, Memo
from adapters.sip.message.message import MessageError, Request
from adapters.sip.message.parser import parse
from adapters.sip.message.via import stamp_via
from domain.values import Flow
from tests.adapters.sip.pair import make_request

PIECES = st.sampled_from(
    [";rport", ";branch=z9hG4bK1", ";received=192.0.2.9", ";RPORT", "; rport", ";rport=7", ";x", ";rportx", ";=", ";",
     ";x=\"a;rport;b\"", ";tag=1", ";tag=a-b", ";Tag=1", ";tag=1;tag=2", ";tag=\u00e9", " ", ">", '"', ";lr", ";ttl=1"]
)  # fmt: skip
TAILS = st.lists(PIECES, max_size=5).map("".join)
STARTS = st.sampled_from(
    ["SIP/2.0/UDP 192.0.2.1", "SIP/2.0/TCP 192.0.2.1:5060", "SIP/2.0/UDP [2001:db8::1]:9", "SIP/2.0/udp host",
     "SIP/2.0/UDP h:99999", "SIP/2.0/UDP h:", "SIP/2.0/UDP  h", "SIP/2.0/UDP", "SIP/2.0/UDP h:5060 "]
)  # fmt: skip
NAMES = st.sampled_from(
    ["<sip:a@b>", "<sip:a@b:5060;transport=tcp>", '"A, B" <sip:a@b>', '"A"<sip:a@b>', '"A\\"" <sip:a@b>', "A <sip:a@b>",
     "sip:a@b", "<tel:1>", "<http:a>", "<sip:a@@b>", '""<sip:a@b>', '"A"  <sip:a@b>', "<sip:a b>"]
)  # fmt: skip
FLOW = Flow("udp", "192.0.2.2:5060", "192.0.2.1:7777")


def outcome(parser: Callable[[str], object], text: str) -> object:
    try:
        return parser(text)
    except MessageError as error:
        return (error.status, error.reason)


@given(st.builds("".join, st.tuples(STARTS, TAILS)))
def test_a_plain_via_says_what_it_says_with_blanks_before_it(text: str) -> None:
    assert outcome(Via.parse, text) == outcome(Via.parse, f" {text}")


@given(st.builds("".join, st.tuples(NAMES, TAILS)))
def test_a_plain_address_says_what_it_says_with_blanks_before_it(text: str) -> None:
    assert outcome(NameAddr.parse, text) == outcome(NameAddr.parse, f" {text}")


@given(TAILS)
def test_a_tag_alone_says_what_it_says_among_others(text: str) -> None:
    among = outcome(header_params, f"{text};zz")
    if isinstance(among, dict):
        among = {name: value for name, value in among.items() if name != "zz"}
    assert outcome(header_params, text) == among or ";zz" in str(among)


CREDENTIALS = st.lists(
    st.sampled_from(
        ["qop=auth", 'qop="auth"', 'realm="x, y"', 'nonce="a\\"b"', "nc=00000001", 'cnonce=""', "uri=a b",
         "uri=sip:a", 'opaque="=="', "Realm=x", "realm", "realm=", 'realm="', " nonce = 1", "uri=\u0663", "x=1", "",
         'username="a"']
    ),
    max_size=4,
).map(",".join)  # fmt: skip


@given(CREDENTIALS)
@example('username="a",qop=auth')
@example("qop=auth,qop=auth")
def test_plain_credentials_say_what_they_say_beside_an_unknown_parameter(text: str) -> None:
    among = outcome(parse_credentials, f"Digest zz=1,{text}")
    if isinstance(among, dict):
        assert among.pop("zz") == "1"
    assert outcome(parse_credentials, f"Digest {text}") == among


def stamped(*vias: str) -> str | None:
    request = make_request("OPTIONS")
    request.remove("Via")
    for via in vias:
        request.add("Via", via)
    try:
        stamp_via(request, FLOW)
    except MessageError:
        return None
    again = Via.parse(f" {request.get_all('Via')[0]}")
    assert request.via == again, "what the message says of its Via is not what stands there"
    return request.get_all("Via")[0]


@given(st.builds("".join, st.tuples(STARTS, TAILS)).map(str.strip))  # as the parser cuts it from its line
@example("SIP/2.0/UDP 192.0.2.1;rport;branch=z9hG4bK1")
@example("SIP/2.0/UDP 192.0.2.1;rportx; rport")
@example('SIP/2.0/UDP 192.0.2.1;x=";rport;";rport')
@example('SIP/2.0/UDP 192.0.2.1;received=192.0.2.9";rport"')
@example('SIP/2.0/UDP 192.0.2.1;x=";received=192.0.2.9"')
def test_a_via_alone_is_stamped_as_one_in_a_list(via: str) -> None:
    via = via.strip(" ")  # as the parser hands it over
    assert stamped(via) == stamped(f"{via}, SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK0")


LINES = st.lists(
    st.sampled_from(
        ["Subject: a", "subject: a", "s: a", "X-Thing: b: c", "X-Thing:  d ", "Colonless", "Bad name: e", "Empty: ",
         "Empty:", "a:b: c", "Route: <sip:x;lr>", "Max-Forwards : 70", "Max-Forwards: 7", ": f", "Tab:\tg"]
    ),
    max_size=6,
)  # fmt: skip


@given(LINES)
def test_a_line_is_read_the_same_with_and_without_the_blank_after_its_colon(lines: list[str]) -> None:
    def read(lines: list[str]) -> object:
        head = make_request("OPTIONS").serialise().removesuffix(b"\r\n\r\n")
        try:
            message = parse(head + "".join(f"\r\n{line}" for line in lines).encode() + b"\r\n\r\n")
        except MessageError as error:
            return (error.status, error.reason)
        assert isinstance(message, Request)
        return message.headers, message.firsts()

    assert read(lines) == read([":".join(part.lstrip(" ") for part in line.split(":", 1)) for line in lines])


@given(st.lists(st.sampled_from(["Via", "Subject: a", " folded", "\tfolded", "To: <sip:x@y>", "Route: \t<sip:x;lr> "])))
def test_a_head_is_read_the_same_with_either_line_end(lines: list[str]) -> None:
    def read(end: bytes) -> object:
        head = make_request("OPTIONS").serialise().removesuffix(b"\r\n\r\n").replace(b"\r\n", end)
        try:
            message = parse(head + b"".join(end + line.encode() for line in lines) + end + end + b"body")
        except MessageError as error:
            return (error.status, error.reason)
        return message.headers, message.firsts(), message.body

    assert read(b"\r\n") == read(b"\n")


def test_a_via_that_is_kept_says_the_same() -> None:
    text = "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKkept;rport"
    before = Via.parse(text)
    before.keep(text)
    assert Via.parse(text) is before
    assert before == Via.parse(f" {text}")


def test_a_memo_is_bounded_in_number_and_in_the_length_of_texts() -> None:
    memo: Memo[int] = Memo(limit=3)
    for number in range(10):
        assert memo.put(f"text {number}", number) == number
        assert len(memo) <= 3
    assert memo.get("text 9") == 9
    memo.put("x" * (LONGEST_TEXT + 1), 1)
    assert memo.get("x" * (LONGEST_TEXT + 1)) is None
