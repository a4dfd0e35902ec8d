"""The flows of RFC 3665 section 3 through a real server, by their numbers there; SIPp or real phones say the messages.

Where the RFC's flow has a proxy, the server stands in its place. A second proxy of a flow is played by the phone's
script: its Via, its Record-Route and its Path are in the messages, and the server must treat them as that proxy's.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.e2e.sipp import (
    SDP,
    Check,
    Script,
    Words,
    answer_of,
    bind,
    callee_request,
    hear,
    invite_answer,
    needs_sipp,
    ports,
    send,
    together,
    wait,
)
from tests.e2e.talk import TONES_HZ, both_hear, connect, phone
from tests.fixtures.server import Server, running, tenant
from tests.phones.factory import Phones

pytestmark = needs_sipp


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    """A server whose phones may use MD5, the only digest that SIPp knows."""
    one = Server.at(tmp_path, SIP_DIGEST="MD5")
    async with running(one, tenant("acme", ["1001", "1002", "1003"], ring_s=60)):
        yield one


async def play(server: Server, caller: Script, *others: Script) -> None:
    await together(caller, f"127.0.0.1:{server.udp}", *others)


async def outcome(server: Server) -> dict[str, object]:
    (cdr,) = await server.cdrs()
    return cdr


def talking(words: Words, *, ack: str = "") -> list[str]:
    """What follows on a challenged INVITE that is answered: the caller talks and hangs up."""
    return [
        hear(180),
        hear(200, routes=True),
        send(ack or words.within("ACK", 2)),
        wait(100),
        send(words.within("BYE", 3), retrans=True),
        hear(200),
    ]


def answering(*checks: Check, routes: str = "") -> list[str]:
    """A callee that rings, answers and is hung up."""
    return [
        hear("INVITE", *checks),
        send(answer_of("180 Ringing", routes=routes)),
        send(answer_of("200 OK", sdp=True, routes=routes), retrans=True),
        hear("ACK", *checks),
        hear("BYE", *checks),
        send(answer_of("200 OK", tag="", routes=routes)),
    ]


def answering_until_ack(*checks: Check) -> list[str]:
    """A callee that rings and answers; its own requests may follow."""
    return [
        hear("INVITE", *checks, routes=True),
        send(answer_of("180 Ringing")),
        send(answer_of("200 OK", sdp=True), retrans=True),
        hear("ACK", *checks),
    ]


async def test_3_1_successful_session_establishment(server: Server, phones: Phones) -> None:
    """Alice calls Bob, they hear each other, Bob hangs up."""
    alice = await phone(server, phones, "baresip", "1001")
    bob = await phone(server, phones, "pjsua", "1002")
    out, incoming = await connect(alice, bob, "1002")
    await both_hear(out, TONES_HZ["1001"], incoming, TONES_HZ["1002"])
    await incoming.hang_up()
    await asyncio.gather(out.state("ended", 10), incoming.state("ended", 10))
    cdr = await outcome(server)
    assert (cdr["disposition"], cdr["hangup_by"]) == ("answered", "callee")


async def test_3_2_session_establishment_through_two_proxies(server: Server, tmp_path: Path) -> None:
    """Proxy 1 stands before Alice (Via, Record-Route), Proxy 2 before Bob (Path, Record-Route)."""
    alice, bob = ports(2)
    first = f"<sip:127.0.0.1:{alice};lr;proxy=1>"
    second = f"<sip:127.0.0.1:{bob};lr;proxy=2>"
    await bind(server, "1002", bob, path=second)
    words = Words(
        "1001",
        "1002",
        via=f"Via: SIP/2.0/UDP 127.0.0.1:{alice};branch={{branch}}-p1;rport\n"
        "Via: SIP/2.0/UDP client.acme.example:5060;branch={branch}",
        extra=f"Record-Route: {first}",
    )
    both_vias = Check(r"client\.acme\.example")
    caller = [
        *words.challenged(),
        hear(180, both_vias, Check("proxy=1", "Record-Route")),
        hear(200, both_vias, Check("proxy=1", "Record-Route"), routes=True),
        send(words.within("ACK", 2)),
        wait(100),
        send(words.within("BYE", 3), retrans=True),
        hear(200, both_vias),
    ]
    callee = answering(Check("proxy=2", "Route"), routes=f"Record-Route: {second}")
    await play(server, Script(tmp_path, "alice", alice, caller), Script(tmp_path, "bob", bob, callee))
    assert (await outcome(server))["disposition"] == "answered"


async def test_3_3_session_with_multiple_proxy_authentication(server: Server, tmp_path: Path) -> None:
    """Alice has credentials for another proxy on her way too: ours count here, and Bob sees neither."""
    alice, bob = ports(2)
    await bind(server, "1002", bob)
    words = Words("1001", "1002")
    other = (
        'Proxy-Authorization: Digest username="alice", realm="ss1.example", nonce="84a4cc6f3082121f32b42a2187831a9e",'
        ' uri="sip:1002@acme.example", response="7587245234b3434cc3412213e5f113a5"'
    )
    hidden = Check("[Aa]uthorization", absent=True)
    caller = [*words.challenged(extra=other), *talking(words)]
    await play(server, Script(tmp_path, "alice", alice, caller), Script(tmp_path, "bob", bob, answering(hidden)))
    assert (await outcome(server))["disposition"] == "answered"


async def test_3_4_successful_session_with_proxy_failure(server: Server, tmp_path: Path) -> None:
    """The first proxy answers 503; Alice says the same call (its Call-ID) to us, and it succeeds once."""
    alice, bob, dead = ports(3)
    await bind(server, "1002", bob)
    words = Words("1001", "1002")
    call_id = "2xTb9vxSit55XU7p8@acme.example"
    refused = Script(tmp_path, "proxy1", dead, [hear("INVITE"), send(answer_of("503 Unavailable")), hear("ACK")])
    tried = Script(
        tmp_path, "alice1", alice, [send(words.invite(1), retrans=True), hear(503), send(words.refusal_ack(1))]
    )
    async with asyncio.TaskGroup() as group:
        group.create_task(refused.run())
        group.create_task(tried.run(f"127.0.0.1:{dead}", call_id))
    again = Script(tmp_path, "alice2", alice, [*words.challenged(), *talking(words)])
    callee = Script(tmp_path, "bob", bob, answering())
    async with asyncio.TaskGroup() as group:
        group.create_task(callee.run())
        group.create_task(again.run(f"127.0.0.1:{server.udp}", call_id))
    assert (await outcome(server))["disposition"] == "answered"


async def test_3_5_session_through_a_sip_alg(server: Server, tmp_path: Path) -> None:
    """Alice's own addresses are private ones: answers and requests go to where she was heard."""
    alice, bob = ports(2)
    await bind(server, "1002", bob)
    words = Words(
        "1001",
        "1002",
        via="Via: SIP/2.0/UDP 192.0.2.103:5060;branch={branch};rport",
        contact="<sip:1001@192.0.2.103:5060>",
    )
    heard_at = Check(f"rport={alice};received=127.0.0.1|received=127.0.0.1;rport={alice}", "Via")
    caller = [
        *words.challenged(),
        hear(180, heard_at),
        hear(200, heard_at, routes=True),
        send(words.within("ACK", 2)),
        hear("BYE", Check("sip:1001@192\\.0\\.2\\.103:5060")),
        send(answer_of("200 OK", tag="")),
    ]
    callee = [*answering_until_ack(), send(callee_request("BYE", 1), retrans=True), hear(200)]
    await play(server, Script(tmp_path, "alice", alice, caller), Script(tmp_path, "bob", bob, callee))
    assert (await outcome(server))["hangup_by"] == "callee"


async def test_3_6_session_via_redirect_and_proxy_with_sdp_in_ack(server: Server, tmp_path: Path) -> None:
    """1002's phone redirects to 1003; Alice offers nothing in her INVITE and answers Bob's offer in her ACK."""
    alice, first, bob = ports(3)
    await bind(server, "1002", first)
    await bind(server, "1003", bob)
    words = Words("1001", "1002")
    nothing = Check("application/sdp", absent=True)
    caller = [
        *words.challenged(sdp=False),
        hear(180),
        hear(200, Check("m=audio 40100"), routes=True),
        send(words.within("ACK", 2, sdp=SDP.format(port=40000))),
        wait(100),
        send(words.within("BYE", 3), retrans=True),
        hear(200),
    ]
    moved = answer_of("302 Moved Temporarily", extra="Contact: <sip:1003@acme.example>", contact=False)
    redirecting = [hear("INVITE", nothing), send(moved), hear("ACK")]
    callee = [
        hear("INVITE", nothing),
        send(answer_of("180 Ringing")),
        send(answer_of("200 OK", sdp=True), retrans=True),
        hear("ACK", Check("m=audio 40000")),
        hear("BYE"),
        send(answer_of("200 OK", tag="")),
    ]
    await play(
        server,
        Script(tmp_path, "alice", alice, caller),
        Script(tmp_path, "redirect", first, redirecting),
        Script(tmp_path, "bob", bob, callee),
    )
    cdr = await outcome(server)
    assert (cdr["disposition"], cdr["to_number"], cdr["answered_by"]) == ("answered", "1002", "1003")


async def test_3_7_session_with_reinvite_for_a_new_address(server: Server, tmp_path: Path) -> None:
    """Bob moves: his re-INVITE carries another Contact and other media, and Alice hears of the media only."""
    alice, bob = ports(2)
    await bind(server, "1002", bob)
    words = Words("1001", "1002")
    caller = [
        *words.challenged(),
        hear(180),
        hear(200, routes=True),
        send(words.within("ACK", 2)),
        hear("INVITE", Check("m=audio 40200")),
        send(answer_of("200 OK", tag="", sdp=True), retrans=True),
        hear("ACK"),
        wait(100),
        send(words.within("BYE", 3), retrans=True),
        hear(200),
    ]
    moved = "<sip:1002@127.0.0.1:[local_port];moved=yes>"
    callee = [
        *answering_until_ack(),
        send(callee_request("INVITE", 1, contact=moved, sdp=SDP.format(port=40200)), retrans=True),
        hear(100, optional=True),
        hear(200, Check("m=audio 40100")),
        send(callee_request("ACK", 1)),
        hear("BYE", Check("^BYE sip:1002@[0-9.:]+;moved=yes")),
        send(answer_of("200 OK", tag="")),
    ]
    await play(server, Script(tmp_path, "alice", alice, caller), Script(tmp_path, "bob", bob, callee))
    cdr = await outcome(server)
    assert (cdr["disposition"], cdr["hangup_by"]) == ("answered", "caller")


async def test_3_8_unsuccessful_no_answer(server: Server, tmp_path: Path) -> None:
    """Bob's phone rings, Alice gives up: CANCEL and 487 on both sides."""
    alice, bob = ports(2)
    await bind(server, "1002", bob)
    words = Words("1001", "1002")
    caller = [
        *words.challenged(),
        hear(180),
        send(words.cancel(2), retrans=True),
        hear(200, Check("CANCEL", "CSeq")),
        hear(487, Check("INVITE", "CSeq")),
        send(words.refusal_ack(2)),
    ]
    callee = [
        hear("INVITE"),
        send(answer_of("180 Ringing")),
        hear("CANCEL"),
        send(answer_of("200 OK")),
        send(invite_answer("487 Request Terminated"), retrans=True),
        hear("ACK"),
    ]
    await play(server, Script(tmp_path, "alice", alice, caller), Script(tmp_path, "bob", bob, callee))
    cdr = await outcome(server)
    assert (cdr["disposition"], cdr["hangup_by"], cdr["sip_status"]) == ("cancelled", "caller", 487)


async def test_3_9_unsuccessful_busy(server: Server, tmp_path: Path) -> None:
    await refused(server, tmp_path, "486 Busy Here", 486, "busy")


async def test_3_11_unsuccessful_temporarily_unavailable(server: Server, tmp_path: Path) -> None:
    await refused(server, tmp_path, "480 Temporarily Unavailable", 480, "failed", ringing=True)


async def refused(
    server: Server, tmp_path: Path, line: str, status: int, disposition: str, ringing: bool = False
) -> None:
    alice, bob = ports(2)
    await bind(server, "1002", bob)
    words = Words("1001", "1002")
    caller = [*words.challenged(), *([hear(180)] if ringing else []), hear(status), send(words.refusal_ack(2))]
    callee = [
        hear("INVITE"),
        *([send(answer_of("180 Ringing"))] if ringing else []),
        send(answer_of(line), retrans=True),
        hear("ACK"),
    ]
    await play(server, Script(tmp_path, "alice", alice, caller), Script(tmp_path, "bob", bob, callee))
    cdr = await outcome(server)
    assert (cdr["disposition"], cdr["sip_status"]) == (disposition, status)


async def test_3_10_unsuccessful_no_response_from_user_agent(server: Server, tmp_path: Path) -> None:
    """Bob's phone is registered and silent: after 64*T1 (32 s) Alice is told, and nobody before her gave up."""
    alice, bob = ports(2)
    await bind(server, "1002", bob)
    words = Words("1001", "1002")
    caller = [*words.challenged(), hear(408, seconds=40), send(words.refusal_ack(2))]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", bob))
        await play(server, Script(tmp_path, "alice", alice, caller))
    cdr = await outcome(server)
    assert (cdr["disposition"], cdr["sip_status"]) == ("failed", 408)
