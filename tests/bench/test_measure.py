"""Shares and means of measured values."""

from __future__ import annotations

import math
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.measure import TreeCpu, mean, percentile


@pytest.mark.parametrize(
    ("share", "expected"), [(0, 10.0), (0.25, 10.0), (0.26, 20.0), (0.5, 20.0), (0.75, 30.0), (0.99, 40.0), (1, 40.0)]
)
def test_a_percentile_is_the_nearest_rank(share: float, expected: float) -> None:
    assert percentile([40.0, 10.0, 30.0, 20.0], share) == expected


def test_there_is_no_percentile_or_mean_of_nothing() -> None:
    assert math.isnan(percentile([], 0.99))
    assert math.isnan(mean([]))


@pytest.mark.parametrize("share", [-0.01, 1.01, 99])
def test_a_share_lies_between_0_and_1(share: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        percentile([1.0], share)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1), st.floats(0, 1))
def test_enough_values_do_not_exceed_a_percentile_and_no_smaller_value_will_do(
    values: list[float], share: float
) -> None:
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values)
    smaller = [value for value in values if value < found]
    assert not smaller or len(smaller) < share * len(values)


def test_a_mean_is_the_arithmetic_one() -> None:
    assert mean([1.0, 2.0, 6.0]) == 3.0


def test_cpu_counts_from_the_beginning() -> None:
    cpu = TreeCpu(os.getpid())
    assert 0 <= cpu.seconds() < 60
