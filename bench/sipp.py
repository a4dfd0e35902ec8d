"""SIPp as the load: scenarios, and what it counted."""

from __future__ import annotations

import asyncio
import csv
from pathlib import Path

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
  <pause milliseconds="200"/>
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


class Load:
    """One SIPp run in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def users(self, lines: list[tuple[str, ...]]) -> Path:
        """The injection file: a line a user, taken in turn."""
        path = self._folder / "users.csv"
        path.write_text("SEQUENTIAL\n" + "".join(";".join(line) + "\n" for line in lines))
        return path

    async def run(
        self, scenario: str, target: str, users: Path, *, calls: int, rate: int, port: int, timeout_s: int = 300
    ) -> dict[str, float]:
        """Play a scenario; returns SIPp's last statistics line as numbers. Raises RuntimeError when SIPp could not."""
        path = self._folder / "scenario.xml"
        path.write_text(scenario)
        stats = self._folder / "stats.csv"
        process = await asyncio.create_subprocess_exec(
            "sipp", target, "-sf", str(path), "-inf", str(users), "-i", "127.0.0.1", "-p", str(port),
            "-m", str(calls), "-r", str(rate), "-trace_stat", "-stf", str(stats), "-fd", "1", "-nostdin",
            "-timeout", str(timeout_s), "-recv_timeout", "20000", "-l", "20000",
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE, cwd=self._folder,
        )  # fmt: skip
        _, error = await process.communicate()
        if not stats.exists():
            raise RuntimeError(f"sipp wrote no statistics: {error.decode(errors='replace')[:500]}")
        with stats.open() as file:
            last = list(csv.DictReader(file, delimiter=";"))[-1]
        return {name: _number(value) for name, value in last.items() if name and value}

    async def callee(self, port: int, calls: int) -> asyncio.subprocess.Process:
        """SIPp's own callee: 180 and 200 at once."""
        return await asyncio.create_subprocess_exec(
            "sipp", "-sn", "uas", "-i", "127.0.0.1", "-p", str(port), "-m", str(calls), "-nostdin",
            "-timeout", "600", stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
            cwd=self._folder,
        )  # fmt: skip


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        pass
    parts = text.split(":")
    if len(parts) == 4 and all(part.isdigit() for part in parts):  # HH:MM:SS:microseconds
        hours, minutes, seconds, micros = (int(part) for part in parts)
        return hours * 3600 + minutes * 60 + seconds + micros / 1e6
    return float("nan")
