"""The fake journal under the suites of the real one."""

from __future__ import annotations

import pytest

from adapters.journal.memory import MemoryJournal
from domain.ports import Journal
from tests.conformance import journal, notes, recorder
from tests.conformance.journal import Opening
from tests.conformance.notes import Sharing


@pytest.fixture
def opening() -> Opening:
    return MemoryJournal


class TestMemoryJournal(journal.OnePartition, journal.JournalConformance):
    pass


class TestNotes(notes.NotesConformance):
    @pytest.fixture
    def sharing(self) -> Sharing:
        one = MemoryJournal()
        return lambda: one


class InMemory(recorder.OverJournal):
    __test__ = False

    def open_journal(self) -> Journal:
        return MemoryJournal()


class TestAggregateRecorder(InMemory, recorder.AggregateSuite):
    __test__ = True


class TestApplicationRecorder(InMemory, recorder.ApplicationSuite):
    __test__ = True


class TestNonInterleaving(InMemory, recorder.NonInterleavingSuite):
    __test__ = True
