"""What a child says last: it reaches the parent whatever is in it."""

from __future__ import annotations

import os

import pytest

from switchlog.early import LastWords
from switchlog.tied import WORDS_MOST, spoken


def heard(reason: str) -> str:
    words = LastWords()
    os.write(words.write, spoken(reason))
    words.inherited()
    return words.read()


@pytest.mark.parametrize("reason", ["", "no such file: /tmp/ü", "\N{SNOWMAN}" * 1000])
def test_what_fits_is_heard_as_it_was_said(reason: str) -> None:
    assert heard(reason) == reason


def test_what_ends_inside_a_character_is_heard_up_to_there() -> None:
    assert heard("x" * (WORDS_MOST - 1) + "ü") == "x" * (WORDS_MOST - 1) + "\N{REPLACEMENT CHARACTER}"


def test_a_file_name_that_is_no_text_is_spelt_out() -> None:
    assert heard(os.fsdecode(b"/tmp/\xff")) == "/tmp/\\udcff"
