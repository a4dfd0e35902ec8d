"""What strangers, and nodes that are not well, may write: tokens, Vias and Routes that nobody gave them."""

from __future__ import annotations

import re

import pytest

from adapters.sip.message.message import Request
from adapters.sip.steer.hop import Hops
from adapters.sip.steer.token import FlowTokens
from domain.values import Flow
from tests.switchlog.nodes import Nodes
from tests.switchlog.phone import ALICE, BOB, MALLORY, Phone, methods
from tests.switchlog.test_nodes_call import B, as_callee, crosswise, parties, talk

VICTIM = "192.0.2.66:5060"


def between(nodes: Nodes, to: str, text: str, sender: str = "a") -> None:
    """A node sends this over the link."""
    crossing = nodes[to].crossing
    assert crossing is not None
    head = text.strip().replace("\n", "\r\n")
    crossing.crossed(f"{head}\r\nContent-Length: 0\r\n\r\n".encode(), sender)
    nodes[to].deliver()
    nodes.settle()


def options(headers: str) -> str:
    return (
        f"OPTIONS sip:x@acme.example SIP/2.0\n{headers}\nFrom: <sip:m@acme.example>;tag=m\n"
        "To: <sip:x@acme.example>\nCall-ID: hostile\nCSeq: 1 OPTIONS"
    )


def token(flow: Flow, secret: bytes = b"k" * 32) -> str:
    return FlowTokens(secret).write(flow)


OTHERS = token(Flow("udp", B, VICTIM, 0, "b"), b"another cluster's secret")
STOLEN = token(Flow("udp", B, VICTIM, 0, "b"))


@pytest.mark.parametrize("name", [OTHERS, STOLEN, "b.x.y", ""])
def test_a_route_of_a_phone_is_never_a_token(name: str) -> None:
    nodes = crosswise()
    via = f"Via: SIP/2.0/UDP {MALLORY};branch=z9hG4bK1"
    nodes["b"].send(MALLORY, options(f"{via}\nRoute: <sip:{name}{'@' if name else ''}{B};lr>"))
    assert methods(nodes["b"].take(MALLORY)) == ["200 OPTIONS"]
    assert VICTIM not in nodes["b"].sent
    assert nodes.over_link() == []


@pytest.mark.parametrize("kind", ["link", "edge"])
def test_the_via_of_a_node_is_worth_nothing_in_a_phones_request(kind: str) -> None:
    nodes = crosswise()
    branch = Hops(b"k" * 32, kind).branch("z9hG4bKx", "b")
    via = f"Via: SIP/2.0/TLS 127.0.0.2:5070;branch={branch};flow={STOLEN}"
    nodes["b"].send(MALLORY, options(f"{via}\nVia: SIP/2.0/UDP {VICTIM};branch=z9hG4bK1"))
    (answer,) = nodes["b"].take(MALLORY)
    assert answer.get_all("Via")[0].startswith("SIP/2.0/TLS 127.0.0.2:5070")
    assert VICTIM not in nodes["b"].sent


def test_a_register_that_is_passed_on_takes_no_flow_from_below_its_nodes_via() -> None:
    nodes = crosswise()
    stolen = Hops(b"k" * 32, "link").branch("z9hG4bKx", "b")
    nodes["a"].send(
        MALLORY,
        f"REGISTER sip:acme.example SIP/2.0\nVia: SIP/2.0/UDP {MALLORY};branch={stolen};flow={STOLEN}\n"
        f"Path: <sip:{STOLEN}@127.0.0.2:5070;lr;ob>\nFrom: <sip:1001@acme.example>;tag=m\n"
        "To: <sip:1001@acme.example>\nCall-ID: m\nCSeq: 1 REGISTER",
    )
    assert nodes.over_link() == ["a>b REGISTER", "b>a 401 REGISTER"]
    assert methods(nodes["a"].take(MALLORY)) == ["401 REGISTER"]
    assert VICTIM not in nodes["b"].sent


def test_nobody_can_answer_for_a_phone_by_an_edges_via_alone() -> None:
    nodes = crosswise()
    alice, _ = parties(nodes)
    alice.invite("1002")
    (invite,) = nodes["b"].take(BOB)
    assert isinstance(invite, Request)
    forged = re.sub(r"\.[0-9a-f]{16}\b", ".0000000000000000", invite.get_all("Via")[1])
    nodes["b"].send(
        MALLORY,
        f"SIP/2.0 200 OK\nVia: {invite.get_all('Via')[0]}\nVia: {forged}\nFrom: {invite.get('From')}\n"
        f"To: {invite.get('To')};tag=m\nCall-ID: {invite.call_id}\nCSeq: 1 INVITE\nContact: <sip:m@{MALLORY}>",
    )
    assert methods(nodes["a"].take(ALICE)) == ["100 INVITE"]
    assert "connected" not in nodes["a"].types


@pytest.mark.parametrize(
    "headers",
    [
        "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1",
        f"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\nRoute: <sip:{OTHERS}@127.0.0.2:5070;lr>",
        f"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\nRoute: <sip:{token(Flow('udp', B, VICTIM, 0, 'c'))}@c;lr>",
        f"Via: SIP/2.0/TLS a;branch={Hops(b'k' * 32, 'link').branch('z9hG4bK1', 'a')}",
        f"Via: SIP/2.0/TLS a;branch={Hops(b'k' * 32, 'link').branch('z9hG4bK1', 'a')};flow={OTHERS}",
        f"Via: SIP/2.0/TLS a;branch={Hops(b'x' * 32, 'link').branch('z9hG4bK1', 'a')};flow={STOLEN}",
        "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\nRoute: what is this",
    ],
)
def test_what_makes_no_sense_between_nodes_is_dropped(headers: str) -> None:
    nodes = crosswise()
    between(nodes, "b", options(headers))
    assert nodes["b"].sent == {}
    assert nodes.over_link() == []
    crossing = nodes["b"].crossing
    assert crossing is not None
    assert crossing.counts["dropped"] + crossing.counts["malformed"] == 1


@pytest.mark.parametrize(
    "data", [b"", b"\xff\x00", b"SIP/2.0 200 OK\r\n\r\n", b"OPTIONS sip:x SIP/2.0\r\nVia: x\r\n\r\n"]
)
def test_noise_between_nodes_is_dropped(data: bytes) -> None:
    nodes = crosswise()
    crossing = nodes["b"].crossing
    assert crossing is not None
    crossing.crossed(data, "a")
    assert nodes["b"].sent == {}


def test_an_answer_that_no_phone_of_ours_gave_is_dropped() -> None:
    nodes = crosswise()
    alice, _ = parties(nodes)
    alice.invite("1002")
    (invite,) = nodes["b"].take(BOB)
    assert isinstance(invite, Request)
    between(
        nodes,
        "a",
        f"SIP/2.0 200 OK\nVia: {invite.get_all('Via')[1]}\nFrom: {invite.get('From')}\nTo: {invite.get('To')};tag=m\n"
        f"Call-ID: {invite.call_id}\nCSeq: 1 INVITE\nContact: <sip:m@{MALLORY}>",
        sender="b",
    )
    assert "connected" not in nodes["a"].types


def test_a_node_speaks_only_for_its_own_connections() -> None:
    nodes = crosswise()
    parties(nodes)
    theirs = Flow("tcp", B, BOB, 1, "b")
    told = (
        f"SIP/2.0 430 Flow Failed\nVia: SIP/2.0/TCP a;branch=z9hG4bK1;gone={token(theirs)}\n"
        "From: <sip:x@acme.example>;tag=x\nTo: <sip:y@acme.example>\nCall-ID: c\nCSeq: 1 INVITE"
    )
    between(nodes, "a", told, sender="c")
    assert nodes["a"].peers.lives(theirs)
    between(nodes, "a", told, sender="b")
    assert not nodes["a"].peers.lives(theirs)


def test_a_phone_of_another_node_must_prove_itself_as_at_its_own() -> None:
    nodes = crosswise()
    _, _, _, invite = talk(nodes)
    mallory = Phone(nodes["b"], "1002", MALLORY)
    mallory.cseq = 50
    mallory.within(as_callee(invite), "INVITE", "v=0\r\n")
    assert methods(nodes["b"].take(MALLORY)) == ["401 INVITE"]
    assert nodes["a"].take(ALICE) == []


def test_what_the_application_refuses_as_malformed_is_answered_through_the_phones_node() -> None:
    nodes = crosswise()
    nodes["a"].send(
        ALICE,
        f"REGISTER sip:acme.example SIP/2.0\nVia: SIP/2.0/UDP {ALICE};branch=z9hG4bK1\nMax-Forwards: 70\n"
        "From: nonsense <\nTo: <sip:1001@acme.example>\nCall-ID: m\nCSeq: 1 REGISTER",
    )
    assert methods(nodes["a"].take(ALICE)) == ["400 REGISTER"]
