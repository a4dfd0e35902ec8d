"""Parts of a running server fail, one at a time, with a call up: the others go on, and the record is exact."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path

import pytest
import pytest_asyncio
from clickhouse_driver import Client  # type: ignore[import-untyped]
from clickhouse_driver.errors import ServerException  # type: ignore[import-untyped]

from adapters.analytics.client import Endpoint, Warehouse
from adapters.sip.message.message import Response
from switchlog.setting.settings import Settings, load
from switchlog.store.warehouse import endpoint
from tests.faults.caller import KEY, Caller, RawCall, call
from tests.fixtures.server import ADMIN_KEY, Server, tenant

WAIT_S = 40.0
ROLES = ("api", "sessions", "media", "projector", "analytics")


@pytest.fixture
async def talking(server: Server) -> AsyncIterator[RawCall]:
    """A call that is up."""
    one = await call(server)
    yield one
    one.caller.close()
    one.callee.close()


async def exact(server: Server, takeovers: int) -> None:
    """One final record, and no event of its call missing or doubled."""
    (cdr,) = await server.cdrs()
    assert (cdr["disposition"], cdr["hangup_by"], cdr["takeovers"]) == ("answered", "caller", takeovers)
    assert len(server.query("SELECT * FROM cdr_all")) == 1
    sequences = [row["sequence"] for row in server.query("SELECT sequence FROM call_events ORDER BY sequence")]
    assert sequences == list(range(1, len(sequences) + 1))


async def positions(server: Server) -> int:
    """How many records the journal has."""
    async with server.client() as client:
        count, after = 0, ""
        while True:
            answer = (await client.get(f"/v1/events?limit=500{after}")).json()
            count += len(answer["items"])
            if not answer["next"]:
                return count
            after = f"&after={answer['cursor']}"


def alive(pids: list[int]) -> list[int]:
    return [pid for pid in pids if Path(f"/proc/{pid}").exists()]


async def gone(pids: list[int]) -> None:
    async with asyncio.timeout(WAIT_S):
        while alive(pids):
            await asyncio.sleep(0.01)


async def command(server: Server, *words: str) -> tuple[int, str]:
    """The command line, beside the server."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "switchlog",
        *words,
        env=server.environment | {"SWITCHLOG_API_KEY": ADMIN_KEY, "SWITCHLOG_URL": f"http://127.0.0.1:{server.http}"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(WAIT_S):
        out, _ = await process.communicate()
    return process.returncode or 0, out.decode()


# --- a process is killed


@pytest.mark.parametrize("role", ROLES)
async def test_a_killed_role_is_started_again_and_the_call_goes_on(server: Server, talking: RawCall, role: str) -> None:
    others = {name: server.pid_of(name) for name in ROLES if name != role}
    killed = server.pid_of(role)
    await server.kill_role(role)
    await talking.end()
    await gone([killed])
    await server.ready()
    await exact(server, 1 if role == "sessions" else 0)
    assert server.pid_of(role) != killed
    assert {name: server.pid_of(name) for name in others} == others, "the others were not touched"


async def test_no_child_outlives_the_parent(server: Server, talking: RawCall) -> None:
    children = server.children()
    assert len(children) == len(ROLES) + 1, "and the spare media worker"
    assert server.process is not None
    server.process.kill()
    await server.process.wait()
    await gone(children)
    await server.start()
    await talking.end()
    await exact(server, 1)


async def test_sigterm_ends_everything_and_the_call_goes_on_after_the_next_start(
    server: Server, talking: RawCall
) -> None:
    children = server.children()
    async with server.client() as client:
        assert (await client.get("/healthz")).status_code == 200
        assert await server.stop() == 0, "whoever keeps a connection open does not hold the end up"
    assert not alive(children)
    assert "is killed" not in server.log()
    await server.start()
    await talking.end()
    await exact(server, 1)


async def test_what_ends_just_before_sigterm_is_projected(server: Server, talking: RawCall) -> None:
    projector, sessions = server.pid_of("projector"), server.pid_of("sessions")
    os.kill(projector, signal.SIGSTOP)
    await talking.end()
    ending = asyncio.create_task(server.stop())
    await gone([sessions])
    os.kill(projector, signal.SIGCONT)
    assert await ending == 0
    with sqlite3.connect(server.data / "journal.db") as journal:
        (last,) = journal.execute("SELECT max(position) FROM records").fetchone()
    journal.close()
    # The analytics role alone catches up with nothing: it shows what was there at the end.
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "switchlog", "serve", "--role", "analytics", env=server.environment
    )
    try:
        with Warehouse(Endpoint("127.0.0.1", server.clickhouse, "analyst", "")) as reader:
            async with asyncio.timeout(WAIT_S):
                while not await asyncio.to_thread(reader.ping):
                    await asyncio.sleep(0.05)
        (row,) = server.query("SELECT max(position) AS position FROM call_events")
        assert row["position"] == last
        (cdr,) = server.query("SELECT * FROM cdr")
        assert cdr["final"]
    finally:
        process.terminate()
        await process.wait()


# --- ClickHouse


async def test_records_come_later_when_clickhouse_was_away(server: Server, talking: RawCall) -> None:
    stopped = server.pid_of("analytics")
    os.kill(stopped, signal.SIGSTOP)
    await talking.end()
    second = await RawCall(talking.caller, talking.callee).connect()
    await second.end()
    os.kill(stopped, signal.SIGKILL)
    await gone([stopped])
    await server.ready()
    found = await server.cdrs(2)
    assert [row["disposition"] for row in found] == ["answered", "answered"]
    assert len(server.query("SELECT * FROM cdr_all")) == 2


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO cdr_g1 (tenant) VALUES ('evil')",
        "DROP TABLE cdr_g1",
        "TRUNCATE TABLE events_g1",
        "ALTER TABLE cdr_g1 DELETE WHERE 1",
        "CREATE TABLE mine (a Int8) ENGINE = Memory",
        "SELECT * FROM file('/etc/passwd', 'LineAsString')",
        "SELECT 1 INTO OUTFILE '/tmp/never'",
        "SET readonly = 0",
        "SYSTEM SHUTDOWN",
    ],
)
async def test_an_analyst_cannot_write(shared: Server, sql: str) -> None:
    with pytest.raises(ServerException):
        shared.query(sql)
    assert shared.query("SELECT count() AS n FROM cdr WHERE tenant = 'evil'") == [{"n": 0}]


async def test_the_writers_account_needs_its_password(shared: Server) -> None:
    client = Client("127.0.0.1", port=shared.clickhouse, user="switchlog", password="", database="switchlog")
    with pytest.raises((ServerException, EOFError), match=r"Authentication|EOF|Unexpected"):
        client.execute("SELECT 1")
    client.disconnect()


# --- the disk


async def test_a_full_disk_acknowledges_nothing_and_heals(server: Server, talking: RawCall) -> None:
    """The files of the sessions process may not grow for a while."""
    sessions = server.pid_of("sessions")
    before = await positions(server)
    held = resource.prlimit(sessions, resource.RLIMIT_FSIZE)
    resource.prlimit(sessions, resource.RLIMIT_FSIZE, (1, held[1]))
    carol, other = await Caller.at(server, "1003"), await Caller.at(server, "1001")
    to = "sip:1002@acme.example"
    refused = await asyncio.gather(
        answered(carol.register()),
        answered(other.ask("INVITE", to, "call-on-a-full-disk", f"<{to}>", body=other.sdp())),
    )
    assert all(status in (None, 408, 500, 503) for status in refused), refused
    assert await positions(server) == before
    resource.prlimit(sessions, resource.RLIMIT_FSIZE, held)
    async with asyncio.timeout(WAIT_S):
        while await answered(carol.register()) != 200:
            pass
    second = await RawCall(talking.caller, talking.callee).connect()
    await talking.end()
    await second.end()
    for one in (carol, other):
        one.close()
    assert server.pid_of("sessions") == sessions
    found = await server.cdrs(2)
    assert [row["disposition"] for row in found] == ["answered", "answered"]


async def answered(asking: Awaitable[Response]) -> int | None:
    """The status of the final response, None for silence."""
    try:
        async with asyncio.timeout(4):
            return (await asking).status
    except TimeoutError:
        return None


# --- hostile phones, secrets


async def test_wrong_passwords_append_nothing(server: Server) -> None:
    before = await positions(server)
    caller = await Caller.at(server, "1001")
    for number in range(150):
        response = await caller.register(password=f"guess-{number}")
        assert response.status in (401, 403), response
    assert await positions(server) == before
    assert (await caller.register()).status == 200
    assert await positions(server) > before, "the right password does"
    caller.close()


async def test_the_log_and_the_api_never_tell_a_secret(server: Server, talking: RawCall) -> None:
    guesser = await Caller.at(server, "1003")
    await guesser.register(password="a-guessed-password")
    guesser.close()
    await server.kill_role("sessions")
    await talking.end()
    await server.ready()
    async with server.client() as client:
        events = (await client.get("/v1/events?limit=500")).text
        exported = (await client.get("/v1/export")).text
    assert await server.stop() == 0
    log = (server.data / "server.log").read_text()
    for secret in (KEY, talking.caller.password, talking.callee.password, "a-guessed-password", ADMIN_KEY):
        for text in (log, events, exported):
            assert secret not in text
    journal = b"".join(path.read_bytes() for path in server.data.glob("journal.db*"))
    assert KEY.encode() not in journal
    assert talking.caller.password.encode() not in journal
    for word in ("response=", "Digest username", "a=crypto"):
        assert word not in log
    for line in log.splitlines():
        entry = json.loads(line)
        if "call" in entry:
            assert entry["tenant"] == "acme", line


# --- projections


async def test_rebuild_and_verify_while_calls_happen(server: Server, talking: RawCall) -> None:
    async def calls() -> None:
        for _ in range(5):
            one = await RawCall(talking.caller, talking.callee).connect()
            await one.end()

    (rebuilt, said), _ = await asyncio.gather(command(server, "projections", "rebuild", "all"), calls())
    assert rebuilt == 0, said
    await talking.end()
    (verified, said), _ = await asyncio.gather(command(server, "projections", "verify", "all"), calls())
    assert verified == 0, said
    assert len(await server.cdrs(11)) == 11
    with Warehouse(endpoint(settings(server))) as writer:
        writer.execute("ALTER TABLE cdr_g2 UPDATE talk_ms = talk_ms + 1 WHERE 1 SETTINGS mutations_sync = 2")
    code, said = await command(server, "projections", "verify", "cdr")
    assert code == 1, said
    assert "differs" in said
    assert (await command(server, "projections", "rebuild", "cdr"))[0] == 0
    assert (await command(server, "projections", "verify", "cdr"))[0] == 0


async def test_a_job_under_way_does_not_hold_up_the_end(server: Server, talking: RawCall) -> None:
    job = asyncio.create_task(command(server, "projections", "verify", "all"))
    await asyncio.sleep(0)
    assert await server.stop() == 0
    code, said = await job
    assert code in (0, 1, 3), said
    assert "Traceback" not in said


def settings(server: Server) -> Settings:
    return load(environment={}, data=server.data, clickhouse_listen=f"127.0.0.1:{server.clickhouse}")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """One server for what leaves no traces."""
    one = Server.at(tmp_path_factory.mktemp("shared"))
    try:
        await one.start()
        await one.apply(tenant("acme"))
        yield one
    finally:
        await one.stop()
