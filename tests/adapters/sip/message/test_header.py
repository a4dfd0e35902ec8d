"""Header values: fields, the law of the way back, lists, credentials."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adapters.sip.message.header import CSeq, NameAddr, Via, header_params, parse_credentials, quote, split_list
from adapters.sip.message.message import MessageError
from tests.adapters.sip.message.test_uri import HOST, PORT, uris

NAME = st.text("abcxyz019-.!%*_+`'~", min_size=1, max_size=8)
DISPLAY = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=12)
VALUE = st.one_of(st.none(), st.text("abcXYZ019-.:[]", max_size=8), DISPLAY.map(quote))
PARAMS = st.dictionaries(NAME, VALUE, max_size=4)
TEXT = st.text(st.one_of(st.sampled_from('",;<>\\=@ \t:'), st.characters(exclude_categories=["Cs"])), max_size=60)


@given(st.builds(Via, st.sampled_from(["UDP", "TCP", "TLS", "WSS"]), HOST, PORT, PARAMS))
def test_written_via_is_read_again(via: Via) -> None:
    assert Via.parse(str(via)) == via


@given(st.builds(CSeq, st.integers(0, 2**31 - 1), NAME))
def test_written_cseq_is_read_again(cseq: CSeq) -> None:
    assert CSeq.parse(str(cseq)) == cseq


@given(st.builds(NameAddr, DISPLAY, uris(), PARAMS))
@example(NameAddr('a\\"<sip:evil@example.com>;tag=1', NameAddr.parse("<sip:a@b>").uri, {}))
def test_written_address_is_read_again(address: NameAddr) -> None:
    assert NameAddr.parse(str(address)) == address


@given(st.lists(st.builds(NameAddr, DISPLAY, uris(), PARAMS), max_size=4))
def test_written_list_is_split_again(addresses: list[NameAddr]) -> None:
    assert [NameAddr.parse(value) for value in split_list(", ".join(map(str, addresses)))] == addresses


@pytest.mark.parametrize(
    ("text", "display", "uri", "params"),
    [
        ("sip:a@b;tag=1", "", "sip:a@b", {"tag": "1"}),
        ("<sip:a@b;lr>;Tag=1", "", "sip:a@b;lr", {"tag": "1"}),
        ("Bob B <sip:a@b>", "Bob B", "sip:a@b", {}),
        ('"B, \\"<sip:x@y>\\"" <sip:a@b> ; tag = 1', 'B, "<sip:x@y>"', "sip:a@b", {"tag": "1"}),
        ('"" <sip:a@b>', "", "sip:a@b", {}),
        ('<sip:a@b>;+sip.instance="<urn:x;y=1>";ob', "", "sip:a@b", {"+sip.instance": '"<urn:x;y=1>"', "ob": None}),
        ("<sip:a@b>;tag=first;tag=second", "", "sip:a@b", {"tag": "first"}),
    ],
)
def test_address(text: str, display: str, uri: str, params: dict[str, str | None]) -> None:
    found = NameAddr.parse(text)
    assert (found.display, str(found.uri), found.params) == (display, uri, params)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Bob",
        '"Bob',
        '"Bob" sip:a@b',
        "<sip:a@b",
        "<sip:a@b> x",
        "<>",
        '<sip:a@b>;x="y',
        "<sip:a@b>;b d=1",
        "<sip:a@b>;=1",
    ],
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(MessageError) as refused:
        NameAddr.parse(text)
    assert refused.value.status == 400


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SIP/2.0/UDP",
        "SIP/3.0/UDP h",
        "SIP/2.0 h",
        "SIP/2.0/UDP ;branch=1",
        "SIP/2.0/UDP h:99999",
        "SIP/2.0/UDP h;rport   x",
    ],
)
def test_what_is_no_via(text: str) -> None:
    with pytest.raises(MessageError):
        Via.parse(text)


def test_rport_is_asked_for_filled_or_not_there() -> None:
    vias = [Via.parse(f"SIP/2.0/UDP h{rest}") for rest in ("", ";rport", ";rport=", ";rport=5060")]
    assert ["rport" in via.params for via in vias] == [False, True, True, True]
    assert [via.params.get("rport") or "" for via in vias] == ["", "", "", "5060"]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", []),
        (" a ", ["a"]),
        ("a,b, c", ["a", "b", "c"]),
        (",a,,b,", ["a", "b"]),
        ('<sip:a"b>, <sip:c"d>', ['<sip:a"b>', '<sip:c"d>']),
        ('"a\\\\", "b\\\\\\", c"', ['"a\\\\"', '"b\\\\\\", c"']),
        ('"a,b" <sip:c,d@e>, <sip:f>;x="g,\\",h"', ['"a,b" <sip:c,d@e>', '<sip:f>;x="g,\\",h"']),
    ],
)
def test_list(text: str, values: list[str]) -> None:
    assert split_list(text) == values


def test_credentials() -> None:
    text = 'Digest  UserName="a \\"b\\"",realm="x, y" , nonce=abc,\tqop=auth'
    assert parse_credentials(text) == {"username": 'a "b"', "realm": "x, y", "nonce": "abc", "qop": "auth"}


@pytest.mark.parametrize("text", ["", "Basic QWxh", 'Digest a="b', "Digest a", "Digest a=1 b=2", "Digest a=1, A=2"])
def test_what_are_no_credentials(text: str) -> None:
    with pytest.raises(MessageError):
        parse_credentials(text)


@given(TEXT)
def test_any_text_is_a_value_or_refused(text: str) -> None:
    for parser in (Via.parse, CSeq.parse, NameAddr.parse, split_list, header_params, parse_credentials):
        for given_text in (text, f"SIP/2.0/UDP h;{text}", f"<sip:a@b>;{text}", f"Digest {text}"):
            try:
                parser(given_text)
            except MessageError as refused:
                answer = refused.status
            else:
                answer = 200
            assert answer in (200, 400, 416)
