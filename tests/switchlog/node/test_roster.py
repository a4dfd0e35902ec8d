"""Of a shard there is one owner at most, and every node comes to the same, in whatever order it hears of things."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from domain.node import Listener, Neighbour, Roster
from switchlog.node.roster import LiveRoster

A = Neighbour("a", "192.0.2.1:5070", (Listener("udp", "192.0.2.1:5060", "192.0.2.1:5060"),))
B = Neighbour("b", "192.0.2.2:5070")
SHARDS = 3


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[int, int, str, bool]]:
    """What a log may say: each term of a shard has one node; some of its ends were said, some claims were not."""
    said = []
    for shard in range(SHARDS):
        for epoch in range(1, draw(st.integers(0, 5)) + 1):
            node = draw(st.sampled_from("ab"))
            if draw(st.booleans()):
                said.append((shard, epoch, node, False))
            if draw(st.booleans()):
                said.append((shard, epoch, node, True))
    return said


def told(said: list[tuple[int, int, str, bool]], *living: Neighbour) -> LiveRoster:
    roster = LiveRoster("a")
    roster.meet(living)
    for shard, epoch, node, released in said:
        roster.hear(shard, epoch, node, released=released)
    return roster


@given(histories().flatmap(lambda said: st.tuples(st.just(said), st.permutations(said + said[:3]))))
def test_the_order_of_hearing_does_not_matter(
    both: tuple[list[tuple[int, int, str, bool]], list[tuple[int, int, str, bool]]],
) -> None:
    said, shuffled = both
    one, other = told(said, A, B), told(shuffled, A, B)
    for shard in range(SHARDS):
        assert one.owner(shard) == other.owner(shard)
        terms = [(epoch, node) for its, epoch, node, _ in said if its == shard]
        last = max(terms, default=(0, ""))
        over = (shard, *last, True) in said
        expected = None if over or not terms else {"a": A, "b": B}[last[1]]
        assert one.owner(shard) == expected


def test_new_calls_are_for_shards_of_this_process_and_of_others_of_its_node_be_they_dead() -> None:
    roster = LiveRoster("a_1")
    roster.heed(lambda shard: shard != 1)
    for shard, node, released in (
        (0, "a_1", False),
        (1, "a_1", False),  # which it gives up
        (2, "a_1", True),
        (3, "a_2", False),
        (4, "a_2", True),
        (5, "b", False),
        (6, "b_2", False),
    ):
        roster.hear(shard, 1, node, released=released)
    assert [shard for shard in range(8) if roster.takes(shard)] == [0, 3, 4]


def test_a_dead_node_owns_nothing_until_it_is_back() -> None:
    roster: Roster = told([(1, 4, "b", False)], A)
    assert roster.me == "a" and list(roster.neighbours()) == [A]
    assert roster.owner(1) is None and roster.neighbour("b") is None
    both = told([(1, 4, "b", False)], A, B)
    assert both.owner(1) == both.neighbour("b") == B
    both.meet([B])
    assert both.neighbour("a") is None and both.owner(1) == B


def test_old_news_are_none() -> None:
    roster = told([(1, 4, "b", False)], A, B)
    assert not roster.hear(1, 4, "b", released=False)
    assert not roster.hear(1, 3, "a", released=True)
    assert roster.hear(1, 4, "b", released=True) and not roster.hear(1, 4, "b", released=False)
    assert roster.owner(1) is None and roster.owner(2) is None
    assert roster.hear(1, 5, "a", released=False) and roster.owner(1) == A


def test_what_this_node_gives_up_is_nobodys_at_once() -> None:
    roster = told([(1, 4, "a", False), (2, 4, "b", False)], A, B)
    roster.heed(lambda shard: False)
    assert roster.owner(1) is None and roster.owner(2) == B
    roster.heed(lambda shard: True)
    assert roster.owner(1) == A
