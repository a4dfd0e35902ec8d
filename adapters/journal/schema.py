"""The journal's file: its tables, the marks that tell it from other files, and how it is opened.

What may live here: DDL, row shapes, and the refusal of files that are not ours. No appending, no reading of
records.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import UUID, SafeUUID

from domain.ports import PARTITION, Cursor, ForeignCursor, JournalAway, JournalError, Record, Stored

APPLICATION_ID = 0x53774C67
"""`SwLg`: marks the file as a Switchlog journal (https://www.sqlite.org/pragma.html#pragma_application_id)."""
SCHEMA_VERSION = 1
BUSY_TIMEOUT_S = 5.0
WAL_PAGES = 4000
"""The `-wal` may grow to this many pages before a commit has to move them into the file."""

_TABLES = """
CREATE TABLE records (
    position INTEGER PRIMARY KEY, stream BLOB NOT NULL, sequence INTEGER NOT NULL, shard INTEGER NOT NULL,
    epoch INTEGER NOT NULL, type TEXT NOT NULL, category TEXT NOT NULL, tenant TEXT NOT NULL,
    time INTEGER NOT NULL, data BLOB NOT NULL, live_until REAL, UNIQUE (stream, sequence));
CREATE TABLE live (
    shard INTEGER NOT NULL, stream BLOB NOT NULL, live_until REAL, PRIMARY KEY (shard, stream)) WITHOUT ROWID;
CREATE TABLE claims (
    shard INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, node TEXT NOT NULL, time INTEGER NOT NULL);
"""
COLUMNS = "position, stream, sequence, shard, epoch, type, category, tenant, time, data, live_until"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Row = tuple[bytes, int, int, int, str, str, str, int, bytes, float | None]
"""A record as it is inserted: the columns without `position`; time in microseconds since 1970 UTC."""


def row_of(shard: int, epoch: int, record: Record) -> Row:
    """The record as the columns after `position`."""
    return (
        record.stream.bytes,
        record.sequence,
        shard,
        epoch,
        record.type,
        record.category,
        record.tenant,
        round(record.time.timestamp() * 1_000_000),
        record.data,
        record.live_until,
    )


def position_of(cursor: Cursor) -> int:
    """Where a cursor stands in a journal of one partition. Raises ForeignCursor."""
    if others := sorted(cursor.keys() - {PARTITION}):
        raise ForeignCursor(f"this is a place in another journal, which has a partition {others[0]}; begin anew here")
    return cursor.get(PARTITION, 0)


def stored_of(row: tuple[Any, ...]) -> Stored:
    """The record of a row of all `COLUMNS`."""
    position, stream, sequence, shard, epoch, kind, category, tenant, time_us, data, live_until = row
    record = Record(
        _uuid(stream),
        sequence,
        kind,
        category,
        tenant,
        _EPOCH + timedelta(microseconds=time_us),
        data,
        live_until,
    )
    return Stored(position, shard, epoch, record)


_blank, _set = UUID.__new__, object.__setattr__
_KNOWN = 8192
"""Ids that are kept: the records of a stream come soon after each other."""


@lru_cache(_KNOWN)
def _uuid(stream: bytes) -> UUID:
    """`UUID(bytes=stream)` without the class's looking at six ways to be called, which costs more than a row."""
    made = _blank(UUID)
    _set(made, "int", int.from_bytes(stream, "big"))
    _set(made, "is_safe", SafeUUID.unknown)
    return made


class JournalMissing(JournalAway):
    """There is no journal at this place, or not yet."""


@contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """Turns what SQLite and the system say into one line that names the file and what to do."""
    try:
        yield
    except sqlite3.Error as error:
        raise JournalError(f"journal {path}: {explain(error)}") from error
    except OSError as error:
        raise JournalError(f"journal {path}: {error.strerror}: {error.filename or path}") from error


def explain(error: sqlite3.Error) -> str:
    """What went wrong and what to do, for the operator."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    advice = {
        sqlite3.SQLITE_NOTADB: "is no journal or damaged; restore it from a copy or choose another data folder",
        sqlite3.SQLITE_CORRUPT: "is damaged; restore it from a copy",
        sqlite3.SQLITE_FULL: "disk full; free some space",
        sqlite3.SQLITE_IOERR: "disk full or failing; check the disk",
        sqlite3.SQLITE_BUSY: "locked by another program for too long; close that program",
        sqlite3.SQLITE_CANTOPEN: "cannot be opened; check that its folder exists and is writable",
        sqlite3.SQLITE_READONLY: "may not be written; check its permissions and its folder's",
        sqlite3.SQLITE_PERM: "may not be opened; check its permissions",
    }.get(code)
    return f"{advice} ({error})" if advice else str(error)


def open_writer(path: Path, busy_timeout_s: float) -> sqlite3.Connection:
    """The one writing connection, in WAL mode with an fsync per commit; makes the tables of a new file.

    Raises JournalError for a damaged, foreign or newer file. One thread at a time
    may use the connection.
    """
    with named_errors(path):
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=busy_timeout_s)
        try:
            if not _check(connection, path):
                _create(connection)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute(f"PRAGMA wal_autocheckpoint={WAL_PAGES}")
            connection.execute("SELECT max(position) FROM records").fetchone()
        except BaseException:
            connection.close()
            raise
        return connection


def open_checkpointer(path: Path) -> sqlite3.Connection:
    """A connection for checkpoints beside the writer's. Raises JournalError."""
    with named_errors(path):
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=BUSY_TIMEOUT_S)
        try:
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA wal_autocheckpoint=0")
        except BaseException:
            connection.close()
            raise
        return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """A connection that cannot write; works while the writer runs.

    Raises JournalMissing when there is no journal (yet), and JournalError as `open_writer`.
    """
    if not path.exists():
        raise JournalMissing(f"journal {path}: does not exist; start the server once, or check the data folder")
    with named_errors(path):
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            timeout=BUSY_TIMEOUT_S,
        )
        try:
            if not _check(connection, path):
                raise JournalMissing(f"journal {path}: is empty; start the server once")
        except BaseException:
            connection.close()
            raise
        return connection


def _check(connection: sqlite3.Connection, path: Path) -> bool:
    """True for our journal, False for an empty file. Raises JournalError for anything else."""
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if not application_id and not tables:
        return False
    if application_id != APPLICATION_ID:
        raise JournalError(f"journal {path}: belongs to another program; choose another data folder")
    if version != SCHEMA_VERSION:
        raise JournalError(
            f"journal {path}: was written by another version of Switchlog (schema {version}, this one knows "
            f"{SCHEMA_VERSION}); use that version"
        )
    return True


def _create(connection: sqlite3.Connection) -> None:
    """All tables and marks, or nothing."""
    connection.executescript(
        f"BEGIN IMMEDIATE; {_TABLES} PRAGMA application_id={APPLICATION_ID};"
        f"PRAGMA user_version={SCHEMA_VERSION}; COMMIT;"
    )
