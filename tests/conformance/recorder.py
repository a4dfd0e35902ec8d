"""The suites that `eventsourcing` ships, over any journal: inherit them beside a mix-in that has `open_journal`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from unittest import TestCase

from eventsourcing.persistence import StoredEvent
from eventsourcing.tests import persistence

from adapters.journal.recorder import JournalRecorder, Term
from domain.ids import CONFIG_SHARD
from domain.ports import Journal, Record
from tests.conformance.record import START


def describe(stored: StoredEvent) -> Record:
    """The suites' events hold no JSON."""
    assert not isinstance(stored.originator_id, str)
    return Record(
        stored.originator_id,
        stored.originator_version,
        stored.topic,
        "config",
        "acme",
        START,
        stored.state,
    )


class OverJournal(TestCase):
    """Makes the recorder that the suites ask for; a test module says how a journal is opened."""

    def open_journal(self) -> Journal:
        raise NotImplementedError

    def create_recorder(self) -> JournalRecorder:
        journal = self.open_journal()
        self.addCleanup(journal.close)
        term = Term(journal, "node")
        return JournalRecorder(journal, term, lost=term.lost, shard=CONFIG_SHARD, describe=describe)


class WithoutPositions(JournalRecorder):
    """The aggregate suite wants a recorder that numbers nothing, as the one of snapshots does."""

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        super().insert_events(stored_events, **kwargs)
        return None


class AggregateSuite(OverJournal, persistence.AggregateRecorderTestCase):
    def create_recorder(self) -> JournalRecorder:
        journal = self.open_journal()
        self.addCleanup(journal.close)
        return WithoutPositions(journal, Term(journal, "node"), describe=describe)


class ApplicationSuite(OverJournal, persistence.ApplicationRecorderTestCase[JournalRecorder]):
    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class NonInterleavingSuite(OverJournal, persistence.NonInterleavingNotificationIDsBaseCase):
    pass
