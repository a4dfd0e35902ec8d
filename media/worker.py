"""The process: a bare loop on absolute deadlines, 20 ms apart.

What may live here: the clock, and when what is done. What is done in a tick is the engine's.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from msgspec.structs import replace

from media.control import Control
from media.cycle import TICK_S
from media.engine import Engine
from media.wire import Alive, Inventory, Leaving, Load, Put, Refused, Retire, Retiring, ToWorker

_log = logging.getLogger(__name__)
Result = TypeVar("Result")

LOAD_EVERY_TICKS = 50
ALIVE_EVERY_S = 0.2
PULSE_S = TICK_S / 4
"""How long relayed packets wait at most."""
MOST_FAILED_STEPS = 50
"""Of ticks, and of what is done between them: one that fails is left out."""
RETIRE_S = 20.0
"""So long it waits at its end for others to take what it has; the rest they take when it has ended."""
IDLE_S = 0.002
"""So much time there must be for a step of what can wait."""
MOST_BEHIND_TICKS = 10
"""Ticks that are made up for after a halt; of a longer one the rest is left out."""


class Worker:
    """One engine and its control socket. `now` is a steady clock in seconds."""

    def __init__(self, engine: Engine, control: Control, now: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine
        self._control = control
        self._now = now
        self._deadline_s = now() + TICK_S
        self._pulse_s = now() + PULSE_S
        self._ticks = 0
        self._late = 0
        self._failed = 0
        self._worked_s = 0.0
        self._counted_s = now()
        self._alive_s = 0.0
        """when it is to be said next that this worker works"""
        self._until_s: float | None = None
        """when it ends at last, once it retires"""

    def run(self, goes_on: Callable[[], bool]) -> None:
        """Tick until `goes_on`, asked once a second, says no and others have what was here. It closes what it has."""
        try:
            while not self._is_over(goes_on):
                self.wait()
                self.tick()
        finally:
            self._control.tell([Leaving()])
            self._engine.close(self._now())
            self._say()
            self._control.close()

    def wait(self) -> None:
        """Pass on what is relayed, and listen to the control socket, until the next deadline.

        It listens once however late it is: who has too much to do must be told what not to do.
        """
        listened = False
        while (now_s := self._now()) < self._deadline_s or not listened:
            # The last pulse of a tick is the tick's own.
            relays = self._engine.relays and self._pulse_s < self._deadline_s - PULSE_S / 2
            if relays and now_s >= self._pulse_s:
                self._do(self._engine.pulse, now_s)
                self._pulse_s = max(self._pulse_s + PULSE_S, now_s)
                self._worked_s += self._now() - now_s
                continue
            rest_s = (min(self._deadline_s, self._pulse_s) if relays else self._deadline_s) - now_s
            if rest_s > IDLE_S and self._do(self._engine.idle, now_s):
                rest_s = 0.0
            heard, listened = self._control.poll(max(rest_s, 0.0), self._inventory), True
            for message in heard:
                self._obey(message)
                self._tell_alive(self._now())  # what a dead worker had comes all at once, and takes its time
            self._say()

    def tick(self) -> None:
        """Do one tick, and find the next deadline."""
        begun_s = self._now()
        if begun_s - self._deadline_s > TICK_S:
            self._late += 1
        if self._do(self._tick, begun_s):
            self._failed = 0
        self._ticks += 1
        self._say()
        ended_s = self._now()
        self._tell_alive(ended_s)
        self._worked_s += ended_s - begun_s
        self._pulse_s = self._deadline_s + PULSE_S
        self._deadline_s = max(self._deadline_s + TICK_S, ended_s - MOST_BEHIND_TICKS * TICK_S)
        if self._ticks % LOAD_EVERY_TICKS == 0:
            self._tell_load(ended_s)

    def _tick(self, now_s: float) -> bool:
        self._engine.tick(now_s)
        return True

    def _obey(self, message: ToWorker) -> None:
        if isinstance(message, Retire):
            self._retire()
            return
        try:
            if isinstance(message, Put):
                self._engine.put(message, self._now())
            else:
                self._engine.drop(message, self._now())
        except Exception as error:  # noqa: BLE001 - one context's fault must not end the others
            _log.error("a context could not be changed", exc_info=True, extra={"context": message.context})
            rev = message.rev if isinstance(message, Put) else 0
            self._engine.said.append(Refused(message.context, rev, f"a fault of this worker: {type(error).__name__}"))

    def _retire(self) -> None:
        """End, once nobody is connected or nothing is here any more."""
        if self._until_s is None:
            self._until_s = self._now() + RETIRE_S
            self._control.tell([Retiring()])

    def _is_over(self, goes_on: Callable[[], bool]) -> bool:
        if self._until_s is None and self._ticks % LOAD_EVERY_TICKS == 0 and not goes_on():
            self._retire()
        if self._until_s is None:
            return False
        return not (self._engine.contexts and self._control.connected) or self._now() >= self._until_s

    def _inventory(self) -> Inventory:
        return replace(self._engine.inventory(), retires=self._until_s is not None)

    def _do(self, step: Callable[[float], Result], now_s: float) -> Result | None:
        """Do a step of all contexts; when too many fail on end, a spare may do better."""
        try:
            return step(now_s)
        except Exception:
            self._failed += 1
            if self._failed >= MOST_FAILED_STEPS:
                raise
            _log.error("a step failed", exc_info=True, extra={"on_end": self._failed})
            return None

    def _say(self) -> None:
        if self._engine.said:
            self._control.tell(self._engine.said)
            self._engine.said.clear()

    def _tell_alive(self, now_s: float) -> None:
        if now_s >= self._alive_s:
            self._alive_s = now_s + ALIVE_EVERY_S
            self._control.tell([Alive()])

    def _tell_load(self, now_s: float) -> None:
        busy = round(1000 * self._worked_s / max(now_s - self._counted_s, TICK_S))
        self._control.tell([Load(self._engine.legs, busy, self._late)])
        self._worked_s, self._counted_s, self._late = 0.0, now_s, 0
