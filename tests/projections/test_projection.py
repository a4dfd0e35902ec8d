"""The projections' laws: the rows that remain depend on the records alone, not on how they came."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.analytics import tables
from adapters.journal.codec import decode
from adapters.journal.memory import MemoryJournal
from domain.base import Event
from domain.ports import Stored
from domain.registration import Registration
from projections.ports import Poison
from projections.projection import PROJECTIONS, CallRecords, Make, Registrations, named
from projections.registrations import BindingFold
from projections.row import CdrRow, EventRow, LegRow, RegistrationRow, SegmentRow
from tests.projections.histories import bindings, interleaved, journal_of, plain_call, poisoned, record, times, worlds

_TABLES = {table.name: table for table in tables.TABLES}


class Shelf:
    """Tables as ReplacingMergeTree shows them with FINAL: of each key the row of the highest version."""

    def __init__(self) -> None:
        self.rows: dict[tuple[object, ...], tuple[object, ...]] = {}

    def write(self, name: str, columns: Sequence[str], rows: Iterable[tuple[object, ...]]) -> None:
        table = _TABLES[name]
        for row in rows:
            values = dict(zip(columns, row, strict=True))
            key = (name, *(values[column] for column in table.key))
            before = self.rows.get(key)
            if before is None or values[table.version] >= before[list(columns).index(table.version)]:  # type: ignore[operator]
                self.rows[key] = row


def filled(
    journal: MemoryJournal, batches: Iterable[Sequence[Stored]], makers: Iterable[Make] = tuple(PROJECTIONS.values())
) -> dict[tuple[object, ...], tuple[object, ...]]:
    shelf = Shelf()
    for make in makers:
        one = make(decode, journal.read)
        for batch in batches:
            for stored in batch:
                one.take(stored)
            for rows in one.rows():
                shelf.write(rows.table, rows.columns(), rows.values())
            one.written()
    return dict(shelf.rows)


def cut(records: Sequence[Stored], places: Sequence[int]) -> list[Sequence[Stored]]:
    edges = [0, *sorted({place % (len(records) + 1) for place in places}), len(records)]
    return [records[start:end] for start, end in itertools.pairwise(edges)]


def test_rows_have_the_columns_of_their_tables() -> None:
    kinds = {"cdr": CdrRow, "cdr_legs": LegRow, "segments": SegmentRow}
    kinds |= {"events": EventRow, "registrations": RegistrationRow}
    assert {name: kind.__struct_fields__ for name, kind in kinds.items()} == {
        table.name: table.names() for table in tables.TABLES
    }


def test_every_table_has_one_projection() -> None:
    made = [make(decode, MemoryJournal().read) for make in PROJECTIONS.values()]
    assert sorted(name for one in made for name in one.tables) == sorted(_TABLES)


@given(worlds, st.lists(st.integers(0, 200), max_size=5))
def test_the_portions_do_not_matter(world: list[Sequence[Event]], places: list[int]) -> None:
    journal = journal_of(interleaved(world))
    records = journal.follow({}, 10_000).records
    assert filled(journal, cut(records, places)) == filled(journal, [records])


@given(worlds, st.lists(st.integers(0, 200), max_size=3))
def test_twice_is_once(world: list[Sequence[Event]], places: list[int]) -> None:
    journal = journal_of(interleaved(world))
    records = journal.follow({}, 10_000).records
    batches = cut(records, places)
    again = [batch for batch in batches for _ in range(2)]
    assert filled(journal, again) == filled(journal, batches)
    assert filled(journal, [*batches, records]) == filled(journal, batches)


@given(worlds, st.randoms())
def test_the_order_between_streams_does_not_matter(world: list[Sequence[Event]], chance: random.Random) -> None:
    shuffled = [one for events in world for one in [iter(events)] * len(events)]
    chance.shuffle(shuffled)
    found = [
        filled(journal, [journal.follow({}, 10_000).records])
        for journal in (journal_of(interleaved(world)), journal_of(next(events) for events in shuffled))
    ]
    positionless = [{key: row[:-1] if key[0] == "events" else row for key, row in rows.items()} for rows in found]
    assert positionless[0] == positionless[1]


@given(worlds)
def test_a_small_memory_gives_the_same_rows(world: list[Sequence[Event]]) -> None:
    journal = journal_of(interleaved(world))
    records = journal.follow({}, 10_000).records
    batches = [[one] for one in records]
    small: list[Make] = [
        lambda decode, read: CallRecords(decode, read, held=1),
        lambda decode, read: Registrations(decode, read, held=1),
    ]
    wanted = filled(journal, batches, (PROJECTIONS["cdr"], PROJECTIONS["registrations"]))
    assert filled(journal, batches, small) == wanted


def test_rows_never_run_ahead_of_the_records_taken_in() -> None:
    events = plain_call()
    journal = journal_of(events)
    records = journal.follow({}, 100).records
    one = PROJECTIONS["cdr"](decode, journal.read)
    one.take(records[3])
    assert [row.version for rows in one.rows() for row in rows.rows if isinstance(row, CdrRow)] == [4]


@pytest.mark.parametrize("name", ["cdr", "registrations"])
def test_a_record_that_cannot_be_read_is_named_and_the_rest_goes_on(name: str) -> None:
    events = plain_call() if name == "cdr" else bindings("1001", [(0, "desk", 60), (5, "desk", 90)])
    records = [poisoned(event) if number == 1 else record(event) for number, event in enumerate(events)]
    journal = journal_of(records)
    one = PROJECTIONS[name](decode, journal.read)
    for number, stored in enumerate(journal.follow({}, 100).records):
        if number == 1:
            with pytest.raises(Poison, match="not a"):
                one.take(stored)
        else:
            one.take(stored)
    assert one.rows()[0].rows


def test_an_event_that_is_no_json_is_named() -> None:
    stored = journal_of([poisoned(plain_call()[0], b"\xff")]).follow({}, 1).records[0]
    with pytest.raises(Poison, match="JSON"):
        PROJECTIONS["events"](decode, MemoryJournal().read).take(stored)


def test_a_binding_is_one_row_from_its_beginning_to_its_end() -> None:
    events = bindings("1001", [(0, "desk", 3600), (0, "desk", 90), (100, "soft", 60)])
    assert sum(isinstance(event, Registration.ContactBound) for event in events) == 3
    journal = journal_of(events)
    rows = filled(journal, [journal.follow({}, 100).records]).values()
    columns = tables.REGISTRATIONS.names()
    desk, soft = (dict(zip(columns, row, strict=True)) for row in sorted(rows, key=lambda row: str(row[3])))
    assert (bound(desk), bound(soft)) == ([0, 100], [100, None])
    assert (desk["cause"], desk["transport"], desk["source"]) == ("expired", "udp", "127.0.0.1:6001")


def test_an_event_of_a_binding_seen_again_changes_no_row() -> None:
    events, fold = bindings("1001", [(0, "desk", 3600), (7, "desk", 3600)]), BindingFold()
    for event in (*events, *events):
        fold.apply(event)
    assert (fold.version, fold.changed()) == (len(events), ())


def bound(row: dict[str, Any]) -> list[float | None]:
    return times((row["bound_at"], row["ended_at"]))


def test_a_device_that_comes_from_elsewhere_ends_its_binding() -> None:
    events = bindings("1001", [(0, "desk", 3600), (7, "desk", 3600)])
    journal = journal_of(events)
    rows = filled(journal, [journal.follow({}, 100).records])
    columns = tables.REGISTRATIONS.names()
    found = [dict(zip(columns, row, strict=True)) for row in rows.values()]
    ways = sorted((str(row["cause"]), *bound(row)) for row in found)
    assert ways == [("", 7, None), ("replaced", 0, 7)]


def test_names() -> None:
    assert named("all") == ("cdr", "events", "registrations")
    assert named("cdr") == ("cdr",)
    with pytest.raises(ValueError, match="choose of cdr, events, registrations, all"):
        named("cdrs")
