"""Cursors: how they compare, and their words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.cursor import covers, cursor_word, lag, least, read_cursor
from domain.ports import PARTITION

cursors = st.dictionaries(st.text(max_size=20), st.integers(0, 2**63 - 1), max_size=140)


@given(cursors)
def test_a_word_is_read_as_what_it_was(cursor: dict[str, int]) -> None:
    word = cursor_word(cursor)
    assert read_cursor(word) == {name: position for name, position in cursor.items() if position}
    assert word == cursor_word(dict(reversed(cursor.items())))
    assert not word.isdigit() and word != "end" and set(word) <= set(_LETTERS)


_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@pytest.mark.parametrize(("word", "position"), [("17", 17), ("0017", 17), (str(2**63 - 1), 2**63 - 1)])
def test_a_number_is_a_position_in_a_journal_of_one_partition(word: str, position: int) -> None:
    assert read_cursor(word) == {PARTITION: position}
    assert read_cursor("0") == {}


@pytest.mark.parametrize(
    "word", ["", "-1", "x", "end", "gQ", "a b", "gQ==x", "é", str(2**63), "9" * 40, "gaFh_w", "gaFhoWI", "g" * 3001]
)
def test_whatever_else_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match="not a place"):
        read_cursor(word)


@given(st.text(max_size=30))
def test_noise_is_read_or_refused(word: str) -> None:
    try:
        assert all(position >= 0 for position in read_cursor(word).values())
    except ValueError:
        pass


@given(cursors, cursors)
def test_the_least_of_two_is_covered_by_both(one: dict[str, int], other: dict[str, int]) -> None:
    low = least([one, other])
    assert covers(one, low) and covers(other, low)
    assert covers(one, other) == (lag(one, other) == 0)
