"""Far more calls than the server can take, and floods from strangers: what is up stays up. Counts only, no times."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bench.sipp import REGISTER, Load
from tests.faults.caller import Caller, call
from tests.faults.flood import callee, flood
from tests.fixtures.ports import free_ports
from tests.fixtures.server import PASSWORD, Server, running, tenant

NUMBERS = [str(number) for number in range(1001, 1041)]
RATE, SECONDS = 1500, 5


def credentials(number: str) -> str:
    return f"[authentication username={number} password={PASSWORD.format(username=number)}]"


async def metrics(server: Server) -> dict[str, float]:
    async with server.client() as client:
        lines = (await client.get("/metrics")).text.splitlines()
    return {line.split()[0]: float(line.split()[1]) for line in lines if line.startswith("switchlog_sip")}


@pytest.fixture
async def crowded(tmp_path: Path) -> AsyncIterator[Server]:
    """A server with forty numbers; the address 127.0.0.9 has no privilege, the rest of loopback has."""
    server = Server.at(tmp_path, SIP_DIGEST="MD5", SIP_EXEMPT="127.0.0.1", SIP_RATE="20")
    async with running(server, tenant("acme", NUMBERS)):
        yield server


@pytest.mark.skipif(shutil.which("sipp") is None, reason="needs SIPp")
async def test_overload_refuses_new_calls_and_serves_those_that_are_up(crowded: Server, tmp_path: Path) -> None:
    server, target = crowded, f"127.0.0.1:{crowded.udp}"
    at, caller_port, other_port = free_ports(3)
    users = NUMBERS[2:]
    scenario = REGISTER.replace("[local_ip]:[local_port]>\n[field1]", f"127.0.0.1:{at}>\n[field1]")
    pairs = [(number, credentials(number)) for number in users]
    registered = await Load(tmp_path / "load").play(scenario, target, pairs, calls=len(pairs), rate=50, port=other_port)
    assert registered.failed == 0
    answering = await callee(tmp_path / "callee", at)
    try:
        up = await call(server)
        half = len(users) // 2
        users_of_flood = [(users[n], credentials(users[n]), users[half + n]) for n in range(half)]
        flooding = asyncio.create_task(
            flood(
                tmp_path / "flood", target, users_of_flood,
                calls=RATE * SECONDS, rate=RATE, port=caller_port, talk_ms=100,
            )
        )  # fmt: skip
        while not (await metrics(server))["switchlog_sip_gate_overloaded_invite_total"]:
            assert not flooding.done(), "this machine was not overloaded"
        await up.end()  # both sides got their 200 while new calls are refused
        outcome = await flooding
    finally:
        answering.kill()
        await answering.wait()
        up.caller.close()
        up.callee.close()
    assert outcome.refused > 0, outcome
    assert outcome.talked > 0, outcome
    assert outcome.failed == 0, outcome
    assert outcome.talked + outcome.refused == outcome.made == RATE * SECONDS, outcome
    assert (await metrics(server))["switchlog_sip_failed_messages_total"] == 0


async def test_a_flood_of_wrong_passwords_is_not_heard_and_a_neighbour_is(crowded: Server) -> None:
    up = await call(crowded)
    loop = asyncio.get_running_loop()
    guesser = Caller(crowded, "1003")
    await loop.create_datagram_endpoint(
        lambda: guesser, local_addr=("127.0.0.9", 0), remote_addr=("127.0.0.1", crowded.udp)
    )
    guessed = 0
    while not (await metrics(crowded))["switchlog_sip_gate_bans_total"]:
        guessed += 1
        assert (await guesser.register(password=f"guess-{guessed}")).status == 401
    for number in range(2000):
        guesser.cseq += 1
        guesser.transport.sendto(
            guesser.request("REGISTER", "sip:acme.example", f"flood-{number}", "<sip:1003@acme.example>")
        )
        if number % 50 == 0:
            await asyncio.sleep(0)
    await up.end()
    counted = await metrics(crowded)
    assert counted["switchlog_sip_gate_banned_total"] > 1000
    assert guessed < 60
    await crowded.stop()
    await crowded.start()
    async with crowded.client() as client:
        events = (await client.get("/v1/events?limit=500&type=guard.authentications_failed")).json()["items"]
    assert [(one["tenant"], one["data"]["count"], one["data"]["sources"]) for one in events] == [("acme", guessed, 1)]
    for one in (up.caller, up.callee, guesser):
        one.close()
