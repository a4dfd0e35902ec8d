"""The groups of rows that need Kafka: a broker of its own for each, with how much work, in quick and in full."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from bench import kafka, kafka_replay, kafka_server, kafka_takeover, sipp
from bench.group import NO_SIPP, Setup, attempt
from bench.kafka_record import kafka_record_row
from bench.signalling import Load
from bench.table import Line, Missing
from cluster.broker import Broker
from cluster.jars import Unavailable

_FULL_SECONDS_A_ROW = 4
_RATES = {1: 300, 10: 3_000, 100: 15_000}
"""Records a second to expect, by records a commit: how much work is enough."""
_TURNS = (100, 1_500)
"""Records a second that come one by one; 1,500 are those of 250 calls a second."""
_REGISTERS = (Load(5_000, 500), Load(10_000, 1_000))
_CALLS = (Load(1_000, 100), Load(3_000, 300))


async def journal(setup: Setup) -> list[Line]:
    """Records into the journal on Kafka, and out of it again."""
    return await _with_broker(setup, lambda broker: _journal(setup, broker))


async def server(setup: Setup) -> list[Line]:
    """What needs a running server on Kafka, and SIPp."""
    if not sipp.installed():
        return [Missing(row, NO_SIPP) for row in sorted(setup.wanted)]
    return await _with_broker(setup, lambda broker: _server(setup, broker))


async def takeover(setup: Setup) -> list[Line]:
    """A node that dies with calls up, and another one."""
    if not sipp.installed():
        return [Missing("kafka-takeover", NO_SIPP)]
    count = 100 if setup.quick else 1_000
    setup.say(f"take-over of {count:,} calls: two nodes")

    async def measure(broker: Broker) -> list[Line]:
        return [await kafka_takeover.takeover_row(broker.bootstrap, setup.folder / "nodes", count)]

    return await _with_broker(setup, measure)


async def record(setup: Setup) -> list[Line]:
    """How soon analysts see a call, with a server of ClickHouse too."""
    if not sipp.installed():
        return [Missing("kafka-record", NO_SIPP)]
    load, rounds = (Load(200, 20), 50) if setup.quick else (Load(1_000, 20), 200)
    setup.say("records of calls: a server on Kafka and ClickHouse")

    async def measure(broker: Broker) -> list[Line]:
        return [await kafka_record_row(broker, setup.folder / "record", load, rounds)]

    return await _with_broker(setup, measure)


async def _with_broker(setup: Setup, measure: Callable[[Broker], Awaitable[list[Line]]]) -> list[Line]:
    setup.say("starting a broker")
    try:
        with kafka.broker(setup.folder / "broker") as broker:
            return await measure(broker)
    except Unavailable as error:
        return [Missing(row, str(error)) for row in sorted(setup.wanted)]


async def _journal(setup: Setup, broker: Broker) -> list[Line]:
    lines: list[Line] = []
    for row, measure in (("kafka-append", _append), ("kafka-turn", _turn), ("kafka-replay", _replay)):
        if row in setup.wanted:
            lines += await attempt(setup, row, measure(setup, broker))
    return lines


async def _append(setup: Setup, broker: Broker) -> list[Line]:
    seconds = 1 if setup.quick else _FULL_SECONDS_A_ROW
    lines: list[Line] = []
    for batch, rate in _RATES.items():
        setup.say(f"append on Kafka, {batch} a commit")
        lines.append(await asyncio.to_thread(kafka.waiting_row, broker, batch, rate * seconds))
    setup.say("append on Kafka, group commit")
    return [*lines, await asyncio.to_thread(kafka.flowing_row, broker, _RATES[100] * seconds)]


async def _turn(setup: Setup, broker: Broker) -> list[Line]:
    seconds = 2.0 if setup.quick else 2.0 * _FULL_SECONDS_A_ROW
    lines: list[Line] = []
    for turns in _TURNS:
        setup.say(f"append on Kafka, {turns} turns a second")
        lines.append(await asyncio.to_thread(kafka.turn_row, broker, turns, seconds))
    return lines


async def _replay(setup: Setup, broker: Broker) -> list[Line]:
    return [
        await asyncio.to_thread(kafka_replay.replay_row, broker.bootstrap, 3_000 if setup.quick else 30_000, setup.say)
    ]


async def _server(setup: Setup, broker: Broker) -> list[Line]:
    registers, calls = ([Load(1_000, 500)], [Load(300, 100)]) if setup.quick else (_REGISTERS, _CALLS)
    setup.say("starting two servers, one with its journal in a file and one on Kafka")
    async with kafka_server.pair(setup.folder, broker) as at:
        lines: list[Line] = []
        if "kafka-register" in setup.wanted:
            setup.say("register on Kafka")
            lines += await attempt(setup, "kafka-register", kafka_server.register_rows(at, registers))
        if "kafka-call" in setup.wanted:
            setup.say("call on Kafka")
            lines += await attempt(setup, "kafka-call", kafka_server.call_rows(at, calls))
        return lines
