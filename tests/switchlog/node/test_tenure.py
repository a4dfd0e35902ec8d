"""Every state of a shard at a node has a row for everything that may happen to it, and what follows is right."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchlog.node.tenure import TABLE, Act, Input, State, Tenures

happenings = st.lists(st.tuples(st.integers(0, 3), st.sampled_from(Input)), max_size=40)


def test_every_pair_has_its_row() -> None:
    assert set(TABLE) == set(product(State, Input))


@pytest.mark.parametrize("state", State)
def test_who_is_expelled_holds_nothing(state: State) -> None:
    row = TABLE[state, Input.EXPELLED]
    assert row.state is State.FOREIGN
    assert (row.act is Act.DROP) == (state in (State.HELD, State.LEAVING, State.RETURNING))


@given(happenings)
def test_only_what_was_claimed_and_is_wanted_is_served(told: list[tuple[int, Input]]) -> None:
    tenures = Tenures()
    for shard, what in told:
        before = tenures.state(shard)
        act = tenures.tell(shard, what)
        assert (act is Act.SERVE) == (what is Input.TAKEN and before in (State.WANTED, State.HELD))
        assert (act is Act.RELEASE) == (what is Input.TAKEN and before not in (State.WANTED, State.HELD))
        assert not (act is Act.SETTLE and before is not State.HELD)


@given(happenings, st.sets(st.integers(0, 3)))
def test_the_group_has_the_last_word(told: list[tuple[int, Input]], shards: set[int]) -> None:
    tenures = Tenures()
    for shard, what in told:
        tenures.tell(shard, what)
    given_now, revoked = tenures.given(shards)
    tenures.tell_all(given_now, Input.GIVEN)
    tenures.tell_all(revoked, Input.REVOKED)
    assert {shard for shard in range(4) if tenures.is_ours(shard)} == shards


def test_a_shard_comes_serves_and_goes() -> None:
    tenures = Tenures()
    assert tenures.tell(5, Input.GIVEN) is Act.NOTHING and tenures.those(State.WANTED) == (5,)
    assert tenures.tell(5, Input.TAKEN) is Act.SERVE and tenures.those(State.HELD) == (5,)
    assert tenures.tell(5, Input.LOST) is Act.NOTHING and tenures.is_ours(5)
    assert tenures.tell(5, Input.TAKEN) is Act.SERVE
    assert tenures.tell(5, Input.REVOKED) is Act.SETTLE and not tenures.is_ours(5)
    assert tenures.tell(5, Input.RELEASED) is Act.NOTHING
    assert tenures.state(5) is State.FOREIGN and tenures.those(*State) == ()


def test_what_was_claimed_for_nothing_is_released() -> None:
    tenures = Tenures()
    tenures.tell(5, Input.GIVEN)
    tenures.tell(5, Input.REVOKED)
    assert tenures.tell(5, Input.TAKEN) is Act.RELEASE
    assert tenures.tell(5, Input.GIVEN) is Act.NOTHING and tenures.those(State.WANTED) == ()
    assert tenures.tell(5, Input.RELEASED) is Act.NOTHING and tenures.those(State.WANTED) == (5,)
