"""The committer: the one thread that writes, draining a bounded queue in groups (group commit).

While one group is being made durable the next one gathers, so the disk bounds the number of fsyncs a second and
not the number of appends. A disk that is fast would still be asked for an fsync an append, each dearer than all else
that an append costs: so an owner may ask for a pace, the least time from one commit to the next, that follows the load.
What comes after a quiet moment is committed at once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Any, Protocol, TypeVar

import msgspec

from adapters.journal.pace import Pace
from adapters.journal.submission import Outcome, Submission
from domain.ports import JournalError, JournalFull, OwnershipLost

_log = logging.getLogger(__name__)
T = TypeVar("T")

_GROUP_ROWS = 4096
"""A group is closed at this many rows, so that its first submission does not wait for ever."""

Dispatch = Callable[[Callable[[], None]], None]
"""Runs a callable where the owner wants to be told, such as `loop.call_soon_threadsafe`; in order."""


def at_once(work: Callable[[], None]) -> None:
    """The dispatch of those who need none."""
    work()


class Transactions(Protocol):
    """What the committer drives; used by its thread alone."""

    def append(self, group: Sequence[Submission]) -> list[Outcome]: ...

    def claim(self, shards: Sequence[int], node: str) -> Mapping[int, int]: ...

    def release(self, shards: Sequence[int]) -> None: ...

    def close(self) -> None: ...


class _Call(msgspec.Struct, frozen=True):
    work: Callable[[], Any]
    answer: Future[Any]


class _Stop(msgspec.Struct, frozen=True):
    pass


class Committer:
    """Owns `transactions` from construction on. All methods are thread-safe.

    `pace` says the least time from the begin of one group to that of the next, None = none; `clock` and `sleep` are
    the monotonic ones.
    """

    def __init__(
        self,
        transactions: Transactions,
        dispatch: Dispatch,
        queue_limit: int,
        pace: Pace | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._transactions, self._dispatch, self._queue_limit = transactions, dispatch, queue_limit
        self._pace, self._clock, self._sleep = pace, clock, sleep
        self._before_at = self._begun_at = self._next_at = 0.0
        self._queue: SimpleQueue[Submission | _Call | _Stop] = SimpleQueue()
        self._lock = Lock()
        self._unanswered = 0
        self._closed = False
        self._thread = Thread(target=self._run, name="journal-committer", daemon=True)
        self._thread.start()

    def submit(self, submission: Submission) -> None:
        """Put it in line.

        Raises JournalFull when `queue_limit` wait for their answer already, JournalError when closed.
        """
        with self._lock:
            self._check_open()
            if self._unanswered >= self._queue_limit:
                raise JournalFull(f"{self._unanswered} appends wait for their answer; try again later")
            self._unanswered += 1
            self._queue.put(submission)

    def claim(self, shards: Sequence[int], node: str) -> Mapping[int, int]:
        """Claim after everything that was submitted before. Blocks. Raises JournalError."""
        return self.call(lambda: self._transactions.claim(shards, node))

    def release(self, shards: Sequence[int]) -> None:
        """Give shards up after everything that was submitted before. Blocks. Raises JournalError."""
        self.call(lambda: self._transactions.release(shards))

    def call(self, work: Callable[[], T]) -> T:
        """What `work` returns or raises in the committer's thread, after everything that was submitted before. Blocks.

        Raises JournalError when closed.
        """
        answer: Future[T] = Future()
        with self._lock:
            self._check_open()
            self._queue.put(_Call(work, answer))
        return answer.result()

    def close(self) -> None:
        """Commit what was submitted, answer it, end the thread. May be called again."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._queue.put(_Stop())
        self._thread.join()

    def _check_open(self) -> None:
        if self._closed:
            raise JournalError("the journal is closed")

    def _run(self) -> None:
        while True:
            group, after = self._gather()
            if group:
                self._answer(group, self._append(group))
            if isinstance(after, _Call):
                _carry_out(after)
            elif isinstance(after, _Stop):
                self._transactions.close()
                return

    def _gather(self) -> tuple[list[Submission], _Call | _Stop | None]:
        """Everything that waits, at least one item; a call or the end closes the group."""
        group: list[Submission] = []
        rows = 0
        item: Submission | _Call | _Stop | None = self._queue.get()
        if self._pace and isinstance(item, Submission):
            self._wait()
        while isinstance(item, Submission):
            group.append(item)
            rows += len(item.records)
            try:
                item = self._queue.get_nowait() if rows < _GROUP_ROWS else None
            except Empty:
                item = None
        if self._pace and group:
            self._set_pace(self._pace, rows)
        return group, item

    def _wait(self) -> None:
        """Until the pace lets the next group begin."""
        now = self._clock()
        if now < self._next_at and not self._closed:
            self._sleep(self._next_at - now)
            now = self._next_at
        self._before_at, self._begun_at = self._begun_at, now

    def _set_pace(self, pace: Pace, rows: int) -> None:
        self._next_at = self._begun_at + pace.after(rows, self._begun_at - self._before_at)

    def _append(self, group: Sequence[Submission]) -> Sequence[Outcome]:
        try:
            return self._transactions.append(group)
        except Exception as error:  # noqa: BLE001 - the thread must outlive whatever one group did to it
            _log.exception("a group of appends failed")
            return [OwnershipLost(f"the journal failed: {error}")] * len(group)

    def _answer(self, group: Sequence[Submission], outcomes: Sequence[Outcome]) -> None:
        def answer() -> None:
            with self._lock:
                self._unanswered -= len(group)
            for submission, outcome in zip(group, outcomes, strict=True):
                try:
                    submission.done(outcome)
                except Exception:  # noqa: BLE001 - one listener's fault is not the others'
                    _log.exception("a listener of the journal failed")

        try:
            self._dispatch(answer)
        except RuntimeError:  # the loop that wanted to be told is closed
            _log.warning("nobody is left to be told of %d appends", len(group))


def _carry_out(call: _Call) -> None:
    try:
        call.answer.set_result(call.work())
    except Exception as error:  # noqa: BLE001 - told to whoever waits for it, whatever it is
        call.answer.set_exception(error)
