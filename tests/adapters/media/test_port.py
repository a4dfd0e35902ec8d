"""Pairs of ports: never one twice, and the oldest first."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.media.port import NoPort, Ports


@pytest.mark.parametrize(
    ("first", "last", "found"),
    [
        (20000, 20005, [20000, 20002, 20004]),
        (20001, 20005, [20002, 20004]),
        (20000, 20004, [20000, 20002]),
        (20000, 20000, []),
    ],
)
def test_a_range_holds_whole_pairs(first: int, last: int, found: list[int]) -> None:
    ports = Ports(first, last)
    assert [ports.take() for _ in found] == found
    with pytest.raises(NoPort, match="SWITCHLOG_MEDIA_PORTS"):
        ports.take()


def test_what_was_given_back_comes_last() -> None:
    ports = Ports(20000, 20007)
    first = ports.take()
    ports.free(first)
    assert [ports.take() for _ in range(4)] == [20002, 20004, 20006, first]


@given(st.lists(st.tuples(st.sampled_from(["take", "mark", "free"]), st.integers(0, 12))))
def test_no_pair_is_given_twice(steps: list[tuple[str, int]]) -> None:
    ports, used = Ports(20000, 20009), set[int]()
    for step, number in steps:
        port = 20000 + 2 * number
        if step == "mark":
            ports.mark(port)
            used.add(port)
        elif step == "free":
            ports.free(port)
            used.discard(port)
        elif len(used & set(range(20000, 20010))) < 5:
            taken = ports.take()
            assert taken not in used
            used.add(taken)
        else:
            with pytest.raises(NoPort):
                ports.take()


def test_processes_that_share_a_range_begin_at_different_places() -> None:
    def chance(one: int) -> Callable[[int], bytes]:
        return lambda count: bytes([one]) * count

    several = [Ports(20000, 20199, chance(one)) for one in range(5)]
    assert len({ports.take() for ports in several}) > 1
    assert len({several[0].take() for _ in range(99)}) == 99, "all of them, each once"
