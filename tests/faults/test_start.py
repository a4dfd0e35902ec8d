"""A start that cannot succeed: one line that names what to do, a failing exit code, and nothing left behind."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from adapters.journal.schema import SCHEMA_VERSION
from tests.faults.caller import Caller
from tests.fixtures.server import Server, tenant

GIVES_UP_WITHIN_S = 40.0
"""A hang, not slowness, fails: other tests may use the processors."""


class Attempt(NamedTuple):
    code: int
    errors: list[str]
    """What stands in the log at error level, and lines that are no log lines"""
    last: str
    """What the last line says"""


def attempt(server: Server, *words: str) -> Attempt:
    """Start it, expecting that it gives up; every process that it started is gone."""
    done = subprocess.run(
        [sys.executable, "-m", "switchlog", "serve", *words],
        env=server.environment,
        capture_output=True,
        text=True,
        timeout=GIVES_UP_WITHIN_S,
        check=False,
    )
    errors, last = [], ""
    for line in done.stderr.splitlines():
        last = line
        if not line.startswith("{"):
            errors.append(line)
            continue
        entry = json.loads(line)
        last = entry["event"]
        if entry["level"] in ("error", "critical"):
            errors.append(entry["event"])
        if "pid" in entry:
            assert not is_ours(entry["pid"]), line
    return Attempt(done.returncode, errors, last)


def is_ours(pid: int) -> bool:
    try:
        return b"switchlog.child" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return False


def refused(server: Server, *parts: str, code: int = 1) -> None:
    """It gives up with one line, its last one, in which all `parts` stand."""
    found = attempt(server)
    assert (found.code, found.errors) == (code, [found.last]), found
    assert all(part in found.errors[0] for part in parts), found


@pytest.fixture
def installation(tmp_path: Path) -> Server:
    return Server.at(tmp_path)


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that was in use: a tenant, and the master key and the journal that belong to it."""
    folder = tmp_path_factory.mktemp("used")

    async def use() -> None:
        server = Server.at(folder)
        try:
            await server.start()
            await server.apply(tenant("acme", [str(1000 + n) for n in range(1, 60)]))
        finally:
            assert await server.stop() == 0

    asyncio.run(use())
    return folder


def test_a_clean_end_leaves_a_whole_journal(used: Path) -> None:
    """So that a copy of this one file is a copy of the journal."""
    beside = used / "journal.db-wal"
    assert not beside.exists() or not beside.stat().st_size


@pytest.fixture
def copy(used: Path, tmp_path: Path) -> Server:
    shutil.copytree(used, tmp_path / "data", symlinks=True)
    return Server.at(tmp_path / "data")


# --- ports


@pytest.mark.parametrize(
    ("name", "part"),
    [("udp", "sessions"), ("tcp", "sessions"), ("tls", "sessions"), ("http", "api"), ("clickhouse", "analytics")],
)
def test_a_port_in_use(installation: Server, name: str, part: str) -> None:
    port = getattr(installation, name)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM if name == "udp" else socket.SOCK_STREAM) as other:
        other.bind(("127.0.0.1", port))
        if name != "udp":
            other.listen()
        refused(
            installation,
            f"the {part} cannot run: ",
            f"127.0.0.1:{port}",
            "another program uses this port",
            "choose another",
        )


def test_a_host_of_another_machine(installation: Server) -> None:
    installation.settings["HTTP"] = "192.0.2.1:8080"
    refused(installation, "HTTP cannot listen on 192.0.2.1:8080", "choose another SWITCHLOG_HTTP")


# --- the data folder


def test_a_file_in_the_place_of_the_data_folder(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    refused(Server.at(tmp_path / "data"), str(tmp_path / "data"), "cannot be used", "choose another")


def test_a_folder_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    refused(Server.at(tmp_path / "data" / "below"), "cannot be used", "choose another")


def test_a_folder_that_the_system_keeps_for_itself() -> None:
    refused(Server.at(Path("/proc/switchlog")), "the data folder /proc/switchlog cannot be used", "choose another")


@pytest.mark.parametrize(
    ("name", "part"), [("sessions.sock", "sessions"), ("api.json", "api"), ("projector.sock", "projector")]
)
def test_something_else_in_the_place_of_a_file(installation: Server, name: str, part: str) -> None:
    (installation.data / name).mkdir()
    refused(installation, f"the {part} cannot run: ", str(installation.data / name), "see to the data folder")


def test_a_file_in_the_place_of_the_analytics_folder(installation: Server) -> None:
    (installation.data / "clickhouse").write_text("a file")
    refused(installation, "the analytics cannot run: ", str(installation.data / "clickhouse"), "cannot be written")


def without(module: str, folder: Path) -> str:
    """A PYTHONPATH on which `module` is as if it were not installed."""
    (folder / "hidden").mkdir()
    (folder / "hidden" / f"{module}.py").write_text(f"raise ModuleNotFoundError('No module named {module}')")
    return str(folder / "hidden")


def test_without_the_clickhouse_engine(installation: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", without("chdb", tmp_path))
    refused(
        installation,
        "the analytics cannot run: the ClickHouse engine is not installed (No module named chdb)",
        "install switchlog[embedded]",
        "SWITCHLOG_CLICKHOUSE",
    )


async def test_a_second_server_on_the_same_folder(server: Server) -> None:
    second = Server.at(server.data)
    found = await asyncio.to_thread(attempt, second)
    assert found.code == 1
    assert len(found.errors) == 1
    assert "another Switchlog runs on the data folder" in found.errors[0]
    caller = await Caller.at(server, "1001")
    assert (await caller.register()).status == 200, "the first one does not mind"
    caller.close()


# --- the journal


def test_a_journal_that_is_no_database(copy: Server) -> None:
    (copy.data / "journal.db").write_bytes(b"garbage " * 4096)
    found = attempt(copy)
    assert found.code == 1
    assert found.errors
    assert all("journal.db: is no journal or damaged; restore it" in line for line in found.errors), found


def test_a_database_of_another_program(copy: Server) -> None:
    for path in copy.data.glob("journal.db*"):
        path.unlink()
    with sqlite3.connect(copy.data / "journal.db") as other:
        other.execute("CREATE TABLE records (position INTEGER PRIMARY KEY)")
    other.close()
    before = (copy.data / "journal.db").read_bytes()
    found = attempt(copy)
    assert found.code == 1
    assert found.errors
    assert all("belongs to another program; choose another data folder" in line for line in found.errors), found
    assert (copy.data / "journal.db").read_bytes() == before, "it is not ours to change"


def test_a_journal_of_a_newer_version(copy: Server) -> None:
    with sqlite3.connect(copy.data / "journal.db") as newer:
        newer.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    newer.close()
    found = attempt(copy)
    assert found.code == 1
    assert found.errors
    expected = f"schema {SCHEMA_VERSION + 1}, this one knows {SCHEMA_VERSION}"
    assert all(expected in line for line in found.errors), found


def test_a_journal_with_a_page_overwritten(copy: Server) -> None:
    with sqlite3.connect(copy.data / "journal.db") as journal:
        (page_bytes,) = journal.execute("PRAGMA page_size").fetchone()
        (pages,) = journal.execute("PRAGMA page_count").fetchone()
    journal.close()
    with (copy.data / "journal.db").open("r+b") as file:
        for page in range(pages // 4, 3 * pages // 4):
            file.seek(page * page_bytes)
            file.write(b"\xa5" * page_bytes)
    found = attempt(copy)
    assert found.code == 1
    assert found.errors
    assert all("journal.db: is damaged; restore it from a copy" in line for line in found.errors), found


def test_a_record_of_a_newer_version(copy: Server) -> None:
    with sqlite3.connect(copy.data / "journal.db") as journal:
        journal.execute("UPDATE records SET type = 'tenant.teleported.1' WHERE position = 1")
    journal.close()
    refused(copy, "tenant.teleported.1", "newer Switchlog")


# --- keys


def test_a_lost_master_key(copy: Server) -> None:
    (copy.data / "master.key").unlink()
    found = attempt(copy)
    assert found.code == 1
    assert found.errors
    assert all("belongs to another master.key: restore the pair of them" in line for line in found.errors), found


def test_a_damaged_master_key(copy: Server) -> None:
    (copy.data / "master.key").write_bytes(b"short")
    found = attempt(copy)
    assert found.code == 1
    assert found.errors
    assert all("is damaged (5 bytes, not 32): restore it" in line for line in found.errors), found


def test_a_master_key_that_is_named_is_the_one(copy: Server) -> None:
    """It is moved there, and others may read it at first."""
    moved = copy.data.parent / "moved.key"
    (copy.data / "master.key").rename(moved)
    moved.chmod(0o644)
    copy.settings["MASTER_KEY_FILE"] = str(moved)
    found = attempt(copy)
    assert found.code == 1
    assert all(f"others may read the key file {moved}: chmod 600 it" in line for line in found.errors), found
    moved.chmod(0o600)
    asyncio.run(serves(copy))
    assert not (copy.data / "master.key").exists()


async def serves(server: Server) -> None:
    """It starts, and a phone that was declared before registers."""
    await server.start()
    try:
        caller = await Caller.at(server, "1001")
        assert (await caller.register()).status == 200
        await caller.closed()
    finally:
        assert await server.stop() == 0


def test_a_master_key_that_is_named_and_missing_on_kafka(installation: Server) -> None:
    """Nobody makes one of his own in a cluster; no broker is needed to say so."""
    key = installation.data / "cluster.key"
    installation.settings |= {"MASTER_KEY_FILE": str(key), "JOURNAL": "kafka://127.0.0.1:1"}
    found = attempt(installation)
    assert found.code == 1
    assert found.errors
    assert all(f"there is no key file {key}: put a copy of the other nodes' there" in line for line in found.errors)
    assert not key.exists()


def test_a_certificate_that_is_none(installation: Server) -> None:
    path = installation.data / "mine.pem"
    path.write_text("no PEM")
    installation.settings |= {"TLS_CERT": str(path), "TLS_KEY": str(path)}
    refused(installation, f"TLS cannot use certificate {path}", "not PEM")


# --- settings


@pytest.mark.parametrize(
    ("name", "value", "part"),
    [
        ("SIP_UDP", "5060", "'5060' is not host:port"),
        ("SIP_UPD", "127.0.0.1:5060", "unknown setting SWITCHLOG_SIP_UPD"),
        ("WORKERS", "4", "SWITCHLOG_WORKERS=4 needs SWITCHLOG_JOURNAL=kafka://"),
        ("CLICKHOUSE", "http://127.0.0.1", "SWITCHLOG_CLICKHOUSE: use embedded or clickhouse://"),
        ("CLICKHOUSE_LISTEN", "0.0.0.0:9000", "SWITCHLOG_CLICKHOUSE_ANALYST_PASSWORD"),
        ("ADMIN_KEY", "short", "SWITCHLOG_ADMIN_KEY: must be 16 or more"),
    ],
)
def test_a_wrong_setting(installation: Server, name: str, value: str, part: str) -> None:
    installation.settings[name] = value
    refused(installation, part, code=2)


# --- told to stop before it runs


@pytest.mark.parametrize("after", ["nothing", "supervisor", "sessions", "api"])
async def test_sigterm_while_it_starts(installation: Server, after: str) -> None:
    """At any moment of the start; a second start works at once on the same ports."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "switchlog", "serve", env=installation.environment, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    marks = {"supervisor": b"process started", "sessions": b"sessions ready", "api": b"Started server process"}
    async with asyncio.timeout(GIVES_UP_WITHIN_S):
        while after in marks and marks[after] not in (line := await process.stderr.readline()):
            assert line, "it ended by itself"
        process.send_signal(signal.SIGTERM)
        rest = await process.stderr.read()
        code = await process.wait()
    assert code == (-signal.SIGTERM if after == "nothing" else 0), rest.decode()
    assert b"Traceback" not in rest, rest.decode()
    await installation.start()
    assert await installation.stop() == 0
