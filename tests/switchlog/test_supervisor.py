"""The parent of processes, at its edges; its whole work is seen in `tests.faults`."""

from __future__ import annotations

import asyncio
from pathlib import Path

from switchlog.settings import load
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
