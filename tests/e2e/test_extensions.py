"""Real phones that insist on PRACK, UPDATE and session timers (RFC 3262, 3311, 4028)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.e2e.talk import TONES_HZ, both_hear, connect, phone
from tests.fixtures.server import Server, running, tenant
from tests.phones.factory import Phones

SESSION_S = 90


@pytest_asyncio.fixture
async def brief(tmp_path: Path) -> AsyncIterator[Server]:
    """A server whose sessions are as short as they may be."""
    async with running(Server.at(tmp_path, SESSION_EXPIRES=str(SESSION_S)), tenant("acme")) as one:
        yield one


@pytest.mark.parametrize(("caller", "callee"), [(True, False), (False, True), (True, True)])
async def test_progress_is_acknowledged_by_whoever_must(
    server: Server, phones: Phones, caller: bool, callee: bool
) -> None:
    alice = await phone(server, phones, "pjsua", "1001", prack=caller)
    bob = await phone(server, phones, "pjsua", "1002", prack=callee)
    out, incoming = await connect(alice, bob, "1002")
    await both_hear(out, TONES_HZ["1001"], incoming, TONES_HZ["1002"])
    # Of either it is enough that one insists: pjsua as a caller can always acknowledge.
    assert "RSeq: 1" in alice.trace() and "PRACK sip:" in alice.trace()
    assert "PRACK sip:" in bob.trace() or not callee
    await out.hang_up()
    await incoming.state("ended", 10)
    (cdr,) = await server.cdrs()
    assert cdr["disposition"] == "answered"


async def test_early_media_is_acknowledged_before_the_answer(server: Server, phones: Phones) -> None:
    alice = await phone(server, phones, "pjsua", "1001", prack=True)
    bob = await phone(server, phones, "pjsua", "1002", prack=True)
    out = await alice.dial("1002")
    incoming = await bob.incoming(10)
    await incoming.progress()
    await out.state("early", 10)
    await incoming.answer()
    await out.state("answered", 10)
    await both_hear(out, TONES_HZ["1001"], incoming, TONES_HZ["1002"])
    await incoming.hang_up()
    await out.state("ended", 10)


async def test_media_are_offered_again_by_update(server: Server, phones: Phones) -> None:
    alice = await phone(server, phones, "pjsua", "1001")
    bob = await phone(server, phones, "pjsua", "1002")
    out, incoming = await connect(alice, bob, "1002")
    await out.update()
    await both_hear(out, TONES_HZ["1001"], incoming, TONES_HZ["1002"])
    assert "UPDATE sip:" in alice.trace()
    await out.hang_up()
    await incoming.state("ended", 10)


async def refreshes(server: Server) -> dict[str, int]:
    """How often sessions were refreshed so far, by type of event: Alice's by herself, Bob's by us."""
    rows = server.query(
        "SELECT type, count() AS n FROM call_events WHERE type LIKE 'call.%refresh%' GROUP BY type ORDER BY type"
    )
    return {row["type"]: row["n"] for row in rows}


async def test_both_legs_are_refreshed_each_on_its_own(brief: Server, phones: Phones) -> None:
    alice = await phone(brief, phones, "pjsua", "1001", session_s=SESSION_S)
    bob = await phone(brief, phones, "pjsua", "1002", session_s=SESSION_S)
    out, incoming = await connect(alice, bob, "1002")
    async with asyncio.timeout(70):
        while await refreshes(brief) != {"call.refresh_requested.1": 1, "call.session_refreshed.2": 2}:
            await asyncio.sleep(1)
    await both_hear(out, TONES_HZ["1001"], incoming, TONES_HZ["1002"])
    await out.hang_up()
    await incoming.state("ended", 10)
    (cdr,) = await brief.cdrs()
    assert cdr["disposition"] == "answered"
