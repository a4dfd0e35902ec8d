"""What a journal of several nodes must do with notes: inherit `NotesConformance` in a module with a fixture `sharing`.

`sharing()` opens a journal of the test, over what the others of the test have written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import timedelta

import msgspec
import pytest

from domain.ids import CONFIG_SHARD
from domain.ports import Note, OwnershipLost, Record, SharedJournal
from tests.conformance.record import START, TIMEOUT_S, record, stream

Sharing = Callable[[], SharedJournal]
A = stream("noted", CONFIG_SHARD)
KIND = "shard.tested.1"


def note(number: int) -> Note:
    return Note(KIND, f"shard-{CONFIG_SHARD}", START + timedelta(seconds=number), f'{{"n":{number}}}'.encode())


def config(sequence: int) -> Record:
    return msgspec.structs.replace(record(A, sequence), category="config")


def tell(journal: SharedJournal, epoch: int, records: Sequence[Record], *notes: Note) -> int | OwnershipLost:
    answer: Future[int | OwnershipLost] = Future()
    journal.submit(CONFIG_SHARD, epoch, records, answer.set_result, notes)
    return answer.result(TIMEOUT_S)


def heard(journal: SharedJournal, page: int = 1000) -> list[Note]:
    """The test's notes, read in portions of `page`."""
    found: list[Note] = []
    position = 0
    while (portion := journal.notes(position, page)).notes:
        assert len(portion.notes) <= page
        places = [one.position for one in portion.notes]
        assert places == sorted(set(places)) and position < places[0] and places[-1] <= portion.position
        found += [one.note for one in portion.notes]
        position = portion.position
    assert portion.position >= position
    return [one for one in found if one.type == KIND]


class NotesConformance:
    @pytest.fixture
    def journal(self, sharing: Sharing) -> SharedJournal:
        return sharing()

    def test_notes_are_heard_by_all_in_their_order(self, sharing: Sharing, journal: SharedJournal) -> None:
        assert heard(journal) == []
        epoch = journal.claim((CONFIG_SHARD,), "node")[CONFIG_SHARD]
        journal.post([note(1), note(2)], "node")
        assert isinstance(tell(journal, epoch, [config(1)], note(3), note(4)), int)
        journal.post([note(5)], "node")
        for one in (journal, sharing()):
            for page in (1, 2, 1000):
                assert heard(one, page) == [note(n) for n in range(1, 6)]

    def test_after_a_place_only_what_came_later_is_heard(self, journal: SharedJournal) -> None:
        journal.post([note(1)], "node")
        end = journal.notes(0)
        assert journal.notes(end.position).notes == ()
        journal.post([note(2)], "node")
        (one,) = journal.notes(end.position, wait_s=0.1).notes
        assert one.note == note(2)

    def test_notes_are_no_records(self, journal: SharedJournal) -> None:
        epoch = journal.claim((CONFIG_SHARD,), "node")[CONFIG_SHARD]
        start = journal.end()
        journal.post([note(1)], "node")
        position = tell(journal, epoch, [config(1)], note(2), note(3))
        batch = journal.follow(start)
        assert [(one.record, one.position) for one in batch.records] == [(config(1), position)]
        assert not batch.unreadable
        assert [one.record for one in journal.read(A)] == [config(1)]
        assert [[one.record for one in live] for live in journal.live(CONFIG_SHARD, 0.0)] == [[config(1)]]

    def test_notes_may_come_alone_and_keep_their_place_in_line(self, journal: SharedJournal) -> None:
        epoch = journal.claim((CONFIG_SHARD,), "node")[CONFIG_SHARD]
        assert isinstance(tell(journal, epoch, [], note(1)), int)
        assert isinstance(tell(journal, epoch, [config(1)], note(2)), int)
        assert heard(journal) == [note(1), note(2)]

    def test_who_does_not_own_the_configuration_tells_nothing_beside_it(self, journal: SharedJournal) -> None:
        epoch = journal.claim((CONFIG_SHARD,), "node")[CONFIG_SHARD]
        journal.claim((CONFIG_SHARD,), "node")
        for records in ([config(1)], []):
            assert isinstance(tell(journal, epoch, records, note(1)), OwnershipLost)
        assert heard(journal) == []

    def test_notes_of_an_append_that_is_refused_are_not_told(self, journal: SharedJournal) -> None:
        epoch = journal.claim((CONFIG_SHARD,), "node")[CONFIG_SHARD]
        tell(journal, epoch, [config(1)], note(1))
        assert isinstance(tell(journal, epoch, [config(1)], note(2)), OwnershipLost)
        assert heard(journal) == [note(1)]
