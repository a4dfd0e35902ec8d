"""A Kafka broker that is away, at the start and later: it is said where one looks, in one line, and heals by itself."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from cluster.broker import Broker
from tests.faults.caller import RawCall, call
from tests.fixtures.broker import fresh_journal
from tests.fixtures.server import Server, tenant

WAIT_S = 60.0


@pytest.fixture
async def installed(tmp_path: Path, lone_broker: Broker) -> AsyncIterator[Server]:
    """Not started yet; the broker runs again in the end."""
    one = Server.at(tmp_path, JOURNAL=fresh_journal(lone_broker))
    try:
        yield one
    finally:
        await one.stop()
        if not lone_broker.running:
            await returns(lone_broker)


async def returns(broker: Broker) -> None:
    broker.spawn()
    await asyncio.to_thread(broker.wait_ready)


async def readiness(server: Server) -> dict[str, str]:
    """Part -> what is wrong with it; empty while nobody answers."""
    async with server.client() as client:
        try:
            answer = await client.get("/readyz")
        except httpx.TransportError:
            return {}
        parts: dict[str, str] = answer.json()["parts"]
        return {name: words for name, words in parts.items() if words != "ok"}


async def told(server: Server, *words: str) -> None:
    """Until `/readyz` says one of these of the journal."""
    found: dict[str, str] = {}
    try:
        async with asyncio.timeout(WAIT_S):
            while not [one for one in words if one in found.get("journal", "")]:
                await asyncio.sleep(0.1)
                found = await readiness(server)
    except TimeoutError:
        raise AssertionError(f"/readyz never said so: {found}\n{server.log()}") from None


async def logged(server: Server, words: str) -> None:
    async with asyncio.timeout(WAIT_S):
        while words not in server.log():
            await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def calling(server: Server) -> AsyncIterator[RawCall]:
    """A call that is up."""
    one = await call(server)
    try:
        yield one
    finally:
        one.caller.close()
        one.callee.close()


async def another(before: RawCall) -> RawCall:
    """A call between the same two. Until what had to wait is done, a new call is refused as too much: ask again."""
    before.caller.wait_s = before.callee.wait_s = 2.0
    async with asyncio.timeout(WAIT_S):
        while True:
            with contextlib.suppress(TimeoutError):
                return await RawCall(before.caller, before.callee).connect()


async def exact(server: Server, calls: int) -> None:
    found = await server.cdrs(calls)
    assert [row["disposition"] for row in found] == ["answered"] * calls
    assert len(server.query("SELECT * FROM cdr_all")) == calls
    assert server.query("SELECT call_id FROM call_events GROUP BY call_id HAVING count() != max(sequence)") == []


async def test_it_is_away_when_the_server_starts(installed: Server, lone_broker: Broker) -> None:
    lone_broker.kill()
    starting = asyncio.create_task(installed.start())
    await told(installed, "cannot be reached")
    await logged(installed, "the sessions wait for the journal")
    await returns(lone_broker)
    await starting
    await logged(installed, "sessions ready")
    log = installed.log()
    for who in ("sessions", "projections", "API and its live view"):
        told_of = log.count(f"the {who} wait for the journal")
        assert told_of == log.count(f"the {who} have the journal again") <= 1, log
    await installed.apply(tenant("acme"))
    async with calling(installed) as one:
        await one.end()
    await exact(installed, 1)


async def test_who_is_told_to_end_while_it_is_away_ends(installed: Server, lone_broker: Broker) -> None:
    await installed.start()
    lone_broker.kill()
    await told(installed, "cannot be reached", "has not answered")
    assert await installed.stop() == 0
    await returns(lone_broker)
    await installed.start()


async def test_it_goes_away_while_a_call_is_up(installed: Server, lone_broker: Broker) -> None:
    await installed.start()
    await installed.apply(tenant("acme"))
    async with calling(installed) as first:
        first.caller.wait_s = first.callee.wait_s = WAIT_S
        lone_broker.kill()
        ending = asyncio.create_task(first.end())  # its BYE is answered once it is journaled
        await told(installed, "cannot be reached", "has not answered")
        assert not ending.done()
        await returns(lone_broker)
        over = time.monotonic()
        await ending
        told_s = time.monotonic() - over
        await installed.ready()
        ready_s = time.monotonic() - over
        second = await another(first)
        print(
            f"\nthe only broker killed with a call up: after its return the BYE was answered in {told_s:.1f} s,"
            f" /readyz good in {ready_s:.1f} s, the next call up in {time.monotonic() - over:.1f} s"
        )
        await second.end()
    await exact(installed, 2)
    log = installed.log()
    assert log.count("the live view waits for the journal") <= 1
