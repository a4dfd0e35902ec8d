"""`kill -9` in mid-call: started again, the call goes on and leaves one exact record."""

from __future__ import annotations

import asyncio

import pytest

from tests.e2e.talk import TONES_HZ, both_hear, connect, hold_and_resume, phone
from tests.fixtures.server import Server
from tests.phones.factory import Phones

TRANSPORTS = ("udp", "tcp")


async def restart(server: Server) -> None:
    await server.kill()
    await server.start()


async def finished(server: Server, by: str) -> None:
    (cdr,) = await server.cdrs()
    assert (cdr["disposition"], cdr["hangup_by"], cdr["takeovers"]) == ("answered", by, 1)
    assert len(server.query("SELECT * FROM cdr_all")) == 1
    sequences = [row["sequence"] for row in server.query("SELECT sequence FROM call_events ORDER BY sequence")]
    assert sequences == list(range(1, len(sequences) + 1))


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_killed_while_talking(server: Server, phones: Phones, transport: str) -> None:
    alice = await phone(server, phones, "pjsua", "1001", transport)
    bob = await phone(server, phones, "baresip", "1002", transport)
    out, incoming = await connect(alice, bob, "1002")
    # Heard first: baresip sends a re-INVITE of its own right after the answer, which a broken connection would lose.
    await both_hear(out, TONES_HZ["1001"], incoming, TONES_HZ["1002"])
    await restart(server)
    await both_hear(out, TONES_HZ["1001"], incoming, TONES_HZ["1002"])
    if transport == "tcp":
        await bob.register()  # baresip does not come back by itself before its next refresh
    await hold_and_resume(out, TONES_HZ["1001"], incoming, TONES_HZ["1002"], 20)
    await incoming.hang_up()
    await asyncio.gather(out.state("ended", 20), incoming.state("ended", 20))
    await finished(server, "callee")


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_killed_while_on_hold(server: Server, phones: Phones, transport: str) -> None:
    alice = await phone(server, phones, "pjsua", "1001", transport)
    bob = await phone(server, phones, "pjsua", "1002", transport)
    out, incoming = await connect(alice, bob, "1002")
    await out.hold()
    await out.state("held", 10)
    await restart(server)
    await out.resume()
    await out.state("answered", 20)
    await both_hear(out, TONES_HZ["1001"], incoming, TONES_HZ["1002"])
    await out.hang_up()
    await incoming.state("ended", 20)
    await finished(server, "caller")


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_killed_while_ringing(server: Server, phones: Phones, transport: str) -> None:
    # pjsua ends its own INVITE when its TCP connection breaks (a 503 of its own), so baresip calls there.
    alice = await phone(server, phones, "pjsua" if transport == "udp" else "baresip", "1001", transport)
    bob = await phone(server, phones, "baresip" if transport == "udp" else "pjsua", "1002", transport)
    out = await alice.dial("1002")
    incoming = await bob.incoming(10)
    await incoming.ring()
    await out.state("ringing", 10)
    await restart(server)
    if transport == "tcp":
        await alice.register()  # baresip does not come back by itself before its next refresh
    await incoming.answer()
    await asyncio.gather(out.state("answered", 30), incoming.state("answered", 30))
    await both_hear(out, TONES_HZ["1001"], incoming, TONES_HZ["1002"])
    assert len(bob.calls) == 1, "no second INVITE"
    await incoming.hang_up()
    await out.state("ended", 20)
    await finished(server, "callee")


async def test_killed_sessions_process_is_started_again_by_its_parent(server: Server, phones: Phones) -> None:
    alice = await phone(server, phones, "pjsua", "1001")
    bob = await phone(server, phones, "pjsua", "1002")
    out, incoming = await connect(alice, bob, "1002")
    await server.kill_role("sessions")
    await out.hang_up()
    await asyncio.gather(out.state("ended", 30), incoming.state("ended", 30))
    await finished(server, "caller")
