"""The law of the pace of commits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.journal.pace import Pace, PaceLimits

LIMITS = PaceLimits(least_s=0.002, most_s=0.005, slow=400.0, fast=1500.0, remembers_s=0.25)
_GROUPS = st.lists(st.tuples(st.integers(0, 4096), st.floats(0, 10)), min_size=1, max_size=50)


def _after(rate: float, seconds: float = 2.0) -> float:
    """The pace once `rate` records a second have come for a while, as the pace itself groups them."""
    pace, pace_s, at = Pace(LIMITS), LIMITS.least_s, 0.0
    while at < seconds:
        at += pace_s
        pace_s = pace.after(round(rate * pace_s), pace_s)
    return pace_s


@pytest.mark.parametrize(
    ("rate", "least_s", "most_s"), [(0, 0.002, 0.002), (1000, 0.003, 0.0042), (5000, 0.005, 0.005)]
)
def test_the_pace_settles_by_the_rate(rate: float, least_s: float, most_s: float) -> None:
    assert least_s <= _after(rate) <= most_s


def test_one_record_now_and_then_never_slows_the_pace() -> None:
    pace = Pace(LIMITS)
    assert {pace.after(1, 0.02) for _ in range(100)} == {LIMITS.least_s}


@given(_GROUPS)
def test_the_pace_stays_between_its_limits(groups: list[tuple[int, float]]) -> None:
    pace = Pace(LIMITS)
    for rows, since_s in groups:
        assert LIMITS.least_s <= pace.after(rows, since_s) <= LIMITS.most_s


@given(_GROUPS)
def test_more_records_never_make_the_pace_shorter(groups: list[tuple[int, float]]) -> None:
    some, more = Pace(LIMITS), Pace(LIMITS)
    for rows, since_s in groups:
        assert more.after(rows + 1, since_s) >= some.after(rows, since_s)


@given(_GROUPS)
def test_after_a_quiet_moment_the_pace_is_the_least(groups: list[tuple[int, float]]) -> None:
    pace = Pace(LIMITS)
    for rows, since_s in groups:
        pace.after(rows, since_s)
    assert pace.after(1, 20.0) == LIMITS.least_s
