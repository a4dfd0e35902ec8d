"""What phones say for a shard that changes hands: it waits where it cannot be said again, and never for ever."""

from __future__ import annotations

import pytest

from adapters.sip.message.message import Request, Response
from domain.call.call import CallState
from switchlog.node.patience import WAIT_S
from tests.switchlog.nodes import Nodes
from tests.switchlog.phone import ALICE, BOB, methods
from tests.switchlog.test_nodes_call import B, crosswise, parties, talk
from tests.switchlog.test_nodes_faults import shard_of_the_call


def bye_of_bob(invite: Request, transport: str) -> str:
    return (
        f"BYE sip:x@{B} SIP/2.0\nVia: SIP/2.0/{transport.upper()} {BOB};branch=z9hG4bKlate\n"
        f"From: {invite.get('To')};tag=b\nTo: {invite.get('From')}\nCall-ID: {invite.call_id}\nCSeq: 9 BYE"
    )


def retry(nodes: Nodes, name: str) -> None:
    crossing = nodes[name].crossing
    assert crossing is not None
    crossing.retry()
    nodes[name].deliver()
    nodes.settle()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_without_the_link_what_belongs_to_a_call_elsewhere_waits(transport: str) -> None:
    """Who uses UDP says it again; of others it is kept, for a 503 to a BYE would leave the other phone alone."""
    nodes = crosswise()
    _, _, _, invite = talk(nodes)
    nodes.cut.add(frozenset("ab"))
    bye = bye_of_bob(invite, transport)
    nodes["b"].send(BOB, bye, transport=transport)
    retry(nodes, "b")
    assert nodes["b"].take(BOB) == []
    nodes.cut.clear()
    if transport == "udp":
        nodes["b"].send(BOB, bye)
    else:
        retry(nodes, "b")
    assert methods(nodes["b"].take(BOB)) == ["200 BYE"]
    assert methods(nodes["a"].take(ALICE)) == ["BYE"]


@pytest.mark.parametrize("how", ["refused", "given back"])
def test_a_phones_answer_waits_for_the_link(how: str) -> None:
    """That it rings is said once only: nothing would come before the last repetition of the INVITE were it lost."""
    nodes = crosswise()
    alice, bob = parties(nodes)
    alice.invite("1002")
    (invite,) = nodes["b"].take(BOB)
    assert isinstance(invite, Request)
    if how == "refused":
        nodes.cut.add(frozenset("ab"))
    else:
        nodes.opening = {("b", "a")}
    bob.reply(invite, 180)
    for _ in range(3):
        retry(nodes, "b")
    assert methods(nodes["a"].take(ALICE)) == ["100 INVITE"]
    nodes.cut.clear()
    nodes.opening.clear()
    retry(nodes, "b")
    assert methods(nodes["a"].take(ALICE)) == ["180 INVITE"]


def test_an_answer_for_a_dead_node_is_dropped() -> None:
    """Who goes on with its calls asks again."""
    nodes = crosswise()
    alice, bob = parties(nodes)
    alice.invite("1002")
    (invite,) = nodes["b"].take(BOB)
    assert isinstance(invite, Request)
    nodes.cut.add(frozenset("ab"))
    bob.reply(invite, 180)
    crossing = nodes["b"].crossing
    assert crossing is not None
    waited = crossing.counts["put_off"]
    assert waited
    nodes.kill("a")
    retry(nodes, "b")
    retry(nodes, "b")
    assert (crossing.counts["put_off"], crossing.counts["dropped"]) == (waited, 1)


def test_an_answer_to_a_phone_on_a_connection_waits_for_the_link() -> None:
    """It asked once, and is not told again."""
    nodes = crosswise()
    _, _, _, invite = talk(nodes)
    nodes.opening = {("a", "b")}
    nodes["b"].send(BOB, bye_of_bob(invite, "tcp"), transport="tcp")
    assert nodes["b"].take(BOB) == []
    nodes.opening.clear()
    retry(nodes, "a")
    assert methods(nodes["b"].take(BOB)) == ["200 BYE"]


def test_what_could_not_reach_a_dead_node_waits_for_its_heir() -> None:
    """The connection to it breaks first; that it is dead, and who has its shards, is known some seconds later."""
    nodes = crosswise()
    _, _, _, invite = talk(nodes)
    shard = shard_of_the_call(nodes["a"])
    nodes.cut.add(frozenset("ab"))
    nodes["b"].send(BOB, bye_of_bob(invite, "tcp"), transport="tcp")
    retry(nodes, "b")
    nodes.kill("a")
    retry(nodes, "b")
    assert nodes["b"].take(BOB) == []
    nodes.take_over("b", [shard])
    nodes["b"].take(BOB)
    retry(nodes, "b")
    assert methods(nodes["b"].take(BOB)) == ["200 BYE"]


@pytest.mark.parametrize("answered", [False, True])
def test_what_was_written_to_a_node_that_froze_is_asked_of_its_heir_unless_it_was_answered(answered: bool) -> None:
    nodes = crosswise()
    _, _, _, invite = talk(nodes)
    shard = shard_of_the_call(nodes["a"])
    if not answered:
        nodes.deaf.add("a")
    nodes["b"].send(BOB, bye_of_bob(invite, "tcp"), transport="tcp")
    assert methods(nodes["b"].take(BOB)) == (["200 BYE"] if answered else [])
    nodes.kill("a")
    nodes.take_over("b", [shard])
    nodes["b"].take(BOB)
    retry(nodes, "b")
    assert methods(nodes["b"].take(BOB)) == ([] if answered else ["200 BYE"])
    assert [one for one in nodes["b"].board.live_calls if one.state is not CallState.ENDED] == []


def test_nothing_is_kept_for_ever() -> None:
    nodes = crosswise()
    _, _, _, invite = talk(nodes)
    nodes.cut.add(frozenset("ab"))
    nodes["b"].send(BOB, bye_of_bob(invite, "tcp"), transport="tcp")
    nodes.wait(WAIT_S / 2)
    retry(nodes, "b")
    assert nodes["b"].take(BOB) == []
    nodes.wait(WAIT_S / 2 + 1)
    retry(nodes, "b")
    (refused,) = nodes["b"].take(BOB)
    assert isinstance(refused, Response)
    assert (refused.status, refused.get("Retry-After")) == (503, "2")


@pytest.mark.parametrize("heard_at", ["a", "b"])
def test_what_comes_while_a_shard_has_no_owner_waits_for_the_next_one(heard_at: str) -> None:
    """Node `b`, where the phone is, knows that nobody has the shard (or believes that `a` has it), and then has it."""
    nodes = crosswise()
    _, _, _, invite = talk(nodes)
    shard = shard_of_the_call(nodes["a"])
    nodes["a"].board.abandon(shard)
    nodes.views["a"].believes[shard] = "nobody"
    if heard_at == "b":
        nodes.views["b"].believes[shard] = "nobody"
    nodes["b"].send(BOB, bye_of_bob(invite, "tcp"), transport="tcp")
    for name in "ab":
        retry(nodes, name)
    assert nodes["b"].take(BOB) == []
    for view in nodes.views.values():
        view.believes.clear()
    nodes.take_over("b", [shard])
    nodes["b"].take(BOB), nodes["a"].take(ALICE)
    retry(nodes, heard_at)
    assert methods(nodes["b"].take(BOB)) == ["200 BYE"]
    nodes.wait(5)
    assert "BYE" in methods(nodes["a"].take(ALICE))
