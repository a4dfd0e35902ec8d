"""Keys in the bodies of INFO, as phones of several makes write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.sip.message.message import Request
from adapters.sip.request.digit import digit_of


def info(content_type: str, body: bytes, method: str = "INFO") -> Request:
    request = Request(method, "sip:x", [("Content-Type", content_type)])
    request.body = body
    return request


@pytest.mark.parametrize(
    ("content_type", "body", "digit"),
    [
        ("application/dtmf-relay", b"Signal=5\r\nDuration=160\r\n", "5"),
        ("application/dtmf-relay", b"Signal= *\nDuration= 100\n", "*"),
        ("Application/DTMF-relay; x=y", b"signal=#", "#"),
        ("application/dtmf-relay", b"Signal=11\r\nDuration=160", "#"),
        ("application/dtmf-relay", b"Signal=d\r\n", "D"),
        ("application/dtmf", b"7", "7"),
        ("application/dtmf", b"10", "*"),
        ("application/dtmf", b"\r\n3\r\n", "3"),
        ("application/dtmf", b"16", ""),
        ("application/dtmf", b"", ""),
        ("application/dtmf", "\u0663".encode(), ""),
        ("application/dtmf-relay", b"Duration=160", ""),
        ("application/dtmf-relay", b"Signal=55", ""),
        ("application/media_control+xml", b"<picture_fast_update/>", ""),
        ("", b"5", ""),
    ],
)
def test_a_key(content_type: str, body: bytes, digit: str) -> None:
    assert digit_of(info(content_type, body)) == digit


def test_only_info_has_keys() -> None:
    assert digit_of(info("application/dtmf", b"7", "MESSAGE")) == ""


@given(st.sampled_from(["application/dtmf", "application/dtmf-relay"]), st.binary(max_size=300))
def test_any_body_is_a_key_or_none(content_type: str, body: bytes) -> None:
    assert digit_of(info(content_type, body)) in ("", *"0123456789*#ABCD")
