"""The embedded ClickHouse engine (chDB) behind a few blocking verbs; SQL in, Native blocks out.

chDB is loaded when an `Engine` is opened, and only there: it is large, and it owns its folder for the whole process.
Every session is used by one thread at a time. Writers' and readers' sessions are apart: the readers' were made
read-only by the engine itself (`SET readonly = 1`), which no statement can lift.
"""

from __future__ import annotations

import fcntl
import importlib
import json
import queue
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import msgspec

from adapters.analytics import guard, native, protocol

DATABASE = "switchlog"

READONLY = 164
UNKNOWN_DATABASE = 81
UNKNOWN_EXCEPTION = 1002
QUERY_WAS_CANCELLED = 394
TOO_MANY_SIMULTANEOUS_QUERIES = 202
"""ClickHouse's error codes."""

_CODE = re.compile(r"Code: (\d+)\. DB::Exception: (.*)", re.DOTALL)
_STREAMED = re.compile(r"\s*\(*\s*(SELECT|WITH)\b", re.IGNORECASE)
_INSERT = re.compile(
    r"\s*(?P<head>INSERT\s+INTO\s+(?:TABLE\s+)?(?P<table>[\w.`\"]+)\s*(?:\((?P<columns>[^()]*)\))?"
    r"(?:\s+SETTINGS\s+[^()]*?)?)\s*(?:VALUES|FORMAT\s+(?:Native|Values))\s*;?\s*",
    re.IGNORECASE,
)

_MARK = "/* switchlog "

_CONFIGURATION = """<!-- Written at each start of Switchlog: changes are lost. -->
<clickhouse>
    <logger><level>fatal</level><console>false</console></logger>
    <memory_worker_period_ms>1000</memory_worker_period_ms>
    <merge_tree>
        <auto_statistics_types></auto_statistics_types>
        <min_parts_to_merge_at_once>10</min_parts_to_merge_at_once>
        <min_bytes_for_full_part_storage>33554432</min_bytes_for_full_part_storage>
    </merge_tree>
</clickhouse>
"""
"""For many small inserts into few tables: no statistics of columns a part, no merge of a handful of parts, and a small
part is one file and not a dozen. Files are dear: ext4 passes over each inode that was freed in the last minutes before
it gives out a new one, and merges free many. No console: on a terminal the engine writes hundreds of lines of its own
whatever the level."""

Sink = Callable[[bytes], None]
"""Takes one Native block; raises Cancelled to stop the query."""


class EngineError(Exception):
    """What the engine, or the guard before it, answered: ClickHouse's code and its text."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class EngineUnusable(Exception):
    """The data folder cannot be used; one line says why and what to do."""


class Cancelled(Exception):
    """The asker no longer wants the answer."""


class Limits(msgspec.Struct, frozen=True):
    """Bounds of the engine. `query_s` and `reader_*` hold for readers; writers are ours and have `query_s` only."""

    query_s: int = 60
    writers: int = 2
    readers: int = 3
    reader_memory_bytes: int = 1 << 30
    reader_result_bytes: int = 1 << 30
    threads_a_query: int = 2
    threads_a_write: int = 1


class Insert(msgspec.Struct, frozen=True):
    """A columnar INSERT: `head` is the statement up to the data, `columns` empty = all of the table."""

    head: str
    table: str
    columns: tuple[str, ...]


def columnar_insert(text: str) -> Insert | None:
    """`INSERT INTO t (a, b) VALUES` without values: its data comes as blocks. None for any other statement."""
    match = _INSERT.fullmatch(text)
    if match is None:
        return None
    columns = tuple(name.strip().strip('`"') for name in (match["columns"] or "").split(",") if name.strip())
    return Insert(match["head"], match["table"], columns)


class _Session:
    """One chDB session and the database that it uses now."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.database = ""

    def use(self, database: str) -> None:
        if database != self.database:
            self.bytes(f"USE `{database}`", "TSV")
            self.database = database

    def bytes(self, sql: str, fmt: str) -> bytes:
        with _translated():
            answer: bytes = self.inner.query(sql, fmt).bytes()
            return answer


@contextmanager
def _translated() -> Iterator[None]:
    """chDB raises RuntimeErrors whose text holds ClickHouse's code."""
    try:
        yield
    except RuntimeError as error:
        match = _CODE.search(str(error))
        code, message = (int(match[1]), match[2]) if match else (UNKNOWN_EXCEPTION, str(error))
        raise EngineError(code, message) from None


class Engine:
    """Opens `folder`, creating it and the database if need be. Raises EngineUnusable. All methods block."""

    def __init__(self, folder: Path, limits: Limits) -> None:
        self._limits = limits
        self._lock = _lock(folder)
        try:
            chdb: Any = importlib.import_module("chdb.session")
            count = limits.writers + limits.readers + 1
            place = f"{folder}?config-file={_configured(folder)}"
            control, *opened = [_Session(chdb.Session(place)) for _ in range(count)]
        except ImportError as error:
            self._lock.close()
            raise EngineUnusable(
                f"the ClickHouse engine is not installed ({_first_line(error)}): install switchlog[embedded], or name"
                " a ClickHouse server in SWITCHLOG_CLICKHOUSE"
            ) from error
        except (RuntimeError, OSError) as error:
            self._lock.close()
            raise EngineUnusable(
                f"the ClickHouse engine cannot open {folder}: {_first_line(error)}; see to its disk, or move it"
                " away: it is filled again from the journal"
            ) from error
        self._control = control
        self._controlling = threading.Lock()
        self._described: dict[tuple[str, str], list[tuple[str, str]]] = {}
        self._writers = self._pool(opened[: limits.writers], self._common() + self._for_writers())
        self._prepare()
        self._readers = self._pool(opened[limits.writers :], self._common() + self._for_readers())
        self.version = self._version()

    def close(self) -> None:
        """Close every session; waits for those at work."""
        for pool, size in (
            (self._readers, self._limits.readers),
            (self._writers, self._limits.writers),
        ):
            for _ in range(size):
                pool.get().inner.close()
        self._control.inner.close()
        self._lock.close()

    def kill(self, mark: str = "") -> None:
        """Stop the statement that runs under `mark`, all of them by default; none is fine too."""
        with self._controlling:
            self._control.bytes(f"KILL QUERY WHERE startsWith(query, '{_MARK}{mark}') ASYNC", "TSV")

    def run(self, text: str, database: str, sink: Sink, *, reader: bool, mark: str = "") -> None:
        """Run one statement; its blocks go to `sink`, the first names the columns even if there are no rows.

        `mark` is a word of ours by which `kill` finds it.
        """
        with self._session(reader, database) as session:
            sql = self._checked(session, text) if reader else guard.without_format(text)
            if _STREAMED.match(sql):
                _stream(session, f"{_MARK}{mark} */ {sql}", sink)
            else:
                try:
                    answer = session.bytes(f"{_MARK}{mark} */ {sql}", "Native")
                finally:
                    self._described = {}  # it may have changed a table, even if it failed
                for part in native.split(answer):
                    sink(part)

    def columns(self, insert: Insert, database: str) -> list[tuple[str, str]]:
        """Names and types of the columns that `insert` fills, in its order."""
        described, key = self._described, (database, insert.head)
        if key not in described:  # a statement that changes tables meanwhile puts another dictionary in place
            described[key] = self._describe(insert, database)
        return described[key]

    def _describe(self, insert: Insert, database: str) -> list[tuple[str, str]]:
        with self._session(False, database) as session:
            answer = session.bytes(f"DESCRIBE TABLE {insert.table}", "JSONCompactEachRow")
        rows = [json.loads(line) for line in answer.splitlines()]
        types = {row[0]: row[1] for row in rows if row[2] not in ("MATERIALIZED", "ALIAS")}
        missing = [name for name in insert.columns if name not in types]
        if missing:
            raise EngineError(16, f"No such column {missing[0]} in table {insert.table}")
        return [(name, types[name]) for name in insert.columns or types]

    def insert(self, insert: Insert, database: str, blocks: Sequence[bytes]) -> None:
        """Insert Native blocks; returns when they are in the table."""
        if not blocks:
            return
        with self._session(False, database) as session, _translated():
            inserter = session.inner.send_insert(insert.head, "Native")
            try:
                for part in blocks:
                    inserter.append(part)
            except RuntimeError:
                inserter.cancel()
                raise
            inserter.finish()

    def _checked(self, session: _Session, text: str) -> str:
        """What a reader's statement is, in the engine's own words, once the guard has passed it."""
        rendered = session.bytes(f"SELECT formatQuerySingleLine(unhex('{text.encode().hex()}'))", "TSVRaw")
        try:
            return guard.check(rendered.decode().removesuffix("\n"), self._table_functions)
        except guard.Refused as refusal:
            raise EngineError(READONLY, str(refusal)) from refusal

    @contextmanager
    def _session(self, reader: bool, database: str) -> Iterator[_Session]:
        pool = self._readers if reader else self._writers
        session = pool.get()
        try:
            session.use(database)
            yield session
        finally:
            pool.put(session)

    def _pool(self, sessions: Sequence[_Session], settings: Sequence[str]) -> queue.SimpleQueue[_Session]:
        pool: queue.SimpleQueue[_Session] = queue.SimpleQueue()
        for session in sessions:
            for setting in settings:
                session.bytes(f"SET {setting}", "TSV")
            pool.put(session)
        return pool

    def _prepare(self) -> None:
        session = self._writers.get()
        session.bytes(f"CREATE DATABASE IF NOT EXISTS {DATABASE}", "TSV")
        found = session.bytes("SELECT lower(name) FROM system.table_functions", "TSVRaw")
        self._table_functions = frozenset(found.decode().split())
        self._writers.put(session)

    def _version(self) -> tuple[int, int, int]:
        with self._session(False, DATABASE) as session:
            parts = session.bytes("SELECT version()", "TSVRaw").decode().split(".")
        return int(parts[0]), int(parts[1]), int(parts[2])

    def _common(self) -> list[str]:
        return [
            "session_timezone = 'UTC'",
            f"max_execution_time = {self._limits.query_s}",
        ]

    def _for_writers(self) -> list[str]:
        """An insert is a few rows: threads cost more than they help, and the journal's cursor sees to repetition."""
        return [
            f"max_threads = {self._limits.threads_a_write}",
            "max_insert_threads = 1",
            "insert_deduplicate = 0",
            "optimize_on_insert = 0",
        ]

    def _for_readers(self) -> list[str]:
        return [
            f"max_threads = {self._limits.threads_a_query}",
            f"max_memory_usage = {self._limits.reader_memory_bytes}",
            f"max_result_bytes = {self._limits.reader_result_bytes}",
            "allow_introspection_functions = 0",
            "allow_ddl = 0",
            "readonly = 1",
        ]


def _stream(session: _Session, sql: str, sink: Sink) -> None:
    """A SELECT, block by block: memory is bounded, and it can be stopped between two blocks."""
    empty = True
    with _translated():
        result = session.inner.send_query(sql, "Native")
        try:
            while (chunk := result.fetch()) is not None:
                part = chunk.bytes()
                if part:
                    empty = False
                    sink(part)
        except Cancelled:
            result.cancel()
            raise
        finally:
            result.close()
    if empty:
        described = session.bytes(f"DESCRIBE TABLE ({sql.rstrip().rstrip(';')}\n)", "JSONCompactEachRow")
        rows = [json.loads(line) for line in described.splitlines()]
        sink(protocol.header([(row[0], row[1]) for row in rows]))


def _configured(folder: Path) -> Path:
    """The engine's own configuration, written anew at each start."""
    path = folder / "switchlog.xml"
    path.write_text(_CONFIGURATION)
    return path


def _lock(folder: Path) -> IO[str]:
    """One process a folder: the engine itself says this only in riddles."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "switchlog.lock").open("a")
    except OSError as error:
        raise EngineUnusable(
            f"the analytics folder {folder} cannot be written: {error.strerror}; see to it and its disk"
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise EngineUnusable(f"the analytics folder {folder} is in use by another process: stop that one") from error
    return lock


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:300]
