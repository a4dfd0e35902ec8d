"""Kamailio as the yardstick: it does the same work as ours, nothing of it stays, and it may be missing."""

from __future__ import annotations

import math
from pathlib import Path

import psutil
import pytest

from bench import kamailio, sipp
from bench.installation import Cost
from bench.signalling import Load, Measured, calls, registers
from bench.sipp import Stats
from bench.table import Missing, Row

OURS = Measured(Load(20, 20), Stats(19, 1, 2, 1.0, ()), Cost(0.475, {}), 0.0)
PROGRAM = kamailio.program()
needs_kamailio = pytest.mark.skipif(
    PROGRAM is None or not sipp.installed(), reason="needs Kamailio and SIPp (Debian: kamailio, sip-tester)"
)


@pytest.mark.parametrize(
    ("version", "name"),
    [
        ("version: kamailio 5.6.3 (x86_64/linux) \nflags: USE_TCP\n", "Kamailio 5.6 (in memory, a proxy)"),
        ("version: kamailio 6.0.1-rc2 (aarch64/linux)\n", "Kamailio 6.0 (in memory, a proxy)"),
        ("", "Kamailio (version unknown) (in memory, a proxy)"),
    ],
)
def test_the_yardstick_is_named_with_its_version(version: str, name: str) -> None:
    assert kamailio.label(version) == name


@pytest.mark.parametrize("row", [kamailio.register_row, kamailio.call_row])
async def test_without_kamailio_the_row_says_so(row: kamailio.Beside, tmp_path: Path) -> None:
    assert await row(None, tmp_path, "work", OURS) == Missing("work, beside Kamailio", kamailio.NO_KAMAILIO)


async def test_a_program_that_does_not_start_is_told_with_what_it_said(tmp_path: Path) -> None:
    broken = tmp_path / "kamailio"
    broken.write_text("#!/bin/sh\necho version: kamailio 5.6.3; [ $1 = -v ]\n")
    broken.chmod(0o755)
    with pytest.raises(RuntimeError, match="did not start: version: kamailio"):
        await kamailio.register_row(str(broken), tmp_path, "work", OURS)


@needs_kamailio
async def test_it_takes_registers_and_calls_and_ends_with_all_its_processes(tmp_path: Path) -> None:
    assert PROGRAM is not None
    async with kamailio.running(PROGRAM, tmp_path) as at:
        processes = [psutil.Process(at.pid), *psutil.Process(at.pid).children(recursive=True)]
        registered = await registers(at, Load(20, 20))
        async with at.callee():
            called = await calls(at, Load(20, 20))
    assert (registered.succeeded, registered.failed, registered.retransmissions) == (20, 0, 0)
    assert (called.succeeded, called.failed, called.retransmissions) == (20, 0, 0)
    assert len(called.waits_ms) == 20
    assert len(processes) > 2
    assert not any(process.is_running() for process in processes)


@needs_kamailio
async def test_the_row_has_ours_and_its_figure_of_the_same_load(tmp_path: Path) -> None:
    row = await kamailio.call_row(PROGRAM, tmp_path, "work", OURS)
    assert isinstance(row, Row)
    assert row.name == "work, beside Kamailio"
    assert (row.figure, row.unit, row.facts["asked /s"]) == (25.0, "ms", 20)
    assert math.isfinite(row.yardstick_figure)
    assert row.worst == {"failed": 1, "retransmissions": 2, "its failed": 0, "its retransmissions": 0}
