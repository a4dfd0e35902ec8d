"""A node of several workers behind one address: real phones at the edge, their calls at the workers of their shards."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cluster.broker import Broker
from domain.node import number_of
from tests.e2e.talk import TONES_HZ, both_hear, connect, hold_and_resume, phone
from tests.e2e.test_conference import all_hear_each_other_again, all_hear_the_others, enter, hears_only, with_room
from tests.e2e.test_kafka import exact
from tests.fixtures.broker import fresh_journal
from tests.fixtures.nodes import ALL, SHARED_S, known, listed
from tests.fixtures.server import Server, running, tenant
from tests.phones.factory import Phones

WORKERS = 2


@pytest.fixture
async def server(tmp_path: Path, broker: Broker) -> AsyncIterator[Server]:
    """As the one of the other tests, on Kafka and with several workers."""
    journal = fresh_journal(broker)
    async with running(Server.at(tmp_path, JOURNAL=journal, NODE="a", WORKERS=str(WORKERS)), tenant("acme")) as one:
        yield one


async def shared(server: Server) -> None:
    """Until the workers have all the shards between them, and the edge has none."""
    rows: dict[str, int] = {}
    try:
        async with asyncio.timeout(SHARED_S):
            while list(rows) != ["a", "a_1", "a_2"] or not rows["a_1"] or not rows["a_2"] or sum(rows.values()) != ALL:
                rows = {one["name"]: one["shards"] or 0 for one in await listed(server)}
    except TimeoutError:
        raise AssertionError(f"the workers do not share the shards: {rows}\n{server.log()}") from None
    assert rows["a"] == 0, rows


async def worker_of_call(server: Server) -> str:
    """The process that holds the one call."""
    (call,) = await server.items("/v1/calls", bool)
    events = await server.items(f"/v1/events?stream={call['call_id']}", bool)
    return f"sessions-{number_of(events[-1]['data']['context']['node'])}"


async def test_two_phones_talk_and_the_call_outlives_its_worker(server: Server, phones: Phones) -> None:
    alice = await phone(server, phones, "pjsua", "1001", "tcp")
    bob = await phone(server, phones, "baresip", "1002")
    await known(server)
    out, incoming = await connect(alice, bob, "1002")
    await both_hear(out, TONES_HZ["1001"], incoming, TONES_HZ["1002"])
    await shared(server)
    await server.replace_role(await worker_of_call(server))
    await hold_and_resume(out, TONES_HZ["1001"], incoming, TONES_HZ["1002"], 20)
    await incoming.hang_up()
    await asyncio.gather(out.state("ended", 20), incoming.state("ended", 20))
    cdr = await exact(server, 1)
    assert cdr["hangup_by"] == "callee"


async def test_the_edge_may_die_in_mid_call(server: Server, phones: Phones) -> None:
    alice = await phone(server, phones, "pjsua", "1001")
    bob = await phone(server, phones, "pjsua", "1002")
    await known(server)
    out, incoming = await connect(alice, bob, "1002")
    await server.replace_role("edge")
    await hold_and_resume(out, TONES_HZ["1001"], incoming, TONES_HZ["1002"], 20)
    await out.hang_up()
    await asyncio.gather(out.state("ended", 20), incoming.state("ended", 20))
    await exact(server, 0)


async def test_another_worker_has_the_calls_of_one_that_is_frozen(server: Server, phones: Phones) -> None:
    alice = await phone(server, phones, "pjsua", "1001")
    bob = await phone(server, phones, "pjsua", "1002")
    await known(server)
    out, incoming = await connect(alice, bob, "1002")
    frozen = server.pid_of(await worker_of_call(server))
    os.kill(frozen, signal.SIGSTOP)
    try:
        await hold_and_resume(out, TONES_HZ["1001"], incoming, TONES_HZ["1002"], 30)
        await incoming.hang_up()  # before it wakes: it is given shards again, and perhaps that of the call
        await asyncio.gather(out.state("ended", 20), incoming.state("ended", 20))
    finally:
        os.kill(frozen, signal.SIGCONT)
    await server.ready()
    await exact(server, 1)


async def test_a_room_is_at_one_worker_and_its_audio_outlives_that(server: Server, phones: Phones) -> None:
    """The media process has the room, and is told the same by whoever has its shard."""
    await server.apply(with_room())
    await known(server)
    calls = await enter(server, phones, "1001", "1002")
    await all_hear_the_others(calls)
    await shared(server)
    (room,) = await server.items("/v1/conferences", bool)
    assert [one["number"] for one in room["members"]] == ["1001", "1002"]
    events = await server.items(f"/v1/events?stream={room['conference_id']}", bool)
    await server.replace_role(f"sessions-{number_of(events[-1]['data']['context']['node'])}")
    await all_hear_each_other_again(calls)
    assert [change.state for call in calls.values() for change in call.changes].count("answered") == 2
    await calls["1001"].hang_up()
    await hears_only(calls["1002"])
    await calls["1002"].hang_up()
    cdrs = await server.cdrs(2)
    assert [one["disposition"] for one in cdrs] == ["answered"] * 2
