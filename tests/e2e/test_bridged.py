"""Real phones that have no codec in common: each hears the other through us, and its keys."""

from __future__ import annotations

import asyncio

import pytest

from tests.e2e.talk import TONES_HZ, both_hear, connect, hold_and_resume, phone
from tests.e2e.test_recorded import finished, middle, only, sound
from tests.e2e.test_relayed import declared, ways
from tests.fixtures.server import Server, tenant
from tests.phones.factory import Phones

ALICE_HZ, BOB_HZ = TONES_HZ["1001"], TONES_HZ["1002"]
PAIRS = [
    ("baresip", "opus", "pjsua", "PCMA"),
    ("pjsua", "PCMU", "baresip", "opus"),
    ("pjsua", "G722", "baresip", "PCMA"),
    ("baresip", "PCMU", "pjsua", "G722"),
]


@pytest.mark.parametrize(("caller", "spoken", "callee", "heard"), PAIRS)
async def test_phones_with_different_codecs_hear_each_other(
    server: Server, phones: Phones, caller: str, spoken: str, callee: str, heard: str
) -> None:
    await server.apply(tenant("acme"))
    alice = await phone(server, phones, caller, "1001", codecs=(spoken,))
    bob = await phone(server, phones, callee, "1002", codecs=(heard,))
    out, incoming = await connect(alice, bob, "1002")
    await both_hear(out, ALICE_HZ, incoming, BOB_HZ)
    await hold_and_resume(out, ALICE_HZ, incoming, BOB_HZ, 10)
    await hold_and_resume(incoming, BOB_HZ, out, ALICE_HZ, 10)
    await out.press("5")
    await incoming.told("5")
    await incoming.press("#")
    await out.told("#")
    await out.hang_up()
    await incoming.state("ended", 10)
    assert await ways(server) == ["relayed"]
    (cdr,) = await server.cdrs()
    assert (cdr["disposition"], cdr["audio_losses"]) == ("answered", 0)
    codecs = {leg["number"]: leg["codec"] for leg in server.query("SELECT number, codec FROM cdr_legs")}
    assert codecs == {"1001": spoken, "1002": heard}


@pytest.mark.parametrize("speaks", ["caller", "callee"])
async def test_one_of_them_speaks_srtp_and_both_are_recorded(server: Server, phones: Phones, speaks: str) -> None:
    await server.apply(declared(srtp=speaks == "callee", recording={"mode": "always"}))
    alice = await phone(server, phones, "pjsua", "1001", codecs=("G722",), srtp=speaks == "caller")
    bob = await phone(server, phones, "baresip", "1002", codecs=("opus",), srtp=speaks == "callee")
    out, incoming = await connect(alice, bob, "1002")
    await both_hear(out, ALICE_HZ, incoming, BOB_HZ)
    await asyncio.sleep(1)  # so much is recorded
    await incoming.press("7")
    await out.told("7")
    await out.hang_up()
    async with server.client() as client:
        (item,) = await finished(server)
        rate_hz, (left, right) = await sound(client, item)
        assert rate_hz == 16000
        only(middle(left, rate_hz), rate_hz, ALICE_HZ, BOB_HZ)
        only(middle(right, rate_hz), rate_hz, BOB_HZ, ALICE_HZ)
