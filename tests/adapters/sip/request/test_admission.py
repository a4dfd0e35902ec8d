"""What no request may lack or ask, by enumeration, and the memory of merged requests."""

from __future__ import annotations

import pytest

from adapters.sip.dialog.capability import METHODS, REGISTERED
from adapters.sip.message.error import NotAllowed
from adapters.sip.message.message import MessageError, Request, response_to
from adapters.sip.message.parser import parse
from adapters.sip.request.admission import Merged, admit, explain, hops_of, serves_other, unsupported
from adapters.sip.transaction.key import ServerKey, server_key


def request(
    method: str = "INVITE", *lines: str, uri: str = "sip:1002@acme.example", tag: str = "", body: str = "", n: int = 1
) -> Request:
    to = f"<sip:1002@acme.example>{f';tag={tag}' if tag else ''}"
    head = [
        f"{method} {uri} SIP/2.0",
        f"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{n}",
        "From: <sip:1001@acme.example>;tag=a",
        f"To: {to}",
        "Call-ID: c",
        f"CSeq: 1 {method}",
        *lines,
        f"Content-Length: {len(body)}",
    ]
    parsed = parse(("\r\n".join(head) + "\r\n\r\n" + body).encode())
    assert isinstance(parsed, Request)
    return parsed


def verdict(asked: Request) -> int:
    try:
        admit(asked)
    except (NotAllowed, MessageError) as error:
        return error.status
    return 0


@pytest.mark.parametrize(
    ("lines", "hops"),
    [((), 70), (("Max-Forwards: 0",), 0), (("Max-Forwards: 007",), 7), (("Max-Forwards: 255",), 255)],
)
def test_hops_that_are_left(lines: tuple[str, ...], hops: int) -> None:
    assert hops_of(request("INVITE", *lines)) == hops


@pytest.mark.parametrize("value", ["256", "-1", "1.5", "x", "", "1 2", "٣"])
def test_hops_that_are_no_number_are_refused(value: str) -> None:
    assert verdict(request("INVITE", f"Max-Forwards: {value}")) == 400


@pytest.mark.parametrize("method", [one for one in METHODS if one not in ("ACK", "CANCEL")])
def test_without_hops_only_what_would_be_passed_on_is_refused(method: str) -> None:
    assert verdict(request(method, "Max-Forwards: 0")) == (483 if method in ("INVITE", "MESSAGE") else 0)
    assert verdict(request(method, "Max-Forwards: 0", tag="t")) == 0


@pytest.mark.parametrize("method", sorted(REGISTERED | {"NONSENSE", "invite"}))
def test_a_method_is_served_or_refused_by_what_it_is(method: str) -> None:
    expected = 0 if method in METHODS else 405 if method in REGISTERED else 501
    for tag in ("", "t"):
        asked = request(method, tag=tag)
        assert verdict(asked) == expected
    answer = response_to(asked, expected or 200)
    explain(answer, asked)
    assert answer.get("Allow") == ", ".join(METHODS)


@pytest.mark.parametrize(
    ("lines", "left"),
    [
        (("Require: foo, BAR",), "foo, BAR"),
        (("Proxy-Require: foo", "Require: bar, foo"), "bar, foo"),
        (("Require:",), ""),
        (("Supported: foo",), ""),
    ],
)
def test_what_is_required_and_not_supported_is_named(lines: tuple[str, ...], left: str) -> None:
    asked = request("OPTIONS", *lines)
    assert ", ".join(unsupported(asked)) == left
    assert verdict(asked) == (420 if left else 0)
    answer = response_to(asked, 420)
    explain(answer, asked)
    assert (answer.get("Unsupported") or "") == left


@pytest.mark.parametrize(
    ("method", "tag", "registrar"),
    [("OPTIONS", "", True), ("REGISTER", "", True), ("OPTIONS", "t", False), ("INVITE", "", False)],
)
def test_what_is_supported_may_be_required(method: str, tag: str, registrar: bool) -> None:
    """Outside a call we are a registrar as well (RFC 3327, 5626, 5627)."""
    asked = request(method, "Require: 100rel, timer, path, outbound, gruu", tag=tag)
    left = [] if registrar else ["path", "outbound", "gruu"]
    assert list(unsupported(asked)) == left
    answer = response_to(asked, 200)
    explain(answer, asked)
    told = (answer.get("Supported") or "").split(", ")
    assert told == ["100rel", "timer", *(["path", "outbound", "gruu"] if registrar else [])]


@pytest.mark.parametrize(
    ("method", "lines", "status"),
    [
        ("INVITE", ("Content-Type: application/sdp", "Content-Encoding: gzip"), 415),
        ("INVITE", ("Content-Type: application/sdp", "Content-Encoding: identity"), 0),
        (
            "INVITE",
            ("Content-Type: a/b", "Content-Encoding: gzip", "Content-Disposition: x;handling=optional"),
            0,
        ),
        ("OPTIONS", ("Content-Type: application/sdp",), 0),
        ("OPTIONS", ("Content-Type: text/plain",), 415),
        ("OPTIONS", ("Content-Type: text/plain", "Content-Disposition: x; handling=Optional"), 0),
        ("OPTIONS", (), 415),
        ("REGISTER", ("Content-Type: multipart/mixed;boundary=x",), 0),
        ("BYE", ("Content-Type: application/x-report", "Content-Encoding: gzip"), 0),
    ],
)
def test_a_body_that_is_not_understood_is_refused_unless_it_may_be_left_aside(
    method: str, lines: tuple[str, ...], status: int
) -> None:
    asked = request(method, *lines, body="v=0")
    assert verdict(asked) == status
    answer = response_to(asked, 415)
    explain(answer, asked)
    assert (answer.get("Accept"), answer.get("Accept-Encoding")) == ("application/sdp", "identity")


@pytest.mark.parametrize(
    ("uri", "status"), [("http:x", 416), ("sips:x@acme.example", 0), ("tel:+441", 0), ("sip:", 400)]
)
def test_the_scheme_of_the_request_uri(uri: str, status: int) -> None:
    assert verdict(request("OPTIONS", uri=uri)) == status


def merged(first: Request, second: Request, *, alive: bool = True) -> bool:
    known = Merged(lambda key: alive)
    known.check(first, server_key(first, first.method))
    try:
        known.check(second, server_key(second, second.method))
    except NotAllowed as error:
        return error.status == 482
    return False


def test_a_request_that_comes_by_a_second_way_is_merged() -> None:
    assert merged(request(), request(n=2))
    assert merged(request("OPTIONS"), request("OPTIONS", n=2))
    assert not merged(request(), request(n=2), alive=False)
    assert not merged(request(tag="t"), request(tag="t", n=2))
    assert not merged(request("REGISTER"), request("REGISTER", n=2))
    assert not merged(request(), request("OPTIONS", n=2))
    assert not merged(request(), request())


def test_what_is_remembered_is_bounded_by_what_lives() -> None:
    alive: set[ServerKey] = set()
    known = Merged(alive.__contains__)
    for number in range(1000):
        asked = request(n=number)
        asked.set("Call-ID", str(number))
        key = server_key(asked, "INVITE")
        if number % 10 == 0:
            alive.add(key)
        known.check(asked, key)
    assert len(known) <= 2 * len(alive) + 2
    alive.clear()
    for number in range(1000, 1300):
        asked = request(n=number)
        asked.set("Call-ID", str(number))
        known.check(asked, server_key(asked, "INVITE"))
    assert len(known) <= 2


def test_a_cancel_of_another_method_is_known_by_its_branch() -> None:
    live = {server_key(request("OPTIONS"), "OPTIONS")}
    assert serves_other(request("CANCEL"), live.__contains__)
    assert not serves_other(request("CANCEL", n=2), live.__contains__)
