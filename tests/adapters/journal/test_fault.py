"""What happens to the journal's file when things go wrong around it."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from adapters.journal.reader import SqliteReader
from adapters.journal.schema import SCHEMA_VERSION
from adapters.journal.sqlite import SqliteJournal
from domain.ports import JournalError, OwnershipLost
from tests.adapters.journal.appender import STREAMS
from tests.conformance.record import append, record, records, sequences, stream

ROOT = Path(__file__).parents[3]
A, B = stream("a"), stream("b")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def _refused(path: Path) -> str:
    """What the refusal of the writer and of the reader says, on one line each."""
    with pytest.raises(JournalError) as reader:
        SqliteReader(path)
    with pytest.raises(JournalError) as writer:
        SqliteJournal(path)
    assert str(writer.value).startswith(f"journal {path}: ")
    assert "\n" not in str(writer.value) + str(reader.value)
    return str(writer.value)


@pytest.mark.parametrize("acknowledgements", [1, 50, 400])
def test_a_killed_writer_loses_nothing_that_was_acknowledged(path: Path, acknowledgements: int) -> None:
    command = [sys.executable, "-m", "tests.adapters.journal.appender", str(path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        told = [child.stdout.readline() for _ in range(acknowledgements)]
        child.kill()
        told += child.stdout.readlines()
    acknowledged = dict.fromkeys(range(STREAMS), 0)
    for line in told:
        if line.endswith(b"\n"):
            number, last = map(int, line.split())
            acknowledged[number] = last
    assert sum(acknowledged.values()) >= 2
    with SqliteReader(path) as reader:
        assert reader.last_position() >= sum(acknowledged.values())
    journal = SqliteJournal(path)
    for number, last in acknowledged.items():
        found = sequences(journal, stream(str(number)))
        assert found == list(range(1, len(found) + 1))
        assert len(found) % 2 == 0
        assert len(found) >= last
    assert journal.claim((1,), "heir") == {1: 2}
    journal.close()


def test_a_full_disk_appends_nothing_and_heals(path: Path) -> None:
    command = [sys.executable, "-m", "tests.adapters.journal.full_disk", str(path)]
    child = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert child.returncode == 0, child.stderr
    seen = json.loads(child.stdout)
    assert all("disk full" in reason for reason in seen["reasons"]), seen
    assert "disk full" in seen["claim"]
    assert seen["readable"] == list(range(1, 11))
    assert "earlier append" in seen["stale"]
    assert seen["position"] == 12
    assert seen["a"] == list(range(1, 13))
    assert seen["b"] == []


def test_a_second_writer_is_told_who_has_the_journal(path: Path) -> None:
    first = SqliteJournal(path)
    with pytest.raises(JournalError, match=f"in use by another Switchlog .process {os.getpid()}.; stop"):
        SqliteJournal(path)
    first.close()
    SqliteJournal(path).close()


def test_another_programs_lock_on_the_file_loses_the_append_only(path: Path) -> None:
    journal = SqliteJournal(path, busy_timeout_s=0.01)
    epoch = journal.claim((1,), "node")[1]
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    outcome = append(journal, 1, epoch, records(A, 1, 1))
    assert isinstance(outcome, OwnershipLost)
    assert "locked by another program" in outcome.reason
    other.execute("ROLLBACK")
    other.close()
    assert append(journal, 1, journal.claim((1,), "node")[1], records(A, 1, 1)) == 1
    journal.close()


def test_a_claim_that_came_from_elsewhere_is_noticed_inside_the_append(path: Path) -> None:
    journal = SqliteJournal(path)
    epoch = journal.claim((1,), "node")[1]
    assert append(journal, 1, epoch, records(A, 1, 1)) == 1
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("UPDATE claims SET epoch = epoch + 1, node = 'other'")
    other.close()
    assert isinstance(append(journal, 1, epoch, records(A, 2, 2)), OwnershipLost)
    assert sequences(journal, A) == [1]
    journal.close()


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.write_bytes(b"these are not the bytes of a database" * 100)
    assert "no journal or damaged" in _refused(path)


def test_a_file_cut_short_is_refused(path: Path) -> None:
    journal = SqliteJournal(path)
    append(journal, 1, journal.claim((1,), "node")[1], records(A, 1, 2000))
    journal.close()
    path.write_bytes(path.read_bytes()[:4096])
    with pytest.raises(JournalError, match="is damaged; restore it from a copy"):
        SqliteJournal(path)


def test_damage_in_the_middle_is_named_by_whoever_reads_it(path: Path) -> None:
    journal = SqliteJournal(path)
    append(journal, 1, journal.claim((1,), "node")[1], records(A, 1, 2000))
    journal.close()
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2 : len(whole) - 4096] = b"\xff" * (len(whole) - 4096 - len(whole) // 2)
    path.write_bytes(whole)
    with SqliteReader(path) as reader, pytest.raises(JournalError, match="damaged"):
        reader.follow({}, 5000)


def test_another_programs_database_is_refused_and_left_alone(path: Path) -> None:
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE songs (title)")
    other.commit()
    other.close()
    before = path.read_bytes()
    assert "belongs to another program" in _refused(path)
    assert path.read_bytes() == before


def test_a_newer_schema_is_refused(path: Path) -> None:
    SqliteJournal(path).close()
    other = sqlite3.connect(path)
    other.execute(f"PRAGMA user_version={SCHEMA_VERSION + 1}")
    other.close()
    assert f"schema {SCHEMA_VERSION + 1}, this one knows {SCHEMA_VERSION}" in _refused(path)


def test_an_empty_file_becomes_a_journal(path: Path) -> None:
    path.touch()
    with pytest.raises(JournalError, match="is empty"):
        SqliteReader(path)
    SqliteJournal(path).close()
    SqliteReader(path).close()


@pytest.mark.parametrize("folder", ["missing", "file"])
def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path, folder: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(JournalError, match=r"(No such file or directory|Not a directory): .*journal.lock"):
        SqliteJournal(tmp_path / folder / "journal.db")


def test_a_record_that_cannot_be_stored_fails_and_the_journal_goes_on(path: Path) -> None:
    journal = SqliteJournal(path)
    epoch = journal.claim((1, 2), "node")[1]
    outcome = append(journal, 1, epoch, [msgspec.structs.replace(record(A, 1), sequence=1 << 70)])
    assert isinstance(outcome, OwnershipLost)
    assert "cannot be stored" in outcome.reason
    assert append(journal, 2, epoch, records(B, 1, 1)) == 1
    journal.close()
