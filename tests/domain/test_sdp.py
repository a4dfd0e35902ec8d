"""Session descriptions: what is read, and keys that are replaced with all else left alone."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.sdp import Sdp, map_crypto
from tests.adapters.sip.message.test_message import golden


def description(*media: str, session: str = "c=IN IP4 192.0.2.1\n") -> str:
    return f"v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\n{session}t=0 0\n" + "".join(f"{line}\n" for line in media)


AUDIO = "m=audio 4000 RTP/AVP 0 101"


def test_golden_offer() -> None:
    offer = Sdp.parse(golden("invite").partition(b"\r\n\r\n")[2].decode())
    assert offer == Sdp(
        direction="sendrecv",
        host="192.0.2.10",
        port=4000,
        codecs=("G722/8000", "8", "telephone-event/8000"),
        encrypted=True,
    )


@pytest.mark.parametrize(
    ("text", "direction"),
    [
        (description(AUDIO), "sendrecv"),
        (description(AUDIO, "a=sendonly"), "sendonly"),
        (description(AUDIO, session="c=IN IP4 192.0.2.1\na=inactive\n"), "inactive"),
        (description(AUDIO, "a=recvonly", session="c=IN IP4 192.0.2.1\na=inactive\n"), "recvonly"),
        (description(AUDIO, "c=IN IP4 0.0.0.0"), "sendonly"),
        (description(AUDIO, "c=IN IP4 0.0.0.0", "a=recvonly"), "inactive"),
        (description(AUDIO, session="c=IN IP4 0.0.0.0\n"), "sendonly"),
        (description("m=video 5000 RTP/AVP 96", "a=inactive", AUDIO, "a=sendonly"), "sendonly"),
        (description(AUDIO, "a=sendonly", "m=audio 4002 RTP/AVP 8", "a=inactive"), "sendonly"),
        (description(AUDIO, "a=sendonly-ish"), "sendrecv"),
        (description(AUDIO, "a=sendonly").replace("\n", "\r\n"), "sendonly"),
    ],
)
def test_direction(text: str, direction: str) -> None:
    assert Sdp.parse(text).direction == direction


def test_the_stream_has_its_own_connection() -> None:
    found = Sdp.parse(description("m=audio 4000/2 RTP/SAVP 0", "c=IN IP6 2001:db8::1"))
    assert (found.host, found.port, found.encrypted) == ("2001:db8::1", 4000, True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "v=0\n",
        description(),
        description("m=audio"),
        description("m=audio 4000 RTP/AVP"),
        description("m=audio four RTP/AVP 0"),
        description("m=audio 65536 RTP/AVP 0"),
        description("m=audio 000000099999 RTP/AVP 0"),
        description(AUDIO, session="c=IN IP4\n"),
        description(AUDIO, *["a=x"] * 10_000),
    ],
)
def test_what_is_no_description(text: str) -> None:
    with pytest.raises(ValueError, match="."):
        Sdp.parse(text)


@given(st.text(st.one_of(st.sampled_from("vcma=\r\n 0123456789./:"), st.characters()), max_size=80))
def test_any_text_is_a_description_or_refused(text: str) -> None:
    for candidate in (text, f"v=0\n{text}", description(AUDIO, text)):
        try:
            port = Sdp.parse(candidate).port
        except ValueError:
            continue
        assert 0 <= port <= 65535


@pytest.mark.parametrize(
    "line",
    [
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:SECRET|2^20|1:4",
        "a=crypto:1\tAES_CM_128_HMAC_SHA1_80  inline:SECRET;inline:SECRET|1:4 UNENCRYPTED_SRTP",
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 INLINE:SECRET",
        " a=crypto: 1 X inline:SECRET",
        "k=base64:SECRET",
        "k=clear:SECRET",
        "a=key-mgmt:mikey SECRET",
    ],
)
def test_no_key_is_overlooked(line: str) -> None:
    text = description(AUDIO, line, "a=sendrecv").replace("\n", "\r\n")
    assert map_crypto(text, lambda key: f"<{key[::-1]}>") == text.replace("SECRET", "<TERCES>")


PIECE = st.one_of(
    st.sampled_from(["inline:", "a=crypto:1 X ", "k=clear:", "a=key-mgmt:mikey ", "\r\n", "|", ";", " "]),
    st.text(max_size=6),
)


@given(st.lists(PIECE, max_size=20).map("".join))
def test_sealing_can_be_undone(text: str) -> None:
    seen: list[str] = []

    def seal(key: str) -> str:
        seen.append(key)
        return f"sealed.{len(seen)}"

    sealed = map_crypto(text, seal)
    assert map_crypto(sealed, lambda key: seen[int(key.removeprefix("sealed.")) - 1]) == text
    assert not re.search(r"inline:(?!sealed\.)[^\s;|]", sealed)


@given(
    st.lists(
        st.sampled_from(
            ["v=0", "k=clear:AbC", "K=base64:x", " k=clear:n", "a=crypto:1 X inline:KEY|2", "INLINE:x", "\u0130nline:y",
             "a=key-mgmt:mikey Z", "A=KEY-MGMT:m  Q", "ak=clear:n", "\u212a=clear:Kelvin"]
        ),
        max_size=4,
    ),
    st.sampled_from(["\r\n", "\n"]),
)  # fmt: skip
def test_no_key_is_overlooked_because_the_text_looked_harmless(lines: list[str], end: str) -> None:
    text = end.join(lines)
    beside = map_crypto(f"{text}\n\u20ac", lambda key: f"<{key}>")  # a letter that is not ASCII: always searched
    assert f"{map_crypto(text, lambda key: f'<{key}>')}\n\u20ac" == beside
