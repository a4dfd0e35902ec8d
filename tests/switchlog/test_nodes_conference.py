"""Phones at several nodes in one room: it, its calls and its media are where the room's shard is."""

from __future__ import annotations

import pytest

from adapters.sip.message.message import Request, Response
from domain.ids import shard_of, shard_of_room
from tests.switchlog.exchange import Exchange, HeldJournal
from tests.switchlog.mixing import BOTH, ROOM, RememberedRooms, conference, joined
from tests.switchlog.nodes import Nodes, divided
from tests.switchlog.phone import ALICE, BOB, HOLD, SDP, Phone, methods

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
    assert nodes.rooms["b"].has["room/acme/7000"].epoch == 1
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


# --- the owner dies


def moved(nodes: Nodes) -> tuple[Phone, Phone, Response, Request]:
    """Alice at a and Bob at b are in the room; b dies and a goes on. Returns Alice's 200 and the offer to her."""
    alice, answered = joined(nodes["a"])
    bob, _ = joined(nodes["b"], "1002", BOB)
    nodes.wait(60)  # by then nobody repeats the answer to who was acknowledged elsewhere
    nodes.kill("b")
    nodes.take_over("a", nodes.owned_by("b"))
    (offer,) = nodes["a"].take(ALICE)
    assert isinstance(offer, Request)
    return alice, bob, answered, offer


def test_the_heir_makes_the_room_at_its_own_address_and_tells_the_phones(nodes: Nodes) -> None:
    alice, bob, answered, offer = moved(nodes)
    bob.exchange = nodes["a"]
    assert offer.method == "INVITE"
    assert b"c=IN IP4 127.0.0.1\r\n" in offer.body
    assert numbers(nodes, "a") == ["1001", "1002"]
    rooms = nodes.rooms["a"]
    assert rooms.heard_in() == [BOTH, BOTH], "the heir sends and hears before anybody has answered"
    ports = [leg.port for leg in rooms.room().values()]
    assert f"m=audio {ports[0]} RTP/AVP 0\r\n".encode() in offer.body
    alice.reply(offer, 200, SDP)
    assert methods(nodes["a"].take(ALICE)) == ["ACK"]
    to_bob = nodes["a"].last(BOB)  # behind no NAT, so a reaches it from its own address
    assert isinstance(to_bob, Request)
    bob.reply(to_bob, 200, SDP)
    assert methods(nodes["a"].take(BOB)) == ["ACK"]
    assert [leg.port for leg in rooms.room().values()] == ports
    assert rooms.heard_in() == [BOTH, BOTH]
    nodes.wait(100)
    assert nodes["a"].take(ALICE) == nodes["a"].take(BOB) == []
    alice.within(answered, "BYE")
    assert numbers(nodes, "a") == ["1002"]


def test_who_cannot_take_the_new_place_now_is_told_it_again(nodes: Nodes) -> None:
    alice, _, _, offer = moved(nodes)
    alice.reply(offer, 491)
    assert methods(nodes["a"].take(ALICE)) == ["ACK"]
    nodes.wait(2.1)
    (again,) = nodes["a"].take(ALICE)
    assert isinstance(again, Request)
    assert (again.method, again.body) == ("INVITE", offer.body)
    assert again.cseq.number > offer.cseq.number
    alice.reply(again, 200, SDP)
    assert methods(nodes["a"].take(ALICE)) == ["ACK"]
    nodes.wait(100)
    assert nodes["a"].take(ALICE) == []


def test_a_phone_that_is_gone_leaves_the_room(nodes: Nodes) -> None:
    alice, _, _, offer = moved(nodes)
    alice.reply(offer, 481)
    assert methods(nodes["a"].take(ALICE)) == ["ACK", "BYE"]
    assert numbers(nodes, "a") == ["1002"]


def test_an_offer_of_the_phone_that_waits_is_answered_with_the_new_place(nodes: Nodes) -> None:
    """Alice holds, and the owner dies before it has answered."""
    alice, answered = joined(nodes["a"])
    nodes.wait(60)
    nodes.journal.held = True
    alice.within(answered, "INVITE", HOLD)
    nodes.journal.held = False
    nodes.journal.commit()  # that is known, and nothing that followed
    nodes.kill("b")
    nodes.take_over("a", nodes.owned_by("b"))
    trying, held = nodes["a"].take(ALICE)
    assert methods([trying, held]) == ["100 INVITE", "200 INVITE"]
    (leg,) = nodes.rooms["a"].room().values()
    assert f"m=audio {leg.port} RTP/AVP 0\r\n".encode() in held.body
    assert b"c=IN IP4 127.0.0.1\r\n" in held.body
    assert b"a=recvonly\r\n" in held.body
    assert nodes.rooms["a"].heard_in() == [(False, True)]
    assert isinstance(held, Response)
    alice.within(held, "ACK")
    nodes.wait(100)
    assert nodes["a"].take(ALICE) == []


def test_who_holds_is_still_not_heard_after_the_move(nodes: Nodes) -> None:
    alice, answered = joined(nodes["a"])
    alice.within(answered, "INVITE", HOLD)
    held = nodes["a"].last(ALICE)
    assert isinstance(held, Response)
    alice.within(held, "ACK")
    nodes.wait(60)
    nodes.kill("b")
    nodes.take_over("a", nodes.owned_by("b"))
    (offer,) = nodes["a"].take(ALICE)
    assert isinstance(offer, Request)
    assert b"a=recvonly\r\n" in offer.body
    alice.reply(offer, 200, HOLD)
    assert nodes.rooms["a"].heard_in() == [(False, True)]
    (call,) = nodes["a"].board.live_calls
    assert call.held_by == {call.caller_leg}


def test_an_heir_that_dies_as_well_leaves_a_port_that_is_still_good(nodes: Nodes) -> None:
    """It comes back before the phone has answered, whose answer is to the port that it was offered first."""
    nodes.rooms["a"].taken_ports = {20000}  # so that the first port is not the one that it would take again
    alice, _, _, offer = moved(nodes)
    nodes.rooms["a"].taken_ports.clear()
    nodes.rooms["a"].has.clear()
    nodes.start("a", nodes.owned_by("a"))
    alice.exchange = nodes["a"]
    repeated = nodes["a"].last(ALICE)
    assert isinstance(repeated, Request)
    assert repeated.body == offer.body
    port = offer.body.partition(b"m=audio ")[2].partition(b" ")[0].decode()
    assert next(str(leg.port) for leg in nodes.rooms["a"].room().values()) == port != "20000"
    alice.reply(repeated, 200, SDP)
    assert methods(nodes["a"].take(ALICE)) == ["ACK"]


def test_a_shard_that_moves_while_its_owner_lives_takes_the_room_along(nodes: Nodes) -> None:
    alice, _ = joined(nodes["a"])
    nodes.wait(60)
    assert "room/acme/7000" in nodes.rooms["b"].has
    nodes.take_over("a", [HOME])
    assert nodes.rooms["b"].has == {}, "nobody is there any more"
    offer = nodes["a"].last(ALICE)
    assert isinstance(offer, Request)
    alice.reply(offer, 200, SDP)
    assert nodes.rooms["a"].heard_in() == [BOTH]
    nodes.take_over("b", [HOME])
    back = nodes["a"].last(ALICE)
    assert isinstance(back, Request)
    assert f"c=IN IP4 {HOST_OF_B}\r\n".encode() in back.body
    assert nodes.rooms["a"].has == {}
    assert nodes.rooms["b"].has["room/acme/7000"].epoch == 3


def test_a_node_that_starts_with_other_ports_tells_them() -> None:
    rooms, journal = RememberedRooms(), HeldJournal()
    alice, _ = joined(Exchange(journal, media=rooms))
    alice.exchange = again = Exchange(journal, epoch=2, start_s=60, media=rooms, ports=(21000, 21099))
    (offer,) = again.take(ALICE)
    assert isinstance(offer, Request)
    assert b"m=audio 21000 RTP/AVP 0\r\n" in offer.body
    alice.reply(offer, 200, SDP)
    assert rooms.heard_in() == [BOTH]
    assert [leg.port for leg in rooms.room().values()] == [21000]


def test_without_ports_that_can_be_opened_the_call_ends_with_a_reason() -> None:
    rooms, journal = RememberedRooms(), HeldJournal()
    joined(Exchange(journal, media=rooms))
    rooms.taken_ports = set(range(21000, 21100))
    again = Exchange(journal, epoch=2, start_s=60, media=rooms, ports=(21000, 21099))
    (bye,) = again.take(ALICE)
    assert isinstance(bye, Request)
    assert bye.method == "BYE"
    assert rooms.has == {}


@pytest.mark.parametrize("first", ["the log", "the group"])
def test_a_node_that_wakes_ends_the_room_that_another_one_has(nodes: Nodes, first: str) -> None:
    """It was frozen, its media with it: what they hold is nobody's any more, and it says nothing to the phones."""
    alice, _ = joined(nodes["a"])
    nodes.wait(60)
    nodes.frozen.add("b")
    nodes.take_over("a", nodes.owned_by("b"))
    offer = nodes["a"].last(ALICE)
    assert isinstance(offer, Request)
    assert "room/acme/7000" in nodes.rooms["b"].has
    if first == "the log":
        nodes.notice("b", HOME)
    nodes["b"].board.abandon(HOME)
    nodes.notice("b", HOME)
    assert nodes.rooms["b"].has == {}
    nodes.frozen.clear()
    nodes.settle()
    alice.reply(offer, 200, SDP)
    assert nodes.rooms["a"].heard_in() == [BOTH]


def test_a_shard_that_is_back_before_its_loss_was_told_keeps_its_room(nodes: Nodes) -> None:
    alice, answered = joined(nodes["a"])
    nodes.wait(60)
    before = nodes.rooms["b"].room()
    nodes.frozen.add("a")  # which claims, and knows nothing of what follows
    nodes.journal.claim([HOME], "a")
    nodes["b"].board.drop(HOME, 1)
    nodes.take_over("b", [HOME])
    nodes.notice("b", HOME)
    assert nodes.rooms["b"].room() == before
    alice.within(answered, "BYE")
    assert nodes.rooms["b"].has == {}


def test_audio_flows_on_while_nobody_has_the_shard(nodes: Nodes) -> None:
    joined(nodes["a"])
    nodes.journal.claims[HOME] = (1, "")  # released
    nodes["b"].board.drop(HOME, 1)
    assert nodes.rooms["b"].heard_in() == [BOTH]
    nodes.take_over("a", [HOME])
    nodes.notice("b", HOME)
    assert nodes.rooms["b"].has == {}


def test_a_node_that_was_dead_drops_what_its_media_went_on_with(nodes: Nodes) -> None:
    """Its sessions died alone, and when they are back others have the room."""
    joined(nodes["a"])
    nodes.wait(60)
    nodes.kill("b")
    nodes.take_over("a", nodes.owned_by("b"))
    assert "room/acme/7000" in nodes.rooms["b"].has
    nodes.start("b", [])
    assert nodes.rooms["b"].has == {}
