"""The secrets of several nodes on one Kafka: known to each that has the key, open to nobody else, lost with no disk."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.keys.courier import KEY, REMOVED, SEALED
from adapters.keys.master import key_id, load_master_key
from adapters.sip.digest.challenge import ha1
from cluster.broker import Broker
from domain.catalog import topic
from domain.extension import Extension
from tests.faults.caller import Caller
from tests.faults.test_start import attempt
from tests.fixtures.broker import fresh_prefix
from tests.fixtures.outsider import Contract, Heard, listen
from tests.fixtures.server import PASSWORD, Server, tenant

WAIT_S = 30.0


class Cluster:
    """Nodes with data folders of their own, on one journal. One at a time serves, the others are told to."""

    def __init__(self, folder: Path, broker: Broker) -> None:
        self.folder, self.broker, self.prefix = folder, broker, fresh_prefix()
        self.key_file = folder / "cluster.key"
        self.nodes: list[Server] = []

    def node(self, name: str, **settings: str) -> Server:
        data = self.folder / name
        data.mkdir(exist_ok=True)
        journal = f"kafka://{self.broker.bootstrap}?prefix={self.prefix}"
        node = Server.at(data, JOURNAL=journal, NODE=name, **{"MASTER_KEY_FILE": str(self.key_file), **settings})
        self.nodes.append(node)
        return node


@pytest.fixture
async def cluster(tmp_path: Path, broker: Broker) -> AsyncIterator[Cluster]:
    one = Cluster(tmp_path, broker)
    load_master_key(one.key_file)
    try:
        yield one
    finally:
        for node in one.nodes:
            await node.stop()


async def registers(node: Server, number: str = "1001", password: str = "") -> int:
    """The status of a phone's REGISTER."""
    caller = await Caller.at(node, number)
    try:
        return (await caller.register(password=password)).status
    finally:
        await caller.closed()


async def export(node: Server) -> Any:
    async with node.client() as client:
        answer = await client.get("/v1/export", params={"secrets": "true"})
        assert answer.status_code == 200, answer.text
        return answer.json()


async def answers(node: Server, key: str, status: int = 200) -> None:
    """The node's API answers the bearer of `key` so, soon."""
    async with asyncio.timeout(WAIT_S), httpx.AsyncClient(base_url=f"http://127.0.0.1:{node.http}") as client:
        headers = {"Authorization": f"Bearer {key}"}
        while (await client.get("/v1/calls", headers=headers)).status_code != status:
            await asyncio.sleep(0.05)


async def heard(cluster: Cluster, *topics: str) -> list[Heard]:
    """What an outsider reads, by partition and offset."""
    found = await asyncio.to_thread(listen, cluster.broker.bootstrap, cluster.prefix, topics)
    return sorted(found, key=lambda one: one[:3])


def changed(password: str) -> dict[str, Any]:
    one = tenant("acme", ["1001"])
    one["extensions"][0]["password"] = password
    return one


async def test_what_one_node_was_told_another_one_knows(cluster: Cluster) -> None:
    a = cluster.node("a")
    await a.start()
    await a.apply(tenant("acme", ["1001", "1002"]))
    async with a.client() as client:
        made = (await client.post("/v1/keys", json={"role": "tenant-admin", "tenant": "acme"})).json()
    await answers(a, made["key"])
    await a.apply(changed("another-secret"))
    assert [await registers(a), await registers(a, password="another-secret")] == [401, 200]
    known = await export(a)
    assert await a.stop() == 0

    b = cluster.node("b")
    await b.start()
    assert await export(b) == known
    await answers(b, made["key"])
    assert [await registers(b), await registers(b, password="another-secret")] == [401, 200]
    await b.apply(changed("a-third-secret"))
    assert await b.stop() == 0

    await a.start()  # it was away meanwhile
    assert [await registers(a, password=f"{word}-secret") for word in ("another", "a-third")] == [401, 200]
    shutil.rmtree(b.data)
    assert await a.stop() == 0
    b.data.mkdir()
    await b.start()  # its disk is lost
    assert await registers(b, password="a-third-secret") == 200
    assert not list(b.data.glob("secrets.db*"))
    assert await b.stop() == 0

    contract = Contract()
    everything = await heard(cluster, "config")
    said = [one.type for one in everything if one.type in (KEY, SEALED, REMOVED)]
    assert said == [KEY, *[SEALED] * 5]
    text = b"".join(one.value for one in everything)
    for one in everything:
        contract.check(one)
    words = ["another-secret", "a-third-secret", PASSWORD.format(username="1002"), made["key"]]
    words += [ha1("1001", "acme.example", word, kind) for word in words for kind in ("MD5", "SHA-256")]
    for word in words:
        assert word.encode() not in text


async def test_a_node_with_another_key_stops_and_takes_nothing(cluster: Cluster) -> None:
    a = cluster.node("a")
    await a.start()
    await a.apply(tenant("acme", ["1001"]))
    before = await heard(cluster, "calls", "config")
    stranger = cluster.node("stranger", MASTER_KEY_FILE="")
    found = await asyncio.to_thread(attempt, stranger)
    own, theirs = (key_id(load_master_key(path)) for path in (stranger.data / "master.key", cluster.key_file))
    assert found.code == 1
    line = (
        f"the sessions cannot run: the master key in {stranger.data}/master.key is not the one of this cluster: it has "
        f"the id {own}, and this cluster's has {theirs}; copy another node's there, or name it in "
        "SWITCHLOG_MASTER_KEY_FILE"
    )
    assert found.errors in ([line], [line.replace("sessions", "api", 1)]), found
    assert await heard(cluster, "calls", "config") == before
    assert await registers(a) == 200
    stranger.settings["MASTER_KEY_FILE"] = str(cluster.key_file)
    assert await a.stop() == 0
    await stranger.start()
    assert await registers(stranger) == 200


async def test_a_first_node_makes_the_key_that_the_next_one_is_given(cluster: Cluster) -> None:
    a = cluster.node("a", MASTER_KEY_FILE="")
    await a.start()
    await a.apply(tenant("acme", ["1001"]))
    assert await a.stop() == 0
    b = cluster.node("b", MASTER_KEY_FILE="")
    shutil.copy(a.data / "master.key", b.data)
    await b.start()
    assert await registers(b) == 200


async def test_killed_between_the_journal_and_its_store_a_node_knows_all_that_it_acknowledged(
    cluster: Cluster,
) -> None:
    """Applies go on one after the other until `kill -9`; whatever was answered, and nothing by halves, is true then."""
    a = cluster.node("a")
    await a.start()
    await a.apply(changed("secret-0"))
    answered = 0

    async def go_on() -> None:
        nonlocal answered
        for number in range(1, 1000):
            await a.apply(changed(f"secret-{number}"))
            answered = number

    going = asyncio.create_task(go_on())
    async with asyncio.timeout(WAIT_S):
        while answered < 5:
            await asyncio.sleep(0.01)
    await a.kill()
    with pytest.raises((httpx.HTTPError, AssertionError)):
        await going
    await a.start()
    statuses = [await registers(a, password=f"secret-{answered + more}") for more in (0, 1)]
    assert sorted(statuses) == [200, 401]
    number = answered + statuses.index(200)
    async with a.client() as client:
        page = (await client.get("/v1/events", params={"type": topic(Extension.Changed)})).json()["items"]
    assert len(page) == number
