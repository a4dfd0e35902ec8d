"""Mailboxes at several nodes: a mailbox, its calls and their media are at the owner of its shard."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.sip.message.message import Request, Response
from domain.ids import SHARDS, leg_id, new_stream_id, shard_of, shard_of_registration
from domain.mailbox.mailbox import Mailbox
from tests.switchlog.nodes import Nodes
from tests.switchlog.phone import ALICE, BOB, SDP, Phone, methods
from tests.switchlog.voice import NAME, SAID, Worker, boxed, dialled
from tests.switchlog.watch import Watch

HOME = shard_of_registration(*NAME)


@pytest.fixture
def nodes(tmp_path: Path) -> Nodes:
    """Two; the mailbox is at b. Each has a spool of its own, and both one storage."""
    shards = {"a": set(range(SHARDS)) - {HOME}, "b": {HOME}}
    return Nodes(shards, mixing=True, directory=boxed, worker=Worker, folder=tmp_path)


def worker(nodes: Nodes, name: str) -> Worker:
    found = nodes.rooms[name]
    assert isinstance(found, Worker)
    return found


def mailbox(nodes: Nodes, name: str) -> Mailbox | None:
    studio = nodes[name].studio
    assert studio is not None
    return studio.mailroom.find(NAME)


def beeped(nodes: Nodes) -> tuple[Phone, Response]:
    """Alice, whose phone is at a, is recorded at b."""
    alice, answered = dialled(nodes["a"], "1002")
    media = worker(nodes, "b")
    media.end_sound()
    media.end_sound()
    assert media.context().records
    return alice, answered


def test_a_message_is_left_and_heard_where_the_mailbox_is(nodes: Nodes) -> None:
    bob = Watch(nodes["a"], "1002", BOB)
    bob.subscribe()
    bob.told()
    alice, answered = beeped(nodes)
    assert {shard_of(call.id) for call in nodes["b"].board.live_calls} == {HOME}
    assert worker(nodes, "a").has == {}
    (name,) = worker(nodes, "b").has
    record = worker(nodes, "b").write(SAID)
    alice.within(answered, "BYE")
    worker(nodes, "b").close(record, name)
    nodes["b"].deliver()
    nodes.settle()
    assert bob.told() == [("active;expires=600", "1/0")]
    bob.cseq = 100
    bob.register()
    bob.invite("*97", call_id="listening")
    answered = next(one for one in nodes["a"].take(BOB) if isinstance(one, Response) and one.status == 200)
    bob.within(answered, "ACK")
    assert worker(nodes, "b").playing() == "prompt:voicemail-pin:en"


@pytest.mark.parametrize("number", ["1002", "*97", "*971002"])
def test_what_is_for_a_mailbox_begins_in_its_shard(nodes: Nodes, number: str) -> None:
    bob = Phone(nodes["a"], "1002" if number == "*97" else "1001", BOB)
    bob.register()
    bob.invite(number, call_id="any")
    (call,) = nodes["b"].board.live_calls
    assert shard_of(call.id) == HOME
    assert nodes["a"].board.live_calls == ()


def test_a_message_goes_on_at_the_heir_of_its_node(nodes: Nodes) -> None:
    """What was said at the dead one is on its disk."""
    alice, answered = beeped(nodes)
    worker(nodes, "b").write(SAID)
    nodes.wait(40)
    nodes.kill("b")
    nodes.take_over("a", [HOME])
    offers = [one for one in nodes["a"].take(ALICE) if isinstance(one, Request)]
    assert [one.method for one in offers] == ["INVITE"]
    alice.reply(offers[0], 200, SDP)
    assert methods(nodes["a"].take(ALICE)) == ["ACK"]
    (name,) = worker(nodes, "a").has
    record = worker(nodes, "a").write(SAID[:32_000])
    alice.within(answered, "BYE")
    worker(nodes, "a").close(record, name)
    nodes["a"].deliver()
    kept = mailbox(nodes, "a")
    assert kept is not None
    assert [one.duration_ms for one in kept.there] == [2000]


def test_what_a_node_brought_to_the_storage_and_could_not_write_down_is_found_there(nodes: Nodes) -> None:
    alice, answered = beeped(nodes)
    (name,) = worker(nodes, "b").has
    record = worker(nodes, "b").write(SAID)
    nodes["b"].journal.held = True
    alice.within(answered, "BYE")
    nodes["b"].journal.commit()
    worker(nodes, "b").close(record, name)
    nodes["b"].deliver()
    nodes["b"].journal.lose()
    nodes["b"].journal.held = False
    nodes.kill("b")
    nodes.take_over("a", [HOME])
    nodes.wait(10)
    kept = mailbox(nodes, "a")
    assert kept is not None
    assert [one.duration_ms for one in kept.there] == [3000]


def test_of_what_was_another_node_s_only_copies_are_removed(nodes: Nodes, tmp_path: Path) -> None:
    """What was recorded there may be wanted by nobody, or by its owner's."""
    there, here = (leg_id(new_stream_id(1, shard, b"message1"), 1) for shard in (HOME, HOME + 1))
    spool = tmp_path / "a" / "spool"
    spool.mkdir(parents=True)
    for name in (f"{there}.rec", f"{there}.play", f"{here}.rec", f"{here}.play"):
        (spool / name).touch()
    nodes.wait(70)
    assert [one.name for one in spool.iterdir()] == [f"{there}.rec"]
