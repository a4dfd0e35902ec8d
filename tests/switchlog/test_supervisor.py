"""The parent of processes, at its edges; its whole work is seen in `tests.faults`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from switchlog.early import EarlyChild
from switchlog.setting.settings import load
from switchlog.supervisor import Supervisor


def settings(folder: Path) -> str:
    environment = {"SWITCHLOG_SIP_UDP": "127.0.0.1:0", "SWITCHLOG_SIP_TCP": "", "SWITCHLOG_SIP_TLS": ""}
    return load(environment=environment, data=folder).model_dump_json()


def children() -> list[int]:
    return [int(pid) for path in Path("/proc/self/task").glob("*/children") for pid in path.read_text().split()]


async def test_stopping_while_the_children_are_made_leaves_none(tmp_path: Path) -> None:
    supervisor = Supervisor(["sessions"], settings(tmp_path))
    before = children()
    running = asyncio.create_task(supervisor.run())
    while children() == before:
        await asyncio.sleep(0)
    supervisor.stop()  # the first one exists, but its watcher does not know yet
    async with asyncio.timeout(20):
        assert await running == 0
    assert children() == before


async def test_stopping_before_it_runs_starts_nothing(tmp_path: Path) -> None:
    supervisor = Supervisor(["sessions"], settings(tmp_path))
    supervisor.stop()
    async with asyncio.timeout(20):
        assert await supervisor.run() == 0


async def test_a_child_that_was_started_early_is_taken_and_ended(tmp_path: Path) -> None:
    before = children()
    early = EarlyChild("sessions")
    supervisor = Supervisor(["sessions"], settings(tmp_path), early)
    running = asyncio.create_task(supervisor.run())
    async with asyncio.timeout(20):
        while not (tmp_path / "journal.db").exists():
            await asyncio.sleep(0.01)
        assert children() == [*before, early.pid]
        supervisor.stop()
        assert await running == 0
    assert (early.returncode, children()) == (0, before)


async def test_an_early_child_that_never_had_its_turn_is_ended(tmp_path: Path) -> None:
    before = children()
    early = EarlyChild("sessions")
    supervisor = Supervisor(["sessions"], settings(tmp_path), early)
    supervisor.stop()
    async with asyncio.timeout(20):
        assert await supervisor.run() == 0
    assert early.returncode is not None
    assert children() == before


async def test_a_needed_role_that_fails_at_every_start_ends_all(capfd: pytest.CaptureFixture[str]) -> None:
    before = children()
    supervisor = Supervisor(["sessions"], "no settings", needed={"sessions"})
    with capture_logs() as said:
        async with asyncio.timeout(20):
            assert await supervisor.run() == 1
    assert [line["event"] for line in said].count("process started") == 3
    assert said[-1]["event"].startswith("the sessions failed 3 times at the start")
    assert children() == before
    assert "JSONDecodeError" in capfd.readouterr().err, "what is above that line says where"


async def test_any_other_role_is_started_again_and_again(capfd: pytest.CaptureFixture[str]) -> None:
    supervisor = Supervisor(["projector"], "no settings", needed={"sessions"})
    with capture_logs() as said:
        running = asyncio.create_task(supervisor.run())
        async with asyncio.timeout(20):
            while [line["event"] for line in said].count("process started") < 5:
                await asyncio.sleep(0.01)
            supervisor.stop()
            assert await running == 0


def test_a_child_without_settings_ends_by_itself() -> None:
    early = EarlyChild("sessions")
    asyncio.run(early.give(b""))
    assert asyncio.run(early.wait()) == 0
