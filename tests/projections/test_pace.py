"""The pace of writing: what somebody waits for comes first, and the cursor never says more than the tables hold."""

from __future__ import annotations

import math

import pytest

from adapters.analytics.client import Warehouse, WarehouseError
from adapters.journal.codec import decode
from domain.base import Event
from domain.ports import Batch, Cursor
from projections.follower import Follower, Pace, Target
from projections.generation import LIVE, Generations, State
from projections.ports import Unavailable
from projections.projection import PROJECTIONS
from switchlog.store.warehouse import schema
from tests.projections.engine import Flaky, projector
from tests.projections.histories import append, bindings, journal_of, moved, plain_call
from tests.projections.test_follower import shown

CALL, OPEN = moved(plain_call(), 1), moved(plain_call(), 2)[:5]
PATIENT = Pace(patient_s=math.inf, records=1_000)
NEVER = Pace(urgent_s=math.inf, busy_s=math.inf, patient_s=math.inf, records=10_000)


def rows(warehouse: Warehouse) -> dict[str, int]:
    return {view: len(found) for view, found in shown(warehouse).items() if found}


def saved(warehouse: Warehouse) -> set[str]:
    return {cursor for (cursor,) in warehouse.execute("SELECT cursor FROM projection_state FINAL")}


def test_a_call_that_ended_is_written_at_once_and_the_rest_waits(warehouse: Warehouse) -> None:
    journal = journal_of([*OPEN, *CALL, *bindings("1001", [(0, "desk", 60)])])
    one = projector(warehouse, journal, pace=PATIENT)
    one.advance()
    assert rows(warehouse) == {"cdr_all": 1, "cdr_legs": 3, "cdr_segments": 1}
    assert saved(warehouse) == {"{}"}
    one.flush()
    assert rows(warehouse)["cdr_all"] == 2 and rows(warehouse)["call_events"] == len(OPEN) + len(CALL)
    assert saved(warehouse) == {f'{{"journal":{journal.last_position()}}}'}


def test_nothing_urgent_is_nothing_written(warehouse: Warehouse) -> None:
    one = projector(warehouse, journal_of(OPEN), pace=PATIENT)
    one.advance()
    assert rows(warehouse) == {}


def test_after_a_crash_what_was_not_written_is_read_again(warehouse: Warehouse) -> None:
    journal = journal_of([*OPEN, *CALL])
    projector(warehouse, journal, pace=PATIENT).advance()
    append(journal, moved(plain_call(), 2)[5:])
    later = projector(warehouse, journal, pace=PATIENT)
    later.advance()
    later.flush()
    paced = shown(warehouse)
    assert rows(warehouse)["cdr_all"] == 2
    number = later.request("verify", "all")
    while later.progress(number)["state"] == "running":
        later.advance()
    assert (later.progress(number)["state"], later.progress(number)["differences"]) == ("done", [])
    assert shown(warehouse) == paced


def test_enough_records_are_written(warehouse: Warehouse) -> None:
    one = projector(warehouse, journal_of(OPEN), pace=NEVER._replace(records=len(OPEN)))
    one.advance()
    assert rows(warehouse)["call_events"] == len(OPEN)


@pytest.mark.parametrize("kind", ["rebuild", "verify"])
def test_a_job_writes_what_waits(warehouse: Warehouse, kind: str) -> None:
    one = projector(warehouse, journal_of([*CALL, *OPEN]), batch=5, pace=NEVER)
    number = one.request(kind, "all")
    while one.progress(number)["state"] == "running":
        one.advance()
    assert (one.progress(number)["state"], one.progress(number)["differences"]) == ("done", [])
    assert rows(warehouse)["cdr_all"] == 2


class Counting:
    """A journal that counts how often it is followed."""

    def __init__(self, records: list[Event]) -> None:
        self._journal = journal_of(records)
        self.read, self.end, self.follows = self._journal.read, self._journal.end, 0

    def follow(self, cursor: Cursor, limit: int = 1000, wait_s: float = 0.0) -> Batch:
        self.follows += 1
        return self._journal.follow(cursor, limit)


def test_while_nothing_can_be_written_nothing_more_is_read(warehouse: Warehouse) -> None:
    source, weather = Counting([*CALL, *OPEN]), {"bad": False}
    flaky = Flaky(warehouse, lambda number: weather["bad"])
    generations = Generations(flaky, schema(), WarehouseError)
    generations.prepare()
    made = PROJECTIONS["cdr"](decode, source.read)
    generations.create(made.tables, 1)
    follower = Follower(source, generations, [Target(made, State("cdr", 1, {}, LIVE))])
    weather["bad"] = True
    for _ in range(5):
        with pytest.raises(Unavailable):
            follower.step(len(CALL))
    assert source.follows == 1
    weather["bad"] = False
    while follower.step(len(CALL)):
        pass
    assert warehouse.execute("SELECT count(), sum(final) FROM cdr_g1 FINAL") == [(2, 1)]


class Paced:
    """A follower of one projection, and a clock that is set."""

    def __init__(self, warehouse: Warehouse, name: str, pace: Pace) -> None:
        self.warehouse, self.name, self.now, self.journal = warehouse, name, 5.0, journal_of([])
        generations = Generations(warehouse, schema(), WarehouseError)
        generations.prepare()
        made = PROJECTIONS[name](decode, self.journal.read)
        generations.create(made.tables, 1)
        targets = [Target(made, State(name, 1, {}, LIVE))]
        self._follower = Follower(self.journal, generations, targets, pace, lambda: self.now)

    def rows_at(self, now: float) -> int:
        """How many rows the table has after a step at `now`."""
        self.now = now
        self._follower.step()
        return int(self.warehouse.execute(f"SELECT count() FROM {self.name}_g1")[0][0])


def test_a_clock_decides_when_the_patient_are_written(warehouse: Warehouse) -> None:
    paced = Paced(warehouse, "events", Pace(urgent_s=0.2, patient_s=1.0, records=1_000))
    append(paced.journal, OPEN)
    assert [paced.rows_at(now) for now in (10.0, 10.9, 11.0)] == [0, 0, len(OPEN)]


@pytest.mark.parametrize(("few", "wanted"), [(1, [1, 1, 2, 2]), (0, [1, 1, 1, 2])])
def test_where_many_wait_they_wait_longer(warehouse: Warehouse, few: int, wanted: list[int]) -> None:
    paced = Paced(warehouse, "cdr", Pace(urgent_s=0.25, busy_s=0.5, few=few, patient_s=math.inf, records=1_000))
    append(paced.journal, CALL)
    found = [paced.rows_at(10.0)]
    append(paced.journal, moved(plain_call(), 9))
    assert [*found, *map(paced.rows_at, (10.125, 10.25, 10.5))] == wanted
