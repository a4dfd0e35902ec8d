"""The append rows: records made durable by the SQLite journal, beside a bare `executemany` loop into the same tables.

Figure and yardstick take turns on the same disk, so that neither has the quieter moments; both commit equally often.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path

from adapters.journal.schema import Row as JournalRow
from adapters.journal.schema import open_writer, row_of
from adapters.journal.sqlite import SqliteJournal
from bench.group_commit import IN_FLIGHT, Groups, claimed, flowing, in_batches, rounds, waiting
from bench.history import call_records
from bench.measure import percentile
from bench.table import Row
from domain.ids import shard_of
from domain.ports import Record

YARDSTICK = "bare sqlite3 executemany, same tables, WAL, synchronous=FULL, a commit a batch"
_INSERT = "INSERT INTO records VALUES (?,?,?,?,?,?,?,?,?,?,?)"
_HOLD = (
    "INSERT INTO live VALUES (?,?,?) ON CONFLICT (shard, stream) DO UPDATE SET live_until = excluded.live_until "
    "WHERE live_until IS NOT excluded.live_until"
)


def waiting_row(folder: Path, batch: int, records: int) -> Row:
    """`batch` records a submission and a commit; the next submission waits until the last one is durable."""
    streams = call_records(records)
    took_s, bare_s, waits_s = 0.0, 0.0, list[float]()
    for number, part in enumerate(rounds(streams)):
        batches = in_batches(part, batch)
        waits = _journal_waiting(folder / f"journal{batch}-{number}.db", batches)
        took_s += sum(waits)
        waits_s += waits
        bare_s += _bare(folder / f"bare{batch}-{number}.db", batches)
    total = len(streams)
    return Row(
        f"journal append, {batch} record{'s' * (batch > 1)} a commit",
        total / took_s,
        "records/s",
        YARDSTICK,
        total / bare_s,
        more_is_better=True,
        worst={"p99 ms": percentile(waits_s, 0.99) * 1000, "max ms": max(waits_s) * 1000},
        facts={"records": total},
    )


def flowing_row(folder: Path, records: int) -> Row:
    """One record a submission, a thousand in flight: the groups find themselves. The bare loop gets groups as large."""
    streams = call_records(records)
    took_s, bare_s, waits_s, groups = 0.0, 0.0, list[float](), 0
    for number, part in enumerate(rounds(streams)):
        spent_s, waits, commits = _journal_flowing(folder / f"flowing{number}.db", part)
        took_s += spent_s
        waits_s += waits
        groups += commits
        size = max(1, round(len(part) / commits))
        bare_s += _bare(folder / f"flowing-bare{number}.db", in_batches(part, size))
    total = len(streams)
    return Row(
        "journal append, 1 record a submission, group commit",
        total / took_s,
        "records/s",
        YARDSTICK,
        total / bare_s,
        more_is_better=True,
        worst={"p99 ms": percentile(waits_s, 0.99) * 1000, "max ms": max(waits_s) * 1000},
        facts={"records": total, "in flight": IN_FLIGHT, "records a commit": total / groups},
    )


def _journal_waiting(path: Path, batches: Sequence[Sequence[Record]]) -> list[float]:
    """Seconds from each submission to the word that it is durable."""
    journal = SqliteJournal(path)
    try:
        return waiting(journal, claimed(journal), batches)
    finally:
        journal.close()


def _journal_flowing(path: Path, records: Sequence[Record]) -> tuple[float, list[float], int]:
    """(seconds for all, seconds each waited, commits)."""
    groups = Groups()
    journal = SqliteJournal(path, dispatch=groups)
    try:
        spent_s, waits_s = flowing(journal, claimed(journal), records)
    finally:
        journal.close()
    if journal_rows(path) != len(records):
        raise RuntimeError("the journal did not take all records")
    return spent_s, waits_s, groups.count


def _bare(path: Path, batches: Sequence[Sequence[Record]]) -> float:
    """Seconds of a plain loop: rows, `executemany` into both tables, COMMIT."""
    connection = open_writer(path, 5)
    try:
        position = 0
        begun = time.perf_counter()
        for batch in batches:
            rows: list[tuple[int, *JournalRow]] = []
            for record in batch:
                position += 1
                rows.append((position, *row_of(shard_of(record.stream), 1, record)))
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(_INSERT, rows)
            connection.executemany(_HOLD, [(row[3], row[1], row[10]) for row in rows])
            connection.execute("COMMIT")
        return time.perf_counter() - begun
    finally:
        connection.close()


def journal_rows(path: Path) -> int:
    """How many records the file holds."""
    connection = sqlite3.connect(path)
    try:
        (count,) = connection.execute("SELECT count(*) FROM records").fetchone()
        return int(count)
    finally:
        connection.close()
