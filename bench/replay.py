"""The rebuild and replay rows: records again from the journal, beside a bare insert or reading of the same rows."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from clickhouse_driver import Client  # type: ignore[import-untyped]

from adapters.analytics import tables
from adapters.analytics.client import Endpoint, Warehouse, WarehouseError
from adapters.journal.codec import decode
from adapters.journal.reader import SqliteReader
from adapters.journal.schema import COLUMNS
from adapters.journal.sqlite import SqliteJournal
from bench.history import EVENTS_A_CALL, calls, write_calls
from bench.table import Row
from projections.generation import Generations
from projections.live import Live
from projections.projector import Projector
from switchlog.rebuild.crew import Processes
from switchlog.role.life import settle_memory
from switchlog.setting.folder import JOURNAL
from switchlog.setting.settings import load
from switchlog.store.warehouse import schema
from tests.fixtures import clickhouse
from tests.fixtures.clickhouse import url_of

PROJECTION = "cdr"
_AT_ONCE = 1_000
_NEXT = f"SELECT {COLUMNS} FROM records WHERE position > ? ORDER BY position LIMIT ?"
_TABLES = (tables.CDR, tables.LEGS, tables.SEGMENTS)


def rebuild_row(folder: Path, count: int, say: Callable[[str], None]) -> Row:
    """`count` calls: written to a journal, projected once, rebuilt beside that; then the rows inserted barely."""
    settle_memory()  # as the role does
    say(f"rebuild: writing {count} calls")
    write_calls(SqliteJournal(folder / JOURNAL), calls(count))
    process, engine = clickhouse.start(folder / "clickhouse")
    try:
        say("rebuild: following, then rebuilding")
        rebuilt_s = _rebuild(folder, engine.writer)
        say("rebuild: inserting the same rows barely")
        rows, bare_s = _insert_again(engine.writer)
    finally:
        clickhouse.stop(process)
    return Row(
        "CDR rebuild from the journal",
        rows / rebuilt_s,
        "rows/s",
        "bare clickhouse-driver insert of the same rows",
        rows / bare_s,
        more_is_better=True,
        facts={
            "calls": count,
            "rows": rows,
            "events /s": count * EVENTS_A_CALL / rebuilt_s,
            "calls /s": count / rebuilt_s,
            "seconds": rebuilt_s,
        },
    )


def replay_row(folder: Path, count: int, say: Callable[[str], None]) -> Row:
    """The journal of `count` calls followed into the live view, beside a bare reading of the same rows."""
    settle_memory()  # as the role does
    journal = folder / "replay.db"
    say(f"replay: writing {count} calls")
    write_calls(SqliteJournal(journal), calls(count))
    say("replay: following into memory")
    events, spent_s = _replay(journal)
    bare_s = _bare_reading(journal)
    return Row(
        "replay of the journal into a projection in memory",
        events / spent_s,
        "events/s",
        "bare sqlite3 fetch of the same rows, each JSON decoded by msgspec",
        events / bare_s,
        more_is_better=True,
        facts={"events": events},
    )


def _replay(journal: Path) -> tuple[int, float]:
    live = Live(decode)
    events = 0
    with SqliteReader(journal) as reader:
        begun = time.perf_counter()
        while (batch := reader.follow(live.cursor, _AT_ONCE)).records:
            live.apply(batch)
            events += len(batch.records)
        spent_s = time.perf_counter() - begun
    if live.skipped or live.calls():
        raise RuntimeError("the calls in memory are not what the journal says")
    return events, spent_s


def _bare_reading(journal: Path) -> float:
    connection = sqlite3.connect(journal)
    try:
        begun = time.perf_counter()
        at = 0
        while rows := connection.execute(_NEXT, (at, _AT_ONCE)).fetchall():
            for row in rows:
                msgspec.json.decode(row[9])
            at = rows[-1][0]
        return time.perf_counter() - begun
    finally:
        connection.close()


def _rebuild(folder: Path, endpoint: Endpoint) -> float:
    """Seconds of the rebuild alone, by the projector's own job, after it has caught up."""
    there = load(environment={}, data=folder, clickhouse=url_of(endpoint))
    with SqliteReader(folder / JOURNAL) as reader, Warehouse(endpoint) as warehouse:
        generations = Generations(warehouse, schema(), WarehouseError)
        projector = Projector(reader, generations, decode, crew=Processes(there))
        while projector.advance():
            pass
        job = projector.request("rebuild", PROJECTION)
        begun = time.perf_counter()
        while (state := projector.progress(job)["state"]) not in ("done", "failed"):
            projector.advance()
        if state == "failed":
            raise RuntimeError(f"the rebuild failed: {projector.progress(job)['detail']}")
        return time.perf_counter() - begun


def _insert_again(endpoint: Endpoint) -> tuple[int, float]:
    """(rows, seconds): what the rebuild wrote, into empty tables of the same shape, as columns."""
    client = Client(
        endpoint.host, port=endpoint.port, user=endpoint.user, password=endpoint.password, database=endpoint.database
    )
    total, spent_s = 0, 0.0
    try:
        for table in _TABLES:
            generation = max(_generations(client, table.name))
            columns: Sequence[Any] = client.execute(f"SELECT * FROM {table.at(generation)} FINAL", columnar=True)
            if not columns:
                continue
            client.execute(tables.create_table(table, f"bare_{table.name}"))
            begun = time.perf_counter()
            client.execute(f"INSERT INTO bare_{table.name} VALUES", list(columns), columnar=True)
            spent_s += time.perf_counter() - begun
            total += len(columns[0])
    finally:
        client.disconnect()
    return total, spent_s


def _generations(client: Client, name: str) -> list[int]:
    rows = client.execute("SELECT name FROM system.tables WHERE database = currentDatabase()")
    prefix = f"{name}_g"
    return [int(found.removeprefix(prefix)) for (found,) in rows if found.startswith(prefix)]
