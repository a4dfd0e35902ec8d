"""Bytes as text and back."""

from __future__ import annotations

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from adapters.sip.message.text import to_text, to_wire


@given(st.binary())
@example("\uef80 and \uefff as they are".encode())
@example(b"\xed\xa0\x80 a surrogate in UTF-8's clothes")
@example("ü".encode()[:1])
def test_all_bytes_come_back_and_can_be_journaled(data: bytes) -> None:
    text = to_text(data)
    assert to_wire(text) == data
    assert msgspec.json.decode(msgspec.json.encode(text)) == text


@given(st.text(st.characters(exclude_categories=["Cs", "Co"])))
def test_text_is_itself(text: str) -> None:
    assert to_text(text.encode()) == text
