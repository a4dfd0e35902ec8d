"""What phones must not be able to do: kill a shard, stall a call, leave something that a restart trips over."""

from __future__ import annotations

import pytest

from adapters.sip.message.message import Request, Response
from adapters.sip.message.parser import parse
from domain.values import Flow
from tests.switchlog.exchange import SERVER, Exchange, authorized
from tests.switchlog.phone import ALICE, BOB, SDP, Phone, methods, parties

LATIN_SDP = SDP.replace("s=-", "s=Caf\xe9")


def raw(exchange: Exchange, phone: str, data: bytes) -> None:
    """Bytes as they are; a MessageError is the edge's to answer."""
    exchange.application.receive(parse(data), Flow("udp", SERVER, phone), exchange.now())
    exchange.deliver()


def answer_with(exchange: Exchange, invite: Request, status: int, headers: str, body: bytes = SDP.encode()) -> None:
    """A response to `invite` from Bob whose Contact and the like are `headers`."""
    vias = "".join(f"Via: {via}\r\n" for via in invite.get_all("Via"))
    head = (
        f"SIP/2.0 {status} Whatever\r\n{vias}From: {invite.get('From')}\r\n"
        f"To: {invite.get('To')};tag=b\r\nCall-ID: {invite.call_id}\r\nCSeq: {invite.get('CSeq')}\r\n{headers}"
    )
    raw(exchange, BOB, f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)


def ringing(exchange: Exchange) -> tuple[Phone, Phone, Request]:
    alice, bob = parties(exchange)
    alice.invite("1002")
    (invite,) = exchange.take(BOB)
    assert isinstance(invite, Request)
    exchange.take(ALICE)
    return alice, bob, invite


def restart(exchange: Exchange) -> Exchange:
    return Exchange(exchange.journal, epoch=2, start_s=exchange.clock_s)


def test_a_session_description_that_is_no_utf_8_is_passed_on_byte_for_byte() -> None:
    exchange = Exchange()
    _, _, invite = ringing(exchange)
    answer_with(
        exchange,
        invite,
        200,
        f"Contact: <sip:1002@{BOB}>\r\nContent-Type: application/sdp\r\n",
        LATIN_SDP.encode("latin-1"),
    )
    answered = exchange.last(ALICE)
    assert answered.body == LATIN_SDP.encode("latin-1")
    assert restart(exchange).board.open_calls == 1


@pytest.mark.parametrize(
    "headers",
    [
        "Contact: <sip:1002@bad host>\r\n",
        "Contact: <mailto:bob@example.com>\r\n",
        "Contact: *\r\n",
        f"Contact: <sip:1002@{BOB}>\r\nRecord-Route: <nonsense\r\n",
        f"Contact: <sip:1002@{BOB}>\r\nRecord-Route: what is this\r\n",
        f'Contact: "open <sip:1002@{BOB}>\r\n',
        "",
    ],
)
@pytest.mark.parametrize("status", [180, 200])
def test_a_response_with_malformed_headers_still_counts(headers: str, status: int) -> None:
    exchange = Exchange()
    _, _, invite = ringing(exchange)
    answer_with(exchange, invite, status, f"{headers}Content-Type: application/sdp\r\n")
    assert methods(exchange.take(ALICE)) == ["183 INVITE" if status == 180 else "200 INVITE"]
    if status == 200:
        assert methods(exchange.take(BOB)) == ["ACK"]
    assert restart(exchange).board.open_calls == 1


def test_a_malformed_record_route_of_a_request_is_refused_before_the_journal_has_it() -> None:
    exchange = Exchange()
    with_route = Phone(exchange, "1001", ALICE)
    with_route.cseq = 50
    before = len(exchange.journal.stored)
    with_route.invite("1002", extra="\nRecord-Route: <nonsense")
    refused = exchange.last(ALICE)
    assert isinstance(refused, Response)
    assert refused.status == 400
    assert len(exchange.journal.stored) == before


def test_a_request_whose_to_cannot_be_read_leaves_nothing_behind() -> None:
    exchange = Exchange()
    for n in range(3):
        raw(
            exchange,
            ALICE,
            f"OPTIONS sip:acme.example SIP/2.0\r\nVia: SIP/2.0/UDP {ALICE};branch=z9hG4bKo{n}\r\n"
            "From: <sip:a@acme.example>;tag=1\r\nTo: <nonsense\r\nCall-ID: o\r\nCSeq: 1 OPTIONS\r\n\r\n".encode(),
        )
    exchange.wait(40)
    assert len(exchange.layer) == 0
    assert {methods([one])[0] for one in exchange.take(ALICE)} == {"400 OPTIONS"}


def invite_of_parts(
    exchange: Exchange, number: str, body: str, kind: str = "Content-Type: multipart/mixed;boundary=cut"
) -> None:
    """Alice calls with a body of several parts, or of another kind."""
    uri, tries = f"sip:{number}@acme.example", iter("ab")

    def send(credentials: str) -> None:
        branch = f"z9hG4bKp{number}{next(tries)}"
        exchange.send(
            ALICE,
            f"INVITE {uri} SIP/2.0\nVia: SIP/2.0/UDP {ALICE};branch={branch}\nFrom: <sip:1001@acme.example>;tag=p\n"
            f"To: <{uri}>\nCall-ID: parts-{number}\nCSeq: 1 INVITE\nContact: <sip:1001@{ALICE}>\n"
            f"{kind}{credentials}",
            body,
        )

    authorized(exchange, ALICE, "1001", send, uri)


def test_the_offer_of_a_body_of_several_parts_is_passed_on_alone() -> None:
    exchange = Exchange()
    parties(exchange)
    parts = (
        f"--cut\r\nContent-Type: application/sdp\r\n\r\n{SDP}\r\n--cut\r\nContent-Type: application/isup\r\n"
        "Content-Disposition: signal;handling=optional\r\n\r\nxyz\r\n--cut--\r\n"
    )
    invite_of_parts(exchange, "1002", parts)
    (invite,) = exchange.take(BOB)
    assert (invite.get("Content-Type"), invite.body.decode()) == ("application/sdp", SDP)
    invite_of_parts(exchange, "1003", parts.replace(";handling=optional", ""))
    refused = exchange.last(ALICE)
    assert isinstance(refused, Response)
    assert (refused.status, refused.get("Accept")) == (415, "application/sdp")


@pytest.mark.parametrize(
    "kind", ["Content-Type: application/isup", "Content-Type: application/sdp\nContent-Encoding: gzip"]
)
def test_a_body_that_may_be_left_aside_is_no_offer(kind: str) -> None:
    """So the callee is asked for one."""
    exchange = Exchange()
    parties(exchange)
    invite_of_parts(exchange, "1002", "\x01\x00", f"{kind}\nContent-Disposition: signal; handling=optional")
    (invite,) = exchange.take(BOB)
    assert (invite.get("Content-Type"), invite.body) == (None, b"")


def test_an_offer_that_may_be_left_aside_is_still_an_offer() -> None:
    exchange = Exchange()
    parties(exchange)
    kind = "Content-Type: application/sdp\nContent-Disposition: session;handling=optional"
    invite_of_parts(exchange, "1002", SDP, kind)
    assert exchange.last(BOB).body.decode() == SDP
