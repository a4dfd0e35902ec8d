"""Recordings that go: because somebody wants it, or because their time is over. The file first, then the word of it.

What may live here: which are due, and the one way in which one is erased. What blocks is done in threads. Each process
sees to the calls of its own shards; done twice, it is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

import structlog

from adapters.journal.codec import decode
from domain.base import Context, Event
from domain.call.call import Call
from domain.call.input import RecordingErased
from domain.call.recording import call_of_recording
from domain.ids import shard_of, text_of
from domain.ports import JournalError, Stored
from domain.refusal import Refusal
from domain.routing.directory import Directory
from domain.storage import StorageError
from domain.switchboard import NotOwned
from switchlog.session.board import Board
from switchlog.studio.reel import ReelStore
from switchlog.studio.reels import Work

_log = structlog.get_logger(__name__)
_EVERY = timedelta(hours=1)
_FIRST = timedelta(minutes=1)
RETENTION = "retention"


class EraserParts(NamedTuple):
    """What an eraser is built from; `read` blocks."""

    board: Board
    store: ReelStore
    read: Callable[[UUID], Sequence[Stored]]
    directory: Callable[[], Directory]
    node: str
    work: Work
    clock: Callable[[], datetime]


class _Found(NamedTuple):
    """A recording whose file is gone now: its tenant, and the number of its call's last event."""

    tenant: str
    version: int


class Eraser:
    """All methods are of the loop's thread."""

    def __init__(self, parts: EraserParts) -> None:
        self._parts = parts
        self._busy: set[UUID] = set()
        """Calls of which a recording is being erased"""
        self._due: datetime | None = None

    def erase(
        self, recording: str, tenant: str | None, by: str, why: str, done: Callable[[Refusal | None], None]
    ) -> None:
        """Of `tenant`, None = of any. `done` is told once it is durable, or why it cannot be."""
        try:
            call = call_of_recording(recording)
        except ValueError:
            done(Refusal("missing", f"there is no recording {recording}"))
            return
        if not self._parts.board.owns(shard_of(call)) or call in self._busy:
            done(Refusal("unavailable", "this cannot be done at the moment: try again"))
            return
        self._busy.add(call)

        def gone(result: Any) -> None:
            self._busy.discard(call)
            if isinstance(result, Refusal):
                done(result)
            elif isinstance(result, Exception):
                done(Refusal("unavailable", str(result)))
            else:
                self._tell(call, recording, result, (by, why), done)

        self._parts.work(partial(self._erase, call, recording, tenant), gone)

    # --- retention

    def next_due(self) -> datetime | None:
        """When `on_due` is to be called."""
        if self._due is None:
            self._due = self._parts.clock() + _FIRST
        return self._due

    def on_due(self, now: datetime) -> None:
        """Erase what is kept no longer."""
        if self._due is None or now < self._due:
            return
        self._due = now + _EVERY
        self._parts.work(partial(self._expired, tuple(self._parts.directory().tenants), now.date()), self._let_go)

    def _expired(self, tenants: Sequence[str], today: date) -> list[str]:
        return [name for tenant in tenants for name in self._parts.store.expired(tenant, today)]

    def _let_go(self, result: list[str] | Exception) -> None:
        if isinstance(result, Exception):
            _log.warning("recordings that are over cannot be looked for", reason=str(result))
            return
        for name in result:
            tenant, recording = name.split("/")[0], name.rpartition("/")[2]
            try:
                if not self._parts.board.owns(shard_of(call_of_recording(recording))):
                    continue
            except ValueError:
                continue  # it is none of ours
            self.erase(recording, tenant, "system", RETENTION, partial(self._note, recording))

    @staticmethod
    def _note(recording: str, refusal: Refusal | None) -> None:
        if refusal is not None:
            _log.warning("a recording is kept longer than it should be", recording=recording, reason=refusal.detail)

    # --- parts

    def _erase(self, call: UUID, recording: str, tenant: str | None) -> _Found:
        """In a thread."""
        records = self._parts.read(call)
        events = [decode(one.record.type, one.record.data) for one in records]
        stopped = [one for one in events if isinstance(one, Call.RecordingStopped) and one.recording == recording]
        begun = any(isinstance(one, Call.RecordingStarted) and one.recording == recording for one in events)
        if not begun or tenant not in (None, events[0].context.tenant):
            raise Refusal("missing", f"there is no recording {recording}")
        if not stopped:
            raise Refusal("conflict", f"{recording} goes on, or is on its way to the storage: erase it later")
        if any(isinstance(one, Call.RecordingErased) and one.recording == recording for one in events):
            raise Refusal("missing", f"{recording} is erased already")
        try:
            self._parts.store.erase(recording, stopped[-1].kept.name)
        except (OSError, StorageError) as error:
            raise Refusal("unavailable", str(error)) from error
        return _Found(events[0].context.tenant, records[-1].record.sequence)

    def _tell(
        self,
        call: UUID,
        recording: str,
        found: _Found,
        wish: tuple[str, str],
        done: Callable[[Refusal | None], None],
    ) -> None:
        (by, why), board = wish, self._parts.board
        cause = f"recording:{recording}"

        def lost() -> None:
            done(Refusal("unavailable", "it is erased, and the journal could not be told of it yet: erase it again"))

        try:
            if board.find(call) is not None:
                board.handle(call, RecordingErased(cause, by, recording, why), lambda accepted: done(None), lost)
                return

            def make(epoch: int) -> tuple[Event, ...]:
                context = Context(found.tenant, text_of(call), cause, by, self._parts.node, epoch)
                return (Call.RecordingErased(call, found.version + 1, self._parts.clock(), context, recording, why),)

            board.append(shard_of(call), make, lambda: done(None), lost)
        except (JournalError, NotOwned) as error:
            done(Refusal("unavailable", str(error)))
