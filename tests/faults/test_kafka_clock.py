"""The clock of a node's machine is set back, under all its processes; the brokers' stays as it is."""

from __future__ import annotations

import shutil
import struct
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cluster.broker import Broker
from tests.faults.caller import RawCall, call
from tests.fixtures.broker import fresh_journal
from tests.fixtures.server import Server, running, tenant

SOURCE = Path(__file__).with_name("setback.c")
pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")


class Clock:
    """The machine's clock as the processes see it that are started from now on."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._file, library = folder / "setback", folder / "setback.so"
        self._file.write_bytes(bytes(8))
        command = ["cc", "-O1", "-shared", "-fPIC", "-o", str(library), str(SOURCE)]
        made = subprocess.run(command, capture_output=True, check=False)
        if made.returncode:
            pytest.skip(f"nothing can be compiled here: {made.stderr.decode()}")
        monkeypatch.setenv("LD_PRELOAD", str(library))
        monkeypatch.setenv("SETBACK_FILE", str(self._file))

    def set_back(self, seconds: float) -> None:
        """It is behind the true time by so much from this moment on."""
        with self._file.open("r+b") as file:
            file.write(struct.pack("q", -round(seconds * 1e9)))


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(tmp_path, monkeypatch)


@pytest.fixture
async def server(tmp_path: Path, broker: Broker, clock: Clock) -> AsyncIterator[Server]:
    one = Server.at(tmp_path, JOURNAL=fresh_journal(broker))
    async with running(one, tenant("acme")):
        yield one


async def exact(server: Server, calls: int) -> list[dict[str, object]]:
    """One record a call, no gap in a stream, and no event that is older than the one before it."""
    found = await server.cdrs(calls)
    assert len(server.query("SELECT * FROM cdr_all")) == calls
    assert [row["disposition"] for row in found] == ["answered"] * calls
    assert server.query("SELECT call_id FROM call_events GROUP BY call_id HAVING count() != max(sequence)") == []
    order = "SELECT call_id, arraySort(groupArray((sequence, time))) AS events FROM call_events GROUP BY call_id"
    for row in server.query(order):
        times = [at for _, at in row["events"]]
        assert times == sorted(times), row
    return found


async def test_set_back_while_calls_are_up_and_before_a_restart(server: Server, clock: Clock) -> None:
    """By five seconds at first, which nothing waits for; then by a minute, and what is journaled after the restart is
    not older than what was before."""
    first = await call(server)
    clock.set_back(5)
    began = time.monotonic()
    await first.end()
    second = await RawCall(first.caller, first.callee).connect()
    assert (await first.caller.register()).status == 200
    print(f"\nthe clock set back by 5 s: calls and phones are served, {time.monotonic() - began:.1f} s later")
    clock.set_back(60)
    began = time.monotonic()
    await server.kill()
    await server.start()
    await second.end()
    print(f"the clock set back by a minute, and killed: the call could be ended {time.monotonic() - began:.1f} s later")
    cdrs = await exact(server, 2)
    assert [cdr["takeovers"] for cdr in cdrs] == [0, 1]
    assert "the machine's clock was set" in (server.data / "server.log").read_text()
    first.caller.close()
    first.callee.close()
