"""The library's application over the journal: cold aggregates are saved, found again, and guarded against conflicts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import msgspec
import pytest
from eventsourcing.application import AggregateNotFoundError
from eventsourcing.persistence import IntegrityError, OperationalError, StoredEvent
from msgspec.structs import replace

from adapters.journal.codec import EventMapper, Undecodable, UnknownType, decode, encode, record_of
from adapters.journal.memory import MemoryJournal
from adapters.journal.recorder import JournalApplication, Term
from adapters.journal.sqlite import SqliteJournal
from domain.base import Context, Event
from domain.ids import CONFIG_SHARD, registration_id
from domain.ports import Done, Journal, JournalAway, Note, Record, SharedJournal, Stored
from domain.registration import Registration

AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
STREAM = registration_id("acme", "1001", 0, bytes(8))
CONTEXT = Context("acme", str(STREAM), "apply", "api:key", "node", 1)


def opened(version: int = 1) -> Event:
    return Registration.Opened(STREAM, version, AT, CONTEXT, originator_topic="registration", number="1001")


def removed(version: int) -> Event:
    return Registration.ContactsRemoved(STREAM, version, AT, CONTEXT, "1001", ("sip:a@b",), "expired")


@pytest.fixture(params=["memory", "sqlite"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Journal]:
    one: Journal = MemoryJournal() if request.param == "memory" else SqliteJournal(tmp_path / "journal.db")
    yield one
    one.close()


@pytest.fixture
def application(journal: Journal) -> JournalApplication:
    term = Term(journal, "node")
    return JournalApplication(journal, term, lost=term.lost)


def test_what_is_saved_is_found_again(application: JournalApplication, journal: Journal) -> None:
    assert [one.notification.id for one in application.save(opened(), removed(2))] == [1, 2]
    found: Registration = application.repository.get(STREAM)
    assert (found.version, found.number, found.tenant) == (2, "1001", "acme")
    (first, _) = journal.read(STREAM)
    assert (first.shard, first.epoch) == (CONFIG_SHARD, 1)
    record = first.record
    assert (record.type, record.category, record.tenant, record.time) == (
        "registration.opened.1",
        "registrations",
        "acme",
        AT,
    )
    assert decode(record.type, record.data) == opened()


def test_an_unknown_aggregate_is_not_found(application: JournalApplication) -> None:
    with pytest.raises(AggregateNotFoundError):
        application.repository.get(STREAM)


def test_a_conflict_changes_nothing_and_costs_nothing(application: JournalApplication) -> None:
    application.save(opened())
    with pytest.raises(IntegrityError):
        application.save(opened())
    application.save(removed(2))
    assert application.repository.get(STREAM).version == 2


def test_notes_go_with_the_events_and_may_go_alone(application: JournalApplication, journal: Journal) -> None:
    note = Note("shard.tested.1", "shard-64", AT, b"{}")
    if not isinstance(journal, SharedJournal):
        with pytest.raises(TypeError, match="nobody to tell"):
            application.save(opened(), notes=[note])
        return
    assert [one.notification.id for one in application.save(opened(), notes=[note])] == [1]
    assert application.save(notes=[note]) == []
    assert [one.note for one in journal.notes(0).notes] == [note, note]
    assert len(journal.follow({}).records) == 1


def test_a_lost_term_is_claimed_again(application: JournalApplication, journal: Journal) -> None:
    application.save(opened())
    journal.claim((CONFIG_SHARD,), "other")
    with pytest.raises(OperationalError, match="epoch 2 now"):
        application.save(removed(2))
    application.save(removed(2))
    assert [stored.epoch for stored in journal.read(STREAM)] == [1, 3]


class Crowded(MemoryJournal):
    """Before the second record of an append another node wrote two notes into the partition."""

    away = False

    def submit(self, shard: int, epoch: int, records: Sequence[Record], done: Done, notes: Sequence[Note] = ()) -> None:
        super().submit(shard, epoch, records, lambda last: done(last + 2 if isinstance(last, int) else last), notes)

    def read(self, stream: UUID, after: int = 0) -> Sequence[Stored]:
        found = super().read(stream, after)
        if self.away and found:
            raise JournalAway("no broker answers")
        return [replace(one, position=one.position + 2 * (one.position > 1)) for one in found]


def test_positions_are_those_of_the_journal_and_not_counted() -> None:
    journal = Crowded()
    application = JournalApplication(journal, Term(journal, "node"))
    assert [one.notification.id for one in application.save(opened(), removed(2))] == [1, 4]


def test_what_is_durable_is_saved_although_its_positions_cannot_be_looked_up() -> None:
    journal = Crowded()
    journal.away = True
    application = JournalApplication(journal, Term(journal, "node"))
    assert [one.notification.id for one in application.save(opened(), removed(2))] == [3, 4]


def test_other_shards_are_not_in_the_sequence(application: JournalApplication, journal: Journal) -> None:
    application.save(opened())
    epoch = journal.claim((5,), "node")[5]
    stored = EventMapper().to_stored_event(removed(2))
    journal.submit(5, epoch, [record_of(stored)], lambda result: None)
    application.save(removed(3))
    assert [one.id for one in application.recorder.select_notifications(None, 10)] == [1, 3]
    assert application.recorder.max_notification_id() == 3


def test_an_event_comes_back_as_it_was() -> None:
    for event in (opened(), removed(2)):
        mapper = EventMapper()
        assert mapper.to_domain_event(mapper.to_stored_event(event)) == event


def test_an_unknown_type_is_named_with_its_place() -> None:
    with pytest.raises(UnknownType, match=f"stream {STREAM}, sequence 7: no event of type 'call.sung.9'"):
        decode("call.sung.9", encode(removed(7)))


@pytest.mark.parametrize("data", [b"\xff", b"{", b"[]", b'{"originator_id":1}'])
def test_bytes_that_are_no_event_are_refused(data: bytes) -> None:
    with pytest.raises(Undecodable, match=r"cannot be read: not a registration\.opened\.1"):
        decode("registration.opened.1", data)


def test_an_event_of_another_type_is_refused_with_its_place() -> None:
    fields = msgspec.json.decode(encode(opened(4)))
    del fields["number"]
    with pytest.raises(Undecodable, match=f"stream {STREAM}, sequence 4: .*number"):
        decode("registration.opened.1", msgspec.json.encode(fields))


def test_a_stored_event_without_tenant_is_refused() -> None:
    with pytest.raises(Undecodable, match=f"stream {STREAM}, sequence 1"):
        record_of(StoredEvent(STREAM, 1, "registration.opened.1", b"{}"))
    with pytest.raises(UnknownType, match="'nothing'"):
        record_of(StoredEvent(STREAM, 1, "nothing", b"{}"))
