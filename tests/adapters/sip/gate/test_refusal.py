"""A 503 from bytes: it must be what the parser would have answered, and never upset by what is sent."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from adapters.sip.gate.refusal import refusal, with_overload
from adapters.sip.message.message import Request, Response
from adapters.sip.message.parser import parse

INVITE = (
    b"INVITE sip:1002@acme.example SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bKx;rport;alias\r\nv: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKy\r\n"
    b"Max-Forwards: 70\r\nf: <sip:1001@acme.example>;tag=1\r\nTo:\r\n <sip:1002@acme.example>\r\n"
    b"Call-ID: one\r\nCSeq: 7 INVITE\r\nContent-Length: 4\r\n\r\nTo:x"
)


def test_it_copies_what_a_response_must_copy() -> None:
    answer = refusal(INVITE, "192.0.2.9:4711", 7)
    assert answer is not None
    response = parse(answer)
    assert isinstance(response, Response)
    assert response.status == 503
    assert response.get("Retry-After") == "7"
    first, second = response.get_all("Via")
    assert first == "SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bKx;received=192.0.2.9;rport=4711;alias"
    assert second == "SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKy"
    assert (response.call_id, response.cseq.number, response.cseq.method) == ("one", 7, "INVITE")
    assert response.from_.tag == "1"
    assert response.to.tag
    assert refusal(INVITE, "192.0.2.9:4711", 7) == answer, "a repeated request gets the same To tag"
    assert len(answer) < len(INVITE) + 100


def test_what_lacks_a_header_is_not_answered() -> None:
    assert refusal(INVITE.replace(b"CSeq", b"XSeq"), "192.0.2.9:4711", 7) is None
    assert refusal(b"INVITE", "192.0.2.9:4711", 7) is None


@given(st.binary(max_size=300), st.integers(0, len(INVITE)), st.integers(0, len(INVITE)))
def test_no_bytes_upset_it(noise: bytes, start: int, end: int) -> None:
    data = INVITE[:start] + noise + INVITE[max(start, end) :]
    answer = refusal(data, "[2001:db8::1]:5060", 1)
    assert answer is None or len(answer) < len(data) + 200
    with_overload(data, 10, "1")


def test_our_word_stands_in_the_via_of_those_who_take_part() -> None:
    asked = INVITE.replace(b";alias", b';oc;oc-algo="loss,rate"')
    request = parse(with_overload(asked, 35, "12.5"))
    assert isinstance(request, Request)
    params = request.via.params
    assert (params["oc"], params["oc-validity"], params["oc-seq"]) == ("35", "1000", "12.5")
    assert params["oc-algo"] in ("loss", '"loss"')
    assert request.via.branch == "z9hG4bKx"
    assert request.body == b"To:x"


def test_others_are_left_as_they_are() -> None:
    for via in (b";alias", b';oc;oc-algo="rate"', b";oc=5", b";occ"):
        asked = INVITE.replace(b";alias", via)
        assert with_overload(asked, 35, "1") == asked
