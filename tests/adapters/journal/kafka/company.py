"""Members of the group of nodes, for tests: what each is told, and members in processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from threading import Condition
from typing import IO

from adapters.journal.kafka.address import Address
from adapters.journal.kafka.membership import Membership
from cluster.process import tied
from domain.node import Neighbour
from domain.ports import JournalError

TIMEOUT_S = 30.0
NODE_S = 1.0
"""After so long a node is given up in tests: the least that the tests' brokers allow."""


class Ear:
    """What a member is told. `hold` = it gives shards back only when `let_go` says so."""

    def __init__(self, hold: bool = False) -> None:
        self.shards: frozenset[int] = frozenset()
        self.names: tuple[str, ...] = ()
        self.neighbours: tuple[Neighbour, ...] = ()
        self.given_back: list[frozenset[int]] = []
        self.expulsions = 0
        self.until = 0.0
        self.error: JournalError | None = None
        self._hold = hold
        self._waiting: list[Future[None]] = []
        self._changed = Condition()

    def allotted(self, shards: frozenset[int], neighbours: tuple[Neighbour, ...]) -> None:
        with self._changed:
            self.shards, self.neighbours = shards, neighbours
            self.names = tuple(one.name for one in neighbours)
            self._changed.notify_all()

    def revoked(self, shards: frozenset[int]) -> Future[None]:
        done: Future[None] = Future()
        with self._changed:
            self.given_back.append(shards)
            if self._hold:
                self._waiting.append(done)
            else:
                done.set_result(None)
            self._changed.notify_all()
        return done

    def expelled(self) -> None:
        with self._changed:
            self.shards, self.expulsions = frozenset(), self.expulsions + 1
            self._changed.notify_all()

    def heard(self, until: float) -> None:
        with self._changed:
            self.until = until
            self._changed.notify_all()

    def failed(self, error: JournalError) -> None:
        with self._changed:
            self.error = error
            self._changed.notify_all()

    def let_go(self) -> None:
        with self._changed:
            self._hold = False
            waiting, self._waiting = self._waiting, []
        for done in waiting:
            done.set_result(None)

    def wait(self, good: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(good, TIMEOUT_S), (sorted(self.shards), self.names, self.error)


class Child:
    """A member in a process of its own, which may be frozen and killed; it says what it is told, a line each."""

    def __init__(self, address: Address, name: str) -> None:
        command = [sys.executable, "-m", __name__, ",".join(address.bootstrap), address.prefix, name]
        self._process = subprocess.Popen(tied(command), stdout=subprocess.PIPE, text=True)
        self._words: IO[str] = self._process.stdout  # type: ignore[assignment]

    def expect(self, good: Callable[[Sequence[object]], bool]) -> list[object]:
        """Its next line that is good."""
        for line in self._words:
            words: list[object] = json.loads(line)
            if good(words):
                return words
        raise AssertionError("it ended before it said so")

    def freeze(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._words.close()


def _main(bootstrap: str, prefix: str, name: str) -> None:
    class Loud(Ear):
        def allotted(self, shards: frozenset[int], neighbours: tuple[Neighbour, ...]) -> None:
            super().allotted(shards, neighbours)
            say("allotted", len(shards), *self.names)

        def expelled(self) -> None:
            super().expelled()
            say("expelled")

    def say(*words: object) -> None:
        os.write(1, f"{json.dumps(words)}\n".encode())

    Membership(Address((bootstrap,), prefix), Neighbour(name, ""), Loud(), (NODE_S,))
    signal.pause()


if __name__ == "__main__":
    _main(*sys.argv[1:])
