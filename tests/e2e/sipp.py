"""SIPp as a phone that says exactly what a flow prescribes, and checks exactly what it hears.

A scenario is a list of steps; each step is an element of SIPp's XML. A run fails on any message that is not the next
one of its scenario, and on any check that does not hold; the failure carries SIPp's own account of the messages.
"""

from __future__ import annotations

import asyncio
import itertools
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

import pytest

from tests.faults.caller import Caller
from tests.fixtures.ports import free_ports
from tests.fixtures.server import PASSWORD, Server

RUN_S = 60
needs_sipp = pytest.mark.skipif(shutil.which("sipp") is None, reason="sipp is not installed (Debian: sip-tester)")

SDP = """v=0
o=- 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [media_ip]
t=0 0
m=audio {port} RTP/AVP 0
a=rtpmap:0 PCMU/8000
"""


class Check(NamedTuple):
    """A regular expression (POSIX extended) that a header must match; an empty `header` is the whole message."""

    pattern: str
    header: str = ""
    absent: bool = False


def send(text: str, *, retrans: bool = False) -> str:
    """Send a message; `retrans` repeats a request over UDP until it is answered."""
    head, gap, body = text.strip("\n").partition("\n\n")
    words = ' retrans="500"' if retrans else ""
    return f"<send{words}><![CDATA[\n{head}\n\n{body if gap else ''}]]></send>"


def hear(
    what: str | int, *checks: Check, auth: bool = False, optional: bool = False, routes: bool = False, seconds: int = 20
) -> str:
    """Wait for a request (its method) or a response (its status) and check it.

    `auth` keeps its challenge for the next request; `routes` its Record-Route and Contact, and who the peer is.
    """
    kind = "response" if isinstance(what, int) else "request"
    words = [f'{kind}="{what}"', f'timeout="{seconds * 1000}"']
    words += ['auth="true"'] if auth else []
    words += ['optional="true"'] if optional else []
    words += ['rrs="true"'] if routes else []
    actions = "".join(_action(check) for check in checks)
    actions += _PEER.format("From" if isinstance(what, str) else "To") if routes else ""
    return f"<recv {' '.join(words)}>{f'<action>{actions}</action>' if actions else ''}</recv>"


def wait(milliseconds: int) -> str:
    """Talk, or think."""
    return f'<pause milliseconds="{milliseconds}"/>'


_numbers = itertools.count(1)
_PEER = '<ereg regexp="&lt;.*" search_in="hdr" header="{}:" check_it="true" assign_to="peer"/>'


def _action(check: Check) -> str:
    where = f'search_in="hdr" header={quoteattr(check.header + ":")}' if check.header else 'search_in="msg"'
    test = 'check_it_inverse="true"' if check.absent else 'check_it="true"'
    name = f"checked{next(_numbers)}"
    return f'<ereg regexp={quoteattr(check.pattern)} {where} {test} assign_to="{name}"/><log message="[${name}]"/>'


class Script:
    """One SIPp process with one scenario, at a port of its own."""

    def __init__(self, folder: Path, name: str, port: int, steps: Sequence[str], host: str = "127.0.0.1") -> None:
        self.name, self.port, self.host = name, port, host
        self._folder = folder / name
        self._folder.mkdir()
        xml = f'<?xml version="1.0" encoding="ISO-8859-1"?>\n<scenario name="{escape(name)}">\n'
        (self._folder / "scenario.xml").write_text(xml + "\n".join(steps) + "\n</scenario>\n")

    async def run(self, target: str = "", call_id: str = "") -> None:
        """Play the scenario once: as a caller towards `target`, as a callee without one. Raises AssertionError."""
        process = await asyncio.create_subprocess_exec(
            "sipp", *([target] if target else []), "-sf", "scenario.xml", "-i", self.host, "-p", str(self.port),
            "-m", "1", "-nostdin", "-timeout", f"{RUN_S}s", "-timeout_error", "-trace_err", "-error_file", "errors",
            "-trace_msg", "-message_file", "messages", *(["-cid_str", call_id] if call_id else []),
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL, cwd=self._folder,
        )  # fmt: skip
        try:
            code = await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert code == 0, f"SIPp as {self.name} failed:\n{self._text('errors')}\n{self._text('messages')}"

    def _text(self, name: str) -> str:
        path = self._folder / name
        return path.read_text(errors="replace")[-8000:] if path.exists() else ""


async def bind(server: Server, number: str, port: int, path: str = "") -> None:
    """Register `number` from 127.0.0.1:`port`, on behalf of a script that only plays calls there later."""
    phone = await Caller.at(server, number, port=port)
    try:
        home = f"sip:{phone.domain}"
        to = f"<sip:{number}@{phone.domain}>"
        extra = "Expires: 600\r\n" + (f"Path: {path}\r\nSupported: path\r\n" if path else "")
        response = await phone.ask("REGISTER", home, f"bind-{number}-{port}", to, extra)
        assert response.status == 200, response
    finally:
        await phone.closed()


async def together(caller: Script, target: str, *others: Script) -> None:
    """Run all scripts until each is done; the first failure ends the others."""
    async with asyncio.TaskGroup() as group:
        for other in others:
            group.create_task(other.run())
        group.create_task(caller.run(target))


def ports(count: int) -> list[int]:
    return free_ports(count)


class Words:
    """The messages of a caller `number` that dials `dialled`, in the words of RFC 3665's examples."""

    def __init__(self, number: str, dialled: str, *, via: str = "", extra: str = "", contact: str = "") -> None:
        self.number, self.dialled = number, dialled
        self.secret = f"[authentication username={number} password={PASSWORD.format(username=number)}]"
        self._via = via or "Via: SIP/2.0/UDP [local_ip]:[local_port];branch={branch};rport"
        self._extra = extra
        self._contact = contact or f"<sip:{number}@[local_ip]:[local_port]>"

    def invite(self, cseq: int, *, secret: bool = False, sdp: bool = True, extra: str = "") -> str:
        head = self._head("INVITE", f"sip:{self.dialled}@acme.example", cseq, "To: <sip:{0}@acme.example>")
        lines = [head, f"Contact: {self._contact}"]
        lines += [line for line in (self._extra, extra, self.secret if secret else "") if line]
        if not sdp:
            return "\n".join([*lines, "Content-Length: 0", "", ""])
        return "\n".join([*lines, "Content-Type: application/sdp", "Content-Length: [len]", "", SDP.format(port=40000)])

    def refusal_ack(self, cseq: int) -> str:
        """The ACK of a 300-699, by the INVITE's own Via."""
        return "\n".join(
            [
                f"ACK sip:{self.dialled}@acme.example SIP/2.0",
                "[last_Via:]",
                "Max-Forwards: 70",
                f"From: <sip:{self.number}@acme.example>;tag=[call_number]",
                "[last_To:]",
                "Call-ID: [call_id]",
                f"CSeq: {cseq} ACK",
                "Content-Length: 0",
            ]
        )

    def within(self, method: str, cseq: int, *, sdp: str = "", extra: str = "", contact: bool = False) -> str:
        """A request inside the dialog, along its route set."""
        lines = [self._head(method, "[next_url]", cseq, "To: [$peer]"), "[routes]"]
        lines += [f"Contact: {self._contact}"] if contact else []
        lines += [extra] if extra else []
        if not sdp:
            return "\n".join([*lines, "Content-Length: 0"])
        return "\n".join([*lines, "Content-Type: application/sdp", "Content-Length: [len]", "", sdp])

    def cancel(self, cseq: int) -> str:
        lines = [self._head("CANCEL", f"sip:{self.dialled}@acme.example", cseq, "To: <sip:{0}@acme.example>")]
        return "\n".join([*lines, "Content-Length: 0"])

    def _head(self, method: str, uri: str, cseq: int, to: str) -> str:
        """A CANCEL has its INVITE's branch, any other request one of its own."""
        branch = f"z9hG4bK-[pid]-[local_port]-{cseq}-{'INVITE' if method == 'CANCEL' else method}"
        return "\n".join(
            [
                f"{method} {uri} SIP/2.0",
                self._via.format(branch=branch),
                "Max-Forwards: 70",
                f"From: <sip:{self.number}@acme.example>;tag=[call_number]",
                to.format(self.dialled),
                "Call-ID: [call_id]",
                f"CSeq: {cseq} {method}",
            ]
        )

    def challenged(self, *, sdp: bool = True, extra: str = "") -> list[str]:
        """INVITE, 401, ACK, INVITE with credentials: how every call begins."""
        return [
            send(self.invite(1, sdp=sdp, extra=extra), retrans=True),
            hear(401, auth=True),
            send(self.refusal_ack(1)),
            send(self.invite(2, secret=True, sdp=sdp, extra=extra), retrans=True),
            hear(100, optional=True),
        ]


def callee_request(method: str, cseq: int, *, contact: str = "", sdp: str = "") -> str:
    """A request of the callee `1002`, whose INVITE was heard with `routes`."""
    lines = [
        f"{method} [next_url] SIP/2.0",
        f"Via: SIP/2.0/UDP [local_ip]:[local_port];branch=z9hG4bK-[pid]-[local_port]-{cseq}{method};rport",
        "[routes]",
        "Max-Forwards: 70",
        "From: <sip:1002@acme.example>;tag=callee",
        "To: [$peer]",
        "Call-ID: [call_id]",
        f"CSeq: {cseq} {method}",
    ]
    lines += [f"Contact: {contact}"] if contact else []
    if not sdp:
        return "\n".join([*lines, "Content-Length: 0"])
    return "\n".join([*lines, "Content-Type: application/sdp", "Content-Length: [len]", "", sdp])


def invite_answer(status: str) -> str:
    """A final response to the INVITE although a CANCEL came after it."""
    return answer_of(status).replace("[last_CSeq:]", "CSeq: 1 INVITE")


def answer_of(
    status: str, *, tag: str = "callee", sdp: bool = False, routes: str = "", extra: str = "", contact: bool = True
) -> str:
    """A response to the request just heard."""
    lines = [f"SIP/2.0 {status}", "[last_Via:]"]
    lines += [routes] if routes else []
    lines += ["[last_From:]", f"[last_To:];tag={tag}" if tag else "[last_To:]", "[last_Call-ID:]", "[last_CSeq:]"]
    lines += ["Contact: <sip:callee@[local_ip]:[local_port]>"] if contact else []
    lines += [extra] if extra else []
    if not sdp:
        return "\n".join([*lines, "Content-Length: 0"])
    return "\n".join([*lines, "Content-Type: application/sdp", "Content-Length: [len]", "", SDP.format(port=40100)])
