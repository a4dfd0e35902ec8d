"""An API that is at no node: what it may ask of the nodes, by letters in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

import pytest

from adapters.command.local import Command, Handler
from domain.ids import shard_of_room
from domain.node import Neighbour
from domain.ports import JournalAway, JournalError
from domain.refusal import Refusal
from switchlog.desk.company import ends
from switchlog.node.afar import Afar
from switchlog.role.api import Router
from tests.adapters.command.test_kafka import Office, Slot
from tests.switchlog.exchange import PlainSealer

NAMES = ("a", "b")


def room(tenant: str, number: str) -> dict[str, Any]:
    return {"tenant": tenant, "number": number}


class Node:
    """See `switchlog.desk.company.Node`; `b` holds the configuration."""

    def __init__(self, name: str) -> None:
        self.name, self.holds_configuration = name, name == "b"
        self.draining, self.trouble = False, ""
        self.applied: list[str] = []
        self.rooms = {"a": [room("globex", "7100"), room("acme", "7200")], "b": [room("acme", "7100")]}[name]

    def neighbours(self) -> list[Neighbour]:
        return [Neighbour(name, f"{name}:5090", ()) for name in NAMES]

    def shards(self) -> tuple[int, ...]:
        return () if self.draining else tuple(range(32)) if self.name == "a" else tuple(range(32, 64))

    def status(self) -> dict[str, Any]:
        return {"shards": len(self.shards()), "calls": 0, "lag": 0}

    async def drain(self, draining: bool, most_s: float) -> None:
        self.draining = draining

    async def conferences(self, command: Command) -> list[dict[str, Any]]:
        return [one for one in self.rooms if command.args["tenant"] in (None, one["tenant"])]

    async def change(self, command: Command) -> str:
        return f"{command.args['what']} at {self.name}"

    async def apply(self, command: Command) -> dict[str, Any]:
        self.applied.append(command.actor)
        return command.args


class ClosableSlot:
    """What `Mailbox` adds to the post that a test has."""

    def __init__(self, slot: Slot) -> None:
        self.send, self.take = slot.send, slot.take
        self.closed = False

    def close(self) -> None:
        self.closed = True


class Api:
    """A lone API's way to the nodes; `fails` are raised by the next attempts to open the mailbox."""

    def __init__(self, office: Office) -> None:
        self.slot = ClosableSlot(office.slot())
        self.fails: list[JournalError] = []
        opening: Callable[[], Any] = self._open
        self.afar = Afar(opening, PlainSealer())
        self.stop = asyncio.Event()

    def _open(self) -> ClosableSlot:
        if self.fails:
            raise self.fails.pop()
        return self.slot

    async def ask(self, name: str, /, **args: Any) -> Any:
        """Once the way is open."""
        router = Router({}, self.afar)
        while True:
            try:
                return await router.call(name, args, "api:k", uuid4().hex)
            except Refusal as no:
                if "not open" not in no.detail:
                    raise
                await asyncio.sleep(0.01)


@pytest.fixture
async def nodes() -> AsyncIterator[tuple[Api, Node, Node]]:
    office = Office()
    a, b = map(Node, NAMES)
    async with AsyncExitStack() as opened:
        for node in (a, b):
            inner: dict[str, Handler] = dict.fromkeys(("apply", "keys.create", "export"), node.apply)
            inner |= {"conferences": node.conferences, "conferences.change": node.change, "mailboxes": node.conferences}
            others, _ = ends(node, inner, office.slot(), PlainSealer())
            others.start()
            opened.push_async_callback(others.close)
        api = Api(office)
        yield api, a, b


async def test_it_changes_the_world_where_the_configuration_is(nodes: tuple[Api, Node, Node]) -> None:
    api, a, b = nodes
    serving = asyncio.create_task(api.afar.serve(api.stop))
    assert await api.ask("apply", documents=["x"]) == {"documents": ["x"]}
    assert await api.ask("export", tenant="acme") == {"tenant": "acme"}
    assert (a.applied, b.applied) == ([], ["api:k", "api:k"])
    api.stop.set()
    await serving
    assert api.slot.closed


async def test_it_lists_nodes_and_drains_one(nodes: tuple[Api, Node, Node]) -> None:
    api, _, b = nodes
    serving = asyncio.create_task(api.afar.serve(api.stop))
    listed = await api.ask("nodes")
    assert [(one["name"], one["link"], one["shards"]) for one in listed] == [("a", "a:5090", 32), ("b", "b:5090", 32)]
    assert await api.ask("nodes.drain", name="a") == {"name": "a", "draining": True, "shards": 0}
    assert await api.ask("nodes.resume", name="a") == {"name": "a", "draining": False, "shards": 32}
    with pytest.raises(Refusal, match="no node c"):
        await api.ask("nodes.drain", name="c")
    assert not b.draining
    api.stop.set()
    await serving


async def test_it_lists_the_conferences_of_all_nodes_and_changes_each_where_it_is(
    nodes: tuple[Api, Node, Node],
) -> None:
    api, *_ = nodes
    serving = asyncio.create_task(api.afar.serve(api.stop))
    assert await api.ask("conferences", tenant=None) == [
        room("acme", "7100"),
        room("acme", "7200"),
        room("globex", "7100"),
    ]
    assert await api.ask("conferences", tenant="globex") == [room("globex", "7100")]
    numbers = [f"70{number:02}" for number in range(20)]
    said = [await api.ask("conferences.change", tenant="acme", number=number, what="lock") for number in numbers]
    assert said == [f"lock at {'a' if shard_of_room('acme', number) < 32 else 'b'}" for number in numbers]
    assert len(set(said)) == 2
    api.stop.set()
    await serving


async def test_brokers_that_are_away_are_waited_for_and_asked_nothing(nodes: tuple[Api, Node, Node]) -> None:
    api, _, b = nodes
    with pytest.raises(Refusal, match="not open"):
        await Router({}, api.afar).call("apply", {}, "api:k", "c1")
    api.fails = [JournalAway("no broker"), JournalAway("no broker")]
    serving = asyncio.create_task(api.afar.serve(api.stop))
    await api.ask("apply")
    assert b.applied == ["api:k"]
    api.stop.set()
    await serving


async def test_a_journal_that_cannot_be_used_ends_it(nodes: tuple[Api, Node, Node]) -> None:
    api, _, _ = nodes
    api.fails = [JournalError("another version")]
    with pytest.raises(JournalError, match="another version"):
        await api.afar.serve(api.stop)


async def test_rows_are_asked_of_a_projector_that_is_here(nodes: tuple[Api, Node, Node]) -> None:
    api, _, _ = nodes
    with pytest.raises(Refusal, match="projector role is not beside"):
        await Router({}, api.afar).call("projections.list", {}, "api:k", "c1")
