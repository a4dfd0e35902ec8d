"""A ClickHouse server of its own goes away: rows wait in the journal, nothing is dropped, nothing counts twice."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import httpx
import pytest

from tests.faults.caller import RawCall, call
from tests.fixtures.clickhouse import PASSWORD, ClickHouse, start, stop
from tests.fixtures.relay import Relay
from tests.fixtures.server import Server, tenant

WAIT_S = 40.0


class Warehouse:
    """The engine as a server, behind a relay whose port stays; killed when it is told to, at a word of a client."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process, running = start(folder)
        self._word = b""
        self.killed = Event()
        self.relay = Relay(self._of(running), watch=self._watch)

    @property
    def url(self) -> str:
        return f"clickhouse://switchlog:{PASSWORD}@127.0.0.1:{self.relay.port}/switchlog"

    def kill_at(self, word: bytes) -> None:
        """As soon as a client has sent `word`: what comes after it is lost."""
        self._word = word

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self.killed.set()

    def restart(self) -> None:
        self._close()
        self._process, running = start(self._folder)
        self.relay.target = self._of(running)

    def close(self) -> None:
        if self._process.poll() is None:
            stop(self._process)
        self._close()

    def _close(self) -> None:
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _watch(self, data: bytes) -> bool:
        if self._word and self._word in data:
            self._word = b""
            self.kill()
            return False
        return True

    @staticmethod
    def _of(running: ClickHouse) -> tuple[str, int]:
        return running.host, running.port


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    folder = tmp_path / "warehouse"
    folder.mkdir()
    one = Warehouse(folder)
    try:
        with one.relay:
            yield one
    finally:
        one.close()


async def installed(tmp_path: Path, warehouse: Warehouse) -> Server:
    server = Server.at(tmp_path, CLICKHOUSE=warehouse.url)
    server.clickhouse = warehouse.relay.port
    await server.start()
    await server.apply(tenant("acme"))
    return server


def hung_up(one: RawCall) -> None:
    """Its phones are switched off."""
    one.caller.close()
    one.callee.close()


async def exact(server: Server, calls: int) -> None:
    found = await server.cdrs(calls)
    assert [(row["disposition"], row["takeovers"]) for row in found] == [("answered", 0)] * calls
    assert len(server.query("SELECT * FROM cdr_all")) == calls
    gaps = "SELECT call_id FROM call_events GROUP BY call_id HAVING count() != max(sequence)"
    await server.rows("SELECT count(DISTINCT call_id) AS n FROM call_events", lambda rows: rows[0]["n"] == calls)
    assert server.query(gaps) == []


@pytest.mark.parametrize("table", ["cdr_g1", "events_g1", "projection_state"])
async def test_killed_during_an_insert_it_has_every_row_once_after_its_restart(
    tmp_path: Path, warehouse: Warehouse, table: str
) -> None:
    server = await installed(tmp_path, warehouse)
    try:
        assert not server.pids_of("analytics"), "there is a server, so there is no engine of our own"
        first = await call(server)
        warehouse.kill_at(f"INSERT INTO {table}".encode())
        await first.end()
        assert await asyncio.to_thread(warehouse.killed.wait, WAIT_S), "nobody wrote"
        async with server.client() as client:
            answer = await client.get("/readyz")
            assert answer.status_code == 503
            assert "clickhouse" in answer.text and PASSWORD not in answer.text
        second = await RawCall(first.caller, first.callee).connect()
        await second.end()  # nobody waits for ClickHouse but the records
        hung_up(second)
        await asyncio.to_thread(warehouse.restart)
        restarted = time.monotonic()
        await server.ready()
        await exact(server, 2)
        print(f"\nClickHouse killed during an insert: complete {time.monotonic() - restarted:.1f} s after its restart")
        assert PASSWORD not in server.log()
    finally:
        await server.stop()


async def test_a_server_that_was_away_for_two_starts_of_ours_gets_everything(
    tmp_path: Path, warehouse: Warehouse
) -> None:
    server = await installed(tmp_path, warehouse)
    try:
        first = await call(server)
        warehouse.kill()
        await first.end()
        hung_up(first)
        await server.stop()
        starting = asyncio.create_task(server.start())
        async with asyncio.timeout(WAIT_S), server.client() as client:
            while "clickhouse" not in await _readiness(client):
                await asyncio.sleep(0.05)
        await asyncio.to_thread(warehouse.restart)
        await starting
        await exact(server, 1)
        assert server.log().count("the projections wait") == 2, "an outage is one line in each run"
    finally:
        await server.stop()


async def test_a_server_that_does_not_know_us_is_told_of_without_the_password(
    tmp_path: Path, warehouse: Warehouse
) -> None:
    server = Server.at(tmp_path, CLICKHOUSE=warehouse.url.replace(PASSWORD, "hidden-one"))
    starting = asyncio.create_task(server.start())
    try:
        async with asyncio.timeout(WAIT_S), server.client() as client:
            while "Authentication failed" not in (found := await _readiness(client)):
                await asyncio.sleep(0.05)
        assert "hidden" not in found and "hidden" not in server.log()
    finally:
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        await server.stop()


async def _readiness(client: httpx.AsyncClient) -> str:
    try:
        return (await client.get("/readyz")).text
    except httpx.TransportError:
        return ""
