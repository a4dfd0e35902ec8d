"""The fake journal under the suites of the real one."""

from __future__ import annotations

import pytest

from adapters.journal.memory import MemoryJournal
from domain.ports import Journal
from tests.conformance import journal, recorder
from tests.conformance.journal import Opening


@pytest.fixture
def opening() -> Opening:
    return MemoryJournal


class TestMemoryJournal(journal.JournalConformance):
    pass


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
