"""What the fuzzer begins with and everything it ever found, again; and Hypothesis over the same targets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.torture.case import ALL, wire
from tests.torture.generator import malformed
from tests.torture.target import CORPUS, TARGETS

KEPT = sorted((path.parent.name, path.name) for path in CORPUS.glob("*/*"))
PIECES = st.sampled_from(
    [b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b",", b";", b'"', b"<", b">", b"\\", b"=", b"@", b"[", b"]", b"\xff",
     b"\0", b"sip:", b"SIP/2.0", b"/UDP ", b"branch=", b"Digest ", b"nc=00000001", b'qop="auth"', b"v=0", b"m=audio ",
     b"c=IN ", b"inline:", b"\xee\xbe\x80", b"OPTIONS sip:b@h SIP/2.0\r\n", b"Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\n",
     b"l: 3\r\n", b"f: <sip:a@b>;tag=1\r\n", b"To: <sip:b>\r\n", b"Call-ID: 1\r\n", b"CSeq: 1 OPTIONS\r\n", b"--b",
     b"0", b"a"]
)  # fmt: skip
BYTES = st.one_of(st.binary(max_size=300), st.lists(PIECES, max_size=40).map(b"".join))


@pytest.mark.parametrize(("target", "name"), KEPT)
def test_what_is_kept_harms_nothing(target: str, name: str) -> None:
    TARGETS[target]((CORPUS / target / name).read_bytes())


@pytest.mark.parametrize("target", TARGETS)
@given(data=BYTES)
def test_any_bytes_harm_nothing(target: str, data: bytes) -> None:
    TARGETS[target](data)


@pytest.mark.parametrize("target", TARGETS)
def test_torture_and_malformed_messages_harm_no_target(target: str) -> None:
    for rfc, name in ALL:
        TARGETS[target](wire(rfc, name))
    for spoilt in malformed(11, 400):
        TARGETS[target](spoilt.data)
