"""A media worker that only remembers: what it was told of rooms, and what a test wants it to say."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import msgspec
import pytest

from adapters.media.room import RoomName
from adapters.sip.message.message import Response
from domain.conference.conference import Conference
from domain.conference.input import Input
from domain.routing.directory import Directory, Room
from media.wire import (
    Drop,
    Dtmf,
    FromWorker,
    Inventory,
    Keyed,
    Leg,
    Measured,
    Play,
    PlayDone,
    Put,
    Ready,
    Refused,
    Retire,
    ToWorker,
)
from switchlog.studio.studio import Studio
from tests.domain.world import directory
from tests.switchlog.exchange import Exchange
from tests.switchlog.phone import ALICE, SDP, Phone

WORKER = "worker"
CAROL = "127.0.0.1:6003"
ROOM = RoomName("acme", "7000")
BOTH, NEITHER = (True, True), (False, False)
"""Whether a leg is heard, and hears."""


class RememberedRooms:
    """Keeps to the rules of `rev` and `epoch`, and has contexts whole or not at all, as `media` does."""

    def __init__(self) -> None:
        self.has: dict[str, Put] = {}
        self.puts: list[Put] = []
        self.measures: dict[str, int] | None = {"received": 250, "sent": 249, "jitter_us": 1500, "mos_x100": 441}
        """the figures of every stream that ends; None: it is never told"""
        self.taken_ports: set[int] = set()
        """those that somebody else has"""
        self.keyed: tuple[Keyed, ...] = ()
        """what handshakes gave"""
        self.there = True
        self.run = "first"
        self._exchange: Exchange | None = None
        self._answers: list[FromWorker] = []

    # --- tests.switchlog.exchange.MediaWorker

    def meet(self, exchange: Exchange) -> None:
        self._exchange = exchange
        if self.there:
            held = tuple((put.context, put.rev, put.epoch) for put in self.has.values())
            self.say(Inventory(held, 100, self.keyed, self.run))

    def told(self, worker: str, message: ToWorker) -> None:
        assert worker == WORKER
        assert self.there
        assert not isinstance(message, Retire)
        before = self.has.get(message.context)
        assert before is None or message.epoch >= before.epoch
        if isinstance(message, Drop):
            self._end(self.has.pop(message.context, None))
            return
        assert before is None or (message.epoch, message.rev) > (before.epoch, before.rev)
        self.puts.append(message)
        held = {leg.id: leg.port for leg in before.desired.legs} if before else {}
        if any(held.get(leg.id, leg.port) != leg.port for leg in message.desired.legs):
            self._answers.append(Refused(message.context, message.rev, "a leg cannot change its port"))
            return
        taken = (leg.id for leg in message.desired.legs if leg.id not in held and leg.port in self.taken_ports)
        if (leg := next(taken, None)) is not None:
            self._answers.append(Refused(message.context, message.rev, "a port is taken", leg))
            return
        self._end(before, {leg.id for leg in message.desired.legs})
        self.has[message.context] = message
        self._answers.append(Ready(message.context, message.rev))

    def answer(self) -> bool:
        answers, self._answers = self._answers, []
        for message in answers:
            self._heard(message)
        return bool(answers)

    def _end(self, put: Put | None, staying: Collection[str] = ()) -> None:
        """The streams of those who do not stay are measured."""
        if put is None or self.measures is None:
            return
        gone = [leg for leg in put.desired.legs if leg.id not in staying]
        self._answers += [self.measured(leg, put.context, **self.measures) for leg in gone]

    def measured(self, leg: Leg, context: str = "room/acme/7000", **figures: Any) -> Measured:
        """What is said of a leg's stream; 0 of what is not named."""
        names = ("received", "sent", "lost", "discarded", "jitter_us")
        return Measured(context, leg.id, leg.codecs[0].name, **{**dict.fromkeys(names, 0), **figures})

    # --- what a test does

    def say(self, message: FromWorker) -> None:
        assert self._exchange is not None
        self._heard(message)
        self._exchange.deliver()

    def press(self, leg: str, keys: str, room: str = "room/acme/7000") -> None:
        for key in keys:
            self.say(Dtmf(room, leg, key, 100))

    def end(self, play: Play, leg: str = "", room: str = "room/acme/7000") -> None:
        """A play has come to its end."""
        self.say(PlayDone(room, leg, play.id))

    def all_hear(self, room: str = "room/acme/7000") -> dict[str, Play]:
        """What is played to all in a room, by its source."""
        return {play.source: play for play in self.has[room].desired.plays}

    def die(self) -> None:
        """`kill -9`."""
        self.there = False
        self.has.clear()
        self._answers.clear()
        self.run += "+"
        self._studio.pool.parted(WORKER)

    def start(self) -> None:
        assert self._exchange is not None
        self.there = True
        self.meet(self._exchange)

    def room(self, name: str = "room/acme/7000") -> dict[str, Leg]:
        """The legs of a room by their ids; none if there is no such room."""
        put = self.has.get(name)
        return {leg.id: leg for leg in put.desired.legs} if put else {}

    def heard_in(self, name: str = "room/acme/7000") -> list[tuple[bool, bool]]:
        """Of each leg, in their order, whether the others hear it and whether it hears them."""
        return [(not leg.muted, not leg.deaf) for leg in self.room(name).values()]

    @property
    def _studio(self) -> Studio:
        assert self._exchange is not None
        assert self._exchange.studio is not None
        return self._exchange.studio

    def _heard(self, message: FromWorker) -> None:
        self._studio.heard(WORKER, message)


def closed() -> Directory:
    """A room with PINs, sealed as the exchange's sealer does it."""
    room = Room(*ROOM, "Board", "sealed.4321", "sealed.9999")
    return msgspec.structs.replace(directory(), rooms={ROOM: room})


def talkative(announce: str) -> Callable[[], Directory]:
    """A German room that says so much of what happens in it."""
    room = Room(*ROOM, "Board", language="de", announce=announce)
    return lambda: msgspec.structs.replace(directory(), rooms={ROOM: room})


def joined(exchange: Exchange, number: str = "1001", address: str = ALICE, sdp: str = SDP) -> tuple[Phone, Response]:
    """A phone whose call to the room was answered, and acknowledged."""
    phone = Phone(exchange, number, address)
    assert phone.register().status == 200
    phone.invite("7000", sdp, call_id=f"call-{number}")
    answered = exchange.last(address)
    assert isinstance(answered, Response)
    assert answered.status == 200, answered.reason
    phone.within(answered, "ACK")
    return phone, answered


def conference(exchange: Exchange) -> Conference:
    assert exchange.studio is not None
    found = exchange.studio.hall.find(ROOM)
    assert found is not None
    return found


def wish(exchange: Exchange, inp: Input) -> None:
    assert exchange.studio is not None
    exchange.studio.hall.handle(ROOM, inp)
    exchange.deliver()


def conference_types(exchange: Exchange) -> list[str]:
    return [one.record.type.split(".")[1] for one in exchange.journal.stored if one.record.category == "conferences"]


@pytest.fixture
def rooms() -> RememberedRooms:
    return RememberedRooms()


@pytest.fixture
def exchange(rooms: RememberedRooms) -> Exchange:
    return Exchange(media=rooms)
