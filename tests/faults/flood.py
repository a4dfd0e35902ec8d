"""SIPp as a flood: new calls at any rate, each of which may be answered or refused, counted by what came of it."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

_ACK_REFUSAL = """  <send next="over"><![CDATA[
ACK sip:[field2]@acme.example SIP/2.0
[last_Via:]
Max-Forwards: 70
From: <sip:[field0]@acme.example>;tag=[call_number]
[last_To:]
Call-ID: [call_id]
CSeq: {cseq} ACK
Content-Length: 0

]]></send>
"""
_INVITE = """  <send retrans="500"{rtd}><![CDATA[
INVITE sip:[field2]@acme.example SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch];rport
Max-Forwards: 70
From: <sip:[field0]@acme.example>;tag=[call_number]
To: <sip:[field2]@acme.example>
Call-ID: [call_id]
CSeq: {cseq} INVITE
Contact: <sip:[field0]@[local_ip]:[local_port]>
{credentials}Content-Type: application/sdp
Content-Length: [len]

v=0
o=user 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [media_ip]
t=0 0
m=audio [media_port] RTP/AVP 0
a=rtpmap:0 PCMU/8000
]]></send>
"""
_WITHIN = """  <send{retrans}><![CDATA[
{method} [next_url] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch];rport
Max-Forwards: 70
From: <sip:[field0]@acme.example>;tag=[call_number]
[last_To:]
Call-ID: [call_id]
CSeq: {cseq} {method}
Content-Length: 0

]]></send>
"""
_ACK_CHALLENGE = _ACK_REFUSAL.replace(' next="over"', "").format(cseq=1)
CALL = f"""<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="a call that may be refused">
{_INVITE.format(cseq=1, credentials="", rtd="")}
  <recv response="503" optional="true" next="refused1"><action>
    <ereg regexp="[0-9]+" search_in="hdr" header="Retry-After:" check_it="true" assign_to="1"/></action></recv>
  <recv response="401" auth="true"/>
{_ACK_CHALLENGE}
{_INVITE.format(cseq=2, credentials="[field1]" + chr(10), rtd=' start_rtd="setup"')}
  <recv response="100" optional="true"/>
  <recv response="180" optional="true"/>
  <recv response="503" optional="true" next="refused2"><action>
    <ereg regexp="[0-9]+" search_in="hdr" header="Retry-After:" check_it="true" assign_to="1"/></action></recv>
  <recv response="200" rtd="setup" rrs="true"/>
{_WITHIN.format(retrans="", method="ACK", cseq=2)}
  <pause/>
{_WITHIN.format(retrans=' retrans="500"', method="BYE", cseq=3)}
  <recv response="200" next="over"/>
  <label id="refused1"/>
{_ACK_REFUSAL.format(cseq=1)}
  <label id="refused2"/>
{_ACK_REFUSAL.format(cseq=2)}
  <label id="over"/>
  <nop><action><ereg regexp=".*" search_in="var" variable="1" assign_to="1"/></action></nop>
</scenario>
"""


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
