"""Following into the real engine: what is written, and what a failing warehouse or a crash change about it: nothing."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event, Thread

import pytest

from adapters.analytics.client import Warehouse
from domain.cursor import cursor_word
from domain.ports import PARTITION, JournalError
from projections.ports import Unavailable
from projections.projector import Projector
from tests.projections.engine import Desk, Flaky, Row, projector
from tests.projections.histories import (
    append,
    bindings,
    interleaved,
    journal_of,
    moved,
    plain_call,
    poisoned,
    record,
    times,
)

CALLS = interleaved(
    [*(moved(plain_call(start_s=number), number) for number in range(5)), bindings("1001", [(0, "desk", 90)])]
)
VIEWS = ("cdr_all", "cdr_legs", "cdr_segments", "call_events", "registrations")


def shown(warehouse: Warehouse) -> dict[str, list[Row]]:
    return {view: sorted(warehouse.execute(f"SELECT * FROM {view}"), key=repr) for view in VIEWS}


@pytest.fixture
def desk(warehouse: Warehouse) -> Desk:
    return Desk(warehouse, CALLS, batch=7)


def test_analysts_read_the_calls(desk: Desk) -> None:
    desk.settle()
    columns = "from_number, to_number, answered_by, disposition, pdd_ms, ring_ms, talk_ms, hold_ms, legs, final"
    rows = desk.select(f"SELECT {columns} FROM cdr ORDER BY started_at")
    assert rows == [("1001", "1002", "1002", "answered", 500, 2500, 7000, 2000, 3, True)] * 5
    (first, *_) = desk.select("SELECT started_at, rung_at, answered_at, ended_at FROM cdr ORDER BY started_at")
    assert times(first) == [0, 0.5, 3, 10]
    counts = {view: desk.select(f"SELECT count() FROM {view}")[0][0] for view in VIEWS}
    assert counts == {
        "cdr_all": 5,
        "cdr_legs": 15,
        "cdr_segments": 5,
        "call_events": len(CALLS) - 2,
        "registrations": 1,
    }


def test_an_open_call_is_there_and_not_final(warehouse: Warehouse) -> None:
    desk = Desk(warehouse, plain_call()[:5])
    desk.settle()
    assert desk.select("SELECT disposition, ended_at, final FROM cdr") == [("", None, False)]
    append(desk.journal, plain_call()[5:])
    desk.settle()
    assert desk.select("SELECT disposition, final FROM cdr") == [("answered", True)]


def test_after_a_restart_it_goes_on_where_it_was(desk: Desk) -> None:
    desk.projector.advance()
    desk.restarted()
    desk.settle()
    restarted = shown(desk.warehouse)
    (state,) = {(state["cursor"], state["lag"], state["generation"]) for state in desk.projector.status()}
    assert state == (cursor_word({PARTITION: len(CALLS)}), 0, 1)
    assert len(restarted["call_events"]) == len(CALLS) - 2


@pytest.mark.parametrize("late", [False, True])
def test_any_statement_may_fail_once(warehouse: Warehouse, late: bool) -> None:
    """Fail the Nth statement for many N: the tables come out the same, nothing is counted twice."""
    journal = journal_of(CALLS)
    whole = Flaky(warehouse, lambda n: False)
    _drain(projector(whole, journal, batch=20))
    wanted, statements = shown(warehouse), whole.statements
    for number in range(1 + late, statements + 1, 3):
        _clear(warehouse)
        failing = Flaky(warehouse, lambda n, number=number: n == number, late=late)  # type: ignore[misc]
        assert _drain(projector(failing, journal, batch=20)) == 1, number
        assert shown(warehouse) == wanted, number


def test_a_crash_between_rows_and_cursor_counts_nothing_twice(warehouse: Warehouse) -> None:
    journal = journal_of(CALLS)
    whole = Flaky(warehouse, lambda n: False)
    _drain(projector(whole, journal, batch=20))
    wanted = shown(warehouse)
    for number in range(1, whole.statements, 3):
        _clear(warehouse)
        crashed = projector(Flaky(warehouse, lambda n, number=number: n == number), journal, batch=20)  # type: ignore[misc]
        with pytest.raises(Unavailable):
            _to_the_end(crashed)
        _drain(projector(warehouse, journal, batch=50))
        assert shown(warehouse) == wanted, number


def test_a_record_that_cannot_be_read_is_set_aside_once(warehouse: Warehouse) -> None:
    events = moved(plain_call(), 1)
    records = [poisoned(event) if number == 3 else record(event) for number, event in enumerate(events)]
    desk = Desk(warehouse, [*records, *moved(plain_call(), 2)], batch=2)
    desk.settle()
    desk.restarted()
    desk.settle()
    parked = desk.select("SELECT name, partition, position, sequence, type FROM projection_parked FINAL ORDER BY name")
    assert parked == [
        ("cdr", "journal", 4, 4, "call.leg_ringing.2"),
        ("events", "journal", 4, 4, "call.leg_ringing.2"),
    ]
    assert desk.select("SELECT disposition, rung_at IS NULL FROM cdr ORDER BY call_id") == [
        ("answered", 1),
        ("answered", 0),
    ]
    assert {one["name"]: one["parked"] for one in desk.projector.status()} == {
        "cdr": 1,
        "events": 1,
        "registrations": 0,
    }


def test_it_waits_for_the_warehouse_and_says_so(warehouse: Warehouse) -> None:
    down = Event()
    down.set()
    one = projector(Flaky(warehouse, lambda n: down.is_set()), journal_of(CALLS))
    with _running(one):
        _until(lambda: "switched off" in one.trouble)
        down.clear()
        _until(lambda: one.trouble == "" and len(one.status()) == 3)
    assert warehouse.execute("SELECT count() FROM cdr") == [(5,)]


class _running:
    """The projector in a thread of its own."""

    def __init__(self, one: Projector) -> None:
        self._stop = Event()
        self._thread = Thread(target=one.run, args=(self._stop,))

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *exc_info: object) -> None:
        self._stop.set()
        self._thread.join(20)
        assert not self._thread.is_alive()


def _until(condition: object) -> None:
    assert callable(condition)
    for _ in _attempts():
        if condition():
            return
    raise AssertionError("it never came")


def _attempts() -> Iterator[int]:
    pause = Event()
    for number in range(2000):
        yield number
        pause.wait(0.005)


def _to_the_end(one: Projector) -> None:
    while one.advance():
        pass


def _drain(one: Projector) -> int:
    """Advance to the end; returns how many errors were met."""
    errors = 0
    more = True
    while more:
        try:
            more = one.advance()
        except (Unavailable, JournalError):
            errors += 1
    return errors


def _clear(warehouse: Warehouse) -> None:
    for (name,) in warehouse.execute("SELECT name FROM system.tables WHERE database = currentDatabase()"):
        warehouse.execute(f"DROP TABLE IF EXISTS {name} SYNC")
