"""Which way leads to a phone now."""

from __future__ import annotations

import msgspec
import pytest

from adapters.sip.dialog.dialog import flow_to
from adapters.sip.dialog.peer import INSTANCES, Device, Peers, sought_at
from adapters.sip.message.uri import Uri
from domain.values import Dialog, Flow
from tests.domain.world import new_call, offer

UDP = Flow("udp", "10.0.0.1:5060", "10.0.0.9:40000")
OLD, NEW = (Flow("tcp", "10.0.0.1:5060", "10.0.0.9:40000", number) for number in (1, 2))
DESK = Device("acme", "desk", "urn:1")


def dialog(flow: Flow, instance: str = "urn:1") -> Dialog:
    return msgspec.structs.replace(offer(new_call()).dialog, flow=flow, device="desk", instance=instance)


def test_a_phone_is_found_on_the_stream_on_which_it_came_back() -> None:
    alive = {OLD}
    peers = Peers(alive.__contains__)
    assert peers.heard(DESK, OLD)
    assert not peers.heard(DESK, OLD)
    assert peers.route("acme", dialog(OLD)) == OLD
    alive.clear()
    peers.closed(OLD)
    assert peers.route("acme", dialog(OLD)) is None
    alive.add(NEW)
    assert peers.heard(DESK, NEW)
    assert peers.route("acme", dialog(OLD)) == NEW
    assert peers.route("globex", dialog(OLD)) is None
    assert peers.route("acme", dialog(OLD, instance="urn:2")) is None


@pytest.mark.parametrize(
    ("transport", "contact", "place"),
    [
        ("tcp", "sip:desk@10.0.0.9:5062", ("tcp", "10.0.0.9:5062")),
        ("tcp", "sip:desk@10.0.0.9;transport=TCP", ("tcp", "10.0.0.9:5060")),
        ("tcp", "sip:desk@10.0.0.9;transport=tls", ("tls", "10.0.0.9:5061")),
        ("tls", "sips:desk@10.0.0.9", ("tls", "10.0.0.9:5061")),
        ("tls", "sip:desk@10.0.0.9;transport=tcp", None),  # in the clear
        ("tcp", "sip:desk@10.0.0.9;transport=udp", None),
        ("udp", "sip:desk@10.0.0.9;transport=tcp", None),
        ("tcp", "sip:desk@10.0.0.10:5062", None),  # another address inside
        ("tcp", "sip:desk@127.0.0.1:8123", None),
        ("tcp", "sip:desk@intern.example:9000", None),  # a name may resolve to anything
        ("tcp", "sip:desk@10.0.0.9:5062;ob", None),
    ],
)
def test_a_phone_whose_stream_is_gone_is_sought_only_on_the_host_it_was_heard_from(
    transport: str, contact: str, place: tuple[str, str] | None
) -> None:
    lost = msgspec.structs.replace(dialog(msgspec.structs.replace(OLD, transport=transport)), remote_target=contact)
    assert sought_at(lost) == place
    assert sought_at(msgspec.structs.replace(lost, routes=("<sip:10.0.0.9;lr>",))) is None


def test_an_ipv6_host_is_the_same_however_it_is_written() -> None:
    flow = Flow("tcp", "[2001:db8::1]:5060", "[2001:db8::9]:40000", 1)
    lost = msgspec.structs.replace(dialog(flow), remote_target="sip:desk@[2001:DB8:0::9]:5062")
    assert sought_at(lost) == ("tcp", "[2001:db8::9]:5062")


def test_udp_never_dies_and_is_not_remembered() -> None:
    peers = Peers(lambda flow: False)
    assert not peers.heard(DESK, UDP)
    assert peers.lives(UDP)
    assert peers.route("acme", dialog(UDP)) == UDP


def test_a_phone_is_known_on_the_streams_on_which_it_proved_itself() -> None:
    peers = Peers(lambda flow: True)
    assert peers.known("acme", dialog(OLD), OLD)
    assert not peers.known("acme", dialog(OLD), NEW)
    assert not peers.known("acme", dialog(UDP), UDP), "datagrams prove nothing here"
    peers.heard(DESK, NEW)
    assert peers.known("acme", dialog(OLD), NEW)
    assert peers.known("acme", dialog(UDP), NEW)


def test_an_old_stream_that_closes_late_does_not_hide_the_new_one() -> None:
    peers = Peers(lambda flow: flow == NEW)
    peers.heard(DESK, OLD)
    peers.heard(DESK, NEW)
    peers.closed(OLD)
    assert peers.route("acme", dialog(OLD)) == NEW


def test_when_a_flow_fails_the_newest_other_one_of_the_same_phone_takes_its_place() -> None:
    peers = Peers(lambda flow: False)
    third = msgspec.structs.replace(NEW, connection=3)
    for flow in (OLD, NEW, third, NEW):
        peers.heard(DESK, flow)
    for gone, left in ((NEW, third), (third, OLD), (OLD, None)):
        peers.closed(gone)
        assert peers.route("acme", dialog(gone)) == left
    assert (peers._flows, peers._devices) == ({}, {})


def test_phones_that_cannot_be_told_apart_do_not_stand_in_for_each_other() -> None:
    peers = Peers(lambda flow: False)
    nameless = Device("acme", "desk", "")
    for flow in (OLD, NEW):
        assert peers.heard(nameless, flow)
    peers.closed(NEW)
    assert peers.route("acme", dialog(NEW, "")) is None
    peers.closed(OLD)
    assert (peers._flows, peers._devices) == ({}, {})


@pytest.mark.parametrize(
    ("contact", "routes", "flow", "remote"),
    [
        ("sip:a@10.0.0.9:5062", (), UDP, "10.0.0.9:5062"),
        ("sip:a@10.0.0.9", (), UDP, "10.0.0.9:5060"),
        ("sip:a@192.168.1.4:5062", (), UDP, "10.0.0.9:40000"),
        ("sip:a@10.0.0.9:5062", ("<sip:proxy;lr>",), UDP, "10.0.0.9:40000"),
        ("sip:a@10.0.0.9:5062;transport=tcp", (), UDP, "10.0.0.9:40000"),
        ("sip:a@10.0.0.9:5062", (), OLD, "10.0.0.9:40000"),
    ],
)
def test_the_flow_or_the_contact(contact: str, routes: tuple[str, ...], flow: Flow, remote: str) -> None:
    assert flow_to(Uri.parse(contact), routes, flow).remote == remote


def test_a_phone_that_is_another_instance_in_each_request_fills_no_memory() -> None:
    peers = Peers({OLD, NEW}.__contains__)
    for number in range(3 * INSTANCES):
        assert peers.heard(Device("acme", "desk", f"urn:{number}"), NEW)
    assert peers.heard(Device("acme", "other", "urn:0"), NEW)
    assert len(peers) == INSTANCES + 1
    assert peers.route("acme", dialog(Flow("tcp", "10.0.0.1:5060", "10.0.0.9:1", 9), f"urn:{3 * INSTANCES - 1}")) == NEW
    assert peers.route("acme", dialog(Flow("tcp", "10.0.0.1:5060", "10.0.0.9:1", 9), "urn:0")) is None
    peers.closed(NEW)
    assert len(peers) == 0
