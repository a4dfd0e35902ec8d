"""Identifiers of streams and legs: base32 as RFC 4648 writes it, and nothing else is a leg."""

from __future__ import annotations

import base64
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.ids import SHARDS, call_of_leg, home_of_call, leg_id, shard_of_call
from tests.domain.world import new_call


@given(st.uuids(), st.integers(0, 10**6))
def test_a_leg_is_the_base32_of_its_call_and_its_number(call: UUID, index: int) -> None:
    leg = leg_id(call, index)
    assert leg == f"{base64.b32encode(call.bytes).decode().rstrip('=').lower()}{index}"
    assert call_of_leg(leg) == call
    assert call_of_leg(leg.upper()) == call


@pytest.mark.parametrize("letter", [*"0189_+- .=:\u0131\u00b2\u0663\uff11"])
@pytest.mark.parametrize("place", [0, 1, 12, 25])
def test_what_is_no_letter_of_base32_is_no_leg(letter: str, place: int) -> None:
    leg = leg_id(new_call(), 1)
    with pytest.raises(ValueError, match="leg id|invalid literal"):
        call_of_leg(leg[:place] + letter + leg[place + 1 :])


@pytest.mark.parametrize("text", ["", "a" * 26, "a" * 26 + "x", "a" * 25 + "1"])
def test_what_is_too_short_or_has_no_number_is_no_leg(text: str) -> None:
    with pytest.raises(ValueError, match="not a leg id"):
        call_of_leg(text)


@given(st.text(max_size=40), st.sets(st.integers(0, SHARDS - 1)))
def test_a_call_is_at_home_in_a_shard_of_its_node(call_id: str, mine: set[int]) -> None:
    home = home_of_call(call_id, mine.__contains__)
    if shard_of_call(call_id) in mine or not mine:
        assert home == shard_of_call(call_id)
    else:
        assert home in mine
    assert home == home_of_call(call_id, mine.__contains__)


def test_the_calls_of_a_node_are_spread_over_all_its_shards() -> None:
    mine = {3, 17, 41}
    homes = [home_of_call(f"call-{number}", mine.__contains__) for number in range(300)]
    assert all(70 < homes.count(shard) < 130 for shard in mine)
