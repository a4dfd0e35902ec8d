"""What real phones' audio is like, as the records of their calls say it, and the alarm when it stops."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

from tests.e2e.talk import HEARD_S
from tests.e2e.test_conference import all_hear_each_other_again, all_hear_the_others, enter, with_room
from tests.fixtures.server import Server
from tests.phones.factory import Phones

LATEST_S = 3.0
SPOKEN_S = 13.0
"""Phones report by RTCP in the meantime."""


async def events(server: Server, kind: str, count: int = 1) -> list[dict[str, Any]]:
    """All events of this type, once there are so many."""
    return await server.items(f"/v1/events?type={kind}", lambda found: len(found) >= count)


async def metric(server: Server, name: str) -> float:
    async with server.client() as client:
        lines = (await client.get("/metrics")).text.splitlines()
    return float(next(line for line in lines if line.startswith(f"switchlog_{name} ")).rpartition(" ")[2])


async def test_the_record_says_what_the_audio_was_like(server: Server, phones: Phones) -> None:
    await server.apply(with_room())
    calls = await enter(server, phones, "1001", "1002")
    await all_hear_the_others(calls)
    await asyncio.gather(*(call.heard(SPOKEN_S) for call in calls.values()))
    await asyncio.gather(*(call.hang_up() for call in calls.values()))
    for cdr in await server.cdrs(2):
        assert cdr["mos_x100"] > 400, cdr
        assert cdr["audio_losses"] == 0
    legs = server.query("SELECT * FROM cdr_legs ORDER BY side, number")
    assert [(one["side"], one["number"]) for one in legs] == [
        ("callee", "7000"), ("callee", "7000"), ("caller", "1001"), ("caller", "1002")
    ]  # fmt: skip
    for leg in legs[2:]:
        spoken = (leg["ended_at"] - leg["answered_at"]).total_seconds()
        assert spoken > SPOKEN_S
        for packets in (leg["packets_received"], leg["packets_sent"]):
            assert 0.9 * spoken < packets / 50 < spoken + HEARD_S, leg
        assert leg["codec"]
        assert leg["packets_lost"] < 5
        assert (leg["mos_x100"] > 400, leg["jitter_ms"] < 30, leg["silent_ms"]) == (True, True, 0), leg
        assert leg["packets_lost_by_phone"] is not None, leg
        assert 0 <= leg["round_trip_ms"] < 50, leg
    assert {leg["packets_received"] for leg in legs[:2]} == {None}
    assert [len(await events(server, f"call.{kind}", n)) for kind, n in (("leg_measured", 2), ("closed", 0))] == [2, 0]


async def test_a_phone_whose_audio_stops_raises_an_alarm(server: Server, phones: Phones) -> None:
    await server.apply(with_room())
    calls = await enter(server, phones, "1001", "1002")
    await all_hear_the_others(calls)
    while await metric(server, "media_streams") < len(calls):  # once they have been measured for the first time
        await asyncio.sleep(0.05)
    assert await metric(server, "media_audio_missing") == 0
    calls["1002"].phone.freeze()
    try:
        stopped = datetime.now().astimezone()
        (lost,) = await events(server, "call.audio_lost")
        seen = datetime.fromisoformat(lost["time"])
        assert (seen - stopped).total_seconds() < LATEST_S
        assert (lost["data"]["direction"], lost["data"]["leg"]) == ("from_phone", lost["data"]["leg"][:-1] + "0")
        assert await metric(server, "media_audio_missing") == 1
    finally:
        calls["1002"].phone.thaw()
    (restored,) = await events(server, "call.audio_restored")
    assert restored["stream"] == lost["stream"]
    assert await metric(server, "media_audio_missing") == 0
    await asyncio.gather(*(call.hang_up() for call in calls.values()))
    cdrs = {one["from_number"]: one for one in await server.cdrs(2)}
    assert {number: cdr["audio_losses"] for number, cdr in cdrs.items()} == {"1001": 0, "1002": 1}
    async with server.client() as client:
        story = (await client.get(f"/v1/calls/{cdrs['1002']['call_id']}")).json()
    told = [event["type"] for step in story["steps"] for event in step["events"]]
    assert [kind for kind in told if "audio" in kind or "measured" in kind] == [
        "call.audio_lost", "call.audio_restored", "call.leg_measured"
    ]  # fmt: skip


async def test_who_holds_raises_none(server: Server, phones: Phones) -> None:
    await server.apply(with_room())
    calls = await enter(server, phones, "1001", "1002")
    await calls["1002"].hold()
    await calls["1002"].state("held", 10)
    await asyncio.gather(calls["1001"].heard(4.0))
    await asyncio.gather(*(call.hang_up() for call in calls.values()))
    assert {cdr["audio_losses"] for cdr in await server.cdrs(2)} == {0}


async def test_a_record_adds_up_what_two_workers_heard(server: Server, phones: Phones) -> None:
    await server.apply(with_room())
    calls = await enter(server, phones, "1001", "1002")
    while await metric(server, "media_streams") < len(calls):
        await asyncio.sleep(0.05)
    await server.replace_role("media")
    await all_hear_each_other_again(calls)
    await asyncio.gather(*(call.hang_up() for call in calls.values()))
    assert {cdr["audio_losses"] for cdr in await server.cdrs(2)} == {0}
    measured = await events(server, "call.leg_measured", 4)
    assert [one["data"]["figures"]["whole"] for one in measured] == [False, False, True, True]
    received = {
        leg["leg"]: leg["packets_received"] for leg in server.query("SELECT * FROM cdr_legs WHERE side = 'caller'")
    }
    for leg, packets in received.items():
        parts = [one["data"]["figures"]["received"] for one in measured if one["data"]["leg"] == leg]
        assert (len(parts), sum(parts), min(parts) > 0) == (2, packets, True)
