"""Calls under load while one of three Kafka brokers is killed and comes back: each call's record is exact.

SOAK_FAULTS does it so many times, to one broker after the other.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from cluster.broker import Broker, Brokers
from tests.faults.load import Load
from tests.faults.test_kafka_broker import ROUNDS
from tests.faults.test_kill import CALLEES, CALLERS, Away, under_load
from tests.fixtures.broker import fresh_journal
from tests.fixtures.server import Server

RATE = 20.0
STEADY_S = 4.0
SEED = 5


async def test_no_call_is_lost_with_one_of_three_brokers(brokers: Brokers, tmp_path: Path) -> None:
    journal = fresh_journal(brokers)
    server = Server.at(tmp_path, SIP_DIGEST="MD5", JOURNAL=journal)

    async def killed_in_turn(server: Server, load: Load) -> list[Away]:
        away = []
        for number in range(ROUNDS or 1):
            await asyncio.sleep(STEADY_S)
            away.append(await killed(brokers.nodes[number % 3], load))
        await asyncio.sleep(STEADY_S)
        return away

    await under_load(server, Load(server.udp, CALLERS, CALLEES, RATE, SEED), killed_in_turn)


async def killed(broker: Broker, load: Load) -> Away:
    """From when to when calls had to wait: until one that began afterwards is answered."""
    begun_at = time.time()
    broker.kill()
    async with asyncio.timeout(60):
        while not any(seen.invited_at > begun_at + 1 and seen.answered_at for seen in load.calls.values()):
            await asyncio.sleep(0.05)
    over_at = time.time()
    print(f"\na broker of three killed: the next call was answered after {over_at - begun_at:.1f} s")
    broker.spawn()
    await asyncio.to_thread(broker.wait_ready)
    return begun_at, over_at
