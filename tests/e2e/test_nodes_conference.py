"""Real phones at two nodes in one room: it is at the owner of its shard, and goes on at another node when that dies."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from tests.e2e.test_conference import ROOM, all_hear_each_other_again, all_hear_the_others, enter, hears_only, with_room
from tests.e2e.test_nodes import command
from tests.fixtures.nodes import Nodes, listed
from tests.fixtures.nodes import nodes as nodes
from tests.fixtures.server import Server
from tests.phones.factory import Phones

TAKEN_OVER_S = 40.0


async def members(node: Server) -> dict[str, str]:
    """Who is in the room, by their numbers, as any node says it; nobody while one does not answer."""
    async with node.client() as client:
        answer = await client.get("/v1/conferences")
        if answer.status_code != 200:
            return {}
        return {one["number"]: one["member"] for room in answer.json()["items"] for one in room["members"]}


async def owner_of_calls(nodes: Nodes) -> str:
    """The node that has the calls; all of them, since they are in one room."""
    async with asyncio.timeout(TAKEN_OVER_S):
        while len(names := [row["name"] for row in await listed(nodes.a) if row["calls"]]) != 1:
            await asyncio.sleep(0.05)
    (name,) = names
    return str(name)


async def change(node: Server, path: str) -> Any:
    async with node.client() as client:
        answer = await client.post(f"/v1/conferences/{ROOM}/{path}?tenant=acme")
        assert answer.status_code == 200, answer.text
        return answer.json()


async def test_phones_of_two_nodes_are_in_one_room_and_stay_there_when_it_moves(nodes: Nodes, phones: Phones) -> None:
    """First its node is drained, then the one dies that has it. Who is behind the dead node's address is told by UDP:
    nothing translates addresses here."""
    await nodes.a.apply(with_room())
    await nodes.known()
    calls = await enter(nodes.a, phones, "1001", srtp=True)
    name = await owner_of_calls(nodes)
    owner, other = nodes.by_name[name], nodes.b if name == "a" else nodes.a
    calls |= await enter(other, phones, "1002") | await enter(owner, phones, "1003", transport="tcp")
    await all_hear_each_other_again(calls)
    at = await members(other)
    assert sorted(at) == sorted(calls)
    assert await change(other, f"members/{at['1003']}/mute") == {"changed": True}
    await asyncio.gather(hears_only(calls["1001"], "1002"), hears_only(calls["1002"], "1001"))
    assert await change(other, f"members/{at['1003']}/unmute") == {"changed": True}
    await command(other, "nodes", "drain", name)
    await all_hear_each_other_again(calls)
    assert await owner_of_calls(nodes) != name
    await other.kill()
    killed = time.monotonic()
    async with asyncio.timeout(TAKEN_OVER_S):
        while sorted(await members(owner)) != sorted(calls):
            await asyncio.sleep(0.1)
    taken_over_s = time.monotonic() - killed
    await all_hear_each_other_again(calls)
    print(f"\nthe heir had the room after {taken_over_s:.1f} s, all were heard {time.monotonic() - killed:.1f} s")
    await calls.pop("1003").hang_up()
    await all_hear_the_others(calls)
    await asyncio.gather(*(call.hang_up() for call in calls.values()))
    cdrs = await owner.cdrs(3)
    assert {(one["disposition"], one["hangup_by"], one["takeovers"]) for one in cdrs} == {("answered", "caller", 2)}
