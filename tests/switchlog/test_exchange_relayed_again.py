"""Relayed calls whose server was killed, and those whose media worker begins anew."""

from __future__ import annotations

from msgspec.structs import replace

from adapters.sip.message.message import Response
from domain.routing.directory import Directory
from media.wire import Load
from tests.switchlog.exchange import Exchange, HeldJournal
from tests.switchlog.mixing import RememberedRooms
from tests.switchlog.mixing import rooms as rooms
from tests.switchlog.phone import ALICE, BOB, parties, picked_up, talk
from tests.switchlog.test_exchange_relayed import RELAYED, context, policies, ports
from tests.switchlog.test_exchange_relayed import exchange as exchange


def test_after_a_restart_the_call_goes_on_through_the_same_ends(rooms: RememberedRooms) -> None:
    journal = HeldJournal()

    def known() -> Directory:
        return policies(n1002=RELAYED)

    first = Exchange(journal, media=rooms, directory=known)
    alice, _, answered, _ = talk(first)
    before, events = context(rooms), len(journal.stored)
    again = Exchange(journal, epoch=2, start_s=60, media=rooms, directory=known)
    assert context(rooms) == before
    assert len(journal.stored) == events
    assert again.take(ALICE) == again.take(BOB) == []
    alice.exchange = again
    alice.within(answered, "BYE")
    assert rooms.has == {}


def test_what_is_said_again_after_a_restart_is_the_same(rooms: RememberedRooms) -> None:
    journal = HeldJournal()

    def known() -> Directory:
        return policies(n1002=RELAYED)

    first = Exchange(journal, media=rooms, directory=known)
    *_, answered, _ = picked_up(first)
    again = Exchange(journal, epoch=2, start_s=1, media=rooms, directory=known)
    repeated = again.last(ALICE)
    assert isinstance(repeated, Response)
    assert (repeated.status, repeated.body) == (200, answered.body)


def test_a_worker_that_is_started_again_gets_the_call_with_the_same_ports(
    exchange: Exchange, rooms: RememberedRooms
) -> None:
    talk(exchange)
    before = context(rooms)
    rooms.die()
    rooms.start()
    assert context(rooms) == before
    assert exchange.take(ALICE) == exchange.take(BOB) == []


def test_a_port_that_is_somebody_elses_for_a_while_is_asked_for_again(
    exchange: Exchange, rooms: RememberedRooms
) -> None:
    talk(exchange)
    before = context(rooms)
    rooms.die()
    rooms.taken_ports = {20000}
    rooms.start()
    assert rooms.has == {}
    rooms.say(Load(0, 0))
    rooms.taken_ports = set()
    rooms.say(Load(0, 0))
    assert context(rooms) == before
    puts = len(rooms.puts)
    rooms.say(Load(2, 0))
    assert len(rooms.puts) == puts


def test_ports_that_were_opened_before_a_kill_and_not_written_down_stand_in_nobodys_way(rooms: RememberedRooms) -> None:
    journal, known = HeldJournal(), policies(n1002=RELAYED)
    first = Exchange(journal, media=rooms, directory=lambda: known)
    alice, _ = parties(first)
    alice.invite("1002")
    ((name, put),) = rooms.has.items()
    legs = tuple(replace(leg, port=leg.port + 100) for leg in put.desired.legs)  # others were free then
    rooms.has[name] = replace(put, desired=replace(put.desired, legs=legs))
    killed = HeldJournal()
    for one in journal.stored:
        if one.record.type.split(".")[1] != "media_relayed":
            killed.submit(one.shard, one.epoch, [one.record], lambda result: None)
    again = Exchange(killed, epoch=2, start_s=1, media=rooms, directory=lambda: known)
    again.deliver()
    (invite,) = again.take(BOB)
    assert [leg.port for leg in context(rooms).legs] == [20004, 20006]
    assert ports(invite) == [20006]
