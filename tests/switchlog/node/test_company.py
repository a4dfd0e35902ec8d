"""Nodes on a real broker that take shards over from one another: nothing acknowledged is lost, and a zombie is dumb."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Collection
from datetime import UTC, datetime
from typing import cast

import pytest
from structlog.testing import capture_logs

from adapters.journal.kafka import setup
from adapters.journal.kafka.address import Address
from adapters.journal.kafka.announce import Word
from cluster.broker import Broker
from domain.node import Neighbour
from switchlog.node.company import Fellow, Hosted
from switchlog.node.warden import Warden
from tests.fixtures.broker import fresh_prefix
from tests.switchlog.fellows import ALL, WRITTEN, Child, Scribe, stream_of

NODE_S = 1.0
"""After so long a node is given up here: the least that the tests' brokers allow."""


@pytest.fixture
def address(broker: Broker) -> Address:
    fresh = Address((broker.bootstrap,), fresh_prefix())
    setup.prepare(fresh)
    return fresh


class Watch:
    """A node in the test, and when it saw and did what."""

    def __init__(self, address: Address) -> None:
        self.gone_s = self.taken_s = 0.0
        self.scribe = Scribe(address, "b", self._say, NODE_S)

    def _say(self, kind: str, *words: object) -> None:
        if kind == "gone":
            self.gone_s = time.monotonic()
        elif kind == "taken":
            self.taken_s = time.monotonic()


@pytest.fixture
async def watch(address: Address) -> AsyncIterator[Watch]:
    one = Watch(address)
    yield one
    await one.scribe.stop()


async def both(address: Address, watch: Watch) -> Child:
    """`a` in a process of its own, then `b` in the test, each with its half of the shards, and both write."""
    child = Child(address, "a", NODE_S)
    try:
        await asyncio.to_thread(child.wait, "ready")
        await watch.scribe.start()
        await watch.scribe.until(lambda: len(watch.scribe.warden.held) == len(ALL) // 2)
        await watch.scribe.until(lambda: bool(watch.scribe.stored) and max(watch.scribe.stored.values()) > 3)
    except BaseException:
        child.end()
        raise
    return child


async def whole(scribe: Scribe, child: Child) -> None:
    """Everything that either was told is stored is there, once, and nobody wrote after another one's claim."""
    told, own = child.acknowledged(), dict(scribe.stored)
    assert scribe.journal is not None
    for shard in WRITTEN:
        stored = await asyncio.to_thread(scribe.journal.read, stream_of(shard))
        sequences, epochs = [one.record.sequence for one in stored], [one.epoch for one in stored]
        assert sequences == list(range(1, len(sequences) + 1)), (shard, sequences[-5:])
        assert epochs == sorted(epochs)
        assert len(sequences) >= max(told.get(shard, 0), own[shard])


async def goes_on(scribe: Scribe) -> None:
    """It has all shards, and writes into each."""
    await scribe.until(lambda: scribe.warden.held == ALL)
    before = dict(scribe.stored)
    await scribe.until(lambda: all(scribe.stored[shard] > before[shard] for shard in WRITTEN))


async def test_a_node_that_is_killed_has_an_heir_within_three_seconds(address: Address, watch: Watch) -> None:
    child, scribe = await both(address, watch), watch.scribe
    begun_s = time.monotonic()
    await asyncio.to_thread(child.end)
    await goes_on(scribe)
    print(
        f"\na node was killed: noticed after {watch.gone_s - begun_s:.2f} s of {NODE_S:g},"
        f" its shards taken over {watch.taken_s - watch.gone_s:.2f} s after that"
    )
    assert scribe.lost == [] and scribe.fellow.roster.neighbour("a") is None
    await scribe.until(lambda: all(scribe.fellow.roster.owner(shard) is not None for shard in ALL))
    await whole(scribe, child)


async def test_a_node_that_was_frozen_appends_nothing_and_says_nothing(address: Address, watch: Watch) -> None:
    child, scribe = await both(address, watch), watch.scribe
    try:
        child.send(signal.SIGSTOP)
        await goes_on(scribe)
        woken_s = time.monotonic()
        child.send(signal.SIGCONT)
        taken_s = (await asyncio.to_thread(child.wait, "dropped", woken_s))[0]
        said = [kind for at_s, kind, *_ in list(child.said) if woken_s < at_s < taken_s]
        assert "stored" not in said and "taken" not in said, said
        await asyncio.to_thread(child.wait, "taken", taken_s)  # it is one of the group again, and has shards of its own
    finally:
        await asyncio.to_thread(child.end)
    await goes_on(scribe)
    await whole(scribe, child)


@pytest.mark.parametrize("how", ["drained", "ended"])
async def test_shards_that_are_handed_over_lose_nothing_and_need_no_fence(
    address: Address, watch: Watch, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    child, scribe = await both(address, watch), watch.scribe
    caplog.set_level("INFO", "adapters.journal.kafka.claim")
    caplog.clear()
    try:
        begun_s = time.monotonic()
        child.send(signal.SIGUSR1 if how == "drained" else signal.SIGTERM)
        await scribe.until(lambda: scribe.warden.held == ALL)
        print(f"\na node was {how}: its shards were served again after {watch.taken_s - begun_s:.2f} s at most")
        assert not [line for line in caplog.messages if "fencing" in line]
        assert (scribe.fellow.roster.neighbour("a") is not None) == (how == "drained")
        await goes_on(scribe)
    finally:
        await asyncio.to_thread(child.end)
    assert "lost" not in [kind for _, kind, *_ in child.said]
    await whole(scribe, child)


async def test_a_fault_in_what_is_done_for_a_dead_node_does_not_keep_the_others_from_its_shards() -> None:
    given = list[Collection[int]]()

    class Heir:
        def give(self, shards: Collection[int]) -> None:
            given.append(shards)

    def gone(name: str) -> None:
        raise KeyError(name)

    fellow = Fellow("b", lambda: datetime.now(UTC))
    fellow._hosted = Hosted(cast("Warden", Heir()), gone, lambda shard: None)
    fellow._allotted(frozenset({1}), (Neighbour("a", ""), Neighbour("b", "")))
    with capture_logs() as lines:
        fellow._allotted(frozenset({1, 2}), (Neighbour("b", ""),))
    assert given == [{1}, {1, 2}]
    assert "error" in [line["log_level"] for line in lines]
    fellow.ended.cancel()


async def test_who_was_given_up_and_is_heard_again_first_drops_what_it_held() -> None:
    done = list[str]()

    class Holding:
        def expelled(self) -> None:
            done.append("dropped")

        def poke(self) -> None:
            """There is nothing to claim."""

    fellow = Fellow("a", lambda: datetime.now(UTC))
    fellow._hosted = Hosted(cast("Warden", Holding()), lambda name: None, lambda shard: None)
    fellow.heard(time.monotonic() + 60)
    fellow.dispatch(lambda: done.append("said"))
    fellow.expelled()
    fellow.heard(time.monotonic() + 60)
    while len(done) < 2:
        await asyncio.sleep(0)
    assert done == ["dropped", "said"] and fellow.lease.current
    fellow.ended.cancel()


async def test_shards_that_move_together_are_told_together_and_not_those_that_are_back_already() -> None:
    told = asyncio.Queue[Collection[int]]()
    fellow = Fellow("a", lambda: datetime.now(UTC))
    fellow._hosted = Hosted(cast("Warden", None), lambda name: None, told.put_nowait)
    shards = range(4)
    fellow._hear(tuple(Word(shard, 1, "a", False) for shard in shards))
    fellow._hear((*(Word(shard, 2, "b", False) for shard in shards), Word(2, 3, "a", False)))
    assert await told.get() == [0, 1, 3]
    await asyncio.sleep(0)
    assert told.empty()
    fellow.ended.cancel()
