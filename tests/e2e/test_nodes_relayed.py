"""A call of real phones through the media of a node that dies: its heir tells them where to go, and both are heard."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.e2e.talk import TONES_HZ, both_hear, connect, hold_and_resume, phone
from tests.e2e.test_nodes_conference import TAKEN_OVER_S, owner_of_calls
from tests.e2e.test_relayed import declared, heard_again
from tests.fixtures.nodes import Nodes, listed
from tests.fixtures.nodes import nodes as nodes
from tests.fixtures.server import Server
from tests.phones.factory import Phones

ALICE_HZ, BOB_HZ = TONES_HZ["1001"], TONES_HZ["1002"]


async def taken_over(heir: Server, name: str) -> None:
    """The heir, which is called so, has the call."""
    async with asyncio.timeout(TAKEN_OVER_S):
        while [row["calls"] for row in await listed(heir) if row["name"] == name] != [1]:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("srtp", [False, True])
async def test_both_are_heard_again_after_their_node_has_died(nodes: Nodes, phones: Phones, srtp: bool) -> None:
    """One of them speaks SRTP only, or none does."""
    of_bob = {"srtp": True} if srtp else {"media": "relay"}
    await nodes.a.apply(declared(**of_bob))
    await nodes.known()
    alice, bob = await asyncio.gather(
        phone(nodes.a, phones, "pjsua", "1001"), phone(nodes.b, phones, "baresip", "1002", srtp=srtp)
    )
    await nodes.known()
    out, incoming = await connect(alice, bob, "1002")
    await both_hear(out, ALICE_HZ, incoming, BOB_HZ)
    name = await owner_of_calls(nodes)
    heir = nodes.b if name == "a" else nodes.a
    await nodes.by_name[name].kill()
    killed = time.monotonic()
    await taken_over(heir, "b" if name == "a" else "a")
    taken_s = time.monotonic() - killed
    await heard_again(out, incoming)
    print(f"\nthe heir had the call after {taken_s:.1f} s, both were heard {time.monotonic() - killed:.1f} s")
    await hold_and_resume(incoming, BOB_HZ, out, ALICE_HZ, 10)
    await incoming.hang_up()
    await out.state("ended", 10)
    (cdr,) = await heir.cdrs()
    assert (cdr["disposition"], cdr["hangup_by"], cdr["takeovers"]) == ("answered", "callee", 1)
