"""Nodes that die, freeze, lose each other or their shards: calls go on, and nobody is told two things."""

from __future__ import annotations

import re

import pytest

from adapters.sip.message.message import Request, Response
from domain.ids import shard_of
from tests.switchlog.exchange import Exchange
from tests.switchlog.nodes import Nodes, divided
from tests.switchlog.phone import ALICE, BOB, HOLD, SDP, Phone, methods
from tests.switchlog.test_nodes_call import OF_ALICE, A, B, as_callee, crosswise, parties, talk

REGISTER = (
    f"REGISTER sip:acme.example SIP/2.0\nVia: SIP/2.0/UDP {ALICE};branch=z9hG4bK1\n"
    "From: <sip:1001@acme.example>;tag=r\nTo: <sip:1001@acme.example>\nCall-ID: r\nCSeq: 1 REGISTER"
)


def shard_of_the_call(exchange: Exchange) -> int:
    (call,) = exchange.board.live_calls
    return shard_of(call.id)


def by_stream(exchange: Exchange, number: str, address: str, cseq: int = 0) -> Phone:
    """A phone that has registered by a connection of its own."""
    phone = Phone(exchange, number, address, transport="tcp")
    phone.cseq = cseq
    assert phone.register().status == 200
    return phone


# --- the link


def test_without_the_link_a_datagram_is_as_if_lost_and_served_when_it_is_repeated() -> None:
    nodes = crosswise()
    alice = Phone(nodes["a"], "1001", ALICE)
    nodes.cut.add(frozenset("ab"))
    nodes["a"].send(ALICE, REGISTER)
    (challenge,) = nodes["a"].take(ALICE)  # by this node, as nothing is known of who asks
    assert isinstance(challenge, Response)
    assert challenge.status == 401
    nodes.cut.clear()
    assert alice.register().status == 200


def test_without_the_link_a_phone_that_can_be_reached_is_called_directly() -> None:
    nodes = crosswise()
    alice, _ = parties(nodes)
    nodes.cut.add(frozenset("ab"))
    alice.invite("1002")
    (invite,) = nodes["a"].take(BOB)  # by a's own socket
    assert isinstance(invite, Request)
    assert [via.partition(";")[0] for via in invite.get_all("Via")] == [f"SIP/2.0/UDP {A}"]
    direct = Phone(nodes["a"], "1002", BOB)
    direct.reply(invite, 200, SDP)
    assert "200 INVITE" in methods(nodes["a"].take(ALICE))


def test_a_datagram_that_comes_back_from_the_link_is_sent_directly() -> None:
    """A link that is cut is tried anew again and again, and takes what is repeated each time before it fails."""
    nodes = crosswise()
    alice, _, answered, _ = talk(nodes)
    nodes.opening = {("a", "b")}
    alice.within(answered, "BYE")
    (bye,) = nodes["a"].take(BOB)  # by a's own socket
    assert isinstance(bye, Request)
    assert (bye.method, bye.get_all("Route")) == ("BYE", [])
    Phone(nodes["a"], "1002", BOB).reply(bye, 200)
    assert "200 BYE" in methods(nodes["a"].take(ALICE))
    nodes.opening = {("b", "a")}
    nodes["a"].send(ALICE, REGISTER)
    (challenge,) = nodes["b"].take(ALICE)
    assert isinstance(challenge, Response)
    assert (challenge.status, challenge.get_all("Via")) == (401, [f"SIP/2.0/UDP {ALICE};branch=z9hG4bK1"])


def test_what_was_underway_when_the_link_broke_is_repeated() -> None:
    nodes = crosswise()
    alice, bob = parties(nodes)
    alice.invite("1002")
    (invite,) = nodes["b"].take(BOB)
    assert isinstance(invite, Request)
    nodes.cut.add(frozenset("ab"))
    bob.reply(invite, 200, SDP)
    assert methods(nodes["a"].take(ALICE)) == ["100 INVITE"]
    nodes.cut.clear()
    bob.reply(invite, 200, SDP)  # as the phone does until it is acknowledged
    assert methods(nodes["a"].take(ALICE)) == ["200 INVITE"]


# --- connections


def test_a_connection_that_is_gone_is_told_and_not_tried_again() -> None:
    nodes = crosswise()
    alice = Phone(nodes["a"], "1001", ALICE)
    alice.register()
    by_stream(nodes["b"], "1002", BOB)
    nodes["b"].deaf.add(BOB)
    nodes.over_link()
    alice.invite("1002")
    assert nodes.over_link() == ["a>b INVITE", "b>a 430 INVITE"]
    assert methods(nodes["a"].take(ALICE)) == ["100 INVITE", "480 INVITE"]
    (contact,) = nodes["a"].board.contacts("acme", "1002")
    dialog_flow = contact.flow
    assert (dialog_flow.transport, dialog_flow.node) == ("tcp", "b")
    assert not nodes["a"].peers.lives(dialog_flow)
    nodes["b"].deaf.clear()
    nodes.over_link()


def test_a_call_of_a_connection_goes_through_its_node() -> None:
    nodes = crosswise()
    alice = Phone(nodes["a"], "1001", ALICE)
    alice.register()
    by_stream(nodes["b"], "1002", BOB)
    alice.invite("1002")
    (invite,) = nodes["b"].take(BOB)
    assert isinstance(invite, Request)
    assert [via.partition(" ")[0] for via in invite.get_all("Via")] == ["SIP/2.0/TCP", "SIP/2.0/TCP"]
    assert re.fullmatch(rf"<sip:[^@]+@{re.escape(B)};transport=tcp>", invite.get("Contact") or "")
    nodes.wait(2)
    assert nodes["b"].take(BOB) == []  # nothing is repeated on a stream


def test_the_connections_of_a_dead_node_fail_at_once() -> None:
    nodes = crosswise()
    alice = Phone(nodes["a"], "1001", ALICE)
    alice.register()
    by_stream(nodes["b"], "1002", BOB)
    alice.invite("1002")
    assert methods(nodes["a"].take(ALICE)) == ["100 INVITE"]
    nodes.kill("b")
    assert methods(nodes["a"].take(ALICE)) == ["480 INVITE"]


def test_a_phone_that_comes_back_at_another_node_is_found_there() -> None:
    nodes = Nodes({"a": set(range(64)) - {OF_ALICE}, "b": [OF_ALICE], "c": ()})
    alice = by_stream(nodes["b"], "1001", ALICE)
    bob = Phone(nodes["a"], "1002", BOB)
    bob.register()
    bob.invite("1001")
    (invite,) = nodes["b"].take(ALICE)
    assert isinstance(invite, Request)
    alice.reply(invite, 200, SDP)
    (call,) = nodes["a"].board.live_calls
    before = {contact.key: contact for contact in nodes.contacts("acme", "1001")}
    by_stream(nodes["c"], "1001", ALICE, cseq=10)
    (contact,) = nodes.contacts("acme", "1001")
    assert contact.flow.node == "c"
    nodes["a"].application.bound("acme", contact, before.get(contact.key))
    assert [device.username for device in nodes["a"].back] == ["1001"]
    nodes.kill("b")
    dialog = next(leg.dialog for leg in call.legs.values() if not leg.caller)
    assert nodes["a"].peers.route("acme", dialog) == contact.flow


# --- ownership


def test_an_invite_that_is_said_again_after_a_takeover_is_the_same_to_the_phone() -> None:
    """Not rung yet, so it may not have come; if it has, a phone knows it by its topmost Via, or answers 482."""
    nodes = crosswise()
    alice, bob = parties(nodes)
    alice.invite("1002")
    (invite,) = nodes["b"].take(BOB)
    assert isinstance(invite, Request)
    assert len(invite.get_all("Via")) == 2
    nodes.kill("a")
    nodes.take_over("b", nodes.owned_by("a"))
    (again,) = [one for one in nodes["b"].take(BOB) if isinstance(one, Request)]
    assert (again.via.branch, again.via.host, again.via.port) == (invite.via.branch, invite.via.host, invite.via.port)
    assert (again.call_id, again.get("From"), again.get("CSeq")) == (
        invite.call_id, invite.get("From"), invite.get("CSeq")
    )  # fmt: skip
    bob.reply(invite, 180)  # as a phone does that has one transaction
    bob.reply(invite, 200, SDP)
    assert methods(nodes["b"].take(BOB))[-1] == "ACK"


def test_a_survivor_goes_on_with_the_calls_of_a_dead_node() -> None:
    nodes = crosswise()
    _, bob, _, invite = talk(nodes)
    nodes.kill("a")
    nodes.take_over("b", nodes.owned_by("a"))
    assert methods(nodes["b"].take(ALICE)) == ["200 INVITE"]  # perhaps she never got it
    assert methods(nodes["b"].take(BOB)) == ["ACK"]
    assert nodes["b"].board.open_calls == 1
    bob.cseq = 0
    theirs = as_callee(invite)
    bob.within(theirs, "INVITE", HOLD)
    (reinvite,) = nodes["b"].take(ALICE)  # from b's own address, since the node of her phone is dead
    assert isinstance(reinvite, Request)
    assert [via.partition(";")[0] for via in reinvite.get_all("Via")] == [f"SIP/2.0/UDP {B}"]
    assert re.fullmatch(rf"<sip:[^@]+@{re.escape(B)}>", reinvite.get("Contact") or "")
    at_b = Phone(nodes["b"], "1001", ALICE)
    at_b.cseq = 50
    at_b.reply(reinvite, 200, SDP)
    assert methods(nodes["b"].take(ALICE)) == ["ACK"]
    assert methods(nodes["b"].take(BOB)) == ["100 INVITE", "200 INVITE"]
    bob.within(theirs, "ACK")
    at_b.within(as_callee_of(reinvite), "BYE")
    assert methods(nodes["b"].take(ALICE)) == ["200 BYE"]
    assert methods(nodes["b"].take(BOB)) == ["BYE"]
    assert nodes["b"].types[-1] == "ended"


def as_callee_of(request: Request) -> Response:
    """What the phone knows of the dialog of a request that it got inside it."""
    theirs = Response(200, "", [("From", request.get("To") or ""), ("To", request.get("From") or "")])
    theirs.set("Call-ID", request.call_id)
    theirs.set("Contact", request.get("Contact") or "")
    return theirs


def test_a_call_that_rings_is_taken_over_and_answered_once() -> None:
    nodes = Nodes({"a": (), **divided("b", "c")})
    alice, bob = Phone(nodes["a"], "1001", ALICE), Phone(nodes["a"], "1002", BOB)
    alice.register(), bob.register()
    alice.invite("1002")
    (first,) = nodes["a"].take(BOB)
    assert isinstance(first, Request)
    dead, survivor = ("b", "c") if nodes["b"].board.open_calls else ("c", "b")
    nodes.kill(dead)
    bob.reply(first, 180)  # nobody owns the shard at the moment
    nodes.take_over(survivor, nodes.owned_by(dead))
    (again,) = nodes["a"].take(BOB)
    assert isinstance(again, Request)
    assert (
        again.via.branch
        == first.via.branch.replace(f".{dead}.", f".{survivor}.").rpartition(".")[0]
        + "."
        + (again.via.branch.rpartition(".")[2])
    )
    nodes["a"].take(ALICE)
    bob.reply(first, 200, SDP)  # by the Vias of the node that is dead
    assert methods(nodes["a"].take(ALICE)) == ["200 INVITE"]
    assert nodes[survivor].types.count("connected") == 1


@pytest.mark.parametrize("method", ["CANCEL", "INVITE"])
def test_what_the_caller_says_of_an_offer_follows_its_shard(method: str) -> None:
    nodes = crosswise()
    alice, _ = parties(nodes)
    branch = alice.invite("1002")
    (trying,) = nodes["a"].take(ALICE)
    assert isinstance(trying, Response)
    nodes.take_over("b", [shard_of_the_call(nodes["a"])])
    nodes["a"].take(ALICE)
    nodes.over_link()
    if method == "CANCEL":
        alice.within(trying, "CANCEL", branch=branch)
        assert methods(nodes["a"].take(ALICE)) == ["200 CANCEL", "487 INVITE"]
        assert nodes["b"].types[-1] == "ended"
    else:
        repeated = (
            f"INVITE sip:1002@acme.example SIP/2.0\nVia: SIP/2.0/UDP {ALICE};branch={branch};rport\n"
            f"From: <sip:1001@acme.example>;tag=a\nTo: <sip:1002@acme.example>\nCall-ID: call-1\n"
            f"CSeq: {alice.cseq} INVITE\nContact: <sip:1001@{ALICE}>"
        )
        nodes["a"].send(ALICE, repeated, SDP)
        assert nodes.over_link()[0] == "a>b INVITE"
        assert methods(nodes["a"].take(ALICE)) == ["100 INVITE"]
        assert nodes["b"].board.open_calls == 1
        assert nodes["a"].board.open_calls == 0


def test_a_call_goes_on_while_its_shard_moves_gracefully() -> None:
    nodes = crosswise()
    alice, bob, answered, _ = talk(nodes)
    nodes.take_over("b", [shard_of_the_call(nodes["a"])])
    assert nodes["a"].board.open_calls == 0
    assert methods(nodes["a"].take(ALICE)) == ["200 INVITE"]
    assert methods(nodes["b"].take(BOB)) == ["ACK"]
    alice.within(answered, "INVITE", HOLD)
    (reinvite,) = nodes["b"].take(BOB)
    assert isinstance(reinvite, Request)
    bob.reply(reinvite, 200, SDP)
    assert methods(nodes["a"].take(ALICE)) == ["100 INVITE", "200 INVITE"]
    alice.within(answered, "BYE")
    assert methods(nodes["a"].take(ALICE)) == ["200 BYE"]
    assert methods(nodes["b"].take(BOB))[-1] == "BYE"
    assert nodes["b"].types[-1] == "ended"


def test_nothing_of_a_call_that_has_moved_is_repeated_by_two_nodes() -> None:
    nodes = crosswise()
    alice, _ = parties(nodes)
    alice.invite("1002")
    nodes["b"].take(BOB)
    nodes.take_over("b", [shard_of_the_call(nodes["a"])])
    nodes["b"].take(BOB)
    nodes.over_link()
    nodes.wait(4)
    assert [line for line in nodes.over_link() if line.startswith("a>b")] == []
    assert set(methods(nodes["b"].take(BOB))) == {"INVITE"}


def test_a_node_that_wakes_up_can_neither_append_nor_answer() -> None:
    nodes = crosswise()
    alice, _, answered, _ = talk(nodes)
    nodes.frozen.add("a")
    shard = shard_of_the_call(nodes["a"])
    nodes.views["a"].believes[shard] = "a"
    nodes.take_over("b", [shard])
    nodes["a"].take(ALICE), nodes["b"].take(BOB)
    stored = len(nodes.journal.stored)
    alice.within(answered, "BYE", branch="z9hG4bKwoken")
    assert nodes["a"].take(ALICE) == []
    assert nodes["b"].take(BOB) == []
    assert len(nodes.journal.stored) == stored
    assert nodes["a"].lost == [shard]
    nodes.views["a"].believes.clear()  # it has read who owns it now
    alice.cseq -= 1
    alice.within(answered, "BYE", branch="z9hG4bKwoken")
    assert methods(nodes["a"].take(ALICE)) == ["200 BYE"]
    assert methods(nodes["b"].take(BOB)) == ["BYE"]


# --- loops


def test_two_nodes_that_each_believe_in_the_other_pass_nothing_round() -> None:
    nodes = crosswise()
    nodes["b"].board.drop(OF_ALICE, 1)
    nodes.views["b"].believes[OF_ALICE] = "a"
    alice = Phone(nodes["a"], "1001", ALICE)
    challenged: list[str] = []

    def send(extra: str) -> None:
        alice.cseq += 1
        nodes["a"].send(
            ALICE,
            f"REGISTER sip:acme.example SIP/2.0\nVia: SIP/2.0/UDP {ALICE};branch=z9hG4bK{alice.cseq}\n"
            "From: <sip:1001@acme.example>;tag=r\nTo: <sip:1001@acme.example>\nCall-ID: r\n"
            f"CSeq: {alice.cseq} REGISTER\nContact: <sip:1001@{ALICE}>{extra}",
        )

    send("")
    challenged = nodes.over_link()
    assert challenged[0] == "a>b REGISTER"
    assert len(challenged) <= 3


def test_a_request_that_has_no_hops_left_is_passed_round_no_further() -> None:
    nodes = Nodes({"a": (), "b": set(range(64)) - {OF_ALICE}, "c": [OF_ALICE]})
    nodes.views["a"].believes[OF_ALICE] = "b"

    def send(hops: int, branch: str) -> list[str]:
        nodes["a"].send(
            ALICE,
            f"REGISTER sip:acme.example SIP/2.0\nVia: SIP/2.0/UDP {ALICE};branch={branch}\nMax-Forwards: {hops}\n"
            "From: <sip:1001@acme.example>;tag=r\nTo: <sip:1001@acme.example>\nCall-ID: r\nCSeq: 1 REGISTER",
        )
        return nodes.over_link()

    assert send(70, "z9hG4bK1") == ["a>b REGISTER", "b>c REGISTER", "c>a 401 REGISTER"]
    assert methods(nodes["a"].take(ALICE)) == ["401 REGISTER"]
    assert send(1, "z9hG4bK2") == ["a>b REGISTER", "b>a 401 REGISTER"]
