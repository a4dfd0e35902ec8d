"""The SQLite journal under the suites, and what only a file can show: it lasts, and it is shared with readers."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from adapters.journal.reader import SqliteReader
from adapters.journal.sqlite import SqliteJournal
from domain.ports import Journal, JournalError, OwnershipLost
from tests.conformance import journal, recorder
from tests.conformance.journal import OWN, Opening
from tests.conformance.record import TIMEOUT_S, append, record, records, sequences, submit

A, B = OWN.a, OWN.b


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def opening(path: Path) -> Iterator[Opening]:
    opened: list[SqliteJournal] = []

    def opening(**options: Any) -> Journal:
        opened.append(SqliteJournal(path, **{"clock": lambda: 0.0, **options}))
        return opened[-1]

    yield opening
    for one in opened:
        one.close()


class TestSqliteJournal(journal.OnePartition, journal.JournalConformance):
    def test_everything_is_there_after_reopening(self, opening: Opening) -> None:
        first = opening()
        epoch = first.claim((1,), "one")[1]
        append(first, 1, epoch, [record(A, 1), record(A, 2), record(B, 1, live_until=5.0)])
        before = first.follow({})
        first.close()
        second = opening()
        assert second.follow({}) == before
        assert [held[0].record.stream for held in second.live(1, 5.0)] == [A]
        assert second.claim((1,), "two") == {1: epoch + 1}
        assert isinstance(append(second, 1, epoch, records(A, 3, 3)), OwnershipLost)
        assert append(second, 1, epoch + 1, records(A, 3, 3)) == 4

    def test_streams_that_nobody_holds_any_more_are_forgotten(self, path: Path) -> None:
        now = 1000.0
        store = SqliteJournal(path, clock=lambda: now)
        epoch = store.claim((1,), "node")[1]
        append(store, 1, epoch, [record(A, 1, live_until=1001.0)])
        now = 5000.0
        append(store, 1, epoch, [record(B, 1)])
        assert [held[0].record.stream for held in store.live(1, 0.0)] == [B]
        append(store, 1, epoch, [record(A, 2)])
        assert {held[0].record.stream for held in store.live(1, 0.0)} == {A, B}
        store.close()

    def test_a_call_that_was_over_and_goes_on_is_held_again(self, opening: Opening) -> None:
        """The writer remembers which streams are held until further notice; an end must make it forget."""
        store = opening()
        epoch = store.claim((1,), "node")[1]
        group = [
            submit(store, 1, epoch, [record(A, 1)]),
            submit(store, 1, epoch, [record(A, 2, live_until=50.0)]),
            submit(store, 1, epoch, [record(A, 3)]),
            submit(store, 1, epoch, [record(B, 1)]),
            submit(store, 1, epoch, [record(B, 2, live_until=50.0)]),
        ]
        assert [one.result(TIMEOUT_S) for one in group] == [1, 2, 3, 4, 5]
        assert [held[0].record.stream for held in store.live(1, 60.0)] == [A]
        append(store, 1, epoch, [record(B, 3)])
        assert {held[0].record.stream for held in store.live(1, 60.0)} == {A, B}

    def test_what_a_clash_took_back_is_not_taken_for_held(self, opening: Opening) -> None:
        store = opening()
        epoch = store.claim((1,), "node")[1]
        append(store, 1, epoch, [record(A, 1)])
        assert isinstance(append(store, 1, epoch, [record(B, 1), record(A, 1)]), OwnershipLost)
        newer = store.claim((1,), "node")[1]
        assert append(store, 1, newer, [record(B, 1)]) == 2
        assert {held[0].record.stream for held in store.live(1, 0.0)} == {A, B}

    def test_the_wal_is_moved_into_the_file_while_the_writer_runs(self, path: Path) -> None:
        store = SqliteJournal(path, clock=lambda: 0.0)
        epoch = store.claim((1,), "node")[1]
        before = path.stat().st_size
        for number in range(20):
            append(store, 1, epoch, records(A, number * 1000 + 1, (number + 1) * 1000))
        until = time.monotonic() + TIMEOUT_S
        while path.stat().st_size == before and time.monotonic() < until:
            time.sleep(0.01)
        assert path.stat().st_size > before
        assert sequences(store, A) == list(range(1, 20_001))
        store.close()

    def test_one_listener_that_fails_does_not_stop_the_others(
        self, opening: Opening, caplog: pytest.LogCaptureFixture
    ) -> None:
        store = opening()
        epoch = store.claim((1,), "node")[1]

        def fail(result: int | OwnershipLost) -> None:
            raise ValueError("the listener's own fault")

        store.submit(1, epoch, records(A, 1, 1), fail)
        assert append(store, 1, epoch, records(A, 2, 2)) == 2
        assert "listener" in caplog.text


class TestReader:
    def test_it_sees_what_is_committed_while_the_writer_runs(self, opening: Opening, path: Path) -> None:
        writer = opening()
        epoch = writer.claim((1,), "node-a")[1]
        with SqliteReader(path) as reader:
            assert reader.follow({}).records == ()
            append(writer, 1, epoch, [record(A, 1), record(B, 1, live_until=5.0)])
            assert reader.follow({}) == writer.follow({})
            assert reader.read(A) == writer.read(A)
            assert list(reader.live(1, 5.0)) == list(writer.live(1, 5.0))
            assert reader.last_position() == 2
            assert reader.claims() == {1: (epoch, "node-a")}

    def test_it_reads_a_journal_whose_writer_is_gone(self, opening: Opening, path: Path) -> None:
        writer = opening()
        append(writer, 1, writer.claim((1,), "node")[1], records(A, 1, 3))
        writer.close()
        with SqliteReader(path) as reader:
            assert [stored.record.sequence for stored in reader.read(A)] == [1, 2, 3]

    def test_it_says_when_there_is_no_journal(self, path: Path) -> None:
        with pytest.raises(JournalError, match=r"does not exist; start the server"):
            SqliteReader(path)

    def test_it_waits_for_a_journal_that_is_being_made(self, opening: Opening, path: Path) -> None:
        made = Thread(target=opening)
        made.start()
        SqliteReader(path, wait_s=TIMEOUT_S).close()
        made.join()

    def test_a_closed_reader_says_so(self, opening: Opening, path: Path) -> None:
        opening()
        reader = SqliteReader(path)
        reader.close()
        with pytest.raises(JournalError, match="closed"):
            reader.read(A)


class InFile(recorder.OverJournal):
    __test__ = False

    def open_journal(self) -> Journal:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return SqliteJournal(Path(folder.name) / "journal.db")


class TestAggregateRecorder(InFile, recorder.AggregateSuite):
    __test__ = True


class TestApplicationRecorder(InFile, recorder.ApplicationSuite):
    __test__ = True


class TestNonInterleaving(InFile, recorder.NonInterleavingSuite):
    __test__ = True


def test_sequences_are_whole(opening: Opening) -> None:
    store = opening()
    epoch = store.claim((1,), "node")[1]
    append(store, 1, epoch, records(A, 1, 700))
    assert sequences(store, A) == list(range(1, 701))
