"""What members do by their phones' keys, told in each way that phones have: a PIN at the door, and commands inside."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np

from media.tone import dbfs
from tests.e2e.talk import LOUD_DBFS, phone
from tests.e2e.test_conference import ROOM, all_hear_the_others, hears_only, with_room
from tests.fixtures.server import Server
from tests.phones.call import PhoneCall
from tests.phones.factory import Phones

PIN, MODERATOR_PIN = "4711", "90909"
MAKERS = {"1001": ("pjsua", "info"), "1002": ("baresip", "event"), "1003": ("pjsua", "sound")}
"""Each with its way of telling keys."""


async def come(server: Server, phones: Phones, number: str) -> PhoneCall:
    """A phone that has dialled the room and was answered."""
    maker, keys = MAKERS[number]
    call = await (await phone(server, phones, maker, number, keys=keys)).dial(ROOM)
    await call.state("answered", 10)
    return call


async def is_spoken_to(call: PhoneCall) -> None:
    """It hears something that is none of the phones' tones, soon."""
    for _ in range(10):
        samples = await call.heard(1.0)
        if len(samples) and dbfs(float(np.sqrt(np.mean(samples.astype(np.float64) ** 2)))) > LOUD_DBFS:
            return
    raise AssertionError("nothing was said")


async def until(server: Server, *types: str) -> None:
    """Wait until exactly these events of conferences have happened, in this order."""

    def happened(events: list[dict[str, Any]]) -> bool:
        named = [one["type"].split(".") for one in events]
        return [name[1] for name in named if name[0] == "conference"] == list(types)

    await server.items("/v1/events?tenant=acme&limit=1000", happened)


async def test_a_pin_is_asked_for_in_words_and_typed_in_each_way(server: Server, phones: Phones) -> None:
    await server.apply(with_room(pin=PIN, moderator_pin=MODERATOR_PIN, language="de"))
    calls: dict[str, PhoneCall] = {}
    events: list[str] = ["opened"]
    for number, pin in ("1001", MODERATOR_PIN), ("1002", PIN), ("1003", PIN):
        call = await come(server, phones, number)
        await is_spoken_to(call)
        await call.press("1111#")
        events += ["arrived", "pin_refused"]
        await until(server, *events)
        await call.press(f"{pin}#")
        events.append("joined")
        await until(server, *events)
        calls[number] = call
    await all_hear_the_others(calls)
    assert PIN not in server.log()
    async with server.client() as client:
        (conference,) = (await client.get("/v1/conferences")).json()["items"]
    assert [(one["number"], one["moderator"]) for one in conference["members"]] == [
        ("1001", True), ("1002", False), ("1003", False),
    ]  # fmt: skip


async def test_three_wrong_pins_end_the_call(server: Server, phones: Phones) -> None:
    await server.apply(with_room(pin=PIN))
    call = await come(server, phones, "1002")
    await call.press("1#2#3#")
    await call.state("ended", 10)
    (cdr,) = await server.cdrs()
    assert (cdr["hangup_by"], cdr["reason"]) == ("system", "the PIN was wrong too often")


async def test_keys_inside_mute_deafen_lock_and_kick_and_nothing_else(server: Server, phones: Phones) -> None:
    await server.apply(with_room(moderator_pin=MODERATOR_PIN))
    calls: dict[str, Any] = {}
    events = ["opened"]
    for number, keys in ("1001", f"{MODERATOR_PIN}#"), ("1002", "#"), ("1003", "#"):
        calls[number] = await come(server, phones, number)
        events.append("arrived")
        await until(server, *events)
        await calls[number].press(keys)
        events.append("joined")
        await until(server, *events)
    await all_hear_the_others(calls)

    async def press(number: str, keys: str, *happens: str) -> None:
        await calls[number].press(keys)
        events.extend(happens)
        await until(server, *events)

    await press("1002", "*1", "muted")
    await asyncio.gather(
        hears_only(calls["1001"], "1003"), hears_only(calls["1002"], "1001", "1003"), hears_only(calls["1003"], "1001")
    )
    await press("1003", "*4", "deafened")
    await asyncio.gather(hears_only(calls["1001"], "1003"), hears_only(calls["1003"]))
    await press("1002", "*1", "unmuted")
    await press("1003", "*4", "undeafened")
    await all_hear_the_others(calls)
    await calls["1002"].press("*2*3")  # no moderator's: nothing happens
    await press("1001", "*2", "locked")
    again = await calls["1001"].phone.dial(ROOM)
    await again.state("answered", 10)
    events.append("arrived")
    await until(server, *events)
    await again.press("#")
    events += ["expelled", "left"]
    await again.state("ended", 10)
    await until(server, *events)
    await press("1001", "*2", "unlocked")
    await press("1001", "*3", "expelled", "left")
    await calls.pop("1003").state("ended", 10)
    await all_hear_the_others(calls)
