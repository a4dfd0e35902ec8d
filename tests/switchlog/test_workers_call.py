"""A node of several workers in memory: phones know its edge alone, and calls are where their shards are."""

from __future__ import annotations

from functools import partial

import pytest

from adapters.sip.digest.challenge import answer
from adapters.sip.gate.gate import Failing
from adapters.sip.message.message import Request
from domain.ids import shard_of_call, shard_of_room
from domain.values import Flow
from tests.switchlog.mixing import BOTH, ROOM, conference, joined
from tests.switchlog.nodes import Nodes, divided
from tests.switchlog.phone import ALICE, BOB, Phone, methods, parties, talk
from tests.switchlog.test_nodes_faults import shard_of_the_call

WORKERS = ("a_1", "a_2")


@pytest.fixture
def nodes() -> Nodes:
    """An edge and two workers."""
    return Nodes({"a": [], **divided(*WORKERS)})


def holder(nodes: Nodes) -> str:
    """The one process that has the one call."""
    (name,) = (name for name in sorted(nodes.alive) if nodes[name].board.open_calls)
    return name


def succeed(nodes: Nodes, dead: str) -> None:
    """The other worker takes over what was a dead one's."""
    (left,) = set(WORKERS) - {dead}
    nodes.take_over(left, nodes.owned_by(dead))


def test_a_call_between_phones_of_the_edge_is_at_the_worker_of_its_call_id(nodes: Nodes) -> None:
    _, _, answered, _ = talk(nodes["a"])
    at = nodes[holder(nodes)]
    assert holder(nodes) in WORKERS
    assert shard_of_the_call(at) == shard_of_call(answered.call_id)
    assert "connected" in at.types


def test_a_call_goes_on_at_another_worker_when_its_own_dies(nodes: Nodes) -> None:
    alice, bob, answered, _ = talk(nodes["a"])
    dead = holder(nodes)
    nodes.kill(dead)
    succeed(nodes, dead)
    alice.within(answered, "BYE")
    assert methods(nodes["a"].take(ALICE))[-1:] == ["200 BYE"]
    bye = nodes["a"].last(BOB)
    assert isinstance(bye, Request)
    assert bye.method == "BYE"
    bob.reply(bye, 200)
    assert not any(nodes[name].board.open_calls for name in nodes.alive)


def test_an_invite_that_is_repeated_makes_no_second_call_when_its_worker_dies(nodes: Nodes) -> None:
    alice, _ = parties(nodes["a"])
    sent: list[partial[None]] = []
    send = nodes["a"].send

    def noted(address: str, text: str, body: str = "", transport: str = "udp") -> None:
        sent.append(partial(send, address, text, body, transport))
        send(address, text, body, transport)

    nodes["a"].send = noted  # type: ignore[method-assign]
    alice.invite("1002")
    dead = holder(nodes)
    nodes["a"].take(ALICE), nodes["a"].take(BOB)
    nodes.kill(dead)
    sent[-1]()
    assert not nodes["a"].take(ALICE), "nobody has the shard, and nobody else may take it for a new call"
    succeed(nodes, dead)
    assert methods(nodes["a"].take(BOB)) == ["INVITE"], "owed to him, and the same one"
    assert methods(nodes["a"].take(ALICE)) == ["100 INVITE"]
    sent[-1]()
    assert methods(nodes["a"].take(ALICE)) == ["100 INVITE"]
    assert not nodes["a"].take(BOB)
    assert len(nodes[holder(nodes)].board.live_calls) == 1


def test_a_call_stays_on_its_machine_though_another_one_has_the_shard_of_its_call_id() -> None:
    home = shard_of_call("call-1")
    shards = {name: [one for one in some if one != home] for name, some in divided(*WORKERS, "b").items()}
    nodes = Nodes({"a": [], **shards, "b": [*shards["b"], home]})
    _, _, _, _ = talk(nodes["a"])
    assert holder(nodes) in WORKERS


@pytest.mark.parametrize("number", ["1001", "1002"])
def test_a_phone_registers_with_the_worker_of_its_number_and_hears_of_one_address(nodes: Nodes, number: str) -> None:
    phone = Phone(nodes["a"], number, ALICE)
    granted = phone.register()
    assert granted.status == 200
    assert granted.get("Service-Route") == "<sip:127.0.0.1:5060;lr>"
    owner = next(name for name in WORKERS if nodes[name].board.contacts("acme", number))
    (contact,) = nodes[owner].board.contacts("acme", number)
    assert contact.flow.node == "a"


class Noted:
    """Notes what the gate of the edge is told (`adapters.sip.gate.gate.Witness`)."""

    def __init__(self, nodes: Nodes) -> None:
        self.told: list[tuple[str, ...]] = []
        crossing = nodes["a"].crossing
        assert crossing is not None
        crossing._witness = self

    def proved(self, flow: Flow, tenant: str, device: str) -> None:
        self.told.append((flow.remote, tenant, device))

    def failed(self, flow: Flow, how: Failing, tenant: str = "") -> None:
        self.told.append((flow.remote, how.name))


def test_the_gate_of_the_edge_learns_who_has_proved_itself_at_a_worker_and_who_guesses(nodes: Nodes) -> None:
    noted = Noted(nodes)
    alice = Phone(nodes["a"], "1001", ALICE)
    assert alice.register().status == 200
    assert noted.told == [(ALICE, "acme", "1001")]
    register = (
        f"REGISTER sip:acme.example SIP/2.0\nVia: SIP/2.0/UDP {BOB};branch=z9hG4bK{{0}}\n"
        "From: <sip:1001@acme.example>;tag=r\nTo: <sip:1001@acme.example>\nCall-ID: guess\nCSeq: {0} REGISTER"
    )
    nodes["a"].send(BOB, register.format(1))
    challenge = nodes["a"].last(BOB).get_all("WWW-Authenticate")[0]
    guess = answer(challenge, "REGISTER", "sip:acme.example", "1001", "a guess", "cn")
    nodes["a"].send(BOB, f"{register.format(2)}\nAuthorization: {guess}")
    assert noted.told[1:] == [(BOB, "WRONG_PASSWORD")]
    assert b"failed=" not in b"".join(data for _, to, data in nodes.crossed if to != "a")


# --- rooms: the workers have one media process


@pytest.fixture
def mixing() -> Nodes:
    return Nodes({"a": [], **divided(*WORKERS)}, mixing=True)


def test_a_room_is_at_the_worker_of_its_shard_and_at_the_address_of_the_node(mixing: Nodes) -> None:
    _, answered = joined(mixing["a"])
    joined(mixing["a"], "1002", BOB)
    at = mixing[holder(mixing)]
    assert shard_of_room(*ROOM) in mixing.owned_by(holder(mixing))
    assert [one.number for one in conference(at).members.values()] == ["1001", "1002"]
    assert b"c=IN IP4 127.0.0.1\r\n" in answered.body, "where phones reach the edge"
    assert mixing.rooms["a"].heard_in() == [BOTH, BOTH]


def test_the_heir_of_a_worker_goes_on_at_the_same_ports_and_tells_phones_nothing(mixing: Nodes) -> None:
    alice, answered = joined(mixing["a"])
    mixing.wait(60)
    before = mixing.rooms["a"].room()
    dead = holder(mixing)
    mixing.kill(dead)
    succeed(mixing, dead)
    assert mixing.rooms["a"].room() == before
    assert mixing.rooms["a"].has["room/acme/7000"].epoch == 2
    assert mixing["a"].take(ALICE) == []
    mixing.start(dead, [])
    assert mixing.rooms["a"].room() == before, "who comes back leaves alone what is another's now"
    alice.within(answered, "BYE")
    assert methods(mixing["a"].take(ALICE)) == ["200 BYE"]
    assert mixing.rooms["a"].has == {}
