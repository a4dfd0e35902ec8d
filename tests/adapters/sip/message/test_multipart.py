"""Bodies of several parts: which one is the session description, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.sip.message.multipart import MAX_PARTS, NotUnderstood, media_type, session_part

SDP = b"v=0\r\ns=-\r\nm=audio 4000 RTP/AVP 0\r\n"
SDP_PART = b"Content-Type: application/sdp\r\n\r\n" + SDP
OPTIONAL = (
    b"Content-Type: application/isup\r\nContent-Disposition: signal;\r\n handling=optional\r\n\r\n\x01\x00\r\n--\xff"
)
REQUIRED = b"Content-Type: application/isup\r\nContent-Disposition: signal; handling=required\r\n\r\n\x01"


def body(*parts: bytes, boundary: bytes = b"cut") -> bytes:
    return (
        b"preamble" + b"".join(b"\r\n--" + boundary + b"\r\n" + part for part in parts) + b"\r\n--" + boundary + b"--"
    )


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("application/sdp", SDP),
        ("Application/SDP ;charset=utf-8", SDP),
        ("multipart/mixed;boundary=cut", body(SDP_PART)),
        ("multipart/mixed;boundary=cut", body(SDP_PART).removeprefix(b"preamble\r\n") + b"\r\nepilogue"),
        ('multipart/mixed; boundary="cut"', body(OPTIONAL, SDP_PART)),
        ("multipart/mixed; x=1; Boundary = cut", body(SDP_PART, OPTIONAL)),
        ("multipart/related;boundary=cut", body(SDP_PART, SDP_PART.replace(b"4000", b"5000"))),
        ("multipart/alternative;boundary=cut", body(REQUIRED, SDP_PART.replace(b"4000", b"5000"), SDP_PART)),
        ('multipart/mixed;boundary="a(b)*.+"', body(SDP_PART, boundary=b"a(b)*.+")),
    ],
)
def test_the_session_description_is_found(kind: str, content: bytes) -> None:
    assert session_part(kind, content) == SDP


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("text/plain", SDP),
        ("", SDP),
        ("multipart/mixed", body(SDP_PART)),
        ("multipart/mixed;boundary=", body(SDP_PART)),
        ("multipart/mixed;boundary=other", body(SDP_PART)),
        ("multipart/mixed;boundary=cut", body(SDP_PART)[:-2]),
        ("multipart/mixed;boundary=cut", b"--cut--"),
        ("multipart/mixed;boundary=cut", b""),
        ("multipart/mixed;boundary=cut", body(SDP_PART, REQUIRED)),
        ("multipart/mixed;boundary=cut", body(OPTIONAL)),
        ("multipart/mixed;boundary=cut", body(b"\r\n" + SDP)),
        ("multipart/mixed;boundary=cut", body(*[OPTIONAL] * MAX_PARTS, SDP_PART)),
        ("multipart/signed;boundary=cut", body(SDP_PART)),
    ],
)
def test_what_is_not_understood_is_told(kind: str, content: bytes) -> None:
    with pytest.raises(NotUnderstood):
        session_part(kind, content)


PIECES = st.sampled_from([b"--cut", b"--", b"\r\n", b"Content-Type: application/sdp", b":", b"v=0", b"\xff", b" "])


@given(st.sampled_from(["multipart/mixed;boundary=cut", "multipart/alternative;boundary=cut"]),
       st.lists(PIECES, max_size=30).map(b"".join))  # fmt: skip
def test_any_body_has_a_session_description_or_none(kind: str, content: bytes) -> None:
    try:
        assert session_part(kind, content) in content
    except NotUnderstood:
        pass


def test_a_media_type_is_read_without_its_parameters() -> None:
    assert media_type(" Text/Plain ; charset=x") == "text/plain"
