"""What we call ourselves to whom, and by which way a peer is reached: IPv4 and IPv6."""

from __future__ import annotations

from collections.abc import Collection

import msgspec
import pytest

from adapters.sip.dialog.dialog import Addresses, flow_to
from adapters.sip.message.uri import Uri
from adapters.sip.message.via import stamp_via
from domain.node import Listener, Neighbour
from domain.values import Flow
from tests.adapters.sip.pair import make_request

FOUR, SIX = "192.0.2.1:5060", "[2001:db8::1]:5060"


def test_each_listener_has_its_name_and_each_family_a_first_one() -> None:
    ours = Addresses()
    ours.announce("udp", FOUR, FOUR)
    ours.announce("udp", "pbx.example:5070", "192.0.2.9:5070")
    ours.announce("udp", SIX, SIX)
    ours.announce("tcp", SIX, SIX)
    told = {
        Flow("udp", FOUR, "x"): FOUR,
        Flow("udp", "192.0.2.9:5070", "x"): "pbx.example:5070",
        Flow("udp", SIX, "x"): SIX,
        Flow("udp", "192.0.2.77:9", "x"): FOUR,
        Flow("tcp", "[2001:db8::1]:40000", "x"): SIX,
        Flow("tcp", "192.0.2.1:40000", "x"): "192.0.2.1:40000",
    }
    assert {flow: ours.of(flow) for flow in told} == told
    assert ours.via(Flow("udp", SIX, "x"), "z9hG4bK1") == f"SIP/2.0/UDP {SIX};branch=z9hG4bK1;rport"
    assert ours.contact(Flow("tcp", SIX, "x"), "u") == f"<sip:u@{SIX};transport=tcp>"


@pytest.mark.parametrize(
    ("host", "port", "ours"),
    [
        ("192.0.2.1", 5060, True),
        ("192.0.2.1", None, True),
        ("[2001:db8::1]", None, True),
        ("PBX.example", 5070, True),
        ("192.0.2.9", 5070, True),
        ("pbx.example", None, False),
        ("192.0.2.1", 5070, False),
        ("192.0.2.2", 5060, False),
    ],
)
def test_who_is_meant_by_a_route(host: str, port: int | None, ours: bool) -> None:
    us = Addresses()
    us.announce("udp", FOUR, FOUR)
    us.announce("tcp", "pbx.example:5070", "192.0.2.9:5070")
    us.announce("udp", SIX, SIX)
    assert us.ours(host, port) is ours


@pytest.mark.parametrize(
    ("contact", "remote"),
    [
        ("sip:1001@[2001:db8::7]:5080", "[2001:db8::7]:5080"),
        ("sip:1001@[2001:DB8:0:0:0:0:0:7]", "[2001:db8::7]:5060"),
        ("sip:1001@[2001:db8::8]:5080", "[2001:db8::7]:6001"),
        ("sip:1001@192.0.2.7:5080", "[2001:db8::7]:6001"),
        ("sip:1001@[1::2::3]:5080", "[2001:db8::7]:6001"),
    ],
)
def test_a_contact_counts_if_its_host_is_the_one_that_was_heard(contact: str, remote: str) -> None:
    heard = Flow("udp", SIX, "[2001:db8::7]:6001")
    assert flow_to(Uri.parse(contact), (), heard).remote == remote


def test_an_ipv6_peer_is_answered_where_it_was_heard() -> None:
    request = make_request("OPTIONS")
    request.set("Via", "SIP/2.0/UDP [2001:db8::7]:5060;rport;branch=z9hG4bK.1")
    stamp_via(request, Flow("udp", SIX, "[2001:db8::8]:6001"))
    via = request.get("Via") or ""
    assert set(via.split(";")[1:]) == {"rport=6001", "received=2001:db8::8", "branch=z9hG4bK.1"}
    same = make_request("OPTIONS")
    same.set("Via", "SIP/2.0/TCP [2001:db8::7]:5060;branch=z9hG4bK.1")
    stamp_via(same, Flow("tcp", SIX, "[2001:db8::7]:6001"))
    assert "received" not in (same.get("Via") or "")


class Known:
    """A roster of two: this node is a."""

    def __init__(self, *alive: Neighbour, me: str = "a") -> None:
        self._alive, self.me = alive, me

    def owner(self, shard: int) -> Neighbour | None:
        raise AssertionError("nobody asks for shards here")

    def takes(self, shard: int) -> bool:
        raise AssertionError("nobody asks for shards here")

    def neighbour(self, name: str) -> Neighbour | None:
        return next((one for one in self._alive if one.name == name), None)

    def neighbours(self) -> Collection[Neighbour]:
        return self._alive


B = Neighbour("b", "192.0.2.20:5070", (
    Listener("udp", "b.example:5060", "0.0.0.0:5060"),
    Listener("udp", "[2001:db8::20]:5060", "[::]:5060"),
    Listener("tcp", "b.example:5062", "0.0.0.0:5062"),
))  # fmt: skip


def two(*alive: Neighbour) -> Addresses:
    ours = Addresses(Known(*alive))
    ours.announce("udp", FOUR, "0.0.0.0:5060")
    ours.announce("udp", SIX, "[::]:5060")
    ours.announce("tcp", FOUR, "0.0.0.0:5060")
    return ours


@pytest.mark.parametrize(
    ("flow", "told"),
    [
        (Flow("udp", "0.0.0.0:5060", "x", 0, "b"), "<sip:u@b.example:5060>"),
        (Flow("udp", "[::]:5060", "x", 0, "b"), "<sip:u@[2001:db8::20]:5060>"),
        (Flow("tcp", "198.51.100.1:40000", "x", 7, "b"), "<sip:u@b.example:5062;transport=tcp>"),
        (Flow("udp", "0.0.0.0:5060", "x", 0, "a"), f"<sip:u@{FOUR}>"),
    ],
)
def test_a_phone_behind_another_node_is_told_that_ones_address(flow: Flow, told: str) -> None:
    ours = two(B)
    assert ours.contact(flow, "u") == told
    here = ours.of(msgspec.structs.replace(flow, node="a"))
    assert ours.via(flow, "z9hG4bK1").startswith(f"SIP/2.0/{flow.transport.upper()} {here};branch=z9hG4bK1")
    assert ours.ours("b.example", 5062)
    assert not ours.ours("b.example", 5063)


def test_the_phones_of_a_dead_node_are_told_our_own_address() -> None:
    ours = two()
    gone = Flow("udp", "0.0.0.0:5060", "x", 0, "b")
    assert ours.contact(gone, "u") == f"<sip:u@{FOUR}>"
    assert ours.service_route(gone) == f"<sip:{FOUR};lr>"
    assert ours.via(gone, "z9hG4bK1") == f"SIP/2.0/UDP {FOUR};branch=z9hG4bK1;rport"
    assert not ours.ours("b.example", 5062)


def test_a_phone_to_which_a_worker_has_connected_is_told_of_its_nodes_edge() -> None:
    ours = Addresses(Known(B, me="b_1"))
    flow = Flow("tcp", "127.0.0.1:41000", "192.0.2.9:5060", 1, "b_1")
    assert ours.contact(flow, "u") == "<sip:u@b.example:5062;transport=tcp>"
    assert ours.service_route(flow) == "<sip:b.example:5062;transport=tcp;lr>"
    assert Addresses(Known(me="b_1")).of(flow) == "127.0.0.1:41000", "while the edge is not there"
