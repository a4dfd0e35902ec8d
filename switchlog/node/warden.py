"""Keeps the shards that are to be this node's: claims them, gives them back, and claims those anew that are lost.

All that are wanted at a time are claimed together, for as long as it takes: a journal that is away loses every shard
that has something to append, and each of them wants the same thing. One line tells of it, however long it lasts.

What may live here: carrying out what `tenure` says, on the loop's thread, with the journal in other ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import structlog

from domain.ids import shard_of
from domain.ports import Journal, JournalError, Stored
from switchlog.node.tenure import Act, Input, State, Tenures

_log = structlog.get_logger(__name__)
_PAUSE_S = 1.0

Streams = Sequence[Sequence[Stored]]


class Holder(NamedTuple):
    """Who has in memory what shards hold; all are called on the loop's thread."""

    take: Callable[[Mapping[int, int], Streams], int]
    """Takes up the streams of shards that were claimed with these epochs; says how many calls they hold."""
    drop: Callable[[int], None]
    """Forgets a shard at once, whatever state it is in."""
    leave: Callable[[int, Callable[[], None]], None]
    """Takes no more work for a shard, and calls back when all that it had is durable and said."""


def always() -> bool:
    """The only node may claim at any time."""
    return True


class Warden:
    """Belongs to the loop's thread. `live` (blocking) gives the streams that an owner of shards must hold.

    `spawn` starts a task that is cancelled when the node ends. While `may_claim` says no nothing is claimed; `poke`
    when that has changed.
    """

    def __init__(
        self,
        journal: Journal,
        node: str,
        live: Callable[[Sequence[int]], Streams],
        holder: Holder,
        spawn: Callable[[Coroutine[Any, Any, None]], object],
        *,
        may_claim: Callable[[], bool] = always,
        pause_s: float = _PAUSE_S,
    ) -> None:
        self._journal, self._node, self._live, self._holder = journal, node, live, holder
        self._spawn, self._may_claim, self._pause_s = spawn, may_claim, pause_s
        self._tenures = Tenures()
        self._settled: set[int] = set()
        """leaving, and nothing of theirs is under way any more: to be released"""
        self._reasons: dict[int, str] = {}
        self._told: set[int] = set()
        self._failing = self._running = False
        self._poked, self._changed = asyncio.Event(), asyncio.Event()

    # --- questions

    @property
    def trouble(self) -> str:
        """Empty, or which shards have no owner here that should, and why."""
        waiting = self._tenures.those(State.WANTED)
        if not waiting:
            return ""
        reason = next((self._reasons[shard] for shard in waiting if shard in self._reasons), "they are new here")
        return f"{len(waiting)} shards wait to be claimed again: {reason}"

    @property
    def held(self) -> tuple[int, ...]:
        return self._tenures.those(State.HELD)

    def is_ours(self, shard: int) -> bool:
        """Whether this node has a shard, or is to get it."""
        return self._tenures.is_ours(shard)

    async def settled(self) -> None:
        """Until nothing is to be claimed and nothing to be released."""
        await self._until(lambda: not self._tenures.those(State.WANTED, State.LEAVING, State.RETURNING))

    async def empty(self) -> None:
        """Until this node has no shard any more."""
        await self._until(lambda: not self._tenures.those(*State))

    # --- what happens

    def hold(self, shards: Iterable[int]) -> None:
        """These were claimed already, and are served."""
        for shard in shards:
            self._tenures.tell(shard, Input.GIVEN)
            self._tenures.tell(shard, Input.TAKEN)

    def give(self, shards: Collection[int]) -> None:
        """The group says that exactly these are this node's."""
        given, revoked = self._tenures.given(shards)
        self._tenures.tell_all(given, Input.GIVEN)
        self._revoke(revoked)
        self.poke()

    async def give_back(self, shards: Collection[int]) -> None:
        """The group takes these back: returns when they are released."""
        self._revoke(shards)
        self.poke()
        await self._until(lambda: not any(self._tenures.state(shard) is State.LEAVING for shard in shards))

    def expelled(self) -> None:
        """The group has given this node up: all is dropped at once."""
        mine = self._tenures.those(*State)
        acts = self._tenures.tell_all(mine, Input.EXPELLED)
        for shard in acts.get(Act.DROP, ()):
            self._holder.drop(shard)
        self._settled.clear()
        self._forget(mine)
        self._tell_changed()
        if mine:
            _log.error("the group of nodes has given this one up: its shards are dropped", shards=numbers(mine))

    def lost(self, shard: int, reason: str) -> None:
        """An append failed, and the holder has dropped a shard."""
        self._reasons[shard] = reason
        self._tenures.tell(shard, Input.LOST)
        self._settled.discard(shard)
        self._tell_changed()
        self.poke()

    def poke(self) -> None:
        """See whether there is something to do."""
        self._poked.set()
        if not self._running and self._busy():
            self._running = True
            self._spawn(self._run())

    # --- inside

    def _busy(self) -> bool:
        return bool(self._settled) or (self._may_claim() and bool(self._tenures.those(State.WANTED)))

    def _revoke(self, shards: Iterable[int]) -> None:
        shards = tuple(shards)
        acts = self._tenures.tell_all(shards, Input.REVOKED)
        self._forget(shard for shard in shards if self._tenures.state(shard) is State.FOREIGN)
        for shard in acts.get(Act.SETTLE, ()):
            self._holder.leave(shard, lambda shard=shard: self._has_settled(shard))  # type: ignore[misc]

    def _has_settled(self, shard: int) -> None:
        if self._tenures.state(shard) in (State.LEAVING, State.RETURNING):
            self._settled.add(shard)
            self.poke()

    async def _run(self) -> None:
        """Until there is nothing to release or to claim. To be cancelled when the node ends."""
        try:
            while self._busy():
                self._poked.clear()
                if self._settled:
                    await self._release(tuple(sorted(self._settled)))
                elif not await self._claim(self._tenures.those(State.WANTED)):
                    await self._pause()
        finally:
            self._running = False

    async def _pause(self) -> None:
        """Before a claim is tried again, unless something else is to be done."""
        try:
            async with asyncio.timeout(self._pause_s):
                await self._poked.wait()
        except TimeoutError:
            return

    async def _release(self, shards: Sequence[int]) -> None:
        self._settled.difference_update(shards)
        try:
            await asyncio.to_thread(self._journal.release, shards)
            _log.info("shards released", shards=numbers(shards))
        except JournalError as error:  # whoever claims them ends our writing first
            _log.warning("shards were given up without a word in the journal", reason=str(error))
        self._tenures.tell_all(shards, Input.RELEASED)
        self._tell_changed()

    async def _claim(self, shards: Sequence[int]) -> bool:
        """Whether all of them were won."""
        self._tell(shards)
        found = await asyncio.to_thread(self._try, shards)
        if found is None:
            return False
        self._failing = False
        self._take(*found)
        return len(found[0]) == len(shards)

    def _take(self, epochs: Mapping[int, int], streams: Streams) -> None:
        acts = self._tenures.tell_all(epochs, Input.TAKEN)
        self._settled.update(acts.get(Act.RELEASE, ()))
        served = {shard: epochs[shard] for shard in acts.get(Act.SERVE, ())}
        self._forget(served)
        if served:
            calls = self._holder.take(served, [one for one in streams if shard_of(one[0].record.stream) in served])
            _log.info("shards taken over", shards=numbers(served), calls=calls)
        self._tell_changed()

    def _tell(self, shards: Sequence[int]) -> None:
        new = sorted(shard for shard in shards if shard in self._reasons and shard not in self._told)
        if new and not self._failing:
            _log.error("shards lost, claiming them again", shards=numbers(new), reason=self._reasons[new[0]])
        self._told.update(new)

    def _forget(self, shards: Iterable[int]) -> None:
        for shard in shards:
            self._reasons.pop(shard, None)
            self._told.discard(shard)

    def _try(self, shards: Sequence[int]) -> tuple[Mapping[int, int], Streams] | None:
        """In a thread."""
        try:
            epochs = self._journal.claim(shards, self._node)
            if epochs:  # but for those that somebody else claimed at the same moment
                return epochs, self._live(tuple(epochs))
        except JournalError as error:
            if not self._failing:
                _log.error("shards cannot be claimed yet; it is tried again", shards=numbers(shards), reason=str(error))
        except Exception:  # noqa: BLE001  boundary: else nobody would ever claim them again
            _log.exception("shards cannot be claimed yet; this is a fault of ours: report these lines")
        self._failing = True
        return None

    def _tell_changed(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _until(self, good: Callable[[], bool]) -> None:
        while not good():
            await self._changed.wait()


def numbers(shards: Iterable[int]) -> str:
    """`3, 7-9`."""
    runs: list[list[int]] = []
    for shard in sorted(shards):
        if runs and shard == runs[-1][-1] + 1:
            runs[-1][1:] = [shard]
        else:
            runs.append([shard])
    return ", ".join("-".join(map(str, run)) for run in runs)
