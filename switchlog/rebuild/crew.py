"""The crew of a rebuild: as many processes as there are cores, each a `switchlog.rebuild.hand` for some shards.

Reading the journal and folding it is work of one core, and ClickHouse's part of a rebuild is the smaller one.
"""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import ExitStack, suppress
from typing import IO, TYPE_CHECKING, cast

import msgspec

from domain.ids import Part
from projections.crew import CrewLost, Share
from projections.generation import State
from switchlog.setting.given import handed_on

if TYPE_CHECKING:
    from switchlog.setting.settings import Settings

MOST = 4
"""More would wait for ClickHouse, and a database that others write as well is no place for a crowd."""
LEAST = 50_000
"""Records for which the start of processes is worth it: half a second of each."""
_MOMENT_S = 0.05
_READ_BYTES = 65_536


class Task(msgspec.Struct, frozen=True):
    """What a hand is told, before the settings, in a line of JSON."""

    states: tuple[State, ...]
    part: Part


class Processes:
    """`projections.crew.Crew` on this machine. `hands` processes, as many as there are cores unless said otherwise."""

    def __init__(self, settings: Settings, hands: int | None = None, least: int = LEAST) -> None:
        self._settings, self._least = settings, least
        self._hands = min(len(os.sched_getaffinity(0)), MOST) if hands is None else hands

    def is_worth(self, records: int) -> bool:
        return self._hands > 1 and records >= self._least

    def fill(self, states: Sequence[State]) -> Generator[Sequence[Share], None, None]:
        with ExitStack() as stack:
            parts = [Part(number, self._hands) for number in range(self._hands)]
            hands = [stack.enter_context(_Hand(self._settings, Task(tuple(states), part))) for part in parts]
            selector = stack.enter_context(selectors.DefaultSelector())
            for hand in hands:
                selector.register(hand.told, selectors.EVENT_READ, hand)
            while selector.get_map():
                for key, _ in selector.select(_MOMENT_S):
                    if not key.data.hear():
                        selector.unregister(key.fileobj)
                yield [hand.share for hand in hands]


class _Hand:
    """One process; leaving its context ends it."""

    def __init__(self, settings: Settings, task: Task) -> None:
        self.share = Share()
        self._heard = b""
        words = [sys.executable, "-m", "switchlog.rebuild.hand", str(os.getpid())]
        try:
            self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        except OSError as error:
            raise CrewLost(f"no process can be started: {error}") from error
        given, self.told = cast("IO[bytes]", self._process.stdin), cast("IO[bytes]", self._process.stdout)
        with suppress(BrokenPipeError), given:  # one that is gone already is found out when it is heard
            given.write(msgspec.json.encode(task) + b"\n" + handed_on(settings))

    def __enter__(self) -> _Hand:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._process.kill()
        self._process.wait()
        self.told.close()

    def hear(self) -> bool:
        """Take in what it tells; False at its end. Raises CrewLost when that came too soon."""
        told = os.read(self.told.fileno(), _READ_BYTES)
        *lines, self._heard = (self._heard + told).split(b"\n")
        if lines:
            self.share = msgspec.json.decode(lines[-1], type=Share)
        if not told and not self.share.states:
            raise CrewLost(f"a process that filled its part ended with status {self._process.wait()}")
        return bool(told)
