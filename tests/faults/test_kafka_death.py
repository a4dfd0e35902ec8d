"""A node on Kafka that dies between the moment when the end of a call is durable and the answer that tells of it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from cluster.broker import Broker
from tests.faults.caller import call
from tests.fixtures.broker import fresh_journal
from tests.fixtures.server import Server, running, tenant

WAIT_S = 60.0
DYING = """
import os, signal, sys

DIED = {died!r}

if "switchlog.child" in sys.orig_argv and "sessions" in sys.orig_argv and not os.path.exists(DIED):
    from adapters.journal.kafka.producer import Transactor

    append = Transactor.append

    def append_and_die(self, messages):
        offsets = append(self, messages)
        if any(("ce_type", b"call.ended.2") in message.headers for message in messages):
            open(DIED, "x").close()
            for pid in (os.getppid(), os.getpid()):
                os.kill(pid, signal.SIGKILL)
        return offsets

    Transactor.append = append_and_die
"""
"""For `sitecustomize`: the first process of the sessions dies, with its parent, when the brokers have the end of a call
and nobody was told. All else is real."""


async def test_killed_between_the_durable_end_of_a_call_and_its_200(
    tmp_path: Path, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller repeats its BYE until somebody answers; the callee hears of it from who comes next."""
    hook, died = tmp_path / "hook", tmp_path / "died"
    hook.mkdir()
    (hook / "sitecustomize.py").write_text(DYING.format(died=str(died)))
    monkeypatch.setenv("PYTHONPATH", str(hook))
    server = Server.at(tmp_path, JOURNAL=fresh_journal(broker))
    async with running(server, tenant("acme")):
        one = await call(server)
        one.caller.wait_s = one.callee.wait_s = WAIT_S
        ending = asyncio.create_task(one.end())
        assert server.process is not None
        async with asyncio.timeout(WAIT_S):
            await server.process.wait()
        died_at = time.monotonic()
        assert died.exists()
        assert not ending.done(), "somebody was told before the node died"
        await server.start()
        ready_s = time.monotonic() - died_at
        await ending
        told_s = time.monotonic() - died_at
        print(f"\nkilled before the 200 of a durable end: ready {ready_s:.1f} s later, both told {told_s:.1f} s later")
        (cdr,) = await server.cdrs()
        assert (cdr["disposition"], cdr["hangup_by"]) == ("answered", "caller")
        assert cdr["ended_at"].timestamp() < time.time() - (time.monotonic() - died_at), "it ended before the death"
        assert len(server.query("SELECT * FROM cdr_all")) == 1
        # rows of events come a moment after the record: nobody waits for them
        rows = await server.rows(
            "SELECT type FROM call_events ORDER BY sequence", lambda found: {"type": "call.ended.2"} in found
        )
        assert [row["type"] for row in rows].count("call.ended.2") == 1
        assert server.query("SELECT call_id FROM call_events GROUP BY call_id HAVING count() != max(sequence)") == []
        one.caller.close()
        one.callee.close()
