"""A node of two dies or freezes with calls that ring, talk and are on hold: the other one goes on with them.

The nodes, the broker and the phones behind the survivor are real; phones behind the dead node's own address are sockets
that turn to the survivor, as a phone does at its next REGISTER (RFC 5626 has them do it sooner).
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import cast

import pytest

from adapters.analytics.client import Warehouse
from cluster.broker import Broker
from tests.e2e.talk import TONES_HZ, both_hear, connect, phone
from tests.faults.caller import RawCall
from tests.faults.load import Load
from tests.faults.roamer import Roamer, Roaming
from tests.faults.roamer import roaming as roaming
from tests.faults.test_kafka_broker import ROUNDS
from tests.faults.test_kafka_calls import RATE, SEED, STEADY_S
from tests.faults.test_kill import CALLEES, CALLERS, DRAIN_S, check
from tests.faults.topics import no_gap_and_no_fork
from tests.fixtures.broker import fresh_journal
from tests.fixtures.clickhouse import ClickHouse
from tests.fixtures.nodes import ALL, Nodes, listed, sharing
from tests.fixtures.server import Server, tenant
from tests.phones.factory import Phones

WAIT_S = 40.0
NUMBERS = ("1001", "1002", "1003", "1004", "1005", "1006", "1007", "1008")


class Pair(Nodes):
    """Two nodes, of which `a` has all shards and `b` has phones: what `a` has is to be taken over by `b`."""

    async def give_all_to_a(self) -> None:
        await self.told(self.b, "b/drain")
        await self.has_all("a")

    async def told(self, node: Server, what: str) -> None:
        async with node.client() as client:
            answer = await client.post(f"/v1/nodes/{what}")
            assert answer.status_code == 200, answer.text

    async def has_all(self, name: str) -> None:
        """Until that node has every shard."""
        async with asyncio.timeout(WAIT_S):
            while not [row for row in await listed(self.b) if (row["name"], row["shards"]) == (name, ALL)]:
                await asyncio.sleep(0.05)

    def report(self, what: str, at: float) -> None:
        """When the survivor noticed and when it had the shards, after `at` (Unix seconds)."""
        lines = [json.loads(line) for line in (self.b.data / "server.log").read_text().splitlines() if line[:1] == "{"]
        after = [
            (datetime.fromisoformat(one["timestamp"]).timestamp() - at, one) for one in lines if "timestamp" in one
        ]
        noticed = [s for s, one in after if one["event"] == "the nodes are" and one["nodes"] == "b" and s > 0]
        taken = [s for s, one in after if one["event"] == "shards taken over" and s > 0]
        assert noticed and taken, self.log()
        print(f"\n{what}: noticed after {noticed[0]:.2f} s, all taken over {taken[-1] - noticed[0]:.2f} s after that")


@pytest.fixture
async def pair(tmp_path: Path, broker: Broker, clickhouse: ClickHouse, warehouse: Warehouse) -> AsyncIterator[Pair]:
    journal = fresh_journal(broker)
    two = Pair(tmp_path, journal, clickhouse, warehouse.endpoint.database, SIP_DIGEST="MD5")
    async with sharing(two, tenant("acme", (*NUMBERS, *CALLERS, *CALLEES), ring_s=60)):
        await two.give_all_to_a()
        yield two


class RealCalls:
    """Between two real phones: one in which they talk, one on hold, and one that rings."""

    async def begin(self, node: Server, phones: Phones) -> None:
        self.alice, self.bob = await phone(node, phones, "pjsua", "1001"), await phone(node, phones, "pjsua", "1002")
        self.talking, self.talked_to = await connect(self.alice, self.bob, "1002")
        self.holding, self.held = await connect(self.alice, self.bob, "1002")
        await self.holding.hold()
        await self.holding.state("held")
        self.ringing = await self.alice.dial("1002")
        self.rung = await self.bob.incoming()
        await self.rung.ring()
        await self.ringing.state("ringing")

    async def go_on(self) -> None:
        """The one that rings is answered, the one on hold resumed, and all are ended."""
        await self.rung.answer()
        await self.ringing.state("answered", WAIT_S)
        assert len(self.bob.calls) == 3, "no second INVITE"
        await self.holding.resume()
        await self.holding.state("answered", WAIT_S)
        await both_hear(self.talking, TONES_HZ["1001"], self.talked_to, TONES_HZ["1002"])
        await self.talked_to.hang_up()
        await self.talking.state("ended", WAIT_S)
        for one in (self.holding, self.ringing):
            await one.hang_up()
        await asyncio.gather(self.held.state("ended", WAIT_S), self.rung.state("ended", WAIT_S))


async def across(pair: Pair, roaming: Roaming) -> tuple[RawCall, RawCall]:
    """Two calls from a phone behind `a` to one behind `b`."""
    return (
        await roaming.call(pair.a, "1003", pair.b, "1004"),
        await roaming.call(pair.a, "1005", pair.b, "1006"),
    )


def turn(one: RawCall, node: Server) -> Roamer:
    """The caller turns to another node."""
    caller = cast("Roamer", one.caller)
    caller.move(node)
    return caller


async def exact(pair: Pair, taken_over: int, others: int = 0) -> None:
    """One record a call, each of the first ones of a call that was taken over once."""
    count = taken_over + others
    cdrs = await pair.b.cdrs(count)
    assert [cdr["disposition"] for cdr in cdrs] == ["answered"] * count
    assert [cdr["takeovers"] for cdr in cdrs] == [1] * taken_over + [0] * others
    assert len(pair.b.query("SELECT * FROM cdr_all")) == count
    await asyncio.to_thread(no_gap_and_no_fork, pair.b.settings["JOURNAL"])


async def test_the_calls_of_a_node_that_is_killed_go_on_at_the_other_one(
    pair: Pair, phones: Phones, roaming: Roaming
) -> None:
    real = RealCalls()
    await real.begin(pair.b, phones)
    called, calls = await across(pair, roaming)
    at = time.time()
    await pair.a.kill()
    await pair.shared("b")
    pair.report("a node with calls was killed", at)
    await real.go_on()
    # phones at the dead node's own address: who is called hears the survivor, who calls turns to it
    await called.end_by_callee()
    assert (await turn(calls, pair.b).register()).status == 200
    await calls.end()
    await exact(pair, 5)


async def test_the_calls_of_a_node_that_is_frozen_go_on_and_it_wakes_without_them(
    pair: Pair, phones: Phones, roaming: Roaming
) -> None:
    real = RealCalls()
    await real.begin(pair.b, phones)
    ending, other = await across(pair, roaming)
    at = time.time()
    pair.a.freeze()
    hung_up = asyncio.create_task(ending.end())  # its first BYE waits in the socket of the frozen node
    await pair.shared("b")
    pair.report("a node with calls was frozen", at)
    turn(ending, pair.b)
    await hung_up
    await real.go_on()
    await other.end_by_callee()
    await exact(pair, 5)
    woken = time.time()
    pair.a.thaw()
    await pair.told(pair.b, "b/resume")
    await pair.shared()
    print(f"the node that was frozen has its part again {time.time() - woken:.1f} s after it woke")
    again = await roaming.call(pair.a, "1007", pair.b, "1008")
    await again.end()
    await exact(pair, 5, others=1)


async def test_no_call_of_a_load_is_lost_when_its_node_dies_or_freezes(pair: Pair) -> None:
    """All phones are behind the survivor, all calls are the other node's. SOAK_FAULTS does it so many times."""
    b = pair.b
    load = Load(b.udp, CALLERS, CALLEES, RATE, SEED)
    calling, away = None, []
    try:
        await load.start()
        calling = asyncio.create_task(load.run())
        for number in range(ROUNDS or 1):
            await asyncio.sleep(STEADY_S)
            begun_at = time.time()
            await gone_and_back(pair, "frozen" if number % 2 else "killed", last=number + 1 >= ROUNDS)
            away.append((begun_at, time.time()))
        await asyncio.sleep(STEADY_S)
        load.stop()
        await calling
        await load.drained(DRAIN_S)
        await check(b, load, away)
        await asyncio.to_thread(no_gap_and_no_fork, b.settings["JOURNAL"])
    finally:
        load.close()
        if calling is not None:
            calling.cancel()


async def gone_and_back(pair: Pair, how: str, last: bool) -> None:
    """Until the survivor serves; but for the last time the other one comes back and has everything again."""
    begun_at = time.time()
    if how == "killed":
        await pair.a.kill()
    else:
        pair.a.freeze()
    await pair.shared("b")
    pair.report(f"a node under load was {how}", begun_at)
    if last:
        return
    if how == "killed":
        await pair.a.start()
    else:
        pair.a.thaw()
    await pair.has_all("a")
