"""What who steers recordings is answered: once it is so, or why it is not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from adapters.command.local import Command
from adapters.sip.message.message import Request
from domain.refusal import Refusal
from switchlog.desk import recording
from switchlog.session.session import Session
from tests.domain.world import directory, new_call
from tests.switchlog.exchange import Exchange
from tests.switchlog.mixing import ROOM
from tests.switchlog.phone import ALICE, BOB, SDP, Phone, parties, talk
from tests.switchlog.test_exchange_recorded import Recorders

Steer = Callable[..., asyncio.Task[Any]]


@pytest.fixture
def exchange(tmp_path: Path) -> Exchange:
    return Exchange(directory=directory, media=Recorders(), storage=tmp_path)


async def steering(exchange: Exchange, wish: str, patience_s: float = 60) -> asyncio.Task[Any]:
    """The command, which has been heard when this returns."""
    (call,) = exchange.board.live_calls or (None,)
    handler = recording.handlers(cast("Session", exchange), patience_s)["recordings.steer"]
    named = {"tenant": None, "call_id": str(call.id if call else new_call()), "wish": wish}
    task: asyncio.Task[Any] = asyncio.ensure_future(handler(Command("id", "recordings.steer", named, "api:1")))
    await asyncio.sleep(0)
    exchange.deliver()
    exchange.wait(0)
    return task


async def refusal(task: asyncio.Task[Any]) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await task
    return caught.value


def take(exchange: Exchange, phone: Phone, status: int = 200) -> None:
    (reoffer,) = [one for one in exchange.take(phone.address) if isinstance(one, Request) and one.method == "INVITE"]
    phone.reply(reoffer, status, SDP if status == 200 else "")
    exchange.wait(0)


async def test_it_is_answered_when_the_recording_has_begun(exchange: Exchange) -> None:
    alice, bob, *_ = talk(exchange)
    first, second = await steering(exchange, "start"), await steering(exchange, "start")
    take(exchange, bob)
    await asyncio.sleep(0)
    assert not first.done()
    take(exchange, alice)
    assert (await first, await second) == ({"changed": True}, {"changed": False})
    assert await (await steering(exchange, "start")) == {"changed": False}
    assert await (await steering(exchange, "mask")) == {"changed": True}
    stopped = await steering(exchange, "stop")
    assert await stopped == {"changed": True}
    too_early = await refusal(await steering(exchange, "start"))
    assert (too_early.kind, "ask again" in too_early.detail) == ("conflict", True)
    assert not exchange.demands


async def test_who_refuses_is_why(exchange: Exchange) -> None:
    _, bob, *_ = talk(exchange)
    task = await steering(exchange, "start")
    take(exchange, bob, 488)
    found = await refusal(task)
    assert (found.kind, found.detail.rpartition(": ")[2]) == ("conflict", "488 Whatever")
    assert (exchange.board.open_calls, bool(exchange.demands)) == (1, False)


async def test_a_call_that_ends_meanwhile_is_missing(exchange: Exchange) -> None:
    alice, _, answered, _ = talk(exchange)
    task = await steering(exchange, "start")
    alice.within(answered, "BYE")
    assert (await refusal(task)).kind == "missing"


async def test_a_phone_that_says_nothing_is_not_waited_for_that_long(exchange: Exchange) -> None:
    alice, bob, *_ = talk(exchange)
    found = await refusal(await steering(exchange, "start", patience_s=0.01))
    assert (found.kind, bool(exchange.demands)) == ("unavailable", False)
    take(exchange, bob)
    take(exchange, alice)
    (call,) = exchange.board.live_calls
    assert call.recorded_now is not None


async def test_there_must_be_such_a_call_between_phones(exchange: Exchange) -> None:
    assert (await refusal(await steering(exchange, "start"))).kind == "missing"
    alice, _ = parties(exchange)
    alice.invite(ROOM.number)
    exchange.last(ALICE)
    assert (await refusal(await steering(exchange, "start"))).kind == "conflict"
    assert exchange.take(BOB) == []


async def test_without_media_of_our_own_nothing_is_recorded() -> None:
    exchange = Exchange()
    talk(exchange)
    assert (await refusal(await steering(exchange, "start"))).kind == "unavailable"


async def test_who_gives_up_at_the_same_moment_keeps_nobody_from_hearing_of_it(exchange: Exchange) -> None:
    alice, bob, *_ = talk(exchange)
    first, second = await steering(exchange, "start"), await steering(exchange, "start")
    take(exchange, bob)
    first.cancel()  # it has not noticed yet when the recording begins
    take(exchange, alice)
    assert await second == {"changed": False}
    assert not exchange.demands
