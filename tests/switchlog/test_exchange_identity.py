"""What callees are told of a caller, whom a redirect reaches, and that nothing of one side gets to the other."""

from __future__ import annotations

import msgspec
import pytest

from adapters.sip.message.message import Request, Response
from domain.routing.directory import Directory
from domain.values import IdentityPolicy
from tests.domain.world import directory
from tests.switchlog.exchange import Exchange, authorized
from tests.switchlog.phone import ALICE, BOB, SDP, Phone, methods, parties
from tests.switchlog.test_exchange_reason import end_of

CAROL = "127.0.0.1:6003"
SECRET = "very-private"
"""Written by Alice's phone into every header that must not go over."""


def passing() -> Directory:
    known = directory()
    tenant = msgspec.structs.replace(known.tenants["acme"], identity=IdentityPolicy("pass", "pass"))
    return msgspec.structs.replace(known, tenants={**known.tenants, "acme": tenant})


def invited(exchange: Exchange, extra: str = "", **named: str) -> tuple[Phone, Phone, Request]:
    alice, bob = parties(exchange)
    alice.invite("1002", extra=extra, **named)
    exchange.take(ALICE)
    (invite,) = exchange.take(BOB)
    assert isinstance(invite, Request)
    return alice, bob, invite


def test_the_callee_is_told_who_calls_in_our_words_and_how_many_hops_are_left() -> None:
    exchange = Exchange()
    _, _, invite = invited(exchange, '\nP-Asserted-Identity: "Boss" <sip:1003@acme.example>')
    assert invite.get_all("P-Asserted-Identity") == ['"Alice" <sip:1001@acme.example>']
    assert invite.get("Max-Forwards") == "69"


def invite_as_nobody(exchange: Exchange) -> None:
    uri, cseq = "sip:1002@acme.example", 10

    def send(credentials: str) -> None:
        nonlocal cseq
        cseq += 1
        exchange.send(
            ALICE,
            f"INVITE {uri} SIP/2.0\nVia: SIP/2.0/UDP {ALICE};branch=z9hG4bKa{cseq}\n"
            f'From: "Anonymous" <sip:anonymous@anonymous.invalid>;tag=a\nTo: <{uri}>\nCall-ID: anon\n'
            f"CSeq: {cseq} INVITE\nContact: <sip:1001@{ALICE}>\nContent-Type: application/sdp\n"
            f"P-Preferred-Identity: <sip:1001@acme.example>{credentials}",
            SDP,
        )

    authorized(exchange, ALICE, "1001", send, uri)


@pytest.mark.parametrize("extra", ["\nPrivacy: id", "\nPrivacy: header;user", "from"])
def test_a_caller_who_wants_to_be_nobody_is_nobody_to_the_callee_but_not_to_the_record(extra: str) -> None:
    exchange = Exchange()
    alice, bob = parties(exchange)
    if extra == "from":
        invite_as_nobody(exchange)
    else:
        alice.invite("1002", extra=extra)
    exchange.take(ALICE)
    (invite,) = exchange.take(BOB)
    assert isinstance(invite, Request)
    assert (invite.get("From") or "").startswith('"Anonymous" <sip:anonymous@anonymous.invalid>;tag=')
    assert invite.get("P-Asserted-Identity") is None
    said = b"".join(data for address, data in exchange.wire if address == BOB and data.startswith(b"INVITE"))
    assert b"1001" not in said
    assert b"Alice" not in said
    bob.reply(invite, 200, SDP)
    assert b"1001" not in b"".join(data for address, data in exchange.wire if address == BOB and b"ACK" in data[:4])
    (offered,) = [one for one in exchange.journal.stored if one.record.type.startswith("call.offered")]
    assert b'"extension":"1001"' in offered.record.data


def test_nothing_of_one_side_reaches_the_other_but_its_media() -> None:
    exchange = Exchange()
    extra = "".join(
        f"\n{name}: {value}"
        for name, value in (
            *((name, SECRET) for name in ("User-Agent", "Organization", "Subject", "X-Custom", "In-Reply-To")),
            *(
                (name, f"<sip:{SECRET}@x>")
                for name in ("Remote-Party-ID", "Diversion", "Reply-To", "P-Asserted-Identity")
            ),
            ("Record-Route", f"<sip:{SECRET};lr>"),
            ("Call-Info", f"<http://{SECRET}>"),
            ("History-Info", f"<sip:{SECRET}@x>;index=1"),
            ("Warning", f'399 x "{SECRET}"'),
        )
    )
    alice, _, invite = invited(exchange, extra, call_id=SECRET)
    exchange.send(
        BOB,
        f"SIP/2.0 200 OK\nVia: {invite.get('Via')}\nFrom: {invite.get('From')}\nTo: {invite.get('To')};tag=bobs-tag\n"
        f"Call-ID: {invite.call_id}\nCSeq: {invite.get('CSeq')}\nContact: <sip:1002@{BOB};secret>\n"
        f"Record-Route: <sip:bobs-proxy;lr>\nServer: bobs-maker\nP-Asserted-Identity: <sip:bobs-name@x>\n"
        "Content-Type: application/sdp",
        SDP,
    )
    answered = exchange.last(ALICE)
    assert isinstance(answered, Response)
    alice.within(answered, "ACK")
    alice.within(answered, "BYE")
    to_bob = b"".join(data for address, data in exchange.wire if address == BOB and b" REGISTER\r\n" not in data)
    to_alice = b"".join(data for address, data in exchange.wire if address == ALICE and b" REGISTER\r\n" not in data)
    for word in (ALICE, SECRET, "z9hG4bKi1001", ";tag=a\r"):
        assert word.encode() not in to_bob, word
    for word in (BOB, "bobs-", ";secret"):
        assert word.encode() not in to_alice, word
    assert b"4000" in to_bob, "but the media go straight to Alice"


@pytest.mark.parametrize("passes", [False, True])
def test_a_redirect_inside_the_tenant_is_followed_and_told_where_the_policy_passes_it(passes: bool) -> None:
    exchange = Exchange(directory=passing if passes else directory)
    carol = Phone(exchange, "1003", CAROL)
    assert carol.register().status == 200
    _, _, invite = invited(exchange, "\nDiversion: <sip:4711@acme.example>;reason=away")
    exchange.send(
        BOB,
        f"SIP/2.0 302 Moved\nVia: {invite.get('Via')}\nFrom: {invite.get('From')}\nTo: {invite.get('To')};tag=b\n"
        f"Call-ID: {invite.call_id}\nCSeq: {invite.get('CSeq')}\n"
        "Contact: <sip:4711@acme.example>;q=0.9, <sip:1003@ACME.example?Route=%3Csip:evil%3E>;q=0.5",
    )
    assert methods(exchange.take(BOB)) == ["ACK"]
    (further,) = exchange.take(CAROL)
    assert isinstance(further, Request)
    assert further.get("Route") is None
    diversions = ["<sip:1002@acme.example>;reason=deflection", "<sip:4711@acme.example>;reason=away"]
    assert further.get_all("Diversion") == (diversions if passes else [])
    assert len(further.get_all("History-Info")) == (2 if passes else 0)
    carol.reply(further, 200, SDP)
    assert methods(exchange.take(ALICE)) == ["200 INVITE"]
    assert methods(exchange.take(CAROL)) == ["ACK"]


@pytest.mark.parametrize(
    "contact",
    [
        "<sip:1003@evil.example>",
        "<sip:1003@globex.example>",
        "<tel:+4930123>",
        "<http://x>",
        "*",
        "",
        "<sip:1002@acme.example>",
    ],
)
def test_a_redirect_to_anywhere_else_is_a_refusal(contact: str) -> None:
    exchange = Exchange()
    assert Phone(exchange, "1003", CAROL).register().status == 200
    _, _, invite = invited(exchange)
    exchange.take(CAROL)
    exchange.send(
        BOB,
        f"SIP/2.0 302 Moved\nVia: {invite.get('Via')}\nFrom: {invite.get('From')}\nTo: {invite.get('To')};tag=b\n"
        f"Call-ID: {invite.call_id}\nCSeq: {invite.get('CSeq')}" + (f"\nContact: {contact}" if contact else ""),
    )
    refused = exchange.last(ALICE)
    assert isinstance(refused, Response)
    assert (refused.status, "Q.850" in (refused.get("Reason") or "")) == (480, True)
    assert exchange.take(CAROL) == []
    assert end_of(exchange).why.sip_status == 302


def test_two_phones_that_point_at_each_other_are_asked_once_each() -> None:
    exchange = Exchange()
    carol = Phone(exchange, "1003", CAROL)
    assert carol.register().status == 200
    exchange.take(CAROL)
    _, bob, invite = invited(exchange)
    for phone, asked, number in ((bob, invite, "1003"), (carol, None, "1002")):
        request = asked or exchange.last(phone.address)
        assert isinstance(request, Request)
        exchange.send(
            phone.address,
            f"SIP/2.0 302 Moved\nVia: {request.get('Via')}\nFrom: {request.get('From')}\n"
            f"To: {request.get('To')};tag=b\nCall-ID: {request.call_id}\n"
            f"CSeq: {request.get('CSeq')}\nContact: <sip:{number}@acme.example>",
        )
    assert methods(exchange.take(ALICE)) == ["480 INVITE"]
    assert exchange.board.open_calls == 0
