"""Calls that phones have directly, until somebody wants one recorded: offers of ours bring the audio through us."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from tests.e2e.talk import HEARD_S, TONES_HZ, both_hear, connect, hold_and_resume, phone
from tests.e2e.test_recorded import finished, middle, only, sound
from tests.e2e.test_relayed import declared, heard_again, ways
from tests.fixtures.server import Server, tenant
from tests.phones.factory import Phones

ALICE_HZ, BOB_HZ = TONES_HZ["1001"], TONES_HZ["1002"]


async def steer(server: Server, wish: str) -> httpx.Response:
    (call,) = await server.items("/v1/calls", bool)
    async with server.client() as client:
        return await client.post(f"/v1/calls/{call['call_id']}/recording/{wish}")


async def changed(server: Server, wish: str) -> None:
    answer = await steer(server, wish)
    assert answer.json() == {"changed": True}, answer.text


async def happened(server: Server, kind: str, count: int = 1) -> list[dict[str, Any]]:
    query = f"SELECT data FROM call_events WHERE type LIKE 'call.{kind}.%' ORDER BY position"
    return await server.rows(query, lambda rows: len(rows) >= count)


@pytest.mark.parametrize(("caller", "callee"), [("pjsua", "baresip"), ("baresip", "pjsua")])
@pytest.mark.parametrize("srtp", [False, True])
async def test_a_direct_call_is_recorded_and_direct_again(
    server: Server, phones: Phones, caller: str, callee: str, srtp: bool
) -> None:
    await server.apply(tenant("acme"))
    alice = await phone(server, phones, caller, "1001", srtp=srtp)
    bob = await phone(server, phones, callee, "1002", srtp=srtp)
    out, incoming = await connect(alice, bob, "1002")
    await both_hear(out, ALICE_HZ, incoming, BOB_HZ)
    async with server.client() as client:
        await changed(server, "start")
        await heard_again(out, incoming)
        await hold_and_resume(out, ALICE_HZ, incoming, BOB_HZ, 10)
        await asyncio.sleep(1)  # so much more is recorded
        await changed(server, "stop")
        await happened(server, "way_taken", 4)
        await heard_again(out, incoming)
        await hold_and_resume(incoming, BOB_HZ, out, ALICE_HZ, 10)
        (item,) = await finished(server)
        assert (item["by"][:4], item["reason"]) == ("api:", "")
        rate_hz, (left, right) = await sound(client, item)
        only(middle(left, rate_hz, 0.2), rate_hz, ALICE_HZ, BOB_HZ)
        only(middle(right, rate_hz, 0.2), rate_hz, BOB_HZ, ALICE_HZ)
    assert not await measures(server, "media_contexts")
    await out.hang_up()
    await incoming.state("ended", 10)
    (cdr,) = await server.cdrs()
    assert (cdr["disposition"], cdr["hangup_by"], cdr["audio_losses"]) == ("answered", "caller", 0)
    assert not server.query("SELECT 1 FROM call_events WHERE type LIKE 'call.way_refused%' OR type LIKE '%way_aband%'")


async def measures(server: Server, name: str) -> float:
    """A number of `/metrics`."""
    async with server.client() as client:
        text = (await client.get("/metrics")).text
    (line,) = [line for line in text.splitlines() if line.startswith(f"switchlog_{name} ")]
    return float(line.split()[1])


@pytest.mark.parametrize("frozen", ["caller", "callee"])
@pytest.mark.parametrize("dies", ["sessions", "media", "all"])
async def test_a_death_in_the_middle_of_the_change_costs_neither_call_nor_recording(
    server: Server, phones: Phones, frozen: str, dies: str
) -> None:
    """One of the phones has not answered the offer yet when processes are killed."""
    await server.apply(tenant("acme"))
    alice, bob = await phone(server, phones, "pjsua", "1001"), await phone(server, phones, "baresip", "1002")
    out, incoming = await connect(alice, bob, "1002")
    await both_hear(out, ALICE_HZ, incoming, BOB_HZ)
    slow = alice if frozen == "caller" else bob
    slow.freeze()
    async with server.client() as client:
        asked = asyncio.create_task(steer(server, "start"))
        await happened(server, "way_offered", 2 if frozen == "caller" else 1)
        if dies == "all":
            await server.kill()
            await server.start()
        else:
            await server.replace_role(dies)
        slow.thaw()
        await asyncio.gather(asked, return_exceptions=True)
        await happened(server, "recording_started")
        await heard_again(out, incoming)
        await asyncio.sleep(1)  # so much is recorded
        await incoming.hang_up()
        await out.state("ended", 10)
        (item,) = await finished(server)
        rate_hz, (left, right) = await sound(client, item)
        only(left[-int(HEARD_S * rate_hz) :], rate_hz, ALICE_HZ, BOB_HZ)
        only(right[-int(HEARD_S * rate_hz) :], rate_hz, BOB_HZ, ALICE_HZ)


async def test_keys_by_info_begin_a_recording_of_a_direct_call(server: Server, phones: Phones) -> None:
    await server.apply(declared(recording={"mode": "on_demand", "keys": False}))
    alice = await phone(server, phones, "baresip", "1001")
    bob = await phone(server, phones, "pjsua", "1002", keys="info")
    out, incoming = await connect(alice, bob, "1002")
    await both_hear(out, ALICE_HZ, incoming, BOB_HZ)
    assert await ways(server) == ["direct"]
    await incoming.press("*1")
    await happened(server, "recording_started")
    await heard_again(out, incoming)
    await incoming.press("*1")
    await happened(server, "way_taken", 4)
    await heard_again(out, incoming)
    await out.hang_up()
    (item,) = await finished(server)
    assert item["by"].startswith("leg:")
