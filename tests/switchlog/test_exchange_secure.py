"""Calls to sips URIs stay on TLS: where a device redirects them, and in what we call ourselves (RFC 3261 12.1.1)."""

from __future__ import annotations

import pytest

from adapters.sip.message.message import Request, Response
from tests.switchlog.exchange import Exchange, HeldJournal
from tests.switchlog.phone import ALICE, SDP, methods
from tests.switchlog.test_exchange_registration import call, challenge, contact, credentials, text

DESK, MOBILE, PLAIN = "127.0.0.1:7001", "127.0.0.1:7002", "127.0.0.1:7003"


def registered(exchange: Exchange, number: str, address: str, transport: str = "tls", scheme: str = "sip") -> None:
    proof = credentials(challenge(exchange, number, address), number)
    said = contact(number, address).replace("<sip:", f"<{scheme}:")
    exchange.send(address, text(number, address, 2, said + proof), transport=transport)
    answered = exchange.last(address)
    assert isinstance(answered, Response)
    assert answered.status == 200


def asked(exchange: Exchange, address: str) -> Request:
    found = exchange.last(address)
    assert isinstance(found, Request)
    return found


def answer(exchange: Exchange, address: str, request: Request, status: int, target: str, sdp: str = "") -> None:
    kind = "\nContent-Type: application/sdp" if sdp else ""
    exchange.send(
        address,
        f"SIP/2.0 {status} Whatever\nVia: {request.get('Via')}\nFrom: {request.get('From')}\n"
        f"To: {request.get('To')};tag=b\nCall-ID: {request.call_id}\nCSeq: {request.get('CSeq')}\n"
        f"Contact: {target}{kind}",
        sdp,
        "tls",
    )


@pytest.mark.parametrize(
    ("target", "rung"),
    [
        ("<sips:1003@acme.example>", [MOBILE]),
        ("<sip:1003@acme.example>", []),
        ("<sip:1003@acme.example;transport=tls>", []),
        ("<tel:1003>", []),
    ],
)
def test_a_secure_call_is_redirected_to_secure_devices_alone(target: str, rung: list[str]) -> None:
    journal = HeldJournal()
    exchange = Exchange(journal)
    registered(exchange, "1002", DESK)
    registered(exchange, "1003", MOBILE)
    registered(exchange, "1003", PLAIN, "udp")
    call(exchange, "sips:1002@acme.example", "call-1")
    invite = asked(exchange, DESK)
    again = Exchange(journal, epoch=2, start_s=exchange.clock_s)  # which knows by the journal that the call is secure
    again.sent.clear()
    answer(again, DESK, invite, 302, target)
    assert [one for one in (MOBILE, PLAIN) if "INVITE" in methods(again.take(one))] == rung
    if not rung:
        assert methods(again.take(ALICE)) == ["480 INVITE"]


@pytest.mark.parametrize(("uri", "scheme"), [("sips:1002@acme.example", "sips"), ("sip:1002@acme.example", "sip")])
def test_who_dials_a_sips_uri_is_told_a_sips_contact(uri: str, scheme: str) -> None:
    exchange = Exchange()
    registered(exchange, "1002", DESK)
    call(exchange, uri, "call-1")
    invite = asked(exchange, DESK)
    assert (invite.get("Contact") or "").startswith("<sip:")
    answer(exchange, DESK, invite, 200, f"<sip:1002@{DESK}>", SDP)
    assert (exchange.last(ALICE).get("Contact") or "").startswith(f"<{scheme}:")


def test_a_device_with_a_sips_contact_is_told_one() -> None:
    exchange = Exchange()
    registered(exchange, "1002", DESK, scheme="sips")
    call(exchange, "sips:1002@acme.example", "call-1")
    invite = asked(exchange, DESK)
    assert invite.uri.startswith("sips:")
    own = invite.get("Contact") or ""
    assert own.startswith("<sips:")
    assert "transport" not in own
