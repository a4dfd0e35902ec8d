"""The journal in one SQLite file: the embedded default.

WAL, synchronous=FULL, group commit, and the fence of `(shard, epoch)` checked inside each transaction. One
process writes; it holds a lock on `<name>.lock` beside the file while it runs. Others read with `SqliteReader`.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from uuid import UUID

from adapters.journal.checkpoint import Checkpointer
from adapters.journal.committer import Committer, Dispatch, at_once
from adapters.journal.pace import Pace
from adapters.journal.reader import SqliteReader
from adapters.journal.schema import BUSY_TIMEOUT_S, named_errors
from adapters.journal.submission import Submission
from adapters.journal.writer import Writer
from domain.ports import Batch, Cursor, Done, JournalError, Record, Stored


class SqliteJournal:
    """`domain.ports.Journal` over the file at `path`, which is made if there is none.

    `dispatch` gets one callable per committed group, which tells every submission of it, in order; by default it
    runs in the committer's thread and must not block. At most `queue_limit` submissions may wait for their answer.
    `pace` is the `Committer`'s. `clock` gives Unix seconds; `busy_timeout_s` bounds the wait for another program's
    lock on the file.

    Raises JournalError for a file that cannot be used, is not ours, or is open elsewhere.
    """

    def __init__(
        self,
        path: Path,
        *,
        dispatch: Dispatch = at_once,
        queue_limit: int = 10_000,
        pace: Pace | None = None,
        clock: Callable[[], float] = time.time,
        busy_timeout_s: float = BUSY_TIMEOUT_S,
    ) -> None:
        self._lock = _lock(path)
        try:
            self._checkpointer = Checkpointer(path)
            writer = Writer(path, clock, busy_timeout_s, self._checkpointer.committed)
            try:
                self._reader = SqliteReader(path)
            except BaseException:
                writer.close()
                raise
        except BaseException:
            self._checkpointer.close()
            os.close(self._lock)
            raise
        self._committer = Committer(writer, dispatch, queue_limit, pace)
        self._closed = False

    def claim(self, shards: Sequence[int], node: str) -> Mapping[int, int]:
        """See `domain.ports.Journal`. Takes its place in line after what was submitted before."""
        return self._committer.claim(shards, node)

    def release(self, shards: Sequence[int]) -> None:
        """See `domain.ports.Journal`. Takes its place in line after what was submitted before."""
        self._committer.release(shards)

    def submit(self, shard: int, epoch: int, records: Sequence[Record], done: Done) -> None:
        """See `domain.ports.Journal`."""
        self._committer.submit(Submission(shard, epoch, records, done))

    def read(self, stream: UUID, after: int = 0) -> Sequence[Stored]:
        """See `domain.ports.Journal`."""
        return self._reader.read(stream, after)

    def live(self, shard: int, now: float) -> Iterator[Sequence[Stored]]:
        """See `domain.ports.Journal`."""
        return self._reader.live(shard, now)

    def follow(self, cursor: Cursor, limit: int = 1000) -> Batch:
        """See `domain.ports.Journal`; the one partition is `journal`."""
        return self._reader.follow(cursor, limit)

    def end(self) -> Cursor:
        """See `domain.ports.Journal`."""
        return self._reader.end()

    def last_position(self) -> int:
        """The position of the newest record, 0 if there is none. Blocks."""
        return self._reader.last_position()

    def close(self) -> None:
        """See `domain.ports.Journal`. May be called again."""
        if not self._closed:
            self._closed = True
            self._reader.close()
            self._checkpointer.close()
            self._committer.close()
            os.close(self._lock)


def _lock(path: Path) -> int:
    """A descriptor that holds the writer's lock until it is closed, be it by the end of the process.

    Raises JournalError when another process has it, or when the folder is missing or not writable.
    """
    with named_errors(path):
        descriptor = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(descriptor)
        raise JournalError(
            f"journal {path}: in use by another Switchlog (process {holder}); "
            "stop that one, or choose another data folder"
        ) from error
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    except OSError:
        pass  # a full disk: the lock holds without the number, which only helps people
    return descriptor
