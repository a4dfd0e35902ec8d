"""What the Compose files describe, started without containers: each service of ours is told what it says there.

Ports are free ones of this machine, Kafka is a real broker, and ClickHouse is the engine inside, in a process of its
own.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from cluster.broker import Broker
from domain.ids import SHARDS
from tests.deploy.files import DEPLOY
from tests.deploy.test_compose import CLUSTER, ONE_NODE, composed, roles, servers, told
from tests.deploy.test_metrics import OF_NODES
from tests.fixtures.broker import fresh_journal
from tests.fixtures.ports import free_ports
from tests.fixtures.server import ADMIN_KEY, tenant

START_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 60.0
_ADDRESS = re.compile(r"127\.0\.0\.1:(\d+)")


class Topology:
    """The processes of one Compose file."""

    def __init__(self, path: Path, folder: Path, kafka: str) -> None:
        self.content = composed(path, SWITCHLOG_ADMIN_KEY=ADMIN_KEY)
        self._folder, self._kafka = folder, kafka
        self._ports: dict[str, int] = {}
        self._running: dict[str, asyncio.subprocess.Process] = {}

    def moved(self, text: str) -> str:
        """The same with free ports for those of the file, and keys that this test has made."""
        if text.startswith("kafka://"):
            return self._kafka

        def free(found: re.Match[str]) -> str:
            if found[1] not in self._ports:
                self._ports[found[1]] = free_ports(1)[0]
            return f"127.0.0.1:{self._ports[found[1]]}"

        return _ADDRESS.sub(free, text).replace("/run/keys", str(self._folder / "keys"))

    async def start(self) -> None:
        """All of them at once, as nobody may rely on an order."""
        keys = self.content["services"].get("keys")
        if keys:
            _, _, _, *nodes = keys["entrypoint"]
            await self._run(["sh", str(DEPLOY / "keys.sh"), str(self._folder / "keys"), *nodes], {})
        await self._begin("clickhouse", ["serve", "--role", "analytics"], self._clickhouse())
        for name, service in servers(self.content).items():
            await self._begin(name, service.get("command", ["serve"]), service["environment"])

    async def healthy(self) -> None:
        """Until the probe of each says so."""
        for name, service in servers(self.content).items():
            own = {"SWITCHLOG_DATA": str(self._folder / name)}
            wanted = [role for role in ("sessions", "projector", "api") if role in roles(service)]
            probe = [sys.executable, "-m", "switchlog", "ready", *wanted]
            await self._until(name, partial(self._run, probe, own))

    def url(self, name: str) -> str:
        return self.moved(f"http://{told(servers(self.content)[name]).http}")

    async def figures(self, name: str) -> dict[str, float]:
        """What Prometheus would read of it, without labels."""
        async with httpx.AsyncClient() as client:
            text = (await client.get(self.url(name) + "/metrics")).text
        return {found[1]: float(found[2]) for found in re.finditer(r"^(\w+) (\S+)$", text, re.MULTILINE)}

    async def shared_out(self, client: httpx.AsyncClient, front: str, holds: dict[str, bool]) -> None:
        """Until exactly these nodes are there, all shards are held, and each node has some or none."""
        listed: Any = None
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                while True:
                    listed = (await client.get(self.url(front) + "/v1/nodes")).json()["items"]
                    held = {one["name"]: one["shards"] or 0 for one in listed}
                    if {name: count > 0 for name, count in held.items()} == holds and sum(held.values()) == SHARDS + 1:
                        return
                    await asyncio.sleep(0.2)
        except TimeoutError:
            raise AssertionError(f"the shards are not shared out: {listed}") from None

    async def measured(self, names: Iterable[str], wanted: frozenset[str]) -> None:
        """Until each of these has all of these metrics: some are of the time before."""
        lacking: Any = None
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                for name in names:
                    while lacking := wanted - (await self.figures(name)).keys():
                        await asyncio.sleep(0.2)
        except TimeoutError:
            raise AssertionError(f"there are no such metrics: {lacking}") from None

    async def stop(self) -> dict[str, int]:
        """SIGTERM to all at once; their exit codes."""
        for process in self._running.values():
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        async with asyncio.timeout(STOP_TIMEOUT_S):
            return {name: await process.wait() for name, process in self._running.items()}

    def kill(self) -> None:
        for process in self._running.values():
            with contextlib.suppress(ProcessLookupError):
                process.kill()

    def log(self, name: str) -> str:
        return (self._folder / f"{name}.log").read_text(errors="replace")[-3000:]

    def _clickhouse(self) -> dict[str, str]:
        given = self.content["services"]["clickhouse"]["environment"]
        where = self.content["services"]["clickhouse"]["ports"][0].rpartition(":")[0]
        return {
            "SWITCHLOG_CLICKHOUSE_LISTEN": where,
            "SWITCHLOG_CLICKHOUSE_PASSWORD": given["CLICKHOUSE_PASSWORD"],
            "SWITCHLOG_CLICKHOUSE_ANALYST_PASSWORD": given["ANALYST_PASSWORD"],
        }

    async def _begin(self, name: str, words: list[str], environment: dict[str, str]) -> None:
        told = {key: self.moved(value) for key, value in environment.items()}
        with (self._folder / f"{name}.log").open("ab") as log:
            self._running[name] = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "switchlog", *words),
                env=_clean() | told | {"SWITCHLOG_DATA": str(self._folder / name)},
                stdout=log,
                stderr=log,
            )

    async def _run(self, words: list[str], environment: dict[str, str]) -> int:
        process = await asyncio.create_subprocess_exec(
            *words, env=_clean() | environment, stderr=asyncio.subprocess.DEVNULL
        )
        return await process.wait()

    async def _until(self, name: str, probe: Callable[[], Awaitable[int]]) -> None:
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                while await probe():
                    assert self._running[name].returncode is None, self.log(name)
                    await asyncio.sleep(0.2)
        except TimeoutError:
            raise AssertionError(f"{name} is not healthy: {self.log(name)}") from None


def _clean() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("SWITCHLOG_")}


@pytest.fixture(params=[CLUSTER, ONE_NODE], ids=lambda path: path.stem)
async def topology(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Topology]:
    kafka = ""
    if request.param == CLUSTER:
        broker: Broker = request.getfixturevalue("broker")
        kafka = fresh_journal(broker)
    one = Topology(request.param, tmp_path, kafka)
    try:
        await one.start()
        await one.healthy()
        yield one
        assert set((await one.stop()).values()) == {0}
    finally:
        one.kill()


async def test_it_starts_takes_a_tenant_moves_shards_and_ends_in_order(topology: Topology) -> None:
    services = servers(topology.content)
    front = "api" if "api" in services else "node"
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {ADMIN_KEY}"}, timeout=30) as client:
        answer = await client.post(topology.url(front) + "/v1/apply", json={"tenants": [tenant("acme")]})
        assert answer.status_code == 200, answer.text
        assert (await client.get(topology.url(front) + "/v1/cdr")).json()["items"] == []
        (writer,) = (name for name, one in services.items() if "projector" in roles(one))
        assert (await client.get(topology.url(writer) + "/v1/projections")).status_code == 200
        nodes = {told(one).node: name for name, one in services.items() if "sessions" in roles(one)}
        await topology.shared_out(client, front, dict.fromkeys(nodes, True))
        if len(nodes) > 1:
            one, *others = nodes
            drained = await client.post(f"{topology.url(front)}/v1/nodes/{one}/drain")
            assert drained.json() == {"name": one, "draining": True, "shards": 0}, drained.text
            await topology.shared_out(client, front, dict.fromkeys(others, True) | {one: False})
            await topology.measured(nodes.values(), OF_NODES)
    assert sum([(await topology.figures(name))["switchlog_node_shards"] for name in nodes.values()]) == SHARDS
