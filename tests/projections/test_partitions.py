"""Following a journal of many partitions: the same rows, in whatever order these come, and no end is missed."""

from __future__ import annotations

import itertools
import json
import math
import random
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.analytics.client import Warehouse
from adapters.journal.codec import decode
from domain.base import Event
from domain.cursor import covers, read_cursor
from domain.ports import Cursor, Stored
from projections.live import Live
from projections.ports import Unavailable
from projections.projector import Projector
from tests.projections.engine import Flaky, projector
from tests.projections.histories import bindings, interleaved, journal_of, moved, plain_call, poisoned, record, worlds
from tests.projections.partitioned import Partitioned
from tests.projections.test_follower import shown
from tests.projections.test_projection import filled

CALLS = interleaved(
    [*(moved(plain_call(start_s=number), number) for number in range(5)), bindings("1001", [(0, "desk", 90)])]
)


def settle(one: Projector, journal: Partitioned) -> None:
    while one.advance() or not all(covers(read_cursor(state["cursor"]), journal.end()) for state in one.status()):
        pass


def job(one: Projector, kind: str) -> dict[str, object]:
    number = one.request(kind, "all")
    for _ in range(1000):
        if one.progress(number)["state"] != "running":
            break
        one.advance()
    return one.progress(number)


@given(worlds, st.integers(1, 50))
def test_the_rows_are_those_of_one_partition(world: list[Sequence[Event]], limit: int) -> None:
    events = interleaved(world)
    many, one = Partitioned(events), journal_of(events)
    cursor: Cursor = {}
    batches: list[Sequence[Stored]] = []
    while (batch := many.follow(cursor, limit)).records:
        batches.append(batch.records)
        cursor = batch.cursor
    found = [filled(journal, read) for journal, read in ((many, batches), (one, [one.follow({}, 10_000).records]))]  # type: ignore[arg-type]
    positionless = [{key: row[:-1] if key[0] == "events" else row for key, row in rows.items()} for rows in found]
    assert positionless[0] == positionless[1]


@pytest.mark.parametrize("batch", [7, 1000])
def test_it_goes_on_where_it_was_in_every_partition(warehouse: Warehouse, batch: int) -> None:
    journal = Partitioned(CALLS[:30])
    first = projector(warehouse, journal, batch=batch)
    settle(first, journal)
    (saved,) = set(warehouse.execute("SELECT cursor FROM projection_state FINAL WHERE name = 'cdr'"))
    assert {name.partition("-")[0] for name in json.loads(saved[0])} == {"calls", "registrations"}
    journal.append(CALLS[30:])
    assert sum(state["lag"] for state in first.status()) > 0
    second = projector(warehouse, journal, batch=batch)
    settle(second, journal)
    assert [state["lag"] for state in second.status()] == [0, 0, 0]
    many = shown(warehouse)
    for (name,) in warehouse.execute("SELECT name FROM system.tables WHERE database = currentDatabase()"):
        warehouse.execute(f"DROP TABLE {name} SYNC")
    alone = projector(warehouse, journal_of(CALLS))
    while alone.advance():
        pass
    for found in (many, shown(warehouse)):  # positions are those of the journal that was followed
        found["call_events"] = [row[:-1] for row in found["call_events"]]
        assert found == many


@pytest.mark.parametrize("kind", ["rebuild", "verify"])
@pytest.mark.parametrize("batch", [3, 1000])
def test_a_job_ends_although_markers_come_after_the_last_record(warehouse: Warehouse, kind: str, batch: int) -> None:
    journal = Partitioned(CALLS)
    one = projector(warehouse, journal, batch=batch)
    settle(one, journal)
    before = shown(warehouse)
    done = job(one, kind)
    assert (done["state"], done["differences"], done["done"]) == ("done", [], len(CALLS))
    assert shown(warehouse) == before


@pytest.fixture
def coming() -> Iterator[Event]:
    return itertools.chain.from_iterable(moved(plain_call(), 1000 + count) for count in itertools.count())


def test_a_job_sees_what_comes_meanwhile(warehouse: Warehouse, coming: Iterator[Event]) -> None:
    journal = Partitioned(CALLS)
    one = projector(warehouse, journal, batch=4)
    number = one.request("verify", "all")
    while one.progress(number)["state"] == "running":
        journal.append(itertools.islice(coming, 2))
        one.advance()
    assert (one.progress(number)["state"], one.progress(number)["differences"]) == ("done", [])


@pytest.mark.parametrize("broken", range(1, 30, 4))
def test_a_job_that_waits_for_the_warehouse_sees_what_comes_meanwhile(
    warehouse: Warehouse, coming: Iterator[Event], broken: int
) -> None:
    """Of the job's own statements one fails: until it is said again, the live tables are filled further."""
    journal, weather = Partitioned(CALLS), {"from": math.inf}
    flaky = Flaky(warehouse, lambda number: number >= weather["from"])
    one = projector(flaky, journal, batch=1000)
    settle(one, journal)
    number = one.request("verify", "all")
    weather["from"] = flaky.statements + broken
    for _ in range(1000):
        if one.progress(number)["state"] != "running":
            break
        try:
            one.advance()
        except Unavailable:
            pass
        if flaky.statements >= weather["from"]:
            weather["from"] = math.inf
            journal.append(itertools.islice(coming, 4))
    assert (one.progress(number)["state"], one.progress(number)["differences"]) == ("done", [])


def test_two_projectors_at_once_come_to_the_rows_of_one(warehouse: Warehouse) -> None:
    """As in a fail-over: the one of before goes on for a while, behind or ahead of its successor."""
    chance, journal = random.Random(5), Partitioned(CALLS[:20])
    both = [projector(warehouse, journal, batch=3), projector(warehouse, journal, batch=5)]
    for _ in range(60):
        chance.choice(both).advance()
    journal.append(CALLS[20:])
    for _ in range(200):
        chance.choice(both).advance()
    for one in both:
        settle(one, journal)
    last = projector(warehouse, journal)
    settle(last, journal)
    assert job(last, "verify")["differences"] == []
    assert warehouse.execute("SELECT count(), sum(final) FROM cdr") == [(5, 5)]


def test_a_projector_takes_up_what_another_one_has_rebuilt(warehouse: Warehouse) -> None:
    journal = Partitioned(CALLS[:20])
    former, other = projector(warehouse, journal), projector(warehouse, journal)
    for one in (former, other):
        settle(one, journal)
    assert job(other, "rebuild")["state"] == "done"
    journal.append(CALLS[20:])
    with pytest.raises(Unavailable, match="_g1"):
        former.advance()
    settle(former, journal)
    assert {state["generation"] for state in former.status()} == {2}
    assert warehouse.execute("SELECT count(), sum(final) FROM cdr") == [(5, 5)]
    assert job(former, "verify")["differences"] == []


def test_what_is_no_record_is_parked_where_it_may_have_belonged(warehouse: Warehouse) -> None:
    journal = Partitioned(CALLS)
    journal.spoil("calls-3", "no key")
    journal.spoil("registrations-7", "no header ce_type")
    journal.spoil("config-0", "no header ce_type")
    journal.append(moved(plain_call(), 99))
    one = projector(warehouse, journal)
    settle(one, journal)
    rows = warehouse.execute("SELECT name, partition, reason FROM projection_parked FINAL ORDER BY name")
    assert rows == [
        ("cdr", "calls-3", "no key"),
        ("events", "calls-3", "no key"),
        ("registrations", "registrations-7", "no header ce_type"),
    ]
    assert [(state["name"], state["parked"]) for state in one.status()] == [
        ("cdr", 1),
        ("events", 1),
        ("registrations", 1),
    ]
    assert "calls-3" in one.status()[0]["detail"] and "no key" in one.status()[0]["detail"]
    assert one.metrics()["journal_unreadable_total"] == 3
    assert warehouse.execute("SELECT count() FROM cdr") == [(6,)]


def test_noise_alone_is_parked_too_and_moves_the_cursor(warehouse: Warehouse) -> None:
    journal = Partitioned()
    journal.spoil("calls-3", "no key")
    one = projector(warehouse, journal)
    settle(one, journal)
    assert warehouse.execute("SELECT count() FROM projection_parked FINAL") == [(2,)]
    again = projector(warehouse, journal)
    settle(again, journal)
    assert again.metrics()["journal_unreadable_total"] == 0, "it is behind the saved cursor"
    assert [state["parked"] for state in again.status()] == [1, 1, 0]


def test_records_at_the_same_position_of_two_partitions_are_two(warehouse: Warehouse) -> None:
    journal = Partitioned(poisoned(moved(plain_call(), number)[0]) for number in (1, 2))
    one = projector(warehouse, journal)
    settle(one, journal)
    rows = warehouse.execute("SELECT partition, position FROM projection_parked FINAL WHERE name = 'cdr' ORDER BY 1")
    assert rows == [("calls-1", 1), ("calls-2", 1)]


def test_the_live_view_counts_what_is_no_record() -> None:
    journal = Partitioned([record(event) for event in plain_call()[:3]])
    journal.spoil("calls-3", "no key")
    live = Live(decode)
    live.load(journal.live_of(range(64), 0.0), {})
    while (batch := journal.follow(live.cursor, 2)).records or batch.unreadable:
        live.apply(batch)
    assert (live.skipped, len(live.calls())) == (1, 1)
