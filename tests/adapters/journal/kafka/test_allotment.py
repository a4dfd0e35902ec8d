"""Every shard is somebody's, evenly, and no more of them move than that takes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from adapters.journal.kafka.allotment import Member, first_round, share_out

SHARDS = range(13)
names = st.sampled_from("abcde")


@st.composite
def companies(draw: st.DrawFn) -> list[Member]:
    """Members with whatever they think they hold, also the same, also shards that there are not."""
    return [
        Member(
            name,
            frozenset(draw(st.sets(st.integers(0, 15)))),
            draw(st.integers(-1, 3)),
            draw(st.booleans()),
        )
        for name in draw(st.lists(names, unique=True, min_size=1))
    ]


def settled(members: list[Member]) -> list[Member]:
    """The same nodes after a sharing."""
    shares = share_out(members, SHARDS)
    return [Member(one.name, shares[one.name], 7, one.draining) for one in members]


@given(companies())
def test_every_shard_is_given_once_and_evenly(members: list[Member]) -> None:
    shares = share_out(members, SHARDS)
    assert sorted(shard for share in shares.values() for shard in share) == list(SHARDS)
    takers = [one.name for one in members if not one.draining] or [one.name for one in members]
    sizes = [len(shares[name]) for name in takers]
    assert max(sizes) - min(sizes) <= 1
    assert {name for name, share in shares.items() if share} <= set(takers)


@given(companies().flatmap(lambda members: st.tuples(st.just(members), st.permutations(members))))
def test_the_order_of_members_does_not_matter(both: tuple[list[Member], list[Member]]) -> None:
    assert share_out(both[0], SHARDS) == share_out(both[1], SHARDS)


@given(companies())
def test_who_has_shared_keeps_its_share(members: list[Member]) -> None:
    again = settled(members)
    assert share_out(again, SHARDS) == {one.name: one.held for one in again}


@given(companies(), names)
def test_when_one_dies_only_its_shards_move_and_when_one_comes_only_to_it(members: list[Member], name: str) -> None:
    before = settled([Member(one.name) for one in members])
    left = [one for one in before if one.name != name]
    if left and len(left) < len(before):
        after = share_out(left, SHARDS)
        assert all(one.held <= after[one.name] for one in left)
    elif len(left) == len(before):
        after = share_out([*before, Member(name)], SHARDS)
        assert all(after[one.name] <= one.held for one in before)


@given(companies())
def test_in_the_first_round_nobody_is_given_what_another_one_holds(members: list[Member]) -> None:
    members = [Member(one.name, one.held, number, one.draining) for number, one in enumerate(members)]
    shares = share_out(members, SHARDS)
    first = first_round(members, shares)
    for number, one in enumerate(members):
        assert first[one.name] <= shares[one.name]
        later = frozenset[int]().union(*(other.held for other in members[number + 1 :]))
        mistaken = frozenset[int]().union(*(other.held for other in members[:number])) - one.held
        assert not first[one.name] & (later | mistaken)
    gave_up = [Member(one.name, first[one.name] & one.held, 7, one.draining) for one in members]
    again = share_out(gave_up, SHARDS)
    assert first_round(gave_up, again) == again


def test_a_zombie_does_not_take_back_what_was_given_to_another_one_since() -> None:
    zombie, owner = Member("z", frozenset({1, 2}), 3), Member("a", frozenset({1, 2, 3, 4}), 4)
    shares = share_out([zombie, owner], range(1, 5))
    assert shares == {"a": frozenset({1, 2}), "z": frozenset({3, 4})}
    assert first_round([zombie, owner], shares) == {"a": frozenset({1, 2}), "z": frozenset()}


def test_one_that_drains_keeps_its_shards_while_it_is_alone() -> None:
    alone = Member("a", frozenset({1, 2}), 1, draining=True)
    assert share_out([alone], [1, 2]) == {"a": frozenset({1, 2})}
    both = [alone, Member("b")]
    assert share_out(both, [1, 2]) == {"a": frozenset(), "b": frozenset({1, 2})}
    assert first_round(both, share_out(both, [1, 2])) == {"a": frozenset(), "b": frozenset()}


def test_nobody_shares_nothing() -> None:
    assert share_out([], [1]) == {}


def test_an_edge_is_given_none_even_if_nobody_else_is_there() -> None:
    edge = Member("a", edge=True)
    shares = share_out([edge, Member("a_1"), Member("a_2", draining=True)], SHARDS)
    assert shares == {"a": frozenset(), "a_1": frozenset(SHARDS), "a_2": frozenset()}
    assert share_out([edge], SHARDS) == {"a": frozenset()}
    assert first_round([edge], {"a": frozenset()}) == {"a": frozenset()}
