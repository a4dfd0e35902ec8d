"""SIPp as the load: scenarios, what it counted, and how long each call waited for its answer."""

from __future__ import annotations

import asyncio
import csv
import itertools
import math
import resource
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from bench.scenario import AGAIN, SDP, ack_refusal, invite, register, scenario, within

REGISTER = scenario(
    "register",
    register(1),
    '  <recv response="401" auth="true"/>',
    register(2, "[field1]"),
    '  <recv response="200"/>',
)
CALL = scenario(
    "call",
    invite(1),
    '  <recv response="401" auth="true"/>',
    ack_refusal(1),
    invite(2, "[field1]", attributes=' start_rtd="setup"'),
    '  <recv response="100" optional="true"/>',
    '  <recv response="180" optional="true"/>',
    '  <recv response="183" optional="true"/>',
    '  <recv response="200" rtd="setup" rrs="true"/>',
    within("ACK", 2),
    "  <pause/>",
    within("BYE", 3, AGAIN),
    '  <recv response="200"/>',
)

_ANSWERED = """[last_Via:]
[last_Record-Route:]
[last_From:]
[last_To:];tag=[pid]-[call_number]
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:[local_ip]:[local_port];transport=[transport]>
"""

CALLEE = f"""<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="callee">
  <recv request="INVITE"/>
  <send><![CDATA[
SIP/2.0 180 Ringing
{_ANSWERED}Content-Length: 0

]]></send>
  <send retrans="500"><![CDATA[
SIP/2.0 200 OK
{_ANSWERED}Content-Type: application/sdp
Content-Length: [len]

{SDP}]]></send>
  <recv request="ACK" optional="true"/>
  <recv request="BYE"/>
  <send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
  <timewait milliseconds="4000"/>
</scenario>
"""
"""180 and 200 at once, with the route that the request took; SIPp's own callee forgets that."""


class Stats(NamedTuple):
    """What one run of SIPp came to. `waits_ms` has the time from INVITE to 200 of each answered call; `cpu_s` is what
    SIPp itself took of the machine, which it shares with the server."""

    succeeded: int
    failed: int
    retransmissions: int
    elapsed_s: float
    waits_ms: tuple[float, ...]
    cpu_s: float = 0.0

    def each_ms(self, spent_s: float) -> float:
        """`spent_s` as milliseconds for each that succeeded, with what the failed ones took; NaN when none did."""
        return spent_s * 1000 / self.succeeded if self.succeeded else math.nan


class SippError(RuntimeError):
    """SIPp ended without its figures: it crashed, or could not begin."""


def installed() -> bool:
    return shutil.which("sipp") is not None


class Load:
    """SIPp runs, each in a folder of its own below `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._runs = itertools.count(1)

    async def play(
        self, scenario: str, target: str, users: Sequence[Sequence[str]], *, calls: int, rate: int, port: int,
        talk_ms: int = 200,
    ) -> Stats:  # fmt: skip
        """Play a scenario `calls` times, a line of `users` each in turn. Raises SippError when SIPp could not."""
        folder = self._new_folder()
        (folder / "scenario.xml").write_text(scenario)
        lines = "".join(";".join(user) + "\n" for user in users)
        (folder / "users.csv").write_text(f"SEQUENTIAL\n{lines}")
        options = ("-sf", "scenario.xml", "-inf", "users.csv")
        return await self._run(folder, target, options, calls, rate, port, talk_ms)

    async def direct(self, target: str, *, calls: int, rate: int, port: int) -> Stats:
        """SIPp's own caller straight to a callee: what a call costs without anybody between."""
        return await self._run(self._new_folder(), target, ("-sn", "uac"), calls, rate, port, 200)

    async def callee(self, port: int) -> asyncio.subprocess.Process:
        """A callee who answers at once. The caller of this ends it."""
        folder = self._new_folder()
        (folder / "scenario.xml").write_text(CALLEE)
        return await asyncio.create_subprocess_exec(
            "sipp", "-sf", "scenario.xml", "-i", "127.0.0.1", "-p", str(port), "-nostdin",
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL, cwd=folder,
        )  # fmt: skip

    async def _run(
        self, folder: Path, target: str, options: tuple[str, ...], calls: int, rate: int, port: int, talk_ms: int
    ) -> Stats:
        process = await asyncio.create_subprocess_exec(
            "sipp", target, *options, "-i", "127.0.0.1", "-p", str(port), "-m", str(calls), "-r", str(rate),
            "-d", str(talk_ms), "-l", "20000", "-recv_timeout", "20000", "-timeout", "900", "-nostdin",
            "-trace_stat", "-stf", "stats.csv", "-fd", "1", "-trace_rtt", "-rtt_freq", "1",
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE, cwd=folder,
        )  # fmt: skip
        before_s = _spent()
        try:
            _, error = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        line = _last_line(folder / "stats.csv")
        if line is None:
            said = error.decode(errors="replace")[:300]
            raise SippError(f"sipp ended with {process.returncode} and wrote no statistics: {said}")
        return _stats(line, _waits(folder))._replace(cpu_s=_spent() - before_s)

    def _new_folder(self) -> Path:
        folder = self._folder / f"sipp{next(self._runs)}"
        folder.mkdir(parents=True)
        return folder


def _spent() -> float:
    """CPU seconds of the children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _last_line(path: Path) -> Mapping[str, str] | None:
    """None where only the heading was written, or nothing."""
    if not path.exists():
        return None
    with path.open() as file:
        return next(reversed(list(csv.DictReader(file, delimiter=";"))), None)


def _waits(folder: Path) -> tuple[float, ...]:
    waits: list[float] = []
    for path in folder.glob("*_rtt.csv"):
        with path.open() as file:
            waits += [float(row["response_time_ms"]) for row in csv.DictReader(file, delimiter=";")]
    return tuple(waits)


def _stats(line: Mapping[str, str], waits_ms: tuple[float, ...]) -> Stats:
    hours, minutes, seconds, *rest = line["ElapsedTime(C)"].split(":")
    micros = int(rest[0]) if rest else 0
    return Stats(
        int(line["SuccessfulCall(C)"]),
        int(line["FailedCall(C)"]),
        int(line["Retransmissions(C)"]),
        int(hours) * 3600 + int(minutes) * 60 + float(seconds) + micros / 1e6,
        waits_ms,
    )
