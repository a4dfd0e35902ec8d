"""Quick questions have numpy's answers."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from media import quick


@given(arrays(np.bool_, st.integers(0, 9)))
def test_flags(flags: np.ndarray) -> None:
    assert quick.all_true(flags) == flags.all()
    assert quick.any_set(flags) == flags.any()


@given(arrays(np.int64, st.integers(0, 5), elements=st.sampled_from([0, 1, -1, 256, 1 << 40])))
def test_numbers(numbers: np.ndarray) -> None:
    assert quick.any_set(numbers) == numbers.any()


@given(st.lists(arrays(np.int64, (2, 3), elements=st.integers(0, 1)), min_size=2, max_size=2))
def test_sameness(pair: list[np.ndarray]) -> None:
    one, other = pair
    assert quick.same(one, other) == (one == other).all()
    assert quick.same(one[:, 1], other[:, 1]) == (one[:, 1] == other[:, 1]).all()
