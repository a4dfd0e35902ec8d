"""A rebuild by several processes: the same rows, with progress, and no worse off when one of them dies."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from threading import Event, Thread
from typing import Any

import psutil
import pytest
from msgspec.structs import replace

from adapters.analytics.client import Endpoint, Warehouse, WarehouseError
from adapters.journal.codec import decode
from adapters.journal.kafka.address import parse
from adapters.journal.kafka.journal import KafkaJournal
from adapters.journal.reader import SqliteReader
from adapters.journal.sqlite import SqliteJournal
from bench.courses import varied
from bench.history import write_calls
from domain.ids import SHARDS, Part
from domain.ports import Cursor, Stored
from projections.generation import Generations, Hashes
from projections.projector import Projector
from switchlog.rebuild.crew import Processes
from switchlog.setting.folder import JOURNAL
from switchlog.setting.settings import Settings, load
from switchlog.store.journal import JournalReader, open_reader
from switchlog.store.warehouse import schema
from tests.fixtures.broker import fresh_journal
from tests.fixtures.clickhouse import url_of
from tests.fixtures.ports import free_ports

CALLS = 300
WAIT_S = 60.0
TABLES = [table.name for table in schema().tables]


class Site:
    """A journal with calls, and a projector with a crew of two, who find ClickHouse where `crew` says."""

    def __init__(self, warehouse: Warehouse, settings: Settings, crew: Settings | None = None) -> None:
        self.reader: JournalReader = open_reader(settings, "test")
        self.generations = Generations(warehouse, schema(), WarehouseError)
        hands = Processes(crew or settings, hands=2, least=1)
        self.projector = Projector(self.reader, self.generations, decode, crew=hands)

    def __enter__(self) -> Site:
        while self.projector.advance() or any(one["lag"] for one in self.projector.status()):
            pass
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.reader.close()

    def job(self, kind: str) -> dict[str, Any]:
        number = self.projector.request(kind, "all")
        while (progress := self.projector.progress(number))["state"] == "running":
            self.projector.advance()
        return progress

    def hashes(self, generation: int) -> Hashes:
        return self.generations.hashes(TABLES, generation)


@pytest.fixture(params=["sqlite", "kafka"])
def settings(request: pytest.FixtureRequest, tmp_path: Path, warehouse: Warehouse) -> Settings:
    """Of a journal that has calls."""
    where = url_of(warehouse.endpoint)
    if request.param == "sqlite":
        write_calls(SqliteJournal(tmp_path / JOURNAL), varied(CALLS))
        return load(environment={}, data=tmp_path, clickhouse=where)
    address = fresh_journal(request.getfixturevalue("broker"))
    write_calls(KafkaJournal(parse(address), "writer"), varied(CALLS))
    return load(environment={}, data=tmp_path, clickhouse=where, journal=address)


def elsewhere(settings: Settings, **where: Any) -> Settings:
    """The same with another address of ClickHouse."""
    at = replace(Endpoint.parse(settings.clickhouse), **where)
    return load(environment={}, data=settings.data, journal=settings.journal, clickhouse=url_of(at))


def test_a_crew_comes_to_the_same_rows(warehouse: Warehouse, settings: Settings) -> None:
    with Site(warehouse, settings) as site:
        before = site.hashes(1)
        done = site.job("rebuild")
        assert done["state"] == "done"
        assert site.hashes(2) == before
        (events,) = warehouse.execute("SELECT count() FROM call_events")
        assert done["done"] == events[0]
        assert site.job("verify")["differences"] == []
        records = sum(rows for (table, *_), (rows, _) in before.items() if table in ("cdr", "cdr_legs", "segments"))
        assert {one["name"]: (one["lag"], one["rows"]) for one in site.projector.status()} == {
            "cdr": (0, records),
            "events": (0, events[0]),
            "registrations": (0, 0),
        }


def test_when_one_dies_the_rebuild_goes_on_alone(
    warehouse: Warehouse, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with Site(warehouse, settings, elsewhere(settings, password="of another one")) as site:
        before = site.hashes(1)
        with caplog.at_level(logging.WARNING):
            assert site.job("rebuild")["state"] == "done"
        assert "a rebuild goes on alone: a process that filled its part ended" in caplog.text
        assert site.hashes(2) == before
        assert _hands() == 0, "nobody is left behind"


def test_nobody_is_left_behind_when_the_projector_is_stopped(warehouse: Warehouse, settings: Settings) -> None:
    """While the crew waits for a ClickHouse that is away."""
    with Site(warehouse, settings, elsewhere(settings, port=free_ports(1)[0])) as site:
        stop = Event()
        running = Thread(target=site.projector.run, args=(stop,))
        job = site.projector.request("rebuild", "all")
        running.start()
        try:
            until = time.monotonic() + WAIT_S
            while _hands() < 2:
                assert time.monotonic() < until, site.projector.progress(job)
                time.sleep(0.01)
        finally:
            stop.set()
            running.join()
        assert site.projector.progress(job)["detail"] == "the projector was stopped"
        assert _hands() == 0


def _hands() -> int:
    """How many processes of a crew there are."""
    lines = [child.as_dict(["cmdline"])["cmdline"] or [] for child in psutil.Process().children()]
    return sum("switchlog.rebuild.hand" in line for line in lines)


def test_a_crew_is_no_use_for_little_or_on_one_core(tmp_path: Path) -> None:
    settings = load(environment={}, data=tmp_path)
    assert not Processes(settings, hands=2, least=100).is_worth(99)
    assert Processes(settings, hands=2, least=100).is_worth(100)
    assert not Processes(settings, hands=1, least=100).is_worth(100)


def test_parts_of_a_journal_are_all_of_it_and_have_nothing_in_common(tmp_path: Path) -> None:
    write_calls(SqliteJournal(tmp_path / JOURNAL), varied(70))
    with SqliteReader(tmp_path / JOURNAL) as whole:
        wanted, end = whole.follow({}, 10_000).records, whole.end()
    found: list[Stored] = []
    for number in range(3):
        with SqliteReader(tmp_path / JOURNAL, part=Part(number, 3)) as reader:
            cursor: Cursor = {}
            mine: list[Stored] = []
            while cursor != end:
                batch = reader.follow(cursor, 7)
                cursor, mine = batch.cursor, [*mine, *batch.records]
            assert {one.shard % 3 for one in mine} == {number}
            assert reader.follow(cursor, 7).cursor == end
            found += mine
    assert sorted(found, key=lambda one: one.position) == list(wanted)
    assert {shard for number in range(3) for shard in range(SHARDS) if Part(number, 3).holds(shard)} == set(
        range(SHARDS)
    )
