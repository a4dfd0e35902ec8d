"""SIPp as the load: scenarios, what it counted, and how long each call waited for its answer."""

from __future__ import annotations

import asyncio
import csv
import itertools
import resource
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

REGISTER = """<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="register">
  <send retrans="500"><![CDATA[
REGISTER sip:acme.example SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch];rport
Max-Forwards: 70
From: <sip:[field0]@acme.example>;tag=[call_number]
To: <sip:[field0]@acme.example>
Call-ID: [call_id]
CSeq: 1 REGISTER
Contact: <sip:[field0]@[local_ip]:[local_port]>
Expires: 600
Content-Length: 0

]]></send>
  <recv response="401" auth="true"/>
  <send retrans="500"><![CDATA[
REGISTER sip:acme.example SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch];rport
Max-Forwards: 70
From: <sip:[field0]@acme.example>;tag=[call_number]
To: <sip:[field0]@acme.example>
Call-ID: [call_id]
CSeq: 2 REGISTER
Contact: <sip:[field0]@[local_ip]:[local_port]>
[field1]
Expires: 600
Content-Length: 0

]]></send>
  <recv response="200"/>
</scenario>
"""

_SDP = """v=0
o=user 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [media_ip]
t=0 0
m=audio [media_port] RTP/AVP 0
a=rtpmap:0 PCMU/8000
"""

CALL = f"""<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="call">
  <send retrans="500"><![CDATA[
INVITE sip:[field2]@acme.example SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch];rport
Max-Forwards: 70
From: <sip:[field0]@acme.example>;tag=[call_number]
To: <sip:[field2]@acme.example>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:[field0]@[local_ip]:[local_port]>
Content-Type: application/sdp
Content-Length: [len]

{_SDP}]]></send>
  <recv response="401" auth="true"/>
  <send><![CDATA[
ACK sip:[field2]@acme.example SIP/2.0
[last_Via:]
Max-Forwards: 70
From: <sip:[field0]@acme.example>;tag=[call_number]
[last_To:]
Call-ID: [call_id]
CSeq: 1 ACK
Content-Length: 0

]]></send>
  <send retrans="500" start_rtd="setup"><![CDATA[
INVITE sip:[field2]@acme.example SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch];rport
Max-Forwards: 70
From: <sip:[field0]@acme.example>;tag=[call_number]
To: <sip:[field2]@acme.example>
Call-ID: [call_id]
CSeq: 2 INVITE
Contact: <sip:[field0]@[local_ip]:[local_port]>
[field1]
Content-Type: application/sdp
Content-Length: [len]

{_SDP}]]></send>
  <recv response="100" optional="true"/>
  <recv response="180" optional="true"/>
  <recv response="183" optional="true"/>
  <recv response="200" rtd="setup" rrs="true"/>
  <send><![CDATA[
ACK [next_url] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch];rport
Max-Forwards: 70
From: <sip:[field0]@acme.example>;tag=[call_number]
[last_To:]
Call-ID: [call_id]
CSeq: 2 ACK
Content-Length: 0

]]></send>
  <pause/>
  <send retrans="500"><![CDATA[
BYE [next_url] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch];rport
Max-Forwards: 70
From: <sip:[field0]@acme.example>;tag=[call_number]
[last_To:]
Call-ID: [call_id]
CSeq: 3 BYE
Content-Length: 0

]]></send>
  <recv response="200"/>
</scenario>
"""


class Stats(NamedTuple):
    """What one run of SIPp came to. `waits_ms` has the time from INVITE to 200 of each answered call; `cpu_s` is what
    SIPp itself took of the machine, which it shares with the server."""

    succeeded: int
    failed: int
    retransmissions: int
    elapsed_s: float
    waits_ms: tuple[float, ...]
    cpu_s: float = 0.0


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
        """Play a scenario `calls` times, a line of `users` each in turn. Raises RuntimeError when SIPp could not."""
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
        """SIPp's own callee: 180 and 200 at once. The caller of this ends it."""
        return await asyncio.create_subprocess_exec(
            "sipp", "-sn", "uas", "-i", "127.0.0.1", "-p", str(port), "-nostdin",
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL, cwd=self._new_folder(),
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
        if not (folder / "stats.csv").exists():
            raise RuntimeError(f"sipp wrote no statistics: {error.decode(errors='replace')[:300]}")
        return _stats(_last_line(folder / "stats.csv"), _waits(folder))._replace(cpu_s=_spent() - before_s)

    def _new_folder(self) -> Path:
        folder = self._folder / f"sipp{next(self._runs)}"
        folder.mkdir(parents=True)
        return folder


def _spent() -> float:
    """CPU seconds of the children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _last_line(path: Path) -> Mapping[str, str]:
    with path.open() as file:
        return list(csv.DictReader(file, delimiter=";"))[-1]


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
