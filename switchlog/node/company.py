"""One node in the company of others: what it knows of them, and what they make it do.

The group of nodes says who is alive and which shards are whose to try (`membership`); the log says whose they are, what
is configured and where phones are (`reporter`). From threads of theirs it comes here, to the loop, and on to the warden
of the shards.

What may live here: that way, and the order of coming and going. No decision about shards: those are the warden's.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import structlog

from adapters.journal.codec import decode
from domain.ids import CONFIG_SHARD, shard_of_registration
from domain.node import Neighbour
from domain.ports import JournalError, Stored
from domain.values import Contact
from switchlog.node.gazette import Bound, Gazette
from switchlog.node.lease import Lease
from switchlog.node.reporter import Announced, Readers, Reporter
from switchlog.node.roster import LiveRoster
from switchlog.node.warden import Holder, Warden
from switchlog.office.cabinet import Given, cabinet_of
from switchlog.office.office import Office
from switchlog.session.wiring import Company

if TYPE_CHECKING:
    from adapters.journal.kafka.announce import Word
    from adapters.journal.kafka.membership import Membership, Told

_log = structlog.get_logger(__name__)
JOIN_S = 15.0
"""So long phones are not heard for the sake of shards that could not be claimed yet."""


class Hosted(NamedTuple):
    """What of a session is told; all are called on the loop's thread."""

    warden: Warden
    gone: Callable[[str], None]
    """a node is dead"""
    moved_away: Callable[[Collection[int]], None]
    """other nodes have claimed shards that were this one's"""
    bound: Callable[[str, Contact, Contact | None], None] = lambda tenant, contact, before: None
    """(tenant, contact, what it was before): the registrar of another node has bound a phone"""


class Fellow:
    """This node; made on the loop's thread. It is what a membership tells (`membership.Told`)."""

    def __init__(self, name: str, clock: Callable[[], datetime]) -> None:
        self._name, self._clock = name, clock
        self._loop = asyncio.get_running_loop()
        self.roster = LiveRoster(name)
        self.lease = Lease(time.monotonic)
        self.gazette = Gazette(decode, lambda bound: self._soon(self._bound, bound), name)
        self.given = Given(lambda reason: self._soon(self._lost_configuration, reason))
        self.ended: asyncio.Future[None] = self._loop.create_future()
        """gets the error of what cannot go on"""
        self._office: Office | None = None
        self._reporter: Reporter | None = None
        self._membership: Membership | None = None
        self._hosted: Hosted | None = None
        self._joined = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    # --- coming

    def dispatch(self, group: Callable[[], None]) -> None:
        """What the journal answers, from the committer's thread (`adapters.journal.committer.Dispatch`)."""
        self._soon(self.lease.run, group)

    @property
    def cabinet(self) -> Holder:
        return cabinet_of(self._the_office, self.given)

    @property
    def company(self) -> Company:
        return Company(lambda: self.lease.current, self.cabinet)

    def elsewhere(self, tenant: str, number: str) -> tuple[Contact, ...]:
        """The bindings that hold now, as the log says."""
        return self.gazette.contacts(tenant, number, self._clock())

    async def learn(self, office: Office, announced: Callable[[], Announced]) -> None:
        """Learn what all nodes know, and go on learning. Raises JournalError."""
        self._office = office
        readers = Readers(self._take, self._hear, self.failed)
        self._reporter = await asyncio.to_thread(lambda: Reporter(announced(), readers))

    async def join(self, hosted: Hosted, member: Callable[[Told], Membership]) -> None:
        """Be one of the group of nodes; returns when this node has the shards that it was given, or after `JOIN_S`.

        Raises JournalError.
        """
        self._hosted = hosted
        self.roster.heed(hosted.warden.is_ours)
        self._membership = member(self)
        try:
            async with asyncio.timeout(JOIN_S):
                joined = self._loop.create_task(self._joined.wait())
                try:
                    await asyncio.wait((joined, self.ended), return_when=asyncio.FIRST_COMPLETED)
                    if not self.ended.done():
                        await hosted.warden.settled()
                finally:
                    joined.cancel()
        except TimeoutError:
            _log.error("this node has not all its shards yet; it is tried on", reason=hosted.warden.trouble)
        if self.ended.done():
            self.ended.result()

    # --- going

    async def fall_silent(self) -> None:
        """Before the journal is closed: nothing more is told to the session.

        Others may come and go meanwhile: what the group gives this node then is not claimed any more.
        """
        self._hosted = None
        for task in self._tasks:
            task.cancel()
        if self._reporter is not None:
            await asyncio.to_thread(self._reporter.close)

    async def leave(self) -> None:
        """After the journal has released the shards: others may have them now."""
        if self._membership is not None:
            others = len(self.roster.neighbours()) > 1
            await asyncio.to_thread(self._membership.close, others)
        if not self.ended.done():
            self.ended.cancel()

    def introduce(self, me: Neighbour) -> None:
        """Something about this node is otherwise now."""
        if self._membership is not None:
            self._membership.introduce(me)

    def behind(self) -> int | None:
        """How many positions of what all nodes follow are not read yet; None if nobody can say. Blocks."""
        try:
            return self._reporter.behind() if self._reporter is not None else None
        except JournalError:
            return None

    @property
    def trouble(self) -> str:
        """Empty, or why nobody knows whether this node counts."""
        if self._joined.is_set() and not self.lease.current:
            return f"the brokers have not heard this node for {self.lease.over_s:.0f} s more than they may"
        return ""

    # --- told by the membership, on its threads

    def allotted(self, shards: frozenset[int], neighbours: tuple[Neighbour, ...]) -> None:
        self._soon(self._allotted, shards, neighbours)

    def revoked(self, shards: frozenset[int]) -> Future[None]:
        done: Future[None] = Future()
        self._soon(self._give_back, shards, done)
        return done

    def expelled(self) -> None:
        self.lease.void()  # now: it may be heard again before the loop comes to what waits before this
        self._soon(self._expelled)

    def heard(self, until: float) -> None:
        self.lease.renew(until)
        self._soon(self._heard)

    def failed(self, error: JournalError) -> None:
        self._soon(self._fail, error)

    # --- on the loop

    def _allotted(self, shards: frozenset[int], neighbours: Sequence[Neighbour]) -> None:
        before = {one.name for one in self.roster.neighbours()}
        self.roster.meet(neighbours)
        names = {one.name for one in neighbours}
        if names != before:
            _log.info("the nodes are", nodes=", ".join(sorted(names)))
        hosted = self._hosted
        if hosted is not None:
            for name in sorted(before - names - {self._name}):
                try:
                    hosted.gone(name)
                except Exception:  # noqa: BLE001  boundary: what waited for a dead node must not keep us from its shards
                    _log.exception("a node is gone, and not all was done for it; report these lines", node=name)
            hosted.warden.give(shards)
        self._joined.set()

    def _give_back(self, shards: frozenset[int], done: Future[None]) -> None:
        async def give_back(warden: Warden) -> None:
            try:
                await warden.give_back(shards)
            finally:
                done.set_result(None)

        if self._hosted is None:
            done.set_result(None)
            return
        task = self._loop.create_task(give_back(self._hosted.warden))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _expelled(self) -> None:
        if self._hosted is not None:
            self._hosted.warden.expelled()
        self.lease.forfeit()

    def _heard(self) -> None:
        self.lease.go_on()
        if self._hosted is not None:
            self._hosted.warden.poke()

    def _lost_configuration(self, reason: str) -> None:
        if self._hosted is not None:
            self._hosted.warden.lost(CONFIG_SHARD, reason)

    def _moved_away(self, shards: Collection[int]) -> None:
        if self._hosted is not None:
            self._hosted.moved_away(shards)

    def _bound(self, bound: Sequence[Bound]) -> None:
        hosted = self._hosted
        if hosted is None:
            return
        for one in bound:
            if not hosted.warden.is_ours(shard_of_registration(one.tenant, one.number)):
                hosted.bound(one.tenant, one.contact, one.before)

    def _fail(self, error: JournalError) -> None:
        if not self.ended.done():
            self.ended.set_exception(error)

    # --- told by the reporter, on its thread

    def _take(self, records: tuple[Stored, ...]) -> None:
        self.gazette.take(records)
        try:
            self._the_office().learn([one for one in records if one.record.category == "config"])
        except JournalError as error:  # written by a newer version
            _log.error("a part of the configuration is not known here: it cannot be read", reason=str(error))

    def _hear(self, words: tuple[Word, ...]) -> None:
        moved = set[int]()
        for word in words:
            before = self.roster.word(word.shard).node
            news = self.roster.hear(word.shard, word.epoch, word.node, released=word.released)
            if news and before == self._name != word.node:
                moved.add(word.shard)
            elif news and word.node == self._name:
                moved.discard(word.shard)  # it is back already, and what is under way for it is of the term of now
        if moved:
            self._soon(self._moved_away, sorted(moved))

    # --- parts

    def _the_office(self) -> Office:
        if self._office is None:
            raise JournalError("the configuration is not known yet")
        return self._office

    def _soon(self, work: Callable[..., None], *args: object) -> None:
        """A loop that is closed already has nobody left to tell."""
        try:
            self._loop.call_soon_threadsafe(work, *args)
        except RuntimeError:
            return
