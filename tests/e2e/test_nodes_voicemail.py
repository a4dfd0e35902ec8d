"""Real phones at two nodes and a mailbox: it is at the owner of its shard, and goes on at another when that dies."""

from __future__ import annotations

import asyncio
import io
import wave
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from adapters.analytics.client import Warehouse
from cluster.broker import Broker
from media.tone import levels
from tests.e2e.talk import LOUD_DBFS, QUIET_DBFS, TONES_HZ, phone
from tests.e2e.test_nodes import command
from tests.e2e.test_nodes_conference import owner_of_calls
from tests.e2e.test_voicemail import ACME, BOX, SAID_S, happens, leave, messages, with_box
from tests.fixtures.broker import fresh_journal
from tests.fixtures.clickhouse import ClickHouse
from tests.fixtures.nodes import Nodes, sharing
from tests.fixtures.server import Server
from tests.phones.factory import Phones


@pytest.fixture
async def nodes(tmp_path: Path, broker: Broker, clickhouse: ClickHouse, warehouse: Warehouse) -> AsyncIterator[Nodes]:
    """Two nodes that share a storage."""
    storage = str(tmp_path / "storage")
    two = Nodes(tmp_path, fresh_journal(broker), clickhouse, warehouse.endpoint.database, STORAGE=storage)
    async with sharing(two, with_box(ring_s=1, pinless=True)):
        yield two


async def tones(node: Server, message: str) -> tuple[float, ...]:
    """The levels of Alice's tone and of Bob's in a message, fetched by way of a node."""
    async with node.client() as client:
        answer = await client.get(f"{BOX}/{message}/audio", params=ACME)
    assert answer.status_code == 200, answer.text
    with wave.open(io.BytesIO(answer.content)) as file:
        rate, samples = file.getframerate(), np.frombuffer(file.readframes(file.getnframes()), np.int16)
    return levels(samples, rate, [TONES_HZ["1001"], TONES_HZ["1002"]])


async def test_a_mailbox_is_at_one_node_and_goes_on_at_another(nodes: Nodes, phones: Phones) -> None:
    """In the middle of a message its node is drained; with a second one in it the node dies that has it then. The lamp
    of a phone follows, and messages are listed and fetched by way of any node, and heard at the one that lives."""
    alice = await phone(nodes.a, phones, "pjsua", "1001")
    bob = await phone(nodes.b, phones, "pjsua", "1002", summaries=True)
    await nodes.known()
    await bob.summary("Messages-Waiting: no")
    call = await alice.dial("1002")
    await leave(call, nodes.a)
    name = await owner_of_calls(nodes)
    other = nodes.b if name == "a" else nodes.a
    await command(other, "nodes", "drain", name)
    await asyncio.sleep(2 * SAID_S)
    await call.hang_up()
    await bob.summary("Voice-Message: 1/0", 40)
    for node in (nodes.a, nodes.b):
        (message,) = await messages(node, 1, timeout_s=40)
        own, its = await tones(node, message["message"])
        assert own > LOUD_DBFS, own
        assert its < QUIET_DBFS, its
    await command(other, "nodes", "resume", name)
    await nodes.shared()
    call = await alice.dial("1002")
    await call.state("answered", 10)
    await happens(other, "mailbox.recording_begun", times=2)
    await asyncio.sleep(SAID_S)
    name = await owner_of_calls(nodes)
    await call.hang_up()
    await bob.summary("Voice-Message: 2/0")
    await nodes.by_name[name].kill()
    heir = nodes.b if name == "a" else nodes.a
    assert len(await messages(heir, 2, timeout_s=40)) == 2
    carol = await phone(heir, phones, "pjsua", "1003")
    listening = await carol.dial("*971002")
    await listening.state("answered", 20)
    await listening.press("4321#")
    await happens(heir, "mailbox.message_heard")
    await bob.summary("Voice-Message: 1/1", 40)
    await listening.hang_up()
