"""Calls whose media go through a node that is lost, or through ends that are: phones are told of others."""

from __future__ import annotations

import pytest

from adapters.sip.message.message import Message, Request, Response
from domain.call.call import Call
from domain.routing.directory import Directory
from domain.values import MediaPolicy
from media.wire import Context, Load
from tests.domain.world import directory, with_media
from tests.switchlog.exchange import Exchange, HeldJournal
from tests.switchlog.mixing import RememberedRooms
from tests.switchlog.nodes import Nodes, divided
from tests.switchlog.phone import ALICE, BOB, SDP, Phone, methods, picked_up, talk
from tests.switchlog.ways import place

HOST_OF_B = "127.0.0.2"
BOBS = SDP.replace("4000", "4600")


def known() -> Directory:
    return with_media(directory(), "1002", MediaPolicy(relayed=True))


@pytest.fixture
def nodes() -> Nodes:
    return Nodes(divided("a", "b"), mixing=True, directory=known)


def host(message: Message) -> str:
    return message.body.partition(b"c=IN IP4 ")[2].split()[0].decode()


def of_us(rooms: RememberedRooms) -> Context:
    (put,) = rooms.has.values()
    return put.desired


def offered(exchange: Exchange, address: str) -> Request:
    found = exchange.last(address)
    assert isinstance(found, Request)
    assert found.method == "INVITE"
    return found


def called(nodes: Nodes) -> tuple[Phone, Phone, Response]:
    """A call at a, which dies, and b goes on with it."""
    alice, bob, answered, _ = talk(nodes["a"])
    nodes.wait(60)  # by then nobody repeats what was acknowledged elsewhere
    nodes.kill("a")
    nodes.take_over("b", nodes.owned_by("a"))
    alice.exchange = bob.exchange = nodes["b"]
    return alice, bob, answered


def test_the_heir_has_ends_of_its_own_and_tells_both_phones(nodes: Nodes) -> None:
    alice, bob, answered = called(nodes)
    rooms = nodes.rooms["b"]
    one, other = of_us(rooms).legs
    assert one.sends and other.receives, "before anybody has answered"
    reoffer = offered(nodes["b"], BOB)
    assert (host(reoffer), place(reoffer)[:2]) == (HOST_OF_B, (2, other.port))
    bob.reply(reoffer, 200, BOBS)
    reoffer = offered(nodes["b"], ALICE)
    assert (host(reoffer), place(reoffer)[:2]) == (HOST_OF_B, (2, one.port))
    alice.reply(reoffer, 200, SDP)
    assert methods(nodes["b"].take(ALICE)) == ["ACK"]
    assert [leg.remote for leg in of_us(rooms).legs] == [("127.0.0.1", 4000), ("127.0.0.1", 4600)]
    nodes.wait(100)
    assert nodes["b"].take(ALICE) == []
    assert nodes["b"].board.open_calls == 1
    alice.within(answered, "BYE")
    assert rooms.has == {}


def test_who_refuses_the_new_place_is_told_it_again_and_again(nodes: Nodes) -> None:
    alice, bob, _ = called(nodes)
    for wait_s in (2, 4, 8):
        bob.reply(offered(nodes["b"], BOB), 488)
        nodes["b"].take(BOB)
        nodes.wait(wait_s - 0.2)
        assert nodes["b"].take(BOB) == []
        nodes.wait(0.4)
    bob.reply(offered(nodes["b"], BOB), 200, BOBS)
    alice.reply(offered(nodes["b"], ALICE), 200, SDP)
    (call,) = nodes["b"].board.live_calls
    assert (call.detour, call.hears_us(call.callee_leg)) == (None, True)


def test_a_shard_that_comes_back_moves_the_call_again(nodes: Nodes) -> None:
    alice, bob, answered, _ = talk(nodes["a"])
    nodes.wait(60)
    shards = list(nodes.owned_by("a"))
    nodes.take_over("b", shards)
    assert nodes.rooms["a"].has == {}, "nobody is there any more"
    bob.reply(offered(nodes["a"], BOB), 200, BOBS)  # b reaches the phones by a
    alice.reply(offered(nodes["a"], ALICE), 200, SDP)
    assert len(of_us(nodes.rooms["b"]).legs) == 2
    nodes.take_over("a", shards)
    assert nodes.rooms["b"].has == {}
    reoffer = offered(nodes["a"], BOB)
    assert (host(reoffer), place(reoffer)[0]) == ("127.0.0.1", 3)
    alice.within(answered, "BYE")
    assert nodes.rooms["a"].has == {}


def test_who_rings_while_the_node_dies_is_told_once_it_has_answered(nodes: Nodes) -> None:
    alice = Phone(nodes["a"], "1001", ALICE)
    bob = Phone(nodes["a"], "1002", BOB)
    alice.register(), bob.register()
    alice.invite("1002")
    invite = offered(nodes["a"], BOB)
    bob.reply(invite, 180)
    nodes.kill("a")
    nodes.take_over("b", nodes.owned_by("a"))
    alice.exchange = bob.exchange = nodes["b"]
    nodes["b"].take(BOB), nodes["b"].take(ALICE)
    bob.reply(invite, 200, BOBS)
    answered, *_ = [one for one in nodes["b"].take(ALICE) if isinstance(one, Response) and one.status == 200]
    assert host(answered) == HOST_OF_B, "she was told of nothing before"
    alice.within(answered, "ACK")
    nodes.wait(0.1)
    bob.reply(offered(nodes["b"], BOB), 200, BOBS)
    alice.reply(offered(nodes["b"], ALICE), 200, SDP)
    assert [leg.remote for leg in of_us(nodes.rooms["b"]).legs] == [("127.0.0.1", 4000), ("127.0.0.1", 4600)]


def test_an_heir_that_is_restarted_goes_on_with_its_own_ends(nodes: Nodes) -> None:
    alice, bob, _ = called(nodes)
    bob.reply(offered(nodes["b"], BOB), 200, BOBS)
    before = of_us(nodes.rooms["b"])
    nodes.start("b", nodes.owned_by("b"))
    alice.exchange = nodes["b"]
    assert of_us(nodes.rooms["b"]) == before
    repeated = offered(nodes["b"], ALICE)
    assert host(repeated) == HOST_OF_B
    alice.reply(repeated, 200, SDP)
    assert methods(nodes["b"].take(ALICE)) == ["ACK"]


# --- one node


def test_a_node_that_starts_with_other_ports_tells_them() -> None:
    rooms, journal = RememberedRooms(), HeldJournal()
    alice, bob, _, _ = talk(Exchange(journal, media=rooms, directory=known))
    again = Exchange(journal, epoch=2, start_s=60, media=rooms, ports=(21000, 21099), directory=known)
    alice.exchange = bob.exchange = again
    bob.reply(offered(again, BOB), 200, BOBS)
    one, other = of_us(rooms).legs
    assert place(offered(again, ALICE))[1] == one.port
    assert 21000 <= one.port < other.port < 21100


def test_ports_that_are_somebody_else_s_for_good_are_given_up() -> None:
    rooms = RememberedRooms()
    exchange = Exchange(media=rooms, directory=known)
    _, bob, *_ = talk(exchange)
    rooms.die()
    rooms.taken_ports = {20000}
    rooms.start()
    for _ in range(3):
        assert exchange.take(BOB) == []
        rooms.say(Load(0, 0))
    reoffer = offered(exchange, BOB)
    assert place(reoffer)[1] > 20002
    assert of_us(rooms).legs[1].port == place(reoffer)[1]
    bob.reply(reoffer, 200, BOBS)
    assert place(offered(exchange, ALICE))[1] == of_us(rooms).legs[0].port


def test_without_ports_that_can_be_opened_the_call_ends_with_a_reason() -> None:
    rooms, journal = RememberedRooms(), HeldJournal()
    talk(Exchange(journal, media=rooms, directory=known))
    rooms.taken_ports = set(range(21000, 21100))
    again = Exchange(journal, epoch=2, start_s=60, media=rooms, ports=(21000, 21099), directory=known)
    assert methods(again.take(ALICE)) == methods(again.take(BOB)) == ["BYE"]
    assert rooms.has == {}


def test_what_the_journal_lost_of_the_move_is_said_again() -> None:
    """The heir has the ports open, and its event is refused."""
    rooms, journal = RememberedRooms(), HeldJournal()
    picked_up(Exchange(journal, media=rooms, directory=known))
    journal.held = True
    again = Exchange(journal, epoch=2, start_s=60, media=rooms, ports=(21000, 21099), directory=known)
    journal.lose()
    journal.held = False
    assert again.take(BOB) == []
    once_more = Exchange(journal, epoch=3, start_s=61, media=rooms, ports=(21000, 21099), directory=known)
    assert place(offered(once_more, BOB))[1] == of_us(rooms).legs[1].port
    assert [kind for kind in once_more.types if kind == "media_relayed"] == ["media_relayed"] * 2
    assert isinstance(once_more.board.live_calls[0], Call)
