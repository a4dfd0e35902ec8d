"""Calls of which the media change their way while they go on: what a test does with them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.sip.message.message import Message, Request, Response
from domain.call.input import RecordingAsked
from domain.routing.directory import Directory
from media.wire import Context
from tests.domain.world import directory
from tests.switchlog.exchange import Exchange, HeldJournal
from tests.switchlog.phone import ALICE, BOB, SDP, Phone, methods, talk
from tests.switchlog.test_exchange_recorded import Recorders

BOBS = SDP.replace("4000", "4600")


@pytest.fixture
def rooms() -> Recorders:
    return Recorders()


Make = Callable[..., Exchange]


@pytest.fixture
def make(rooms: Recorders, tmp_path: Path) -> Make:
    def made(
        journal: HeldJournal | None = None,
        epoch: int = 1,
        at_s: float = 0,
        known: Callable[[], Directory] = directory,
    ) -> Exchange:
        return Exchange(journal, epoch, at_s, known, media=rooms, storage=tmp_path)

    return made


@pytest.fixture
def exchange(make: Make) -> Exchange:
    return make()


def ask(exchange: Exchange, wish: str) -> bool:
    """Whether that changed anything."""
    changed: list[bool] = []
    (call,) = exchange.board.live_calls
    exchange.board.handle(call.id, RecordingAsked("api", "api:1", wish), changed.append)
    exchange.deliver()
    exchange.wait(0)
    return changed[0]


def place(message: Message) -> tuple[int, int, str]:
    """The version of a description, its port, and its direction."""
    text = message.body.decode()
    version, port = re.search(r"o=\S+ \S+ (\d+)", text), re.search(r"m=audio (\d+)", text)
    assert version is not None
    assert port is not None
    way = re.search(r"a=(send\w+|recv\w+|inactive)", text)
    return int(version[1]), int(port[1]), way[1] if way else "sendrecv"


def offered(exchange: Exchange, address: str) -> Request:
    (reoffer,) = exchange.take(address)
    assert isinstance(reoffer, Request)
    assert reoffer.method == "INVITE"
    return reoffer


def take(exchange: Exchange, phone: Phone, sdp: str = SDP) -> tuple[int, int, str]:
    """The phone takes the offer of ours that it got; what that said. We confirm it."""
    reoffer = offered(exchange, phone.address)
    phone.reply(reoffer, 200, sdp)
    got = exchange.take(phone.address)
    assert methods(got[:1]) == ["ACK"]
    assert got[0].cseq.number == reoffer.cseq.number
    exchange.sent.setdefault(phone.address, []).extend(got[1:])
    return place(reoffer)


def of_us(rooms: Recorders) -> Context:
    (put,) = rooms.has.values()
    return put.desired


def since(exchange: Exchange, kind: str) -> list[str]:
    """What happened after that, but for measures, which come when they come."""
    return [one for one in exchange.types[exchange.types.index(kind) + 1 :] if one != "leg_measured"]


def relayed(exchange: Exchange) -> tuple[Phone, Phone, Response, Request]:
    """A call that was direct, and is recorded now."""
    alice, bob, answered, invite = talk(exchange)
    assert ask(exchange, "start")
    take(exchange, bob, BOBS)
    take(exchange, alice)
    return alice, bob, answered, invite


def as_bob(invite: Request, bob: Phone) -> Any:
    """What Bob knows of the dialog that he accepted, as if he had got the answer."""

    class Dialog:
        call_id = invite.call_id

        @staticmethod
        def get(name: str) -> str | None:
            to = f"{invite.get('To')};tag=b"
            return {"From": to, "To": invite.get("From"), "Contact": invite.get("Contact")}[name]

    return Dialog


def press(exchange: Exchange, phone: Phone, dialog: Any, keys: str) -> None:
    other = ALICE if phone.address == BOB else BOB
    for key in keys:
        phone.within(dialog, "INFO", key, kind="application/dtmf")
        before, passed = exchange.take(phone.address), exchange.take(other)
        asked = next(one for one in passed if isinstance(one, Request) and one.method == "INFO")
        assert asked.body == key.encode()
        for address, got in ((phone.address, before), (other, passed)):
            exchange.sent.setdefault(address, []).extend(one for one in got if methods([one]) == ["INVITE"])
