"""Phones at several nodes: registrations and calls go on as at one, whoever owns what."""

from __future__ import annotations

import re

import pytest

from adapters.sip.message.message import Request, Response
from domain.ids import shard_of, shard_of_call, shard_of_registration
from tests.switchlog.nodes import Nodes, divided
from tests.switchlog.phone import ALICE, BOB, HOLD, SDP, Phone, methods

OF_ALICE, OF_BOB = shard_of_registration("acme", "1001"), shard_of_registration("acme", "1002")
A, B = "127.0.0.1:5060", "127.0.0.2:5060"


def crosswise() -> Nodes:
    """Two nodes: the registration of each number is owned by the node at which its phone is not."""
    shards = {name: set(some) - {OF_ALICE, OF_BOB} for name, some in divided("a", "b").items()}
    return Nodes({"a": shards["a"] | {OF_BOB}, "b": shards["b"] | {OF_ALICE}})


def parties(nodes: Nodes) -> tuple[Phone, Phone]:
    """Alice's phone is at a, Bob's at b."""
    alice, bob = Phone(nodes["a"], "1001", ALICE), Phone(nodes["b"], "1002", BOB)
    assert alice.register().status == bob.register().status == 200
    nodes.over_link()
    return alice, bob


def talk(nodes: Nodes) -> tuple[Phone, Phone, Response, Request]:
    """Alice calls Bob and they talk; returns Alice's 200 and Bob's INVITE."""
    alice, bob = parties(nodes)
    alice.invite("1002")
    (invite,) = nodes["b"].take(BOB)
    assert isinstance(invite, Request)
    bob.reply(invite, 180)
    bob.reply(invite, 200, SDP)
    answered = nodes["a"].last(ALICE)
    assert isinstance(answered, Response)
    alice.within(answered, "ACK")
    assert methods(nodes["b"].take(BOB)) == ["ACK"]
    return alice, bob, answered, invite


def as_callee(invite: Request) -> Response:
    """What Bob's phone knows of its dialog, as `Phone.within` wants it."""
    theirs = Response(200, "", [("From", f"{invite.get('To')};tag=b"), ("To", invite.get("From") or "")])
    theirs.set("Call-ID", invite.call_id)
    theirs.set("Contact", invite.get("Contact") or "")
    return theirs


def test_a_phone_registers_at_the_owner_through_the_node_it_knows() -> None:
    nodes = crosswise()
    alice = Phone(nodes["a"], "1001", ALICE)
    granted = alice.register()
    assert granted.status == 200
    assert nodes.over_link() == ["a>b REGISTER", "b>a 401 REGISTER", "a>b REGISTER", "b>a 200 REGISTER"]
    assert granted.get_all("Via") == [f"SIP/2.0/UDP {ALICE};branch=z9hG4bKr10012"]
    assert granted.get("Path") is None
    assert granted.get("Service-Route") == f"<sip:{A};lr>"
    (contact,) = nodes["b"].board.contacts("acme", "1001")
    assert (contact.flow.node, contact.flow.remote, contact.path) == ("a", ALICE, ())
    assert nodes["a"].board.contacts("acme", "1001") == (contact,)


def test_the_register_between_nodes_has_the_flow_in_path_and_via() -> None:
    nodes = crosswise()
    Phone(nodes["a"], "1001", ALICE).register()
    register = nodes.crossed[0][2].decode()
    token = re.search(r"^Path: <sip:(a\.[^@]+)@127\.0\.0\.1:5070;lr;ob>\r$", register, re.MULTILINE)
    assert token is not None
    via = rf"^Via: SIP/2\.0/TLS 127\.0\.0\.1:5070;branch=z9hG4bK[^;]+;flow={re.escape(token[1])}\r$"
    assert re.search(via, register, re.MULTILINE)
    assert "Max-Forwards: 69\r\n" in register


def test_a_call_from_a_phone_at_one_node_to_a_phone_at_the_other() -> None:
    nodes = crosswise()
    alice, bob = parties(nodes)
    alice.invite("1002")
    assert methods(nodes["a"].take(ALICE)) == ["100 INVITE"]
    assert nodes.over_link() == ["a>b INVITE"]
    (invite,) = nodes["b"].take(BOB)
    assert isinstance(invite, Request)
    vias = invite.get_all("Via")
    assert [via.partition(";")[0] for via in vias] == [f"SIP/2.0/UDP {B}", f"SIP/2.0/UDP {A}"]
    assert invite.get("Route") is None
    assert re.fullmatch(rf"<sip:[^@]+@{re.escape(B)}>", invite.get("Contact") or "")
    bob.reply(invite, 180)
    assert methods(nodes["a"].take(ALICE)) == ["180 INVITE"]
    bob.reply(invite, 200, SDP)
    (answered,) = nodes["a"].take(ALICE)
    assert isinstance(answered, Response)
    assert re.fullmatch(rf"<sip:[^@]+@{re.escape(A)}>", answered.get("Contact") or "")
    alice.within(answered, "ACK")
    assert methods(nodes["b"].take(BOB)) == ["ACK"]
    (call,) = nodes["a"].board.live_calls
    assert [leg.dialog.flow.node for leg in call.legs.values()] == ["a", "b"]
    assert nodes["b"].board.open_calls == 0
    assert "connected" in nodes["a"].types


@pytest.mark.parametrize("by", ["caller", "callee"])
def test_either_side_hangs_up(by: str) -> None:
    nodes = crosswise()
    alice, bob, answered, invite = talk(nodes)
    nodes.over_link()
    if by == "caller":
        alice.within(answered, "BYE")
        assert methods(nodes["a"].take(ALICE)) == ["200 BYE"]
        (bye,) = nodes["b"].take(BOB)
        assert isinstance(bye, Request)
        bob.reply(bye, 200)
        assert nodes.over_link() == ["a>b BYE", "b>a 200 BYE"]
    else:
        bob.cseq = 0
        bob.within(as_callee(invite), "BYE")
        assert methods(nodes["b"].take(BOB)) == ["200 BYE"]
        (bye,) = nodes["a"].take(ALICE)
        assert isinstance(bye, Request)
        alice.reply(bye, 200)
        assert nodes.over_link() == ["b>a BYE", "a>b 200 BYE"]
    assert nodes["a"].types[-1] == "ended"
    nodes.wait(70)
    assert len(nodes["a"].layer) == len(nodes["b"].layer) == 0


def test_the_callee_holds_and_the_caller_resumes() -> None:
    nodes = crosswise()
    alice, bob, answered, invite = talk(nodes)
    bob.cseq = 0
    theirs = as_callee(invite)
    bob.within(theirs, "INVITE", HOLD)
    (reinvite,) = nodes["a"].take(ALICE)
    assert isinstance(reinvite, Request)
    alice.reply(reinvite, 200, SDP)
    assert methods(nodes["a"].take(ALICE)) == ["ACK"]
    assert methods(nodes["b"].take(BOB)) == ["100 INVITE", "200 INVITE"]
    bob.within(theirs, "ACK")
    alice.within(answered, "INVITE", HOLD)
    (again,) = nodes["b"].take(BOB)
    assert isinstance(again, Request)
    bob.reply(again, 200, SDP)
    assert methods(nodes["b"].take(BOB)) == ["ACK"]
    assert methods(nodes["a"].take(ALICE)) == ["100 INVITE", "200 INVITE"]
    assert nodes["a"].types.count("renegotiated") == 2


def test_a_call_is_cancelled_across_the_link() -> None:
    nodes = crosswise()
    alice, bob = parties(nodes)
    branch = alice.invite("1002")
    (trying,) = nodes["a"].take(ALICE)
    (invite,) = nodes["b"].take(BOB)
    assert isinstance(trying, Response)
    assert isinstance(invite, Request)
    bob.reply(invite, 180)
    nodes["a"].take(ALICE)
    alice.within(trying, "CANCEL", branch=branch)
    assert methods(nodes["a"].take(ALICE)) == ["200 CANCEL", "487 INVITE"]
    (cancel,) = nodes["b"].take(BOB)
    assert isinstance(cancel, Request)
    assert (cancel.method, cancel.get_all("Via")[0]) == ("CANCEL", invite.get_all("Via")[0])
    bob.reply(cancel, 200)
    bob.reply(invite, 487)
    (ack,) = nodes["b"].take(BOB)
    assert isinstance(ack, Request)
    assert (ack.method, ack.get_all("Via")[0]) == ("ACK", invite.get_all("Via")[0])


def test_what_a_datagram_lost_is_sent_again_and_gets_the_same_answer() -> None:
    nodes = crosswise()
    alice, bob = parties(nodes)
    alice.invite("1002")
    (first,) = nodes["b"].take(BOB)
    nodes.wait(0.6)
    (invite,) = nodes["b"].take(BOB)
    assert isinstance(invite, Request)
    assert invite.serialise() == first.serialise()
    bob.reply(invite, 200, SDP)
    bob.reply(invite, 200, SDP)  # while the ACK waits for Alice's
    answered = nodes["a"].last(ALICE)
    assert isinstance(answered, Response)
    alice.within(answered, "ACK")
    bob.reply(invite, 200, SDP)
    acks = nodes["b"].take(BOB)
    assert methods(acks) == ["ACK"] * len(acks)
    assert len(acks) >= 2
    assert len({ack.serialise() for ack in acks}) == 1


def test_a_repeated_register_is_one_transaction_of_its_owner() -> None:
    nodes = crosswise()
    alice = Phone(nodes["a"], "1001", ALICE)
    alice.register()
    sent = [data for sender, _, data in nodes.crossed if sender == "a"][-1]
    stored = len(nodes.journal.stored)
    assert nodes["b"].crossing is not None
    nodes["b"].crossing.crossed(sent, "a")
    nodes["b"].deliver()
    nodes.settle()
    assert methods(nodes["a"].take(ALICE)) == ["200 REGISTER"]
    assert len(nodes.journal.stored) == stored


def test_a_node_without_shards_is_an_edge_for_its_phones() -> None:
    nodes = Nodes({"a": (), **divided("b", "c")})
    alice, bob = Phone(nodes["a"], "1001", ALICE), Phone(nodes["a"], "1002", BOB)
    assert alice.register().status == bob.register().status == 200
    branch = alice.invite("1002")
    (trying,) = nodes["a"].take(ALICE)
    assert isinstance(trying, Response)
    (invite,) = nodes["a"].take(BOB)
    assert isinstance(invite, Request)
    owner = "b" if shard_of_call("call-1") in nodes.owned_by("b") else "c"
    (call,) = nodes[owner].board.live_calls
    assert shard_of(call.id) == shard_of_call("call-1")
    alice.within(trying, "CANCEL", branch=branch)
    assert methods(nodes["a"].take(ALICE)) == ["200 CANCEL", "487 INVITE"]


def test_a_refusal_that_was_passed_on_is_acknowledged_where_it_was_made() -> None:
    nodes = Nodes({"a": (), "b": range(64)})
    alice = Phone(nodes["a"], "1001", ALICE)
    alice.register()
    alice.invite("1009")
    refused = nodes["a"].last(ALICE)
    assert isinstance(refused, Response)
    assert refused.status == 404
    alice.within(refused, "ACK", branch=refused.via.branch)
    nodes.wait(10)
    assert nodes["a"].take(ALICE) == []


def test_the_answer_to_who_proves_nothing_is_not_repeated_by_anybody() -> None:
    nodes = crosswise()
    alice = Phone(nodes["a"], "1001", ALICE)
    alice.exchange.send(
        ALICE,
        f"REGISTER sip:acme.example SIP/2.0\nVia: SIP/2.0/UDP {ALICE};branch=z9hG4bK1\nMax-Forwards: 0\n"
        "From: <sip:1001@acme.example>;tag=r\nTo: <sip:1001@acme.example>\nCall-ID: r\nCSeq: 1 REGISTER",
    )
    assert methods(nodes["a"].take(ALICE)) == ["401 REGISTER"]
    nodes.wait(10)
    assert nodes["a"].take(ALICE) == []
    assert len(nodes["b"].layer) == 0
