"""A node's shards: claimed together, however often it fails, given back whole, and dropped when they are others'."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from threading import Event
from typing import Any

from structlog.testing import capture_logs

from adapters.journal.memory import MemoryJournal
from domain.ports import JournalError
from switchlog.node.warden import Holder, Streams, Warden


class Sulking(MemoryJournal):
    """Its claims and releases fail with what is in `moods`, as long as there is something."""

    def __init__(self, *moods: Exception) -> None:
        super().__init__()
        self.moods = list(moods)
        self.claims: list[tuple[int, ...]] = []
        self.released: list[tuple[int, ...]] = []
        self.elsewhere: set[int] = set()
        """shards that somebody else wins"""
        self.may_go_on = Event()
        self.may_go_on.set()

    def claim(self, shards: Sequence[int], node: str) -> Mapping[int, int]:
        self.claims.append(tuple(shards))
        assert self.may_go_on.wait(10)
        if self.moods:
            raise self.moods.pop(0)
        return super().claim([shard for shard in shards if shard not in self.elsewhere], node)

    def release(self, shards: Sequence[int]) -> None:
        if self.moods:
            raise self.moods.pop(0)
        super().release(shards)
        self.released.append(tuple(shards))


class Owner:
    """A node; `served` is what it holds, `settling` those that it is bringing to their end."""

    def __init__(self, journal: Sulking, may_claim: Callable[[], bool] = lambda: True) -> None:
        self.journal = journal
        self.served: dict[int, int] = {}
        self.settling: dict[int, Callable[[], None]] = {}
        self.tasks: list[asyncio.Task[None]] = []
        holder = Holder(self._take, self._drop, self._leave)
        self.warden = Warden(
            journal, "a", lambda shards: (), holder, self._spawn, may_claim=may_claim, pause_s=0.0
        )  # fmt: skip

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self.tasks.append(asyncio.get_running_loop().create_task(work))

    def _take(self, epochs: Mapping[int, int], streams: Streams) -> int:
        self.served |= epochs
        return len(streams)

    def _drop(self, shard: int) -> None:
        self.served.pop(shard, None)
        self.settling.pop(shard, None)

    def _leave(self, shard: int, settled: Callable[[], None]) -> None:
        del self.served[shard]
        self.settling[shard] = settled

    def settle(self) -> None:
        while self.settling:
            self.settling.popitem()[1]()

    def lose(self, shard: int, reason: str = "disk full") -> None:
        self.served.pop(shard, None)
        self.warden.lost(shard, reason)

    async def done(self) -> None:
        await self.warden.settled()
        await asyncio.gather(*self.tasks)


def sole(*moods: Exception, shards: Collection[int] = range(10)) -> Owner:
    """The only node, whose shards were claimed before."""
    owner = Owner(Sulking(*moods))
    owner.warden.hold(shards)
    return owner


async def test_all_that_are_lost_at_a_time_are_one_claim() -> None:
    owner = sole()
    with capture_logs() as lines:
        for shard in (7, 3, 8):
            owner.lose(shard)
        assert owner.warden.trouble == "3 shards wait to be claimed again: disk full"
        await owner.done()
    assert owner.journal.claims == [(3, 7, 8)]
    assert (owner.served, owner.warden.trouble) == ({3: 1, 7: 1, 8: 1}, "")
    assert [(line["event"], line["shards"]) for line in lines] == [
        ("shards lost, claiming them again", "3, 7-8"),
        ("shards taken over", "3, 7-8"),
    ]


async def test_a_journal_that_is_away_is_asked_again_and_told_of_once() -> None:
    owner = sole(*[JournalError("no broker")] * 9)
    owner.lose(1, "no broker")
    with capture_logs() as lines:
        while len(owner.journal.claims) < 3:
            await asyncio.sleep(0)
        owner.lose(2, "no broker")
        assert len(owner.tasks) == 1, "it is claimed by the task that runs"
        await owner.done()
    assert owner.journal.claims[-1] == (1, 2)
    assert owner.served == {1: 1, 2: 1}
    assert [line["event"] for line in lines] == [
        "shards lost, claiming them again",
        "shards cannot be claimed yet; it is tried again",
        "shards taken over",
    ]


async def test_a_fault_of_ours_does_not_leave_a_shard_without_an_owner() -> None:
    owner = sole(ZeroDivisionError("ours"))
    with capture_logs() as lines:
        owner.lose(1)
        await owner.done()
    assert owner.served == {1: 1}
    assert any("fault of ours" in line["event"] for line in lines)


async def test_a_shard_may_be_lost_again() -> None:
    owner = sole()
    for epoch in (1, 2):
        owner.lose(5)
        await owner.done()
        assert owner.served == {5: epoch}


async def test_shards_that_are_given_are_claimed_and_those_taken_back_are_released_when_settled() -> None:
    owner = Owner(Sulking())
    owner.warden.give({1, 2, 3})
    await owner.done()
    assert owner.served == {1: 1, 2: 1, 3: 1} and owner.warden.held == (1, 2, 3)
    giving = asyncio.create_task(owner.warden.give_back({2, 3}))
    while len(owner.settling) < 2:
        await asyncio.sleep(0)
    assert owner.served == {1: 1} and not owner.journal.released and not giving.done()
    assert owner.warden.is_ours(1) and not owner.warden.is_ours(2)
    owner.settle()
    await giving
    assert owner.journal.released == [(2, 3)]
    owner.warden.give({1})
    await owner.done()
    assert owner.served == {1: 1}


async def test_what_was_taken_back_while_it_was_claimed_is_released_and_never_served() -> None:
    owner = Owner(Sulking())
    owner.journal.may_go_on.clear()
    owner.warden.give({1, 2})
    while not owner.journal.claims:
        await asyncio.sleep(0)
    await owner.warden.give_back({2})
    owner.journal.may_go_on.set()
    await owner.done()
    assert owner.served == {1: 1} and owner.journal.released == [(2,)]


async def test_a_shard_that_comes_back_before_it_is_gone_is_claimed_after_it_was_released() -> None:
    owner = Owner(Sulking())
    owner.warden.give({1})
    await owner.done()
    owner.warden.give(set())
    owner.warden.give({1})
    assert owner.served == {}
    owner.settle()
    await owner.done()
    assert owner.journal.released == [(1,)] and owner.served == {1: 2}


async def test_who_is_expelled_drops_all_and_claims_only_what_it_is_given_again() -> None:
    owner = Owner(Sulking())
    owner.warden.give({1, 2, 3})
    await owner.done()
    giving = asyncio.create_task(owner.warden.give_back({3}))
    while not owner.settling:
        await asyncio.sleep(0)
    owner.warden.expelled()
    await giving
    assert owner.served == {} and owner.settling == {} and not owner.journal.released
    owner.lose(1)
    assert owner.warden.trouble == "" and owner.journal.claims == [(1, 2, 3)]
    owner.warden.give({2})
    await owner.done()
    assert owner.served == {2: 2}


async def test_who_does_not_know_whether_it_lives_claims_nothing() -> None:
    """A node that was frozen would take back from its heirs what they have claimed."""
    alive = [True]
    owner = Owner(Sulking(), lambda: alive[0])
    owner.warden.give({1})
    await owner.done()
    alive[0] = False
    owner.lose(1, "b has claimed it")
    await asyncio.sleep(0)
    assert owner.journal.claims == [(1,)] and owner.warden.trouble
    alive[0] = True
    owner.warden.poke()
    await owner.done()
    assert owner.served == {1: 2}


async def test_of_two_claimants_the_loser_tries_again_while_the_shard_is_its_own() -> None:
    owner = Owner(Sulking())
    owner.journal.elsewhere = {2}
    owner.warden.give({1, 2})
    while len(owner.journal.claims) < 3:
        await asyncio.sleep(0)
    assert owner.served == {1: 1} and owner.journal.claims[1:3] == [(2,), (2,)]
    owner.warden.give({1})
    await owner.done()
    assert owner.warden.trouble == ""


async def test_shards_that_cannot_be_released_are_given_up_all_the_same() -> None:
    owner = Owner(Sulking())
    owner.warden.give({1})
    await owner.done()
    owner.journal.moods = [JournalError("no broker")]
    giving = asyncio.create_task(owner.warden.give_back({1}))
    while not owner.settling:
        await asyncio.sleep(0)
    with capture_logs() as lines:
        owner.settle()
        await giving
    assert [line["event"] for line in lines] == ["shards were given up without a word in the journal"]
    assert not owner.warden.is_ours(1)
