"""Nodes for tests that do nothing but write: one stream in each shard that they hold, record after record.

They are whole nodes but for their phones: member of the group, roster, lease, warden, journal. One may run in the test
or in a process of its own, where it can be frozen and killed, and says what happens, a line each.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from threading import Condition, Thread
from typing import IO, Any, TypeVar, cast
from uuid import UUID

import msgspec
import structlog

from adapters.journal.kafka.address import Address
from adapters.journal.kafka.announce import Announcements
from adapters.journal.kafka.journal import KafkaJournal
from adapters.journal.kafka.membership import Membership
from cluster.process import tied
from domain.ids import CONFIG_SHARD, SHARDS, named_stream_id, shard_of
from domain.node import Neighbour
from domain.ports import JournalAway, JournalError, OwnershipLost, Stored
from switchlog.node.company import Fellow, Hosted
from switchlog.node.warden import Holder, Streams, Warden
from switchlog.office.office import Office
from switchlog.session.holding import read_live
from tests.conformance.record import record

_T = TypeVar("_T")
TIMEOUT_S = 60.0
ALL = (*range(SHARDS), CONFIG_SHARD)
WRITTEN = tuple(range(0, SHARDS, 4))
"""The shards that are written to."""


def stream_of(shard: int) -> UUID:
    return named_stream_id(shard, "scribe")


class NoOffice:
    def learn(self, records: Sequence[Stored]) -> None:
        """There is no configuration here."""


async def patiently(attempt: Callable[[], Awaitable[_T]]) -> _T:
    """What it gives at last: a busy broker may take its time with topics that were just made."""
    async with asyncio.timeout(TIMEOUT_S):
        while True:
            try:
                return await attempt()
            except JournalAway:
                await asyncio.sleep(0.05)  # as a node does


class Scribe:
    """One node. `say` is told what happens; `busy` = it writes on by itself as soon as a record is durable."""

    def __init__(self, address: Address, name: str, say: Callable[..., None], node_s: float, busy: bool = True) -> None:
        self._address, self._node_s, self._say, self._busy = address, node_s, say, busy
        self.name = name
        self.fellow = Fellow(name, lambda: datetime.now(UTC))
        self.last: dict[int, int] = {}
        """shard -> the sequence number that was submitted last"""
        self.stored: dict[int, int] = {}
        """shard -> the one that is known to be durable"""
        self.epochs: dict[int, int] = {}
        self.lost: list[int] = []
        self.journal: KafkaJournal | None = None
        self._leaving: dict[int, Callable[[], None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        fellow, address, name = self.fellow, self._address, self.name
        opening = partial(asyncio.to_thread, KafkaJournal, address, name, dispatch=fellow.dispatch)
        self.journal = journal = await patiently(opening)
        office = cast("Office", NoOffice())
        await patiently(lambda: fellow.learn(office, lambda: Announcements(address, f"{name}-news")))
        holder = Holder(self._take, self._drop, self._leave)
        may_claim = self.fellow.company.may_claim
        self.warden = Warden(journal, self.name, self._live, holder, self._spawn, may_claim=may_claim)
        hosted = Hosted(self.warden, lambda name: self._say("gone", name), lambda shard: None)
        me = Neighbour(self.name, f"{self.name}:5070")
        await self.fellow.join(hosted, lambda told: Membership(self._address, me, told, (self._node_s,)))
        self._say("ready", len(self.warden.held))

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await self.fellow.fall_silent()
        if self.journal is not None:
            await asyncio.to_thread(self.journal.close)
        await self.fellow.leave()

    def drain(self) -> None:
        self.fellow.introduce(Neighbour(self.name, f"{self.name}:5070", draining=True))

    async def until(self, good: Callable[[], bool]) -> None:
        async with asyncio.timeout(TIMEOUT_S):
            while not good():
                await asyncio.sleep(0.01)  # looks again; nothing depends on how long it is

    def write(self, shard: int) -> None:
        """Submit the next record of a shard."""
        self.last[shard] += 1
        epoch, sequence = self.epochs[shard], self.last[shard]

        def done(result: int | OwnershipLost) -> None:
            if self.epochs.get(shard) != epoch:
                self._say("unsaid", shard, sequence)
            elif isinstance(result, OwnershipLost):
                self._drop(shard)
                self.lost.append(shard)
                self._say("lost", shard, sequence)
                self.warden.lost(shard, result.reason)
            else:
                self.stored[shard] = sequence
                self._say("stored", shard, sequence)
                self._go_on(shard)

        assert self.journal is not None
        try:
            self.journal.submit(shard, epoch, [record(stream_of(shard), sequence)], done)
        except JournalError:
            return  # it is closed

    def _go_on(self, shard: int) -> None:
        if shard in self._leaving and self.stored[shard] == self.last[shard]:
            del self.epochs[shard]
            self._leaving.pop(shard)()
        elif self._busy and shard not in self._leaving:
            self.write(shard)

    # --- the warden's side

    def _take(self, epochs: Mapping[int, int], streams: Streams) -> int:
        found = {shard_of(one[0].record.stream): one for one in streams}
        for shard, epoch in epochs.items():
            sequences = [one.record.sequence for one in found.get(shard, ())]
            assert sequences == list(range(1, len(sequences) + 1)), "a gap or a fork"
            self.epochs[shard] = epoch
            self.last[shard] = self.stored[shard] = len(sequences)
        self._say("taken", *sorted(epochs))
        for shard in set(WRITTEN) & epochs.keys():
            if self._busy:
                self.write(shard)
        return 0

    def _drop(self, shard: int) -> None:
        self.epochs.pop(shard, None)
        self._leaving.pop(shard, None)
        self._say("dropped", shard)

    def _leave(self, shard: int, settled: Callable[[], None]) -> None:
        self._leaving[shard] = settled
        if self.stored[shard] == self.last[shard]:
            self._go_on(shard)

    def _live(self, shards: Sequence[int]) -> Streams:
        assert self.journal is not None
        return read_live(self.journal, shards, datetime.now(UTC).timestamp())

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class Child:
    """A node in a process of its own; `said` are its words until now: (`time.monotonic` there, kind, ...)."""

    def __init__(self, address: Address, name: str, node_s: float) -> None:
        command = [sys.executable, "-m", __name__, ",".join(address.bootstrap), address.prefix, name, str(node_s)]
        self._process = subprocess.Popen(tied(command), stdout=subprocess.PIPE, text=True)
        self.said: list[list[Any]] = []
        self._more = Condition()
        self._ended = False
        self._reader = Thread(target=self._read, args=[self._process.stdout], daemon=True)
        self._reader.start()

    def wait(self, kind: str, after_s: float = 0.0) -> list[Any]:
        """Its first words of a kind after a moment. Blocks."""

        def found() -> list[Any] | None:
            return next((words for words in self.said if words[1] == kind and words[0] > after_s), None)

        with self._more:
            self._more.wait_for(lambda: found() is not None or self._ended, TIMEOUT_S)
            words = found()
        assert words is not None, f"it has not said {kind}: {self.said[-5:]}"
        return words

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End it, and hear the rest of what it said. Blocks."""
        self._process.send_signal(signal.SIGCONT)
        self._process.send_signal(number)
        self._process.wait(TIMEOUT_S)
        self._reader.join()

    def acknowledged(self) -> dict[int, int]:
        """Shard -> the last sequence number that it said was stored."""
        return {words[2]: words[3] for words in self.said if words[1] == "stored"}

    def _read(self, lines: IO[str]) -> None:
        with lines:
            for line in lines:
                if line.endswith("\n"):  # or it was killed while it spoke
                    with self._more:
                        self.said.append(json.loads(line))
                        self._more.notify_all()
        with self._more:
            self._ended = True
            self._more.notify_all()


async def _main(bootstrap: str, prefix: str, name: str, node_s: str) -> None:
    def say(*words: object) -> None:
        os.write(1, msgspec.json.encode((time.monotonic(), *words)) + b"\n")

    scribe = Scribe(Address((bootstrap,), prefix), name, say, float(node_s))
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGUSR1, scribe.drain)
    await scribe.start()
    await stop.wait()
    await scribe.stop()


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    asyncio.run(_main(*sys.argv[1:]))
