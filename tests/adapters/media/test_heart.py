"""When a worker is taken for one that stands still."""

from __future__ import annotations

from adapters.media.heart import Heart

LOOKS = 5


def looks(heart: Heart) -> int:
    """How many find nothing wrong, of a hundred."""
    return next((number for number in range(100) if heart.stands_still()), 100)


def test_it_is_noticed_after_some_looks_that_found_nothing() -> None:
    heart = Heart()
    heart.beat()
    assert looks(heart) == LOOKS


def test_each_word_is_good_for_as_long_again() -> None:
    heart = Heart()
    for _ in range(20):
        heart.beat()
        assert not any(heart.stands_still() for _ in range(LOOKS))
    assert heart.stands_still()


def test_one_that_has_said_nothing_yet_has_more_time() -> None:
    assert looks(Heart()) == 10 * LOOKS


def test_one_that_ends_has_all_the_time() -> None:
    heart = Heart()
    heart.beat()
    heart.excuse()
    assert looks(heart) == 100
