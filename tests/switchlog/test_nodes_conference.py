"""Phones at several nodes in one room: it, its calls and its media are where the room's shard is."""

from __future__ import annotations

import pytest

from adapters.sip.message.message import Response
from domain.ids import shard_of, shard_of_room
from tests.switchlog.mixing import BOTH, ROOM, conference, joined
from tests.switchlog.nodes import Nodes, divided
from tests.switchlog.phone import ALICE, BOB, HOLD, Phone, methods

HOME = shard_of_room(*ROOM)
HOST_OF_B = "127.0.0.2"


@pytest.fixture
def nodes() -> Nodes:
    """Two; the room's shard is b's."""
    shards = {name: set(some) - {HOME} for name, some in divided("a", "b").items()}
    return Nodes({"a": shards["a"], "b": shards["b"] | {HOME}}, mixing=True)


def numbers(nodes: Nodes, at: str) -> list[str]:
    return [one.number for one in conference(nodes[at]).members.values()]


def test_phones_of_two_nodes_are_in_one_room_at_its_owner(nodes: Nodes) -> None:
    alice, answered = joined(nodes["a"])
    joined(nodes["b"], "1002", BOB)
    assert f"c=IN IP4 {HOST_OF_B}\r\n".encode() in answered.body, "not the address at which Alice's phone reaches a"
    assert numbers(nodes, "b") == ["1001", "1002"]
    assert {shard_of(call.id) for call in nodes["b"].board.live_calls} == {HOME}
    assert nodes["a"].board.open_calls == 0
    assert nodes.rooms["a"].has == {}
    assert nodes.rooms["b"].heard_in() == [BOTH, BOTH]
    assert nodes.rooms["b"].has["acme/7000"].epoch == 1
    alice.within(answered, "BYE")
    assert methods(nodes["a"].take(ALICE)) == ["200 BYE"]
    assert numbers(nodes, "b") == ["1002"]


def test_who_gives_up_at_another_node_leaves_nothing(nodes: Nodes) -> None:
    nodes.rooms["b"].die()
    alice = Phone(nodes["a"], "1001", ALICE)
    alice.register()
    branch = alice.invite("7000")
    (trying,) = nodes["a"].take(ALICE)
    assert isinstance(trying, Response)
    cancel = Response(100, "", [(name, trying.get(name) or "") for name in ("From", "To", "Call-ID")])
    cancel.set("Contact", "<sip:7000@acme.example>")
    alice.within(cancel, "CANCEL", branch=branch)
    assert methods(nodes["a"].take(ALICE)) == ["200 CANCEL", "487 INVITE"]


def test_who_holds_at_another_node_is_not_heard(nodes: Nodes) -> None:
    alice, answered = joined(nodes["a"])
    joined(nodes["b"], "1002", BOB)
    alice.within(answered, "INVITE", HOLD)
    assert methods(nodes["a"].take(ALICE)) == ["100 INVITE", "200 INVITE"]
    assert nodes.rooms["b"].heard_in() == [(False, True), BOTH]


def test_a_room_whose_shard_nobody_has_waits_for_its_owner(nodes: Nodes) -> None:
    """What is not answered is said again: the phone must not be told that there is no such room."""
    nodes["b"].board.drop(HOME, 1)
    nodes.journal.claims[HOME] = (1, "gone")
    alice = Phone(nodes["a"], "1001", ALICE)
    alice.register()
    with pytest.raises(IndexError):
        alice.invite("7000")
    nodes.take_over("a", [HOME])
    alice.invite("7000")
    assert methods(nodes["a"].take(ALICE))[-1:] == ["200 INVITE"]
