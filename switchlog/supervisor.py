"""The parent of the processes: starts the roles, restarts one that died, ends all of them in order.

What may live here: processes and signals. It knows roles by name only. A child that ends with `EXIT_UNUSABLE` cannot
work with these settings: then everything stops, and the last line says which and why. The children end with their
parent (`switchlog.child`).
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import signal
from collections.abc import Collection, Sequence
from itertools import groupby

import structlog

from switchlog.early import EarlyChild, LastWords, command
from switchlog.tied import EXIT_UNUSABLE

_log = structlog.get_logger(__name__)

_TRIES = 3
"""So often a needed role may fail at its start before all is given up."""
_BACKOFF_FIRST_S = 0.1
_BACKOFF_MOST_S = 5.0
_STEADY_S = 10.0
"""A role that ran this long starts again with the shortest wait."""
_END_TIMEOUT_S = 10.0
_GIVE_UP_TIMEOUT_S = 1.0
"""For the others when one role cannot run: whoever started us waits for the reason."""


class Supervisor:
    """Runs `roles` as child processes; each gets `settings_json` on its standard input.

    They are ended in the order of `roles`, those at once that differ by a number after a dash. `early` is a child that
    waits for its settings already; it comes first.
    A role that dies is started again for ever, but one that is `needed` and fails at every start ends all.
    """

    def __init__(
        self,
        roles: Sequence[str],
        settings_json: str,
        early: EarlyChild | None = None,
        needed: Collection[str] = (),
    ) -> None:
        self._roles = tuple(roles)
        self._early = early
        self._settings_json = settings_json.encode()
        self._children: dict[str, asyncio.subprocess.Process | EarlyChild] = {}
        self._stop = asyncio.Event()
        self._needed = needed
        self._reason = ""
        """Why everything must end, and whose fault that is."""

    def stop(self) -> None:
        """End all roles, those first that take work from outside."""
        self._stop.set()

    def reload(self) -> None:
        """Pass SIGHUP on: each role reads again what it takes from files outside, such as certificates."""
        for child in self._children.values():
            if child.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    child.send_signal(signal.SIGHUP)

    async def run(self) -> int:
        """Until `stop` or a role that cannot run; returns the exit code."""
        order = sorted(self._roles, key=lambda role: self._early is None or role != self._early.role)
        watchers = [asyncio.create_task(self._watch(role)) for role in order]
        await self._stop.wait()
        timeout_s = _GIVE_UP_TIMEOUT_S if self._reason else _END_TIMEOUT_S
        for _, same in groupby(self._roles, lambda role: role.partition("-")[0]):
            await asyncio.gather(*(self._end(role, timeout_s) for role in same))
        await asyncio.gather(*watchers)
        if self._early is not None:  # stopped before it had its turn
            await asyncio.to_thread(self._early.abandon)
        if self._reason:
            _log.error(self._reason)
        return 1 if self._reason else 0

    async def _watch(self, role: str) -> None:
        backoff_s = _BACKOFF_FIRST_S
        tries = _TRIES if role in self._needed else math.inf
        loop = asyncio.get_running_loop()
        while not self._stop.is_set():
            started = loop.time()
            code, words = await self._run_once(role)
            if self._stop.is_set():
                return
            if code == EXIT_UNUSABLE:
                self._give_up(f"the {role} cannot run: {words}")
                return
            if loop.time() - started > _STEADY_S:
                backoff_s, tries = _BACKOFF_FIRST_S, math.inf
            elif code > 0:  # by itself, not by a signal from outside
                tries -= 1
            if tries <= 0:
                self._give_up(
                    f"the {role} failed {_TRIES} times at the start: a fault of ours; report it with what is above"
                )
                return
            _log.error("a process ended and is started again", role=role, code=code, in_s=backoff_s)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), backoff_s)
            backoff_s = min(backoff_s * 2, _BACKOFF_MOST_S)

    def _give_up(self, reason: str) -> None:
        self._reason = reason
        self._stop.set()

    async def _run_once(self, role: str) -> tuple[int, str]:
        """Its exit code (negative = by this signal) and its last words."""
        child, words = await self._begun(role)
        self._children[role] = child
        if self._stop.is_set():  # told to stop while it was being made: nobody else will end it
            child.kill()
        if isinstance(child, EarlyChild):
            await child.give(self._settings_json)
        elif child.stdin is not None:
            with contextlib.suppress(ConnectionError):
                child.stdin.write(self._settings_json)
                await child.stdin.drain()
                child.stdin.close()
        _log.info("process started", role=role, pid=child.pid)
        return await child.wait(), words.read()

    async def _begun(self, role: str) -> tuple[asyncio.subprocess.Process | EarlyChild, LastWords]:
        early = self._early
        if early is not None and early.role == role:
            self._early = None
            return early, early.words
        words = LastWords()
        child = await asyncio.create_subprocess_exec(
            *command(role, words.write),
            stdin=asyncio.subprocess.PIPE,
            pass_fds=(words.write,),
            start_new_session=True,  # Ctrl-C reaches the parent only, which ends the children in order
        )
        words.inherited()
        return child, words

    async def _end(self, role: str, timeout_s: float) -> None:
        child = self._children.get(role)
        if child is None or child.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            child.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(child.wait(), timeout_s)
        except TimeoutError:
            if not self._reason:
                _log.error("a process did not end in time and is killed", role=role, after_s=timeout_s)
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()
