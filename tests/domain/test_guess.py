"""Wrong PINs over many calls: how many are taken, who is asked all the same, and what is remembered of it."""

from __future__ import annotations

import pytest

from domain import guess
from domain.guess import MOST, TRIES, WINDOW, Guesses
from tests.domain.world import START, seconds

ROOM, OTHER = ("acme", "7000"), ("acme", "7001")


def guessed(guesses: Guesses, count: int = MOST, caller: str = "1001") -> None:
    """One a minute from the start on."""
    for minute in range(count):
        guesses.wrong(ROOM, caller, START + seconds(60 * minute))


def test_ten_wrong_ones_shut_a_place_until_the_first_is_an_hour_ago() -> None:
    guesses = Guesses()
    guessed(guesses, MOST - 1)
    assert not guesses.shut(ROOM, "1001", START + seconds(600))
    guesses.wrong(ROOM, "1002", START + seconds(600))
    for caller in ("1001", "1002", "1003"):
        assert guesses.shut(ROOM, caller, START + seconds(600))
        assert guesses.shut(ROOM, caller, START + WINDOW - seconds(1))
        assert not guesses.shut(ROOM, caller, START + WINDOW)
    assert not guesses.shut(OTHER, "1001", START + seconds(600))
    guesses.wrong(ROOM, "1001", START + WINDOW)
    assert guesses.shut(ROOM, "1001", START + WINDOW), "then one more is taken, not ten"


def test_who_was_right_before_is_asked_all_the_same() -> None:
    guesses = Guesses()
    guesses.right(ROOM, "1002", START)
    guessed(guesses)
    now = START + seconds(900)
    assert guesses.shut(ROOM, "1001", now)
    for _ in range(TRIES):
        assert not guesses.shut(ROOM, "1002", now)
        guesses.right(ROOM, "1002", now)
        guesses.wrong(ROOM, "1002", now)
    assert guesses.shut(ROOM, "1002", now), "who knows one PIN of a room is not to guess the other one"
    guesses.right(ROOM, "1002", now + WINDOW)
    guessed(guesses)
    assert not guesses.shut(ROOM, "1002", now + WINDOW)


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guess, "_PLACES", 2)
    monkeypatch.setattr(guess, "_KNOWN", 3)
    guesses = Guesses()
    guessed(guesses)
    for number in range(50):
        guesses.wrong(("other", f"{number % 2}"), "1001", START)
        guesses.right(("other", f"{number}"), "1001", START)
    assert len(guesses) == 5
    assert not guesses.shut(ROOM, "1001", START), "the one of which nothing was heard for the longest is forgotten"
