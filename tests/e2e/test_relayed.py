"""Real phones whose media go through us: each hears the other, also where one of them speaks SRTP only."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from tests.e2e.talk import TONES_HZ, both_hear, connect, hold_and_resume, phone
from tests.fixtures.server import Server, tenant
from tests.phones.call import PhoneCall
from tests.phones.factory import Phones

ALICE_HZ, BOB_HZ = TONES_HZ["1001"], TONES_HZ["1002"]
LOOKS = 5


def declared(**of_bob: Any) -> dict[str, Any]:
    """A tenant in which the extension 1002 has more keys."""
    found = tenant("acme")
    found["extensions"][1] |= of_bob
    return found


async def heard_again(alice: PhoneCall, bob: PhoneCall) -> None:
    """As soon as the audio is back, which takes a busy machine its time; the last look must be good."""
    for _ in range(LOOKS):
        with contextlib.suppress(AssertionError):
            await both_hear(alice, ALICE_HZ, bob, BOB_HZ)
            return
    await both_hear(alice, ALICE_HZ, bob, BOB_HZ)


async def ways(server: Server) -> list[str]:
    """How the calls' media went, by the journal."""
    rows = await server.rows("SELECT data FROM call_events WHERE type LIKE 'call.connected%'", bool)
    return ["relayed" if '"media":"relayed"' in row["data"] else "direct" for row in rows]


@pytest.mark.parametrize(("caller", "callee"), [("pjsua", "baresip"), ("baresip", "pjsua")])
async def test_both_phones_hear_each_other_through_us(server: Server, phones: Phones, caller: str, callee: str) -> None:
    await server.apply(declared(media="relay"))
    alice, bob = await asyncio.gather(phone(server, phones, caller, "1001"), phone(server, phones, callee, "1002"))
    out, incoming = await connect(alice, bob, "1002")
    await both_hear(out, ALICE_HZ, incoming, BOB_HZ)
    await hold_and_resume(out, ALICE_HZ, incoming, BOB_HZ, 10)
    await hold_and_resume(incoming, BOB_HZ, out, ALICE_HZ, 10)
    await out.hang_up()
    await incoming.state("ended", 10)
    (cdr,) = await server.cdrs()
    assert (cdr["disposition"], cdr["hangup_by"], cdr["audio_losses"]) == ("answered", "caller", 0)
    assert await ways(server) == ["relayed"]
    for leg in server.query("SELECT * FROM cdr_legs"):
        assert leg["packets_received"] > 50, leg
        assert (leg["packets_lost"] < 5, leg["mos_x100"] > 400) == (True, True), leg


@pytest.mark.parametrize("role", ["media", "sessions", "parent"])
async def test_a_relayed_call_outlives_its_processes(server: Server, phones: Phones, role: str) -> None:
    """With their parent all processes end: nothing is left that has the ports, which the next start opens again."""
    await server.apply(declared(media="relay"))
    alice, bob = await phone(server, phones, "pjsua", "1001"), await phone(server, phones, "baresip", "1002")
    out, incoming = await connect(alice, bob, "1002")
    await both_hear(out, ALICE_HZ, incoming, BOB_HZ)
    if role == "parent":
        await server.kill()
        await server.start()
    else:
        await server.replace_role(role)
    await heard_again(out, incoming)
    assert [change.state for change in out.changes].count("answered") == 1
    await incoming.hang_up()
    await out.state("ended", 10)
    (cdr,) = await server.cdrs()
    assert (cdr["disposition"], cdr["hangup_by"]) == ("answered", "callee")


@pytest.mark.parametrize(("caller", "callee"), [("pjsua", "baresip"), ("baresip", "pjsua")])
@pytest.mark.parametrize("speaks", ["caller", "callee"])
async def test_one_phone_speaks_srtp_only_and_the_other_has_none(
    server: Server, phones: Phones, caller: str, callee: str, speaks: str
) -> None:
    await server.apply(declared(srtp=speaks == "callee"))
    alice = await phone(server, phones, caller, "1001", srtp=speaks == "caller")
    bob = await phone(server, phones, callee, "1002", srtp=speaks == "callee")
    out, incoming = await connect(alice, bob, "1002")
    await both_hear(out, ALICE_HZ, incoming, BOB_HZ)
    await hold_and_resume(out, ALICE_HZ, incoming, BOB_HZ, 10)
    await out.hang_up()
    await incoming.state("ended", 10)
    assert await ways(server) == ["relayed"]
