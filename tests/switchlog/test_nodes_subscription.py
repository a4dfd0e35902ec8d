"""Phones that subscribe at one node to what another one has, and go on when that is dead."""

from __future__ import annotations

from domain.ids import SHARDS
from tests.switchlog.nodes import Nodes
from tests.switchlog.phone import BOB
from tests.switchlog.watch import SHARD, Watch, boxed


def two(transport: str = "udp") -> tuple[Nodes, Watch]:
    """Bob's mailbox is at b, and his phone at a."""
    nodes = Nodes({"a": set(range(SHARDS)) - {SHARD}, "b": {SHARD}}, mixing=True, directory=boxed)
    return nodes, Watch(nodes["a"], "1002", BOB, transport=transport)


def test_a_subscription_is_where_the_mailbox_is() -> None:
    nodes, bob = two("tcp")
    assert bob.subscribe().status == 200
    assert "a>b SUBSCRIBE" in nodes.over_link()
    assert bob.told() == [("active;expires=600", "0/0")]
    assert len(list(nodes["b"].subscribers.all())) == 1
    assert bob.subscribe(within=True).status == 200
    assert len(list(nodes["b"].subscribers.all())) == 1
    assert bob.told() == [("active;expires=600", "0/0")]


def test_it_goes_on_at_the_heir_of_its_node() -> None:
    nodes, bob = two()
    bob.subscribe()
    (first,) = bob.notified()
    nodes.kill("b")
    nodes.take_over("a", nodes.owned_by("b"))
    (again,) = bob.notified()
    assert again.cseq.number > first.cseq.number, "the first one may have come, or not"
    bob.reply(again, 200)
    assert bob.subscribe(within=True).status == 200
    assert bob.told() == [("active;expires=600", "0/0")]
    assert bob.subscribe(within=True, expires_s=0).status == 200
    assert bob.told() == [("terminated;reason=timeout", "0/0")]


def test_one_that_moves_while_its_owner_lives_is_told_by_the_new_one_alone() -> None:
    nodes, bob = two()
    bob.subscribe()
    bob.told()
    nodes.take_over("a", [SHARD])
    assert bob.told() == [], "it knows all that there is"
    nodes["b"].application.summaries.tell("acme", "1002")
    nodes["b"].deliver()
    assert bob.told() == []
    assert bob.subscribe(within=True).status == 200
    assert len(bob.told()) == 1
