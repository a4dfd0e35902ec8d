"""The thread that moves what is committed from the `-wal` into the journal's file, so that no commit waits for it.

What may live here: when a checkpoint runs, and its own connection. The committing connection still checkpoints by
itself when its `-wal` has outgrown `schema.WAL_PAGES`; then little is left to move, and the `-wal` begins anew.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread

from adapters.journal.schema import WAL_PAGES, open_checkpointer
from domain.ports import JournalError

_PAGES_A_COMMIT = 3
_RECORDS_A_PAGE = 2
"""Roughly what a commit and its records add to the `-wal`; only the rhythm depends on it."""


class Checkpointer:
    """`committed` may be called by one thread; the others by any."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pages = 0
        self._due = Event()
        self._ending = False
        self._thread = Thread(target=self._run, name="journal-checkpoint", daemon=True)
        self._thread.start()

    def committed(self, records: int) -> None:
        """A group of so many records is durable."""
        self._pages += _PAGES_A_COMMIT + records // _RECORDS_A_PAGE
        if self._pages >= WAL_PAGES // 2:
            self._pages = 0
            self._due.set()

    def close(self) -> None:
        """End the thread and its connection. May be called again."""
        self._ending = True
        self._due.set()
        self._thread.join()

    def _run(self) -> None:
        connection = None
        while self._due.wait():
            self._due.clear()
            if self._ending:
                break
            with suppress(sqlite3.Error, JournalError):  # a disk that is full or failing: the commits will say so
                connection = connection or open_checkpointer(self._path)
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        if connection is not None:
            connection.close()
