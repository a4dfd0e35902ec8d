"""How the append rows drive a journal, on the one in memory."""

from __future__ import annotations

import pytest

from adapters.journal.memory import MemoryJournal
from bench.group_commit import IN_FLIGHT, Groups, claimed, flowing, in_batches, paced, rounds, waiting
from bench.history import call_records

RECORDS = call_records(3 * IN_FLIGHT)


def test_every_record_is_in_one_batch() -> None:
    assert [record for batch in in_batches(RECORDS, 7) for record in batch] == RECORDS
    assert [record for part in rounds(RECORDS) for record in part] == RECORDS


def test_one_submission_after_another_is_timed() -> None:
    journal = MemoryJournal()
    assert len(waiting(journal, claimed(journal), in_batches(RECORDS[:60], 6))) == 10
    assert journal.last_position() == 60


def test_each_of_many_in_flight_is_timed() -> None:
    groups = Groups()
    journal = MemoryJournal(dispatch=groups)
    spent_s, waits_s = flowing(journal, claimed(journal), RECORDS)
    assert len(waits_s) == groups.count == journal.last_position() == len(RECORDS)
    assert spent_s > 0 <= min(waits_s)


def test_records_that_come_one_by_one_are_timed() -> None:
    journal = MemoryJournal()
    assert len(paced(journal, claimed(journal), RECORDS[:50], 10_000.0)) == 50


def test_a_record_that_was_not_taken_is_no_figure() -> None:
    one, two = MemoryJournal(), MemoryJournal()
    with pytest.raises(RuntimeError, match="taken"):
        waiting(one, claimed(one), [RECORDS[:6], RECORDS[:6]])
    with pytest.raises(RuntimeError, match="taken"):
        flowing(two, claimed(two), [*RECORDS[:6], *RECORDS[:6]])
