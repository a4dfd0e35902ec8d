"""Rebuilding and verifying beside the live tables, on the real engine."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from adapters.analytics import tables
from adapters.analytics.client import Warehouse, WarehouseError
from projections.generation import Generations
from projections.ports import Unavailable
from projections.projector import Projector
from switchlog.store.warehouse import schema
from tests.projections.engine import Desk, Flaky, projector
from tests.projections.histories import append, bindings, interleaved, moved, plain_call
from tests.projections.test_follower import shown

CALLS = interleaved(
    [*(moved(plain_call(start_s=number), number) for number in range(8)), bindings("1001", [(0, "desk", 90)])]
)
TAMPER = "INSERT INTO {table} SELECT * REPLACE ({change}) FROM {table} FINAL LIMIT 1"


@pytest.fixture
def desk(warehouse: Warehouse) -> Desk:
    made = Desk(warehouse, CALLS, batch=10)
    made.settle()
    return made


def generations(desk: Desk) -> list[str]:
    rows = desk.select("SELECT name FROM system.tables WHERE database = currentDatabase() AND name LIKE '%\\_g%'")
    return sorted(name for (name,) in rows)


def test_a_rebuild_shows_the_same_from_new_tables(desk: Desk) -> None:
    before = shown(desk.warehouse)
    assert desk.job("rebuild", "all")["state"] == "done"
    assert shown(desk.warehouse) == before
    assert generations(desk) == sorted(table.at(2) for table in tables.TABLES)


def test_two_rebuilds_have_equal_hashes(desk: Desk) -> None:
    found = []
    for number in (2, 3):
        desk.job("rebuild", "cdr")
        found.append(desk.select(tables.hash_rows(tables.CDR, number)))
    assert found[0] == found[1] != []


def test_a_rebuild_of_one_leaves_the_others_alone(desk: Desk) -> None:
    desk.job("rebuild", "events")
    names = generations(desk)
    assert "events_g2" in names and "events_g1" not in names and "cdr_g1" in names and "cdr_g2" not in names
    assert desk.select("SELECT count() FROM call_events") == [(len(CALLS) - 2,)]


def test_after_a_rebuild_the_follower_fills_the_new_tables(desk: Desk) -> None:
    desk.job("rebuild", "all")
    append(desk.journal, moved(plain_call(), 99))
    desk.settle()
    assert desk.select("SELECT count() FROM cdr") == [(9,)]
    desk.restarted()
    desk.settle()
    assert desk.select("SELECT count() FROM cdr_g2 FINAL") == [(9,)]
    assert desk.job("verify")["differences"] == []


def test_a_rebuild_heals_what_was_changed(desk: Desk) -> None:
    before = shown(desk.warehouse)
    desk.warehouse.execute("TRUNCATE TABLE cdr_legs_g1")
    desk.job("rebuild", "cdr")
    assert shown(desk.warehouse) == before


def test_verify_finds_rebuild_and_live_equal_and_leaves_nothing_behind(desk: Desk) -> None:
    before = generations(desk)
    last = desk.job("verify", "all")
    assert (last["state"], last["differences"], last["done"]) == ("done", [], len(CALLS))
    assert generations(desk) == before


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("cdr_g1", "talk_ms + 1 AS talk_ms"),
        ("cdr_legs_g1", "'someone' AS number"),
        ("segments_g1", "NULL AS ended_at"),
        ("events_g1", "'{}' AS data"),
        ("registrations_g1", "'nowhere' AS source"),
    ],
)
def test_verify_finds_a_row_that_was_changed(desk: Desk, table: str, change: str) -> None:
    desk.select(TAMPER.format(table=table, change=change))
    (difference,) = desk.job("verify", "all")["differences"]
    name = table.removesuffix("_g1")
    rows = desk.select(f"SELECT count() FROM {table} FINAL")[0][0]
    assert difference == {"table": name, "tenant": "acme", "month": 202603, "live_rows": rows, "rebuilt_rows": rows}


def test_verify_finds_a_row_that_is_missing(desk: Desk) -> None:
    desk.select("ALTER TABLE cdr_g1 DELETE WHERE call_id = (SELECT min(call_id) FROM cdr_g1) SETTINGS mutations_sync=2")
    (difference,) = desk.job("verify", "cdr")["differences"]
    assert (difference["live_rows"], difference["rebuilt_rows"]) == (7, 8)


@pytest.mark.parametrize("kind", ["rebuild", "verify"])
def test_calls_go_on_during_a_job(warehouse: Warehouse, kind: str) -> None:
    """New events between any two steps: the live tables follow, and the job still compares like with like."""
    desk = Desk(warehouse, CALLS, batch=8)
    number = desk.projector.request(kind, "all")
    coming = _coming()
    while desk.projector.progress(number)["state"] == "running":
        append(desk.journal, itertools.islice(coming, 3))
        desk.projector.advance()
    assert desk.projector.progress(number)["differences"] == []
    desk.settle()
    assert desk.job("verify", "all")["differences"] == []


def test_verify_compares_what_was_written_before_a_crash(desk: Desk) -> None:
    """Rows that a lost cursor had not counted are in the live tables already: no difference."""
    books = Generations(desk.warehouse, schema(), WarehouseError)
    before = books.states()
    append(desk.journal, moved(plain_call(), 77))
    desk.settle()
    books.save([msgspec.structs.replace(state, revision=state.revision + 1000) for state in before])
    desk.batch = 2
    desk.restarted()
    assert desk.job("verify", "all")["differences"] == []


def test_what_a_broken_off_job_left_is_dropped_at_the_next_start(desk: Desk) -> None:
    desk.projector.request("rebuild", "all")
    desk.projector.advance()
    assert any(name.endswith("_g2") for name in generations(desk))
    desk.restarted()
    desk.settle()
    assert generations(desk) == sorted(table.at(1) for table in tables.TABLES)
    assert desk.job("rebuild", "cdr")["state"] == "done"


@pytest.mark.parametrize("kind", ["rebuild", "verify"])
def test_a_job_waits_for_the_warehouse(warehouse: Warehouse, kind: str) -> None:
    """Many statements fail, or only their answers are lost: the job comes to the same."""
    desk = Desk(warehouse, CALLS, batch=20)
    desk.settle()
    wanted = shown(warehouse)
    for late in (False, True):
        chance, weather = random.Random(7), {"bad": False}
        flaky = Flaky(warehouse, lambda n: weather["bad"] and chance.random() < 0.2, late=late)  # noqa: B023
        one = projector(flaky, desk.journal, batch=20)
        one.advance()
        weather["bad"] = True
        number = one.request(kind, "all")
        _patiently(one, number)
        assert (one.progress(number)["state"], one.progress(number)["differences"]) == ("done", [])
        assert shown(warehouse) == wanted


def test_a_job_that_cannot_go_on_says_so_and_the_live_tables_stay(desk: Desk) -> None:
    before = shown(desk.warehouse)
    number = desk.projector.request("verify", "cdr")
    desk.projector.advance()
    desk.select("DROP TABLE cdr_g2 SYNC")
    for _ in range(20):
        desk.projector.advance()
    last = desk.projector.progress(number)
    assert last["state"] == "failed" and "cdr_g2" in last["detail"]
    assert shown(desk.warehouse) == before
    assert desk.job("verify", "all")["differences"] == []


@pytest.mark.parametrize(("kind", "name"), [("rebuild", "cdrs"), ("drop", "cdr")])
def test_a_job_that_makes_no_sense_is_refused(desk: Desk, kind: str, name: str) -> None:
    with pytest.raises(ValueError, match="one of|choose of"):
        desk.projector.request(kind, name)


def test_nobody_knows_a_job_that_was_never_asked_for(desk: Desk) -> None:
    with pytest.raises(KeyError):
        desk.projector.progress("17")


def _coming() -> Iterator[Any]:
    number = 1000
    while True:
        number += 1
        yield from moved(plain_call(), number)


def _patiently(one: Projector, number: str) -> None:
    while one.progress(number)["state"] == "running":
        try:
            one.advance()
        except Unavailable:
            continue
