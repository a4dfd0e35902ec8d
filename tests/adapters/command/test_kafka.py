"""Questions and answers between nodes: once, to whoever owns it when it is read, with an end to the waiting."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from queue import Empty, SimpleQueue
from secrets import token_hex
from typing import Any

import pytest
from structlog.testing import capture_logs

from adapters.command.kafka import ASKED, KafkaCommands
from adapters.command.local import Command
from domain.ports import JournalAway, Letter
from domain.refusal import Refusal
from tests.switchlog.exchange import PlainSealer


class Office:
    """All letters of a cluster; each node's end is a `Slot`."""

    def __init__(self) -> None:
        self.slots: list[Slot] = []
        self.letters: list[Letter] = []

    def slot(self) -> Slot:
        self.slots.append(Slot(self))
        return self.slots[-1]


class Slot:
    """`fails` is raised by the next `send` or `take`."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._queue: SimpleQueue[Letter] = SimpleQueue()
        self.fails: list[Exception] = []
        self.deaf = False

    def send(self, letter: Letter, at: datetime) -> None:
        assert at.tzinfo is not None
        if self.fails:
            raise self.fails.pop()
        self._office.letters.append(letter)
        for slot in self._office.slots:
            if not slot.deaf:
                slot._queue.put(letter)

    def take(self, wait_ms: int) -> Sequence[Letter]:
        if self.fails:
            raise self.fails.pop()
        try:
            return [self._queue.get(timeout=wait_ms / 1000)]
        except Empty:
            return []


class Node:
    """Adds numbers, refuses negative ones, and counts how often it did."""

    def __init__(self, office: Office, *serves: str) -> None:
        self.serves = set(serves)
        self.done: list[str] = []
        self.slot = office.slot()
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.commands = KafkaCommands(self.slot, PlainSealer(), lambda to: to in self.serves, {"add": self._add})
        self.commands.start()

    async def _add(self, command: Command) -> dict[str, Any]:
        self.done.append(command.id)
        await self.may_answer.wait()
        numbers = command.args["numbers"]
        if min(numbers) < 0:
            raise Refusal("invalid", "negative", field="numbers[0]")
        return {"sum": sum(numbers), "by": command.actor}

    async def add(self, to: str, *numbers: int, command_id: str = "c1", timeout_s: float = 20.0) -> Any:
        return await self.commands.call(to, "add", {"numbers": numbers}, "api:k", command_id, timeout_s)


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
async def nodes(office: Office) -> AsyncIterator[tuple[Node, Node]]:
    both = Node(office, "node:a"), Node(office, "node:b", "shard:64")
    yield both
    for node in both:
        await node.commands.close()


async def test_an_owner_elsewhere_answers(nodes: tuple[Node, Node], office: Office) -> None:
    a, b = nodes
    assert await a.add("shard:64", 1, 2) == {"sum": 3, "by": "api:k"}
    assert await a.add("node:b", 3, 4, command_id="c2") == {"sum": 7, "by": "api:k"}
    assert (a.done, b.done) == ([], ["c1", "c2"])
    assert not any(b"numbers" in letter.sealed or b"sum" in letter.sealed for letter in office.letters)


async def test_a_refusal_comes_back_whole_and_may_be_asked_again(nodes: tuple[Node, Node]) -> None:
    a, b = nodes
    for _ in range(2):
        with pytest.raises(Refusal) as refused:
            await a.add("shard:64", -1)
        assert (refused.value.kind, refused.value.field) == ("invalid", "numbers[0]")
    with pytest.raises(Refusal) as missing:
        await a.commands.call("node:b", "divide", {}, "api:k", "c3")
    assert missing.value.kind == "missing"
    assert b.done == ["c1", "c1"]


async def test_the_same_question_again_is_not_done_again_be_it_by_another_owner(nodes: tuple[Node, Node]) -> None:
    a, b = nodes
    assert await a.add("shard:64", 1, 2) == await a.add("shard:64", 1, 2)
    b.serves.clear()
    a.serves.add("shard:64")
    assert (await b.add("shard:64", 1, 2))["sum"] == 3
    assert (a.done, b.done) == ([], ["c1"])


async def test_a_question_while_it_is_being_answered_is_not_done_twice(nodes: tuple[Node, Node]) -> None:
    a, b = nodes
    b.may_answer.clear()
    first = asyncio.create_task(a.add("shard:64", 1, 2))
    while not b.done:
        await asyncio.sleep(0)
    a.commands._hear(Letter("c9", "command.unheard.1", "everybody", b""))  # a newer version's
    office_letters = b.slot._office.letters
    b.commands._hear(office_letters[0])
    b.may_answer.set()
    assert (await first)["sum"] == 3 and b.done == ["c1"]


async def met(node: Node) -> None:
    """Until it has met the error that its mailbox had for it."""
    while node.slot.fails:
        await asyncio.sleep(0.01)


async def test_a_question_finds_an_owner_that_comes_later(nodes: tuple[Node, Node]) -> None:
    a, b = nodes
    b.serves.clear()
    asking = asyncio.create_task(a.add("shard:64", 5))
    while len(b.slot._office.letters) < 2:  # it is said again
        await asyncio.sleep(0.01)
    b.serves.add("shard:64")
    assert (await asking)["sum"] == 5


async def test_the_waiting_has_an_end_and_what_comes_too_late_is_not_done(
    nodes: tuple[Node, Node], office: Office
) -> None:
    a, b = nodes
    with pytest.raises(Refusal) as refused:
        await a.add("shard:7", 1, timeout_s=0.05)
    assert refused.value.kind == "unavailable" and "no answer" in refused.value.detail
    (question,) = [letter for letter in office.letters if letter.type == ASKED]
    b.serves.add("shard:7")
    b.commands._wall = lambda: 4_000_000_000.0
    b.commands._hear(question)
    assert b.done == []


async def test_brokers_that_are_away_are_said_and_letters_of_strangers_are_left_out(nodes: tuple[Node, Node]) -> None:
    a, b = nodes
    b.slot.fails = [JournalAway("no broker")]
    with capture_logs() as lines:
        await met(b)
        await a.commands.close()  # so that nobody but the asker meets the error
        a.slot.fails = [JournalAway("no broker")]
        with pytest.raises(Refusal, match="no broker"):
            await a.add("shard:64", 1, 1)
        a.commands.start()
        b.slot._queue.put(Letter("x", ASKED, "node:b", b"noise"))
        assert (await a.add("shard:64", 2, 2, command_id="c2"))["sum"] == 4
    assert "a letter of another node is left out" in [line["event"] for line in lines]


async def test_a_fault_of_the_client_library_does_not_end_the_hearing(nodes: tuple[Node, Node]) -> None:
    a, b = nodes
    b.slot.fails = [KeyError("no leader")]
    with capture_logs() as lines:
        await met(b)
        assert (await a.add("shard:64", 1, 2))["sum"] == 3
    assert ["KeyError" in line["reason"] for line in lines] == [True]


async def test_a_long_answer_is_given_again_and_not_kept_in_memory(nodes: tuple[Node, Node]) -> None:
    a, b = nodes
    for _ in range(2):
        answer = await a.commands.call("shard:64", "add", {"numbers": [1]}, token_hex(20_000), "c1", 20.0)
        assert answer["sum"] == 1
    assert b.done == ["c1", "c1"]
    assert not a.commands._known and not b.commands._known
