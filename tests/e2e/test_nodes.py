"""Real phones at two nodes of one installation call each other: two whole servers on a real broker."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Sequence
from typing import Any

from tests.e2e.talk import TONES_HZ, both_hear, connect, hold_and_resume, phone
from tests.fixtures.nodes import Nodes, listed
from tests.fixtures.nodes import nodes as nodes
from tests.fixtures.server import Server, tenant
from tests.phones.factory import Phones
from tests.phones.phone import Phone

WAIT_S = 20.0
TAKEN_OVER_S = 40.0


async def command(node: Server, *words: str) -> str:
    """What `switchlog WORDS` prints on the node's machine; it must succeed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "switchlog", *words), env=node.environment, stdout=PIPE, stderr=STDOUT
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    return said.decode()


async def talk(caller: Phone, callee: Phone, *, hold: bool = False, callee_ends: bool = False) -> None:
    """A call from its beginning to its end, heard both ways; with `hold` each party holds and resumes."""
    tones = caller.options.tone_hz, callee.options.tone_hz
    out, incoming = await connect(caller, callee, callee.options.username)
    await both_hear(out, tones[0], incoming, tones[1])
    if hold:
        await hold_and_resume(out, tones[0], incoming, tones[1], WAIT_S)
        await hold_and_resume(incoming, tones[1], out, tones[0], WAIT_S)
    await (incoming if callee_ends else out).hang_up()
    await asyncio.gather(out.state("ended", WAIT_S), incoming.state("ended", WAIT_S))


def facts(cdrs: Sequence[dict[str, Any]]) -> list[tuple[str, str, str, str, int]]:
    return [(cdr["from_number"], cdr["to_number"], cdr["disposition"], cdr["hangup_by"], cdr["legs"]) for cdr in cdrs]


async def test_phones_of_two_nodes_call_each_other(nodes: Nodes, phones: Phones) -> None:
    """The calls of one node, each between two: talk, hold and resume, cancel, busy, and a phone at either node."""
    await nodes.a.apply(tenant("acme", tuple(TONES_HZ)))
    await nodes.known()
    alice = await phone(nodes.a, phones, "pjsua", "1001")
    bob = await phone(nodes.b, phones, "baresip", "1002")
    carol = await phone(nodes.a, phones, "baresip", "1003", "tcp")
    dave = await phone(nodes.b, phones, "pjsua", "1004", "tls")
    await nodes.known()
    await talk(alice, bob, hold=True)
    await talk(dave, carol, hold=True, callee_ends=True)
    out = await alice.dial("1002")
    incoming = await bob.incoming(WAIT_S)
    await incoming.ring()
    await out.state("ringing", WAIT_S)
    await out.hang_up()
    await asyncio.gather(out.state("ended", WAIT_S), incoming.state("ended", WAIT_S))
    out = await carol.dial("1004")
    await (await dave.incoming(WAIT_S)).reject(486)
    await out.state("ended", WAIT_S)
    assert out.ended[0] == 486
    mobile = await phone(nodes.a, phones, "pjsua", "1002", "tcp")
    await nodes.known()
    out = await dave.dial("1002")
    first, second = await asyncio.gather(bob.incoming(WAIT_S), mobile.incoming(WAIT_S))
    await asyncio.gather(first.ring(), second.ring())
    await second.answer()
    await asyncio.gather(out.state("answered", WAIT_S), first.state("ended", WAIT_S))
    await both_hear(out, TONES_HZ["1004"], second, TONES_HZ["1002"])
    await out.hang_up()
    await second.state("ended", WAIT_S)
    cdrs = await nodes.b.cdrs(5)
    assert facts(cdrs) == [
        ("1001", "1002", "answered", "caller", 2),
        ("1004", "1003", "answered", "callee", 2),
        ("1001", "1002", "cancelled", "caller", 2),
        ("1003", "1004", "busy", "callee", 2),
        ("1004", "1002", "answered", "caller", 3),
    ]
    assert [cdr["hold_ms"] > 0 for cdr in cdrs] == [True, True, False, False, False]
    assert not any(cdr["takeovers"] for cdr in cdrs)
    assert nodes.b.query("SELECT count() AS calls FROM cdr_all") == [{"calls": 5}]


async def test_who_hangs_up_on_a_connection_while_its_node_is_dead_is_heard_by_the_heir(
    nodes: Nodes, phones: Phones
) -> None:
    """Such a phone says it once. Its call was at the node that died: nobody can end it before it is claimed."""
    alice = await phone(nodes.a, phones, "pjsua", "1001")
    bob = await phone(nodes.b, phones, "pjsua", "1002", "tls")
    await nodes.known()
    out, incoming = await connect(alice, bob, "1002")
    await nodes.a.kill()
    await bob.command("hang_up", call=incoming.number)
    await asyncio.gather(incoming.state("ended", TAKEN_OVER_S), out.state("ended", TAKEN_OVER_S))
    (cdr,) = await nodes.b.cdrs()
    assert facts([cdr]) == [("1001", "1002", "answered", "callee", 2)]
    assert cdr["takeovers"] == 1


async def test_a_rolling_upgrade_loses_no_call(nodes: Nodes, phones: Phones) -> None:
    """Each node is drained, stopped and started: a call between phones of both goes on, and new ones come to be, also
    to a phone behind the node that is not there: nothing translates its address."""
    await nodes.a.apply(tenant("acme", tuple(TONES_HZ)))
    await nodes.known()
    alice, dave = [await phone(nodes.a, phones, "pjsua", name) for name in ("1001", "1004")]
    bob, carol = [await phone(nodes.b, phones, "pjsua", name) for name in ("1002", "1003")]
    await nodes.known()
    out, incoming = await connect(alice, bob, "1002")
    for name, other, there, behind in (("a", nodes.b, carol, dave), ("b", nodes.a, dave, carol)):
        node = nodes.by_name[name]
        assert f"{name} has no shards any more" in await command(other, "nodes", "drain", name)
        await nodes.shared("b" if name == "a" else "a")
        assert {row["name"]: row["draining"] for row in await listed(other)}[name]
        await both_hear(out, TONES_HZ["1001"], incoming, TONES_HZ["1002"])
        await hold_and_resume(out, TONES_HZ["1001"], incoming, TONES_HZ["1002"], WAIT_S)
        await talk(alice, carol)
        await talk(carol, dave)
        assert await node.stop() == 0
        await talk(there, bob if there is carol else alice)
        await talk(there, behind)
        await both_hear(out, TONES_HZ["1001"], incoming, TONES_HZ["1002"])
        await node.start()
        await nodes.shared()
    await hold_and_resume(incoming, TONES_HZ["1002"], out, TONES_HZ["1001"], WAIT_S)
    await incoming.hang_up()
    await out.state("ended", WAIT_S)
    cdrs = await nodes.a.cdrs(9)
    assert {fact[2:] for fact in facts(cdrs)} == {("answered", "caller", 2), ("answered", "callee", 2)}
    assert (cdrs[0]["from_number"], cdrs[0]["to_number"], cdrs[0]["hangup_by"]) == ("1001", "1002", "callee")
    assert cdrs[0]["talk_ms"] > max(cdr["talk_ms"] for cdr in cdrs[1:])
    print(f"the call that was there all the time changed its node {cdrs[0]['takeovers']} times")
