"""Somebody else writes into the journal's topics: noise is passed over and told of, the unknown costs its shard."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
import yaml
from kafka import KafkaProducer  # type: ignore[import-untyped]

from cluster.broker import Broker
from domain.ids import CONFIG_SHARD, SHARDS, named_stream_id, new_stream_id, shard_of, shard_of_registration
from tests.faults.caller import RawCall, call
from tests.fixtures.server import Server, running, tenant

WAIT_S = 40.0
Headers = Sequence[tuple[str, bytes]]


class Stranger:
    """Writes to the topics with a prefix."""

    def __init__(self, broker: Broker, prefix: str) -> None:
        self._producer = KafkaProducer(bootstrap_servers=broker.bootstrap, acks="all")
        self._prefix = prefix

    def write(self, topic: str, partition: int, key: bytes | None, value: bytes | None, headers: Headers = ()) -> None:
        sent = self._producer.send(
            f"{self._prefix}.{topic}", key=key, value=value, headers=list(headers), partition=partition
        )
        sent.get(10)

    def noise(self, topic: str, partition: int) -> None:
        """Nothing, bytes of chance, another program's record, and a tombstone."""
        self.write(topic, partition, b"" if topic == "checkpoints" else None, b"")  # Kafka wants a key there
        self.write(topic, partition, os.urandom(20), os.urandom(2000))
        self.write(topic, partition, b"order-1", b'{"id": 1}', [("content-type", b"application/json")])
        self.write(topic, partition, b"order-1", None)

    def event(self, stream: UUID, kind: str, topic: str = "calls") -> None:
        """What has our framing, of a type of its own."""
        headers = [
            ("ce_specversion", b"1.0"),
            ("ce_id", f"{stream}:1".encode()),
            ("ce_source", b"/elsewhere"),
            ("ce_type", kind.encode()),
            ("ce_subject", str(stream).encode()),
            ("ce_time", b"2026-01-02T03:04:05Z"),
            ("ce_tenant", b"acme"),
            ("ce_sequence", b"1"),
            ("epoch", b"1"),
        ]
        partition = 0 if topic == "config" else shard_of(stream)
        value = b'{"context": {"actor": "a", "node": "b"}}'
        self.write(topic, partition, str(stream).encode(), value, headers)

    def newer_node(self, call: UUID) -> None:
        """A checkpoint and letters as a newer version may write them."""
        shard = shard_of(call)
        part = UUID(int=call.int ^ (1 << 32))
        self.write("checkpoints", shard, f"shard-{shard}".encode(), msgspec.msgpack.encode({"from": 7}))
        self.write("checkpoints", shard, f"{part}/0".encode(), msgspec.msgpack.encode([["newer", 1]]))
        for kind in (b"command.asked.1", b"command.answered.1", b"command.whispered.1"):
            self.write("commands", shard, b"id", b"sealed otherwise", [("ce_type", kind), ("to", b"shard:64")])

    def close(self) -> None:
        self._producer.close(5)


@pytest.fixture
async def server(tmp_path: Path, broker: Broker, prefix: str) -> AsyncIterator[Server]:
    one = Server.at(tmp_path, JOURNAL=f"kafka://{broker.bootstrap}?prefix={prefix}")
    async with running(one, tenant("acme")):
        yield one


@pytest.fixture
async def stranger(server: Server, broker: Broker, prefix: str) -> AsyncIterator[Stranger]:
    one = await asyncio.to_thread(Stranger, broker, prefix)
    yield one
    await asyncio.to_thread(one.close)


async def parked(server: Server, enough: int) -> list[dict[str, Any]]:
    sql = "SELECT name, partition, type, reason FROM projection_parked FINAL ORDER BY name, partition, position"
    return await server.rows(sql, lambda rows: len(rows) >= enough)


async def call_id(server: Server) -> UUID:
    (one,) = await server.items("/v1/calls", bool)
    return UUID(one["call_id"])


async def exact(server: Server, calls: int, takeovers: int) -> None:
    found = await server.cdrs(calls)
    assert [(row["disposition"], row["takeovers"]) for row in found] == [("answered", takeovers)] + [
        ("answered", 0)
    ] * (calls - 1)
    assert server.query("SELECT call_id FROM call_events GROUP BY call_id HAVING count() != max(sequence)") == []


@pytest.fixture
async def up(server: Server) -> AsyncIterator[RawCall]:
    """A call that is up."""
    one = await call(server)
    yield one
    one.caller.close()
    one.callee.close()


async def test_noise_in_every_topic_stops_nobody(server: Server, stranger: Stranger, up: RawCall) -> None:
    shard = shard_of(await call_id(server))
    places = [("calls", shard), ("registrations", shard_of_registration("acme", "1001")), ("config", 0)]
    for topic, partition in [*places, ("checkpoints", shard), ("commands", shard)]:
        await asyncio.to_thread(stranger.noise, topic, partition)
    await server.apply(tenant("globex"))
    found = await parked(server, 12)
    assert {(row["name"], row["partition"]) for row in found} == {
        ("cdr", f"calls-{shard}"),
        ("events", f"calls-{shard}"),
        ("registrations", f"registrations-{places[1][1]}"),
    }
    assert len(found) == 12 and all(row["reason"] for row in found)
    listed = await server.items("/v1/projections", lambda listed: all(one["parked"] == 4 for one in listed))
    assert all(f"-{shard}" in one["detail"] for one in listed[:2]), listed
    async with server.client() as client:
        metrics = (await client.get("/metrics")).text
    assert "switchlog_journal_unreadable_total 12.0" in metrics and "parked_records 12.0" in metrics
    await server.replace_role("sessions")
    await up.end()
    again = await RawCall(up.caller, up.callee).connect()
    await again.end()
    await exact(server, 2, takeovers=1)
    assert "is not served" not in server.log()


@pytest.mark.parametrize("newer", ["teleported.1", "{}.99"], ids=["of an unknown type", "of a newer version"])
async def test_what_is_not_known_yet_costs_its_shard_and_no_other(
    server: Server, stranger: Stranger, up: RawCall, newer: str
) -> None:
    """In each topic: calls, registrations and configuration that are not known are refused, the rest is passed over."""
    call, bound, changed = (
        f"{name}.{newer.format(event)}"
        for name, event in [("call", "offered"), ("registration", "bound"), ("tenant", "changed")]
    )
    mine = await call_id(server)
    used = {shard_of(mine), *(shard_of_registration("acme", number) for number in ("1001", "1002"))}
    others = [new_stream_id(mine.int >> 80, shard, b"stranger") for shard in range(SHARDS) if shard not in used]
    await asyncio.to_thread(stranger.event, others[0], call)
    await asyncio.to_thread(stranger.event, others[1], bound, "registrations")
    await asyncio.to_thread(stranger.event, named_stream_id(CONFIG_SHARD, "stranger"), changed, "config")
    await asyncio.to_thread(stranger.newer_node, mine)
    await server.apply(tenant("globex"))  # who owns the configuration already knows what it is
    found = await parked(server, 2)
    assert [(row["name"], row["type"]) for row in found] == [("cdr", call), ("registrations", bound)], (
        "the JSON of a call's is shown among the events"
    )
    began = time.monotonic()
    await server.replace_role("sessions")
    print(f"\nunknown records in every topic: the node was ready {time.monotonic() - began:.1f} s after its death")
    log = (server.data / "server.log").read_text()
    for kind in (call, bound, changed):
        assert f"no event of type '{kind}' is known" in log
    assert "the configuration cannot be changed here" in log
    async with server.client() as client:
        assert "switchlog_shards_refused 2.0" in (await client.get("/metrics")).text
        (node,) = (await client.get("/v1/nodes")).json()["items"]
        assert node["shards"] == 65
        document = yaml.safe_dump({"tenants": [tenant("initech")]})
        refused = await client.post("/v1/apply", content=document, headers={"Content-Type": "application/yaml"})
        assert (refused.status_code, changed in refused.text) == (503, True), refused.text
    await up.end()
    for _ in range(3):  # none of them finds its way into the shard that is refused
        again = await RawCall(up.caller, up.callee).connect()
        await again.end()
    await exact(server, 4, takeovers=1)
