"""The calls of real phones with the journal on a real Kafka broker: the same switchboard, killed in mid-call too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition  # type: ignore[import-untyped]

from cluster.broker import Broker
from tests.e2e.talk import TONES_HZ, both_hear, connect, hold_and_resume, phone
from tests.e2e.test_calls import test_every_device_rings_and_the_first_answer_wins as every_device_rings
from tests.e2e.test_calls import test_the_callee_does_not_want_to as callee_does_not_want_to
from tests.e2e.test_calls import test_the_caller_gives_up as caller_gives_up
from tests.fixtures.server import Server, running, tenant
from tests.phones.factory import Phones

test_every_device_rings_and_the_first_answer_wins = every_device_rings
test_the_caller_gives_up = caller_gives_up
test_the_callee_does_not_want_to = callee_does_not_want_to


@pytest.fixture
async def server(tmp_path: Path, broker: Broker, prefix: str) -> AsyncIterator[Server]:
    """As the one of the other tests, with its journal on Kafka."""
    one = Server.at(tmp_path, JOURNAL=f"kafka://{broker.bootstrap}?prefix={prefix}")
    async with running(one, tenant("acme"), tenant("globex")):
        yield one


async def exact(server: Server, takeovers: int) -> dict[str, Any]:
    """One final record of one call, and none of its events missing or doubled."""
    (cdr,) = await server.cdrs()
    assert (cdr["disposition"], cdr["takeovers"]) == ("answered", takeovers), cdr
    assert len(server.query("SELECT * FROM cdr_all")) == 1
    last = "SELECT type FROM call_events WHERE type LIKE 'call.ended.%'"
    await server.rows(last, bool)
    sequences = [row["sequence"] for row in server.query("SELECT sequence FROM call_events ORDER BY sequence")]
    assert sequences == list(range(1, len(sequences) + 1))
    return cdr


def consumed(broker: Broker, topic: str) -> Sequence[Any]:
    """Every record of a topic, as a consumer from outside sees it."""
    consumer = KafkaConsumer(bootstrap_servers=broker.bootstrap, isolation_level="read_committed")
    try:
        places = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic)]
        consumer.assign(places)
        consumer.seek_to_beginning()
        ends = consumer.end_offsets(places)
        found: list[Any] = []
        while any(consumer.position(place) < end for place, end in ends.items()):
            for records in consumer.poll(timeout_ms=200).values():
                found += records
        return found
    finally:
        consumer.close()


async def test_two_phones_talk_and_kafka_has_their_call(
    server: Server, phones: Phones, broker: Broker, prefix: str
) -> None:
    alice = await phone(server, phones, "pjsua", "1001")
    bob = await phone(server, phones, "baresip", "1002")
    out, incoming = await connect(alice, bob, "1002")
    await both_hear(out, TONES_HZ["1001"], incoming, TONES_HZ["1002"])
    await out.hang_up()
    await asyncio.gather(out.state("ended", 10), incoming.state("ended", 10))
    cdr = await exact(server, 0)
    records = await asyncio.to_thread(consumed, broker, f"{prefix}.calls")
    mine = [dict(record.headers) for record in records if record.key == str(cdr["call_id"]).encode()]
    assert [int(headers["ce_sequence"]) for headers in mine] == list(range(1, len(mine) + 1))
    assert mine[0]["ce_type"].startswith(b"call.offered.") and mine[0]["ce_tenant"] == b"acme"
    assert not (server.data / "journal.db").exists()


async def test_hold_silences_and_resume_restores(server: Server, phones: Phones) -> None:
    alice = await phone(server, phones, "pjsua", "1001", "tcp")
    bob = await phone(server, phones, "pjsua", "1002", "tls")
    out, incoming = await connect(alice, bob, "1002")
    await hold_and_resume(out, TONES_HZ["1001"], incoming, TONES_HZ["1002"], 10)
    await incoming.hang_up()
    await out.state("ended", 10)
    cdr = await exact(server, 0)
    assert cdr["hold_ms"] > 0


@pytest.mark.parametrize("how", ["kill -9", "kill -9 of the sessions", "SIGTERM"])
async def test_a_call_goes_on_after_a_restart(server: Server, phones: Phones, how: str) -> None:
    alice = await phone(server, phones, "pjsua", "1001")
    bob = await phone(server, phones, "baresip", "1002")
    out, incoming = await connect(alice, bob, "1002")
    await both_hear(out, TONES_HZ["1001"], incoming, TONES_HZ["1002"])
    if how == "kill -9":
        await server.kill()
        await server.start()
    elif how == "SIGTERM":
        assert await server.stop() == 0
        await server.start()
    else:
        await server.replace_role("sessions")
    await both_hear(out, TONES_HZ["1001"], incoming, TONES_HZ["1002"])
    await out.hold()
    await out.state("held", 20)
    await out.resume()
    await out.state("answered", 20)
    await incoming.hang_up()
    await asyncio.gather(out.state("ended", 20), incoming.state("ended", 20))
    cdr = await exact(server, 1)
    assert cdr["hangup_by"] == "callee"
    await server.items("/v1/registrations", lambda bound: {one["number"] for one in bound} == {"1001", "1002"})


async def test_the_journal_is_read_in_pages_and_the_tables_are_equal_to_a_rebuild(
    server: Server, phones: Phones
) -> None:
    alice = await phone(server, phones, "pjsua", "1001")
    bob = await phone(server, phones, "pjsua", "1002")
    out, incoming = await connect(alice, bob, "1002")
    await out.hang_up()
    await incoming.state("ended", 10)
    cdr = await exact(server, 0)
    async with server.client() as client:
        found, after = list[Any](), "0"
        while True:
            page = (await client.get("/v1/events", params={"limit": 5, "after": after})).json()
            found += page["items"]
            if page["next"] is None:
                break
            after = page["next"]
        keys = [(one["stream"], one["sequence"]) for one in found]
        assert len(keys) == len(set(keys))
        assert {one["type"].partition(".")[0] for one in found} >= {"tenant", "extension", "registration", "call"}
        mine = (await client.get("/v1/events", params={"stream": str(cdr["call_id"])})).json()["items"]
        assert [one["sequence"] for one in mine] == list(range(1, len(mine) + 1))
        assert (await client.get(f"/v1/calls/{cdr['call_id']}")).json()["steps"]
        new = (await client.get("/v1/events", params={"after": page["cursor"]})).json()
        assert new["items"] == []
        for kind in ("verify", "rebuild"):
            lines = (await client.post(f"/v1/projections/all/{kind}")).text.splitlines()
            assert '"state":"done"' in lines[-1].replace(" ", "") and '"differences":[]' in lines[-1].replace(" ", "")
    await server.items("/v1/projections", lambda listed: [one["lag"] for one in listed] == [0, 0, 0])
