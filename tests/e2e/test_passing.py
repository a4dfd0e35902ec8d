"""What passes through the server and changes no call, said and checked by SIPp: INFO, MESSAGE, identity, reasons."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.e2e.sipp import Check, Script, Words, answer_of, bind, hear, needs_sipp, ports, send, together, wait
from tests.fixtures.server import Server, running, tenant

pytestmark = needs_sipp


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    """A server whose phones may use MD5, the only digest that SIPp knows; it asks parties after four seconds."""
    one = Server.at(tmp_path, SIP_DIGEST="MD5", PROBE_S="4")
    async with running(one, tenant("acme", ["1001", "1002", "1003"], ring_s=60)):
        yield one


def answering(*then: str, heard: tuple[Check, ...] = ()) -> list[str]:
    return [
        hear("INVITE", *heard),
        send(answer_of("180 Ringing")),
        send(answer_of("200 OK", sdp=True), retrans=True),
        hear("ACK"),
        *then,
    ]


async def test_an_info_and_a_byes_reason_reach_the_other_phone(server: Server, tmp_path: Path) -> None:
    alice, bob = ports(2)
    await bind(server, "1002", bob)
    words = Words("1001", "1002")
    info = words.within("INFO", 3, sdp="Signal=5").replace("application/sdp", "application/dtmf-relay")
    caller = [
        *words.challenged(),
        hear(180),
        hear(200, routes=True),
        send(words.within("ACK", 2)),
        wait(100),
        send(info, retrans=True),
        hear(200),
        send(words.within("BYE", 4, extra='Reason: Q.850;cause=41;text="cable cut"'), retrans=True),
        hear(200),
    ]
    callee = answering(
        hear("INFO", Check("application/dtmf-relay", "Content-Type"), Check("Signal=5")),
        send(answer_of("200 OK", tag="")),
        hear("BYE", Check("cause=41", "Reason")),
        send(answer_of("200 OK", tag="")),
        heard=(Check("1001@acme.example", "P-Asserted-Identity"), Check("69", "Max-Forwards")),
    )
    scripts = (Script(tmp_path, "alice", alice, caller), Script(tmp_path, "bob", bob, callee))
    await together(scripts[0], f"127.0.0.1:{server.udp}", scripts[1])
    (cdr,) = await server.cdrs()
    assert (cdr["disposition"], cdr["q850_cause"], cdr["reason"]) == ("answered", 41, "cable cut")


async def test_a_message_reaches_a_phone_outside_any_call(server: Server, tmp_path: Path) -> None:
    alice, bob = ports(2)
    await bind(server, "1002", bob)
    words = Words("1001", "1002")

    def message(cseq: int, secret: bool) -> str:
        text = words.invite(cseq, secret=secret, sdp=False).replace("INVITE", "MESSAGE")
        return text.replace("Content-Length: 0\n", "Content-Type: text/plain\nContent-Length: [len]\n") + "hello"

    caller = [
        send(message(1, False), retrans=True),
        hear(401, auth=True),
        send(message(2, True), retrans=True),
        hear(200),
    ]
    callee = [hear("MESSAGE", Check("hello"), Check("Alice|1001", "From")), send(answer_of("200 OK", contact=False))]
    scripts = (Script(tmp_path, "alice", alice, caller), Script(tmp_path, "bob", bob, callee))
    await together(scripts[0], f"127.0.0.1:{server.udp}", scripts[1])


async def test_a_phone_that_forgot_the_call_is_found_out(server: Server, tmp_path: Path) -> None:
    alice, bob = ports(2)
    await bind(server, "1002", bob)
    words = Words("1001", "1002", extra="Privacy: id")
    caller = [
        *words.challenged(),
        hear(180),
        hear(200, routes=True),
        send(words.within("ACK", 2)),
        hear("OPTIONS"),
        send(answer_of("200 OK", tag="")),
        hear("BYE", Check("SIP;cause=481")),
        send(answer_of("200 OK", tag="")),
    ]
    callee = answering(
        hear("OPTIONS"),
        send(answer_of("481 Call Does Not Exist", tag="")),
        hear("BYE"),
        send(answer_of("481 Call Does Not Exist", tag="")),
        heard=(Check("anonymous.invalid", "From"), Check("P-Asserted-Identity", absent=True)),
    )
    scripts = (Script(tmp_path, "alice", alice, caller), Script(tmp_path, "bob", bob, callee))
    await together(scripts[0], f"127.0.0.1:{server.udp}", scripts[1])
    (cdr,) = await server.cdrs()
    assert (cdr["disposition"], cdr["sip_status"], cdr["hangup_by"]) == ("lost", 481, "system")
