"""Real phones call each other through a real server; every claim is heard, seen by them, or read in ClickHouse."""

from __future__ import annotations

import asyncio
import re
from itertools import product

import pytest

from tests.e2e.talk import TONES_HZ, both_hear, connect, hold_and_resume, phone
from tests.fixtures.server import Server, tenant
from tests.phones.call import State
from tests.phones.factory import Phones

MAKERS = ("pjsua", "baresip")
TRANSPORTS = ("udp", "tcp", "tls")
CLOCKS_AGREE_S = 0.1


@pytest.mark.parametrize(("caller_kind", "callee_kind"), list(product(MAKERS, MAKERS)))
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_two_phones_talk_and_the_record_agrees(
    server: Server, phones: Phones, caller_kind: str, callee_kind: str, transport: str
) -> None:
    alice = await phone(server, phones, caller_kind, "1001", transport)
    bob = await phone(server, phones, callee_kind, "1002", transport)
    out, incoming = await connect(alice, bob, "1002")
    await both_hear(out, TONES_HZ["1001"], incoming, TONES_HZ["1002"])
    await out.hang_up()
    await asyncio.gather(out.state("ended", 10), incoming.state("ended", 10))
    (cdr,) = await server.cdrs()
    assert (cdr["tenant"], cdr["from_number"], cdr["to_number"], cdr["answered_by"]) == (
        "acme",
        "1001",
        "1002",
        "1002",
    )
    assert (cdr["disposition"], cdr["hangup_by"], cdr["takeovers"]) == ("answered", "caller", 0)
    agreements: tuple[tuple[str, State], ...] = (("answered_at", "answered"), ("ended_at", "ended"))
    for column, state in agreements:
        change = out.first(state)
        assert change is not None
        seen = change.utc
        assert abs((cdr[column] - seen).total_seconds()) < CLOCKS_AGREE_S, (column, cdr[column], seen)


@pytest.mark.parametrize("maker", MAKERS)
async def test_hold_silences_and_resume_restores(server: Server, phones: Phones, maker: str) -> None:
    alice = await phone(server, phones, maker, "1001")
    bob = await phone(server, phones, "pjsua", "1002")
    out, incoming = await connect(alice, bob, "1002")
    await both_hear(out, TONES_HZ["1001"], incoming, TONES_HZ["1002"])
    await hold_and_resume(out, TONES_HZ["1001"], incoming, TONES_HZ["1002"], 10)
    await incoming.hang_up()
    await out.state("ended", 10)
    (cdr,) = await server.cdrs()
    assert cdr["hangup_by"] == "callee"
    assert cdr["hold_ms"] > 0


async def test_every_device_rings_and_the_first_answer_wins(server: Server, phones: Phones) -> None:
    alice = await phone(server, phones, "pjsua", "1001")
    desk = await phone(server, phones, "pjsua", "1002")
    mobile = await phone(server, phones, "baresip", "1002", "tcp")
    out = await alice.dial("1002")
    first, second = await asyncio.gather(desk.incoming(10), mobile.incoming(10))
    await asyncio.gather(first.ring(), second.ring())
    await second.answer()
    await out.state("answered", 10)
    await first.state("ended", 10)
    await both_hear(out, TONES_HZ["1001"], second, TONES_HZ["1002"])
    await out.hang_up()
    await second.state("ended", 10)
    (cdr,) = await server.cdrs()
    assert cdr["legs"] == 3
    legs = server.query("SELECT side, q850_cause, answered_at FROM cdr_legs ORDER BY leg")
    assert [leg["answered_at"] is not None for leg in legs] == [True, False, True]


async def test_two_phones_that_answer_at_once_leave_one_call(server: Server, phones: Phones) -> None:
    """The one that was later is told so, by CANCEL or BYE, and the other one talks."""
    alice = await phone(server, phones, "pjsua", "1001")
    both = [await phone(server, phones, "pjsua", "1002") for _ in range(2)]
    out = await alice.dial("1002")
    calls = await asyncio.gather(*(one.incoming(10) for one in both))
    await asyncio.gather(*(call.ring() for call in calls))
    await out.state("ringing", 10)
    await asyncio.gather(*(call.answer() for call in calls), return_exceptions=True)
    await out.state("answered", 10)
    async with asyncio.timeout(10):
        while not any(call.is_over for call in calls):
            await asyncio.sleep(0.02)
    (one,) = [call for call in calls if not call.is_over]
    await both_hear(out, TONES_HZ["1001"], one, TONES_HZ["1002"])
    await out.hang_up()
    await one.state("ended", 10)
    (cdr,) = await server.cdrs()
    assert (cdr["disposition"], cdr["legs"]) == ("answered", 3)
    legs = server.query("SELECT side, answered_at FROM cdr_legs ORDER BY leg")
    assert [leg["answered_at"] is not None for leg in legs if leg["side"] == "callee"].count(True) == 1


async def test_the_caller_gives_up(server: Server, phones: Phones) -> None:
    alice = await phone(server, phones, "pjsua", "1001")
    bob = await phone(server, phones, "baresip", "1002")
    out = await alice.dial("1002")
    incoming = await bob.incoming(10)
    await incoming.ring()
    await out.state("ringing", 10)
    await out.hang_up()
    await asyncio.gather(out.state("ended", 10), incoming.state("ended", 10))
    (cdr,) = await server.cdrs()
    assert (cdr["disposition"], cdr["hangup_by"], cdr["sip_status"]) == ("cancelled", "caller", 487)


@pytest.mark.parametrize(("status", "disposition"), [(486, "busy"), (603, "rejected")], ids=["busy", "rejected"])
async def test_the_callee_does_not_want_to(server: Server, phones: Phones, status: int, disposition: str) -> None:
    alice = await phone(server, phones, "baresip", "1001")
    bob = await phone(server, phones, "pjsua", "1002")
    out = await alice.dial("1002")
    incoming = await bob.incoming(10)
    await incoming.reject(status)
    await out.state("ended", 10)
    assert out.ended[0] == status
    (cdr,) = await server.cdrs()
    assert (cdr["disposition"], cdr["sip_status"], cdr["hangup_by"]) == (disposition, status, "callee")


async def test_nobody_answers(server: Server, phones: Phones) -> None:
    await server.apply(tenant("acme", ring_s=2))
    alice = await phone(server, phones, "pjsua", "1001")
    bob = await phone(server, phones, "pjsua", "1002")
    out = await alice.dial("1002")
    incoming = await bob.incoming(10)
    await incoming.ring()
    await asyncio.gather(out.state("ended", 15), incoming.state("ended", 15))
    assert out.ended[0] == 480
    (cdr,) = await server.cdrs()
    assert (cdr["disposition"], cdr["q850_cause"], cdr["talk_ms"]) == ("no_answer", 19, 0)


@pytest.mark.parametrize(("number", "status", "cause"), [("4711", 404, 1), ("1003", 480, 20)])
async def test_unknown_and_unregistered_numbers(
    server: Server, phones: Phones, number: str, status: int, cause: int
) -> None:
    alice = await phone(server, phones, "pjsua", "1001")
    out = await alice.dial(number)
    await out.state("ended", 10)
    assert out.ended[0] == status
    (cdr,) = await server.cdrs()
    assert (cdr["disposition"], cdr["sip_status"], cdr["q850_cause"]) == ("failed", status, cause)


async def test_early_media_is_passed_on(server: Server, phones: Phones) -> None:
    alice = await phone(server, phones, "pjsua", "1001")
    bob = await phone(server, phones, "pjsua", "1002")
    out = await alice.dial("1002")
    incoming = await bob.incoming(10)
    await incoming.progress()
    await out.state("early", 10)
    await both_hear(out, TONES_HZ["1001"], incoming, TONES_HZ["1002"])
    await incoming.answer()
    await out.state("answered", 10)
    await out.hang_up()
    await incoming.state("ended", 10)


@pytest.mark.parametrize(("caller_kind", "callee_kind"), [("pjsua", "baresip"), ("baresip", "pjsua")])
async def test_srtp_end_to_end_and_no_key_in_the_journal(
    server: Server, phones: Phones, caller_kind: str, callee_kind: str
) -> None:
    alice = await phone(server, phones, caller_kind, "1001", "tls", srtp=True)
    bob = await phone(server, phones, callee_kind, "1002", "tls", srtp=True)
    out, incoming = await connect(alice, bob, "1002")
    await both_hear(out, TONES_HZ["1001"], incoming, TONES_HZ["1002"])
    await out.hang_up()
    await incoming.state("ended", 10)
    await server.cdrs()
    await server.rows("SELECT 1 AS one FROM call_events WHERE data LIKE '%a=crypto%inline:%'", bool)  # after the CDR
    keys = set(re.findall(r"inline:([^\s|]+)", alice.trace() + bob.trace()))
    assert keys
    files = b"".join(path.read_bytes() for path in server.data.glob("journal.db*"))
    assert not [key for key in keys if key.encode() in files]


async def test_the_same_number_in_two_tenants_is_two_phones(server: Server, phones: Phones) -> None:
    alice = await phone(server, phones, "pjsua", "1001")
    stranger = await phone(server, phones, "pjsua", "1002", tenant="globex")
    out = await alice.dial("1002")
    await out.state("ended", 10)
    assert out.ended[0] == 480, "acme's 1002 is not registered, globex's is somebody else"
    assert not stranger.calls
