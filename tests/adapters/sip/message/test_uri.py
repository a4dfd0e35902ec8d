"""URIs: fields, the law of the way back, and what is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.sip.message.message import MessageError
from adapters.sip.message.uri import Uri

USER = st.text("abcXYZ0129-_.!~*'()&=+$,;?/%", min_size=1, max_size=12)
HOST = st.sampled_from(["example.com", "192.0.2.1", "[2001:db8::1]", "host_1", "a.b-c.d."])
PARAM = st.text("abcxyz019-_.!~*'()[]/:&+$%", min_size=1, max_size=8)
PORT = st.one_of(st.none(), st.integers(0, 65535))


def sip(name: str, host: str, **params: str | None) -> Uri:
    return Uri("sip", name, "", host, None, params, "")


@st.composite
def uris(draw: st.DrawFn) -> Uri:
    params = draw(st.dictionaries(PARAM, st.one_of(st.none(), PARAM), max_size=3))
    if draw(st.integers(0, 4)) == 0:
        return Uri("tel", draw(st.text("+0123456789-.", min_size=1)), "", "", None, params, "")
    user = draw(st.one_of(st.just(""), USER))
    password = draw(st.one_of(st.just(""), USER)) if user else ""
    headers = draw(st.sampled_from(["", "subject=a&priority=b"]))
    return Uri(draw(st.sampled_from(["sip", "sips"])), user, password, draw(HOST), draw(PORT), params, headers)


@given(uris())
def test_what_is_written_is_read_again(uri: Uri) -> None:
    assert Uri.parse(str(uri)) == uri


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sip:example.com", sip("", "example.com")),
        ("SIPS:1001@acme.example:5061", Uri("sips", "1001", "", "acme.example", 5061, {}, "")),
        ("sip:a:b@[::1]:5;LR;T=TCP?h=1", Uri("sip", "a", "b", "[::1]", 5, {"lr": None, "t": "TCP"}, "h=1")),
        ("sip:user;par=u%40example.net@example.com", sip("user;par=u%40example.net", "example.com")),
        ("sip:+1-202;phone-context=+1@h;user=phone", sip("+1-202;phone-context=+1", "h", user="phone")),
        ("tel:+44-20;ext=5", Uri("tel", "+44-20", "", "", None, {"ext": "5"}, "")),
    ],
)
def test_fields(text: str, expected: Uri) -> None:
    assert Uri.parse(text) == expected


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("", 400),
        ("1001", 400),
        ("sip:", 400),
        ("sip:@example.com", 400),
        ("sip::pw@example.com", 400),
        ("sip:a@b@example.com", 400),
        ("sip:a b@example.com", 400),
        ("sip:a@example.com>", 400),
        ("sip:a\r\nb@example.com", 400),
        ("sip:a@exa mple.com", 400),
        ("sip:a@example.com:port", 400),
        ("sip:a@example.com:65536", 400),
        ("sip:a@example.com:000000999999", 400),
        ("sip:a@example.com:٥٠٦٠", 400),
        ("sip:a@[::1", 400),
        ("sip:a@" + "h" * 3000, 400),
        ("tel:", 400),
        ("mailto:a@example.com", 416),
        ("nobodyKnowsThis:a", 416),
    ],
)
def test_what_is_no_uri_of_ours(text: str, status: int) -> None:
    with pytest.raises(MessageError) as refused:
        Uri.parse(text)
    assert refused.value.status == status


@given(st.text(max_size=60))
def test_any_text_is_a_uri_or_refused(text: str) -> None:
    try:
        uri = Uri.parse(f"sip:{text}")
    except MessageError:
        return
    assert Uri.parse(str(uri)) == uri
