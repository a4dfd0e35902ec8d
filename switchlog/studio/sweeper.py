"""What a process that died left in the spool, though nobody needs it any more: it goes.

What may live here: which files may. The rule is that an event says so: one that its call or its mailbox still owes, or
that may be another node's to see to, stays. What blocks is done in threads, some files at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import cache, partial
from typing import NamedTuple
from uuid import UUID

import structlog

from adapters.journal.codec import decode
from domain.base import Event
from domain.call.call import Call
from domain.call.recording import call_of_recording
from domain.ids import SHARDS, call_of_leg, shard_of
from domain.mailbox.mailbox import Mailbox
from domain.ports import JournalAway, JournalError, Stored
from switchlog.session.board import Board
from switchlog.studio.reels import Work
from switchlog.studio.spool import DRAFT, RECORDING, Spool, SpoolFile

_log = structlog.get_logger(__name__)
_FIRST = timedelta(minutes=1)
"""After a start, when what is owed has been seen to, and phones were heard."""
_EVERY = timedelta(hours=1)
_SOON = timedelta(seconds=1)
MOST_FILES = 500
"""So many are looked at in one go."""
_FETCHED_S = 3600
"""A copy into which nothing was written for so long is not being fetched any more."""


class SweeperParts(NamedTuple):
    """What a sweeper is built from; `read` gives a stream of the journal and blocks."""

    board: Board
    spool: Spool
    read: Callable[[UUID], Sequence[Stored]]
    mailboxes: Callable[[], Iterable[Mailbox]]
    alone: bool
    elsewhere: Callable[[int], bool]
    """whether another node has a shard"""
    """no other node can have a mailbox whose messages are here"""
    work: Work
    clock: Callable[[], datetime]


class _Suspect(NamedTuple):
    """A file that may go once this stream says so; without one, nothing speaks for it any more."""

    file: SpoolFile
    stream: UUID | None


class Sweeper:
    """All methods are of the loop's thread, but those that say so."""

    def __init__(self, parts: SweeperParts) -> None:
        self._parts = parts
        self._due: datetime | None = None
        self._busy = False
        self._after = ""
        """the name behind which files have not been looked at"""

    def next_due(self) -> datetime | None:
        """When `on_due` is to be called."""
        if self._due is None and not self._busy:
            self._due = self._parts.clock() + _FIRST
        return self._due

    def on_due(self, now: datetime) -> None:
        """Look at some files."""
        if self._due is None or now < self._due:
            return
        self._due, self._busy = None, True
        self._parts.work(partial(self._parts.spool.files, self._after, MOST_FILES), self._suspect)

    def _suspect(self, found: list[SpoolFile] | Exception) -> None:
        """Those of our shards that nothing in memory owes; the journal is asked about them in a thread."""
        if isinstance(found, Exception):
            self._rest(found, more=False)
            return
        more = len(found) == MOST_FILES
        self._after = found[-1].name if more else ""
        messages = self._messages() if any(file.kind != RECORDING for file in found) else None
        suspects = [one for file in found if (one := self._suspected(file, messages)) is not None]
        self._parts.work(partial(self._sweep, suspects, self._parts.clock()), partial(self._rest, more=more))

    def _rest(self, result: int | Exception, more: bool) -> None:
        if isinstance(result, Exception):
            _log.warning("what was left in the spool could not be looked at; it stays", reason=str(result))
            self._after, more = "", False
        elif result:
            _log.info("files of recordings and messages that a crash had left in the spool are removed", files=result)
        self._busy = False
        self._due = self._parts.clock() + (_SOON if more else _EVERY)

    # --- what is suspected

    def _messages(self) -> dict[str, tuple[UUID, bool]] | None:
        """All messages that are known: their mailboxes' streams, and whether the sound is in the storage.

        None if there may be others: then each file of a message may be owed.
        """
        board = self._parts.board
        if board.parked or board.refused or (self._parts.alone and not all(map(board.owns, range(SHARDS)))):
            return None
        boxes = self._parts.mailboxes()
        return {one.id: (box.id, bool(one.file)) for box in boxes for one in box.messages.values()}

    def _suspected(self, file: SpoolFile, messages: dict[str, tuple[UUID, bool]] | None) -> _Suspect | None:
        if file.kind == DRAFT:
            return _Suspect(file, None)
        if file.kind == RECORDING:
            return self._suspected_recording(file)
        if messages is None:
            return None
        if file.id not in messages:  # without its mailbox, which is in the shard of its call, nobody has its key
            return _Suspect(file, None) if self._parts.alone or self._is_over_here(file) else None
        stream, is_kept = messages[file.id]
        return _Suspect(file, stream) if is_kept and file.sound else None

    def _is_over_here(self, file: SpoolFile) -> bool:
        """Of a message that is not known: whether it is no one else's either, or a copy that nobody here plays."""
        shard = shard_of(call_of_leg(file.id))
        return self._parts.board.owns(shard) or (file.copy and self._parts.elsewhere(shard))

    def _suspected_recording(self, file: SpoolFile) -> _Suspect | None:
        stream = call_of_recording(file.id)
        if not self._parts.board.owns(shard_of(stream)):
            return None
        call = self._parts.board.find(stream)
        owed = call is not None and any(one.id == file.id for one in call.recordings)
        return None if owed else _Suspect(file, stream)

    # --- in a thread

    def _sweep(self, suspects: Sequence[_Suspect], now: datetime) -> int:
        """How many are removed. Raises JournalAway."""
        events, removed = cache(self._events), 0
        for file, stream in suspects:
            try:
                if file.kind == DRAFT and now.timestamp() - self._parts.spool.written_at(file) < _FETCHED_S:
                    continue
                if stream is None or any(self._frees(event, file) for event in events(stream)):
                    self._parts.spool.remove(file)
                    removed += 1
            except JournalAway:
                raise
            except (JournalError, OSError) as error:
                _log.warning("a file stays in the spool", file=file.name, reason=str(error))
        return removed

    def _events(self, stream: UUID) -> tuple[Event, ...]:
        return tuple(decode(one.record.type, one.record.data) for one in self._parts.read(stream))

    def _frees(self, event: Event, file: SpoolFile) -> bool:
        """Whether the file is needed no more because of that. What is durable counts, so memory is not enough."""
        if isinstance(event, Mailbox.MessageLeft | Mailbox.GreetingKept):
            return event.message == file.id
        if isinstance(event, Call.RecordingErased):
            return event.recording == file.id
        if not isinstance(event, Call.RecordingStopped) or event.recording != file.id or not file.sound:
            return False
        # Of another size it is not what was kept: after a take-over the rest may have been, by another node.
        return bool(event.kept.name) and event.kept.stored_bytes == self._parts.spool.size(file)
