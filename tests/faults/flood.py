"""SIPp as a flood: new calls at any rate, each of which may be answered or refused, counted by what came of it."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bench.scenario import AGAIN, ack_refusal, invite, scenario, within

_REFUSED = """  <recv response="503" optional="true" next="{label}"><action>
    <ereg regexp="[0-9]+" search_in="hdr" header="Retry-After:" check_it="true" assign_to="1"/></action></recv>"""
_OVER = ' next="over"'
CALL = scenario(
    "a call that may be refused",
    invite(1),
    _REFUSED.format(label="refused1"),
    '  <recv response="401" auth="true"/>',
    ack_refusal(1),
    invite(2, "[field1]", attributes=' start_rtd="setup"'),
    '  <recv response="100" optional="true"/>',
    '  <recv response="180" optional="true"/>',
    _REFUSED.format(label="refused2"),
    '  <recv response="200" rtd="setup" rrs="true"/>',
    within("ACK", 2),
    "  <pause/>",
    within("BYE", 3, AGAIN),
    '  <recv response="200" next="over"/>',
    '  <label id="refused1"/>',
    ack_refusal(1, _OVER),
    '  <label id="refused2"/>',
    ack_refusal(2, _OVER),
    '  <label id="over"/>',
    '  <nop><action><ereg regexp=".*" search_in="var" variable="1" assign_to="1"/></action></nop>',
)


class Outcome(NamedTuple):
    """What came of a flood: calls, those that were talked and ended, those refused with Retry-After, and the rest."""

    made: int
    talked: int
    refused: int
    failed: int
    waits_ms: tuple[float, ...]
    """from the INVITE with credentials to 200, of each talked call"""


async def callee(folder: Path, port: int) -> asyncio.subprocess.Process:
    """SIPp's own callee. The caller of this ends it."""
    folder.mkdir(parents=True, exist_ok=True)
    return await asyncio.create_subprocess_exec(
        "sipp", "-sn", "uas", "-i", "127.0.0.1", "-p", str(port), "-nostdin",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL, cwd=folder,
    )  # fmt: skip


async def flood(
    folder: Path, target: str, users: Sequence[Sequence[str]], *, calls: int, rate: int, port: int, talk_ms: int
) -> Outcome:
    """Play `CALL` so often; `users` are number, authentication and callee of each in turn."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "scenario.xml").write_text(CALL)
    (folder / "users.csv").write_text("SEQUENTIAL\n" + "".join(";".join(user) + "\n" for user in users))
    process = await asyncio.create_subprocess_exec(
        "sipp", target, "-sf", "scenario.xml", "-inf", "users.csv", "-i", "127.0.0.1", "-p", str(port),
        "-m", str(calls), "-r", str(rate), "-d", str(talk_ms), "-l", "20000", "-recv_timeout", "20000",
        "-timeout", "120", "-nostdin", "-trace_stat", "-stf", "stats.csv", "-fd", "1", "-trace_rtt", "-rtt_freq", "1",
        "-trace_counts", "-trace_err", "-error_file", "errors.log",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL, cwd=folder,
    )  # fmt: skip
    try:
        await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    (counts,) = folder.glob("*_counts.csv")
    last, stats = _last(counts), _last(folder / "stats.csv")
    refused = sum(int(count) for name, count in last.items() if name.endswith("503_Recv"))
    waits = tuple(_waits(folder))
    return Outcome(int(stats["TotalCallCreated"]), len(waits), refused, int(stats["FailedCall(C)"]), waits)


def _last(path: Path) -> dict[str, str]:
    with path.open() as file:
        return list(csv.DictReader(file, delimiter=";"))[-1]


def _waits(folder: Path) -> list[float]:
    waits: list[float] = []
    for path in folder.glob("*_rtt.csv"):
        with path.open() as file:
            waits += [float(row["response_time_ms"]) for row in csv.DictReader(file, delimiter=";")]
    return waits
