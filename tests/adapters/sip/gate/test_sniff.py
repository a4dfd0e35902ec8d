"""Looks at bytes: what they must tell, and that no bytes upset them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.sip.gate import sniff
from adapters.sip.gate.sniff import Kind

HEAD = "Via: SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKx;rport\r\nFrom: <sip:a@b>;tag=f\r\nCall-ID: one@two\r\n"


def message(line: str, *headers: str) -> bytes:
    return (f"{line}\r\n{HEAD}" + "".join(f"{one}\r\n" for one in headers) + "Content-Length: 0\r\n\r\n").encode()


@pytest.mark.parametrize(
    ("line", "to", "kind"),
    [
        ("SIP/2.0 200 OK", "To: <sip:b@c>;tag=1", Kind.RESPONSE),
        ("INVITE sip:b@c SIP/2.0", "To: <sip:b@c>", Kind.INVITE),
        ("INVITE sip:b@c SIP/2.0", "To: <sip:b@c>;tag=1", Kind.WITHIN),
        ("INVITE sip:b@c SIP/2.0", "t:<sip:b@c>\r\n ;TAG = 1", Kind.WITHIN),
        ("INVITE sip:b@c SIP/2.0", "Subject: To: x;tag=1\r\nTo: <sip:b@c>", Kind.INVITE),
        ("BYE sip:b@c SIP/2.0", "To: <sip:b@c>", Kind.WITHIN),
        ("CANCEL sip:b@c SIP/2.0", "To: <sip:b@c>", Kind.WITHIN),
        ("REGISTER sip:c SIP/2.0", "To: <sip:b@c>;tag=1", Kind.REGISTER),
        ("OPTIONS sip:c SIP/2.0", "To: <sip:b@c>", Kind.OTHER),
        ("INFO sip:c SIP/2.0", "To: <sip:b@c>;tag=1", Kind.WITHIN),
    ],
)
def test_kinds(line: str, to: str, kind: Kind) -> None:
    assert sniff.kind_of(message(line, to)) is kind


def test_parts() -> None:
    data = message("INVITE sip:b@c SIP/2.0", "To: <sip:b@c>;tag=1.2.3", "Authorization: Digest x")
    assert sniff.to_tag(data) == "1.2.3"
    assert sniff.branch(data) == "z9hG4bKx"
    assert sniff.call_id(data) == b"one@two"
    assert sniff.has_credentials(data)
    assert not sniff.has_credentials(message("INVITE sip:b@c SIP/2.0"))


@pytest.mark.parametrize("agent", ["friendly-scanner", "sipcli/v1.8", "SIPVicious", "VaxSIPUserAgent/3.1"])
def test_scanners_by_their_name(agent: str) -> None:
    assert sniff.scanner(message("OPTIONS sip:c SIP/2.0", f"User-Agent: {agent}"))


@pytest.mark.parametrize("agent", ["Yealink SIP-T46S 66.86.0.15", "baresip v1.1.0", "SIPp", "Linphone/4.4"])
def test_phones_are_no_scanners(agent: str) -> None:
    assert not sniff.scanner(message("REGISTER sip:c SIP/2.0", f"User-Agent: {agent}"))


@pytest.mark.parametrize(
    ("line", "host"),
    [
        ("OPTIONS sip:100@192.0.2.9 SIP/2.0", "192.0.2.9"),
        ("OPTIONS sip:100@Host.example:5060;x SIP/2.0", "host.example"),
        ("OPTIONS sip:100@[2001:db8::1]:5060 SIP/2.0", "[2001:db8::1]"),
        ("OPTIONS sip:1001@192.0.2.9 SIP/2.0", ""),
        ("INVITE sip:100@192.0.2.9 SIP/2.0", ""),
    ],
)
def test_probes(line: str, host: str) -> None:
    assert sniff.probed_host(message(line)) == host


@given(st.binary(max_size=200) | st.sampled_from([b"INVITE ", b"\nTo:", b"\nt:;tag=", b"SIP/2.0", b""]))
def test_no_bytes_upset_a_look(data: bytes) -> None:
    sniff.kind_of(data), sniff.to_tag(data), sniff.branch(data), sniff.top_via(data), sniff.call_id(data)
    sniff.scanner(data), sniff.probed_host(data), sniff.has_credentials(data)
