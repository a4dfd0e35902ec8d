"""Where a leg's phone is that has moved over UDP."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from adapters.sip.dialog.moves import Moves, Place
from adapters.sip.dialog.peer import Device, Peers
from domain.values import Dialog, Flow
from tests.domain.world import new_call, offer

HERE, THERE, FURTHER = (Flow("udp", "10.0.0.1:5060", f"10.0.0.9:{port}") for port in range(3))
TCP = Flow("tcp", "10.0.0.1:5060", "10.0.0.9:40000", 1)
DESK = Device("acme", "desk", "urn:1")
LEG = "1.0"


def dialog(flow: Flow = HERE, instance: str = "urn:1", remote_tag: str = "b", routes: tuple[str, ...] = ()) -> Dialog:
    return msgspec.structs.replace(
        offer(new_call()).dialog, flow=flow, device="desk", instance=instance, remote_tag=remote_tag, routes=routes
    )


def moves(alive: bool = True) -> Moves:
    return Moves(Peers(lambda flow: alive), lambda leg: True)


def to(flow: Flow) -> Place:
    return Place(flow, flow)


def test_a_leg_follows_its_phone_and_nothing_else_does() -> None:
    found = moves()
    assert found.route("acme", LEG, dialog()) == HERE
    found.moved("acme", LEG, dialog(), to(THERE))
    found.moved("acme", LEG, dialog(), to(FURTHER))
    assert found.route("acme", LEG, dialog()) == FURTHER
    assert found.place("acme", LEG, dialog()) == to(FURTHER)
    assert len(found) == 1
    assert found.route("acme", "2.0", dialog()) == HERE, "another call of the same phone"
    assert found.route("acme", LEG, dialog(THERE)) == THERE, "a dialog made anew since"
    assert found.route("acme", LEG, dialog(instance="urn:2")) == HERE
    assert found.route("globex", LEG, dialog()) == HERE


def test_what_opens_a_dialog_goes_to_the_binding_and_what_has_routes_to_its_proxy() -> None:
    found = moves()
    found.moved("acme", LEG, dialog(), to(THERE))
    assert found.route("acme", LEG, dialog(remote_tag="")) == HERE
    assert found.route("acme", LEG, dialog(routes=("<sip:10.0.0.9;lr>",))) == HERE


def test_requests_change_no_transport() -> None:
    found = moves()
    found.moved("acme", LEG, dialog(TCP), to(THERE))
    found.moved("acme", LEG, dialog(), to(TCP))
    assert found.route("acme", LEG, dialog(TCP)) == TCP
    assert found.route("acme", LEG, dialog()) == HERE
    assert moves(alive=False).route("acme", LEG, dialog(TCP)) is None


def test_a_phone_that_is_back_is_reached_where_its_dialogs_began() -> None:
    found = moves()
    found.moved("acme", LEG, dialog(), to(THERE))
    found.moved("acme", "2.0", dialog(FURTHER), to(THERE))
    found.back(Device("acme", "desk", "urn:2"), HERE)
    assert found.route("acme", LEG, dialog()) == THERE
    found.back(DESK, HERE)
    assert found.route("acme", LEG, dialog()) == HERE
    assert found.route("acme", "2.0", dialog(FURTHER)) == THERE
    found.back(DESK, FURTHER)
    assert (len(found), found._places) == (0, {})


@given(st.lists(st.tuples(st.integers(0, 999), st.booleans()), max_size=500))
def test_no_more_is_kept_than_twice_the_calls_that_live(steps: list[tuple[int, bool]]) -> None:
    living: set[str] = set()
    found = Moves(Peers(lambda flow: True), living.__contains__)
    most = 0
    for number, ends in steps:
        leg = f"{number}.0"
        living.add(leg)
        most = max(most, len(living))
        phone = dialog(instance=f"urn:{number % 7}")
        found.moved("acme", leg, phone, to(THERE))
        assert found.route("acme", leg, phone) == THERE
        if ends:
            living.discard(leg)
        assert len(found) <= 2 * max(most, 32) + 1
    assert len(found) == sum(map(len, found._places.values()))
    assert all(found.route("acme", leg, dialog(instance=f"urn:{int(leg[:-2]) % 7}")) == THERE for leg in living)


def test_the_moves_of_calls_that_are_forgotten_are_forgotten() -> None:
    living: set[str] = set()
    found = Moves(Peers(lambda flow: True), living.__contains__)
    for number in range(10_000):
        living.add(f"{number}.0")
        found.moved("acme", f"{number}.0", dialog(instance=f"urn:{number}"), to(THERE))
        living.discard(f"{number - 9}.0")
    assert len(found) < 100
    assert len(found._places) == len(found)
