"""Messages: golden bytes, laws, and what malformed ones deserve."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.sip.message.message import PHRASES, Message, MessageError, Request, Response, response_to
from adapters.sip.message.parser import MAX_HEADERS, MAX_MESSAGE, parse

GOLDEN = Path(__file__).parents[3] / "golden" / "sip"
CANONICAL = ("invite", "register", "ok", "reason_utf8", "latin1_name", "loose.canonical")
BASE = {
    "Via": "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1",
    "From": "<sip:a@example.com>;tag=1",
    "To": "<sip:b@example.com>",
    "Call-ID": "c",
    "CSeq": "1 OPTIONS",
}
TOKEN = st.text("abcdefghijklmnopqrstuvwxyzABCXYZ0123456789-.!%*_+`'~", min_size=1, max_size=12)
VALUE = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30).map(lambda text: text.strip(" \t"))


def golden(name: str) -> bytes:
    return (GOLDEN / f"{name}.sip").read_bytes()


def wire(
    start: str = "OPTIONS sip:b@example.com SIP/2.0",
    body: bytes = b"",
    more: str = "",
    changed: Mapping[str, str] = MappingProxyType({}),
) -> bytes:
    """A message with BASE's headers; a changed value of "" leaves the header out."""
    headers = {**BASE, **changed}
    lines = [start, *(f"{name}: {value}" for name, value in headers.items() if value)]
    return ("\r\n".join(lines) + "\r\n" + more + "\r\n").encode() + body


@pytest.mark.parametrize("name", CANONICAL)
def test_canonical_message_is_written_as_it_was_read(name: str) -> None:
    assert parse(golden(name)).serialise() == golden(name)


@pytest.mark.parametrize("name", ["loose", "loose_lf"])
def test_other_spellings_become_canonical(name: str) -> None:
    assert parse(golden(name)).serialise() == golden("loose.canonical")


def test_fields_of_an_invite() -> None:
    invite = parse(golden("invite"))
    assert isinstance(invite, Request)
    assert (invite.method, invite.uri, invite.call_id) == (
        "INVITE",
        "sip:1002@acme.example",
        "3f6d2a50-91b2@192.0.2.10",
    )
    assert (invite.via.transport, invite.via.host, invite.via.port) == ("UDP", "192.0.2.10", 5060)
    assert (invite.via.branch, invite.via.received) == ("z9hG4bKPj7a21", "")
    assert not invite.via.params["rport"], "asked for, and not filled"
    assert (invite.cseq.number, invite.cseq.method) == (17042, "INVITE")
    assert (invite.from_.display, invite.from_.tag, str(invite.from_.uri)) == (
        'Alice "A" Smith, Ltd',
        "8a7c",
        "sip:1001@acme.example",
    )
    assert (invite.to.tag, invite.to.uri.user) == ("", "1002")
    assert invite.get("X-Trace") == "a:b; c"
    assert invite.get_all("Allow") == ["INVITE", "ACK", "BYE", "CANCEL", "OPTIONS"]
    assert len(invite.get_all("Via")) == 2
    assert invite.body.startswith(b"v=0\r\n")


def test_fields_of_a_response() -> None:
    answer = parse(golden("ok"))
    assert isinstance(answer, Response)
    assert (answer.status, answer.reason) == (200, "OK")
    assert (answer.via.received, answer.via.params["rport"]) == ("192.0.2.9", "5062")
    assert (answer.from_.tag, answer.from_.uri.params) == ("8a7c", {})
    assert (answer.to.display, answer.to.tag) == ("Bob the Builder", "99")


def test_bytes_that_are_no_utf8_can_be_journaled() -> None:
    text = parse(golden("latin1_name")).get("From")
    assert text is not None
    assert msgspec.json.decode(msgspec.json.encode(text)) == text


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (wire("OPTIONS sip:b@example.com SIP/3.0"), 505),
        (wire("OPTIONS sip:b@example.com; lr SIP/2.0"), 400),
        (wire("OPTIONS <sip:b@example.com> SIP/2.0"), 400),
        (wire("OPTIONS sip:b@\x00example.com SIP/2.0"), 400),
        (wire("OPTIONS  sip:b@example.com SIP/2.0"), 400),
        (wire(more="No colon here\r\n"), 400),
        (wire(more="Via\r\n"), 400),
        (wire(more="B@d: name\r\n"), 400),
        (wire(more=": no name\r\n"), 400),
        (wire(more="X: a\rVia: SIP/2.0/UDP evil\r\n"), 400),
        (wire(more="X: " + "y" * 9000 + "\r\n"), 513),
        (wire(more="X: y" + "\r\n y" * 5000 + "\r\n"), 513),
        (wire(more="X: y\r\n" * (MAX_HEADERS + 1)), 513),
        (wire(changed={"CSeq": "1 INVITE"}), 400),
        (wire(changed={"CSeq": "OPTIONS"}), 400),
        (wire(changed={"CSeq": "2147483648 OPTIONS"}), 400),
        (wire(changed={"CSeq": "-1 OPTIONS"}), 400),
        (wire(more="From: <sip:c@example.com>;tag=2\r\n"), 400),
        (wire(more="Call-ID: d\r\n"), 400),
        (wire(more="i: d\r\n"), 400),
        (wire(more="CSeq: 1 OPTIONS\r\n"), 400),
        (wire(more="Content-Length: 0\r\nl: 0\r\n"), 400),
        (wire(more="Content-Length: -1\r\n"), 400),
        (wire(more="Content-Length: ٣\r\n"), 400),
        (wire(more="Content-Length: 9999999999\r\n"), 400),
        (wire(more="Content-Length: 5\r\n", body=b"four"), 400),
    ],
)
def test_malformed_request_is_answered(data: bytes, status: int) -> None:
    with pytest.raises(MessageError) as refused:
        parse(data)
    assert refused.value.status == status
    assert refused.value.request is not None
    answer = parse(response_to(refused.value.request, status, refused.value.reason).serialise())
    assert isinstance(answer, Response)
    assert (answer.status, answer.call_id) == (status, "c")


@pytest.mark.parametrize("name", list(BASE))
def test_request_without_what_a_response_copies_is_dropped(name: str) -> None:
    with pytest.raises(MessageError, match=f"Missing {name}") as refused:
        parse(wire(changed={name: ""}))
    assert (refused.value.status, refused.value.request) == (400, None)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"", 400),
        (b"\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n", 400),
        (b"\x00\x01\x00\x00\x21\x12\xa4\x42", 400),
        (b"OPT(IONS sip:b SIP/2.0\r\n\r\n", 400),
        (wire("SIP/2.0 99 Low"), 400),
        (wire("SIP/2.0 700 High"), 400),
        (wire("SIP/2.0 2oo OK"), 400),
        (wire("SIP/2.0 200 OK", changed={"CSeq": ""}), 400),
        (wire("SIP/2.0 200 OK", more="To: <sip:c@example.com>\r\n"), 400),
        (b"x" * (MAX_MESSAGE + 1), 513),
    ],
)
def test_other_rubbish_is_dropped(data: bytes, status: int) -> None:
    with pytest.raises(MessageError) as refused:
        parse(data)
    assert (refused.value.status, refused.value.request) == (status, None)


@pytest.mark.parametrize("name", ["Via", "From", "To"])
def test_malformed_value_is_told_when_it_is_asked_for(name: str) -> None:
    request = parse(wire(changed={name: '"never closed <sip:a@b>'}))
    with pytest.raises(MessageError, match=f"Malformed {name}") as refused:
        getattr(request, {"From": "from_"}.get(name, name.lower()))
    assert (refused.value.status, refused.value.request) == (400, request)


def test_datagram_with_more_than_its_body_is_cut() -> None:
    assert parse(wire(more="Content-Length: 2\r\n", body=b"four")).body == b"fo"


def test_name_that_only_looks_compact_stays_itself() -> None:
    with pytest.raises(MessageError):
        parse(wire(more="\N{KELVIN SIGN}: 100rel\r\n"))


@pytest.mark.parametrize("value", ["a\r\nVia: b", "a\nb", "a\rb"])
def test_our_own_header_cannot_break_the_message(value: str) -> None:
    message = Request("OPTIONS", "sip:b@example.com")
    for change in (message.set, message.add):
        with pytest.raises(ValueError, match="would break"):
            change("Subject", value)
    with pytest.raises(ValueError, match="would break"):
        message.add("A: b", "c")
    assert message.headers == []


def test_changed_headers() -> None:
    message = parse(wire())
    old = message.via
    message.set("Via", "SIP/2.0/TCP proxy.example;branch=z9hG4bK2")
    assert (message.via.host, message.headers[0][0], old.host) == ("proxy.example", "Via", "192.0.2.1")
    message.set("CSeq", "2 OPTIONS")
    assert message.cseq.number == 2
    message.add("Route", "<sip:a>, <sip:b;lr>")
    message.add("Route", "<sip:c>")
    assert message.get_all("Route") == ["<sip:a>", "<sip:b;lr>", "<sip:c>"]
    message.remove("Route")
    assert message.get("Route") is None
    assert message.get_all("Route") == []


def test_response_copies_what_it_must() -> None:
    request = parse(wire(more="Via: SIP/2.0/UDP 192.0.2.7\r\nRecord-Route: <sip:p;lr>\r\nTimestamp: 5\r\n"))
    assert isinstance(request, Request)
    ringing = response_to(request, 180, to_tag="t")
    assert (ringing.reason, ringing.to.tag) == ("Ringing", "t")
    assert ringing.get_all("Via") == [BASE["Via"], "SIP/2.0/UDP 192.0.2.7"]
    assert ringing.get("Record-Route") == "<sip:p;lr>"
    assert (ringing.get("From"), ringing.get("CSeq")) == (BASE["From"], BASE["CSeq"])
    trying = response_to(request, 100)
    assert (trying.get("Timestamp"), trying.get("Record-Route"), trying.get("To")) == ("5", None, BASE["To"])
    request.set("To", "<sip:b@example.com>;tag=theirs")
    assert response_to(request, 200, to_tag="ours").to.tag == "theirs"


def test_a_message_goes_back_as_it_came_until_it_is_changed() -> None:
    data = wire(more="Subject :\r\n folded\r\nl: 3\r\n", body=b"abc")
    changes: list[Callable[[Message], None]] = [
        lambda it: it.set("To", "<sip:c@d>"),
        lambda it: it.add("A", "b"),
        lambda it: it.remove("Subject"),
    ]
    for change in changes:
        message = parse(b"\r\n" + data + b"more")
        assert message.original() == data
        change(message)
        assert message.original() == message.serialise() != data
    assert Request("OPTIONS", "sip:b").original().startswith(b"OPTIONS sip:b SIP/2.0\r\n")


def test_unknown_status_has_a_phrase() -> None:
    assert Response(599).serialise().startswith(b"SIP/2.0 599 Unknown\r\n")
    assert Response(404).reason == PHRASES[404]


def fields(message: Message) -> tuple[object, ...]:
    start: object = (message.method, message.uri) if isinstance(message, Request) else None
    if isinstance(message, Response):
        start = message.status
    return start, [line for line in message.headers if line[0] != "Content-Length"], message.body


@st.composite
def messages(draw: st.DrawFn) -> Request | Response:
    method = draw(TOKEN)
    headers = list((BASE | {"CSeq": f"{draw(st.integers(0, 2**31 - 1))} {method}"}).items())
    headers += [(f"X-{name}", value) for name, value in draw(st.lists(st.tuples(TOKEN, VALUE), max_size=8))]
    body = draw(st.binary(max_size=200))
    if draw(st.booleans()):
        return Request(method, "sip:b@example.com", draw(st.permutations(headers)), body)
    reason = draw(VALUE.filter(bool))
    return Response(draw(st.integers(100, 699)), reason, draw(st.permutations(headers)), body)


@given(messages())
def test_what_is_written_is_read_again(message: Request | Response) -> None:
    again = parse(message.serialise())
    assert fields(again) == fields(message)
    assert type(again) is type(message)
    assert again.serialise() == message.serialise()


PIECES = st.sampled_from(
    [b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b",", b";", b'"', b"<", b">", b"\\", b"\xff", b"\x00", b"v", b"SIP/2.0",
     b"OPTIONS sip:b@example.com SIP/2.0\r\n", b"SIP/2.0 200 OK\r\n", b"Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\n",
     b"f: <sip:a@b>;tag=1\r\n", b"To: <sip:b>\r\n", b"Call-ID: 1\r\n", b"CSeq: 1 OPTIONS\r\n", b"l: 3\r\n"]
)  # fmt: skip


def read_all(data: bytes) -> Message | MessageError:
    """The message with all its values read, or why not."""
    try:
        message = parse(data)
        _ = message.via, message.from_, message.to, message.cseq
        message.get_all("Contact")
    except MessageError as refused:
        return refused
    return message


@given(st.one_of(st.binary(max_size=400), st.lists(PIECES, max_size=40).map(b"".join)))
def test_any_bytes_are_a_message_or_refused(data: bytes) -> None:
    result = read_all(data)
    if isinstance(result, Message):
        assert parse(result.serialise()).serialise() == result.serialise()
    else:
        assert 400 <= result.status < 600
        assert result.request is None or response_to(result.request, result.status).serialise()


@given(st.sampled_from(list(BASE)), st.integers(0, 200), st.binary(min_size=1, max_size=4))
def test_damaged_message_is_a_message_or_refused(name: str, place: int, damage: bytes) -> None:
    data = wire()
    place = (data.index(name.encode()) + place) % len(data)
    result = read_all(data[:place] + damage + data[place:])
    assert isinstance(result, Message) or result.status in (400, 505, 513)
