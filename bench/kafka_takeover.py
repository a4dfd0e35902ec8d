"""The take-over row: two nodes on one broker, one is killed with calls up, the other one goes on with them.

The time counts from when the failure was seen: from the line in which the survivor says that the other one is not
among the nodes any more, to the one after which it has as many calls as were up.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from adapters.journal.kafka.address import parse
from bench.installation import CALLEE, USERS, numbers, register, users
from bench.kafka_replay import bare_reading
from bench.sipp import CALL, Load
from bench.table import Row
from tests.fixtures.ports import free_ports
from tests.fixtures.server import Server, tenant

RATE = 50
_ROUNDS = 5
"""So often what was refused, by a machine that is busy with other things, is tried again."""
_SETTLE_S = 3.0
_TALK_MS = 300_000
_CALLEES = tuple(str(int(CALLEE) + number) for number in range(20))
_LOOK_S = 0.05
_WAIT_S = 60.0


class Seen(NamedTuple):
    """Seconds from the kill until it was seen, and from then until all calls were taken over."""

    seen_s: float
    taken_s: float


async def takeover_row(bootstrap: str, folder: Path, count: int) -> Row:
    """`count` calls are up at node a, which is killed with everything that it runs; node b has them."""
    journal = f"kafka://{bootstrap}?prefix=takeover"
    a = _node(folder / "a", "a", journal)
    b = _node(folder / "b", "b", journal, MASTER_KEY_FILE=str(folder / "a" / "master.key"))
    async with AsyncExitStack() as opened:
        opened.push_async_callback(a.stop)
        await a.start()
        await a.apply(tenant("acme", [*_CALLEES, *numbers(USERS)]))
        opened.push_async_callback(b.stop)
        await b.start()
        await _until(b, lambda rows: [bool(row["shards"]) for row in rows] == [True, True])
        await _put_up(a, b, folder, count, opened)
        killed_at = time.time()
        await a.kill()
        seen = await _seen(b, killed_at, count)
        held = await _until(b, lambda rows: len(rows) == 1)
    bare = await asyncio.to_thread(bare_reading, parse(journal))
    return Row(
        f"take-over of {count:,} open calls on Kafka, from when the failure is seen",
        seen.taken_s,
        "s",
        "a bare kafka-python consumer reading all that is in the topics, by the clock",
        bare.wall_s,
        worst={"calls lost": count - held[0]["calls"]},
        facts={"kill to seen s": seen.seen_s, "records in the topics": bare.events, "shards": held[0]["shards"]},
    )


def _node(data: Path, name: str, journal: str, **settings: str) -> Server:
    data.mkdir(parents=True)
    return Server.at(data, SIP_DIGEST="MD5", JOURNAL=journal, NODE=name, LOG="json", **settings)


async def _put_up(a: Server, b: Server, folder: Path, count: int, opened: AsyncExitStack) -> None:
    """Calls that stay up until `opened` is left."""
    load = Load(folder / "sipp")
    (callee_port,) = free_ports(1)
    peer = await load.callee(callee_port)
    opened.push_async_callback(peer.wait)
    opened.callback(peer.kill)
    callee = await asyncio.to_thread(_register, a.udp, callee_port)
    who = [(number, credentials, callee) for number, credentials, _ in users()]
    missing = count
    for _ in range(_ROUNDS):
        (port,) = free_ports(1)
        playing = asyncio.create_task(
            load.play(CALL, f"127.0.0.1:{a.udp}", who, calls=missing, rate=RATE, port=port, talk_ms=_TALK_MS)
        )
        opened.push_async_callback(_cancelled, playing)
        await asyncio.sleep(missing / RATE + _SETTLE_S)
        rows = await _until(b, lambda rows: all(row["calls"] is not None for row in rows))
        missing = count - sum(row["calls"] for row in rows)
        if missing <= 0:
            return
    raise RuntimeError(f"{missing} of {count} calls could not be put up")


async def _cancelled(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _register(server_port: int, port: int) -> str:
    """The first of the callees whose shard is at this node, bound to `port`. Blocks."""
    for number in _CALLEES:
        try:
            register(server_port, number, port)
        except (RuntimeError, TimeoutError):
            continue
        return number
    raise RuntimeError("no callee could register")


async def _until(server: Server, good: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
    """The nodes as `server` shows them, once they are as wanted. Raises RuntimeError."""
    rows: list[dict[str, Any]] = []
    until = time.monotonic() + _WAIT_S
    async with server.client() as client:
        while time.monotonic() < until:
            answer = await client.get("/v1/nodes")
            if answer.status_code == 200 and good(rows := answer.json()["items"]):
                return rows
            await asyncio.sleep(_LOOK_S)
    raise RuntimeError(f"the nodes are not as they should be: {rows}")


async def _seen(server: Server, killed_at: float, count: int) -> Seen:
    """Once the log of `server` tells that it has the calls. Raises RuntimeError."""
    until = time.monotonic() + _WAIT_S
    while time.monotonic() < until:
        await asyncio.sleep(_LOOK_S)
        found = seen((server.data / "server.log").read_text(errors="replace"), killed_at, count)
        if found is not None:
            return found
    raise RuntimeError(f"the calls were not taken over within {_WAIT_S:.0f} s")


def seen(log: str, killed_at: float, count: int) -> Seen | None:
    """What the survivor's log says since `killed_at` (Unix seconds); None while it has not all calls."""
    seen_at, calls = None, 0
    for at, line in _lines(log):
        if at < killed_at:
            continue
        if line["event"] == "the nodes are" and line["nodes"] == "b":
            seen_at = at
        if line["event"] == "shards taken over":
            calls += line["calls"]
            if calls >= count and seen_at is not None:
                return Seen(seen_at - killed_at, at - seen_at)
    return None


def _lines(log: str) -> Iterator[tuple[float, dict[str, Any]]]:
    """The lines that have a time, with it (Unix seconds)."""
    for text in log.splitlines():
        try:
            line = json.loads(text)
            yield datetime.fromisoformat(line["timestamp"]).timestamp(), line
        except (ValueError, KeyError):
            continue
