"""Pages of events over a journal of many partitions: every one once, whatever the portions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from adapters.analytics.client import Endpoint, Warehouse
from adapters.journal.codec import decode
from adapters.journal.memory import MemoryJournal
from adapters.sip.dialog.identifier import SipIdentifiers
from api.ports import EventFilter, Scope
from domain.cursor import cursor_word, read_cursor
from domain.ports import Cursor
from domain.refusal import Refusal
from projections.live import Live
from switchlog.query.query import ApiQueries
from switchlog.store.journal import JournalReader, Pulse
from tests.projections.histories import bindings, interleaved, journal_of, moved, plain_call
from tests.projections.partitioned import Partitioned

EVENTS = interleaved(
    [*(moved(plain_call(start_s=number), number) for number in range(5)), bindings("1001", [(0, "desk", 90)])]
)
CALL = EVENTS[0].originator_id


class Open(Partitioned):
    def close(self) -> None:
        """Nothing is open."""


def asked(reader: JournalReader) -> ApiQueries:
    nowhere = Warehouse(Endpoint("127.0.0.1", 1, "switchlog", ""))
    return ApiQueries(Live(decode), reader, Pulse(), nowhere, {}, SipIdentifiers(b"k" * 32), Path("trace"))


async def pages(queries: ApiQueries, wanted: EventFilter, limit: int) -> list[Sequence[Any]]:
    found, cursor, more = list[Sequence[Any]](), "0", True
    while more:
        page = await queries.events(Scope.all(), wanted, read_cursor(cursor), limit)
        found.append([(item["stream"], item["sequence"]) for item in page.items])
        cursor, more = cursor_word(page.cursor), page.more
    return found


WHOLE = sorted((event.originator_id, event.originator_version) for event in EVENTS)


async def test_open_calls_and_their_legs_are_counted() -> None:
    journal = journal_of([*moved(plain_call(), 1)[:3], *moved(plain_call(start_s=5), 2)])
    queries = asked(journal)
    queries._live.apply(journal.follow({}))
    gauges = await queries.gauges()
    assert (gauges["calls"], gauges["legs"]) == (1, 3), "the caller and two devices of the callee"


@pytest.mark.parametrize("limit", [1, 7, 1000])
@pytest.mark.parametrize("reader", [Open(EVENTS), journal_of(EVENTS)], ids=["many", "one"])
async def test_every_event_is_on_one_page(reader: Open | MemoryJournal, limit: int) -> None:
    found = await pages(asked(reader), EventFilter(), limit)
    assert all(len(page) == limit for page in found[:-1])
    assert sorted(item for page in found for item in page) == WHOLE


@pytest.mark.parametrize("limit", [2, 1000])
async def test_the_events_of_a_stream_come_in_order(limit: int) -> None:
    found = await pages(asked(Open(EVENTS)), EventFilter(stream=CALL), limit)
    mine = [item for item in WHOLE if item[0] == CALL]
    assert [item for page in found for item in page] == mine


async def test_the_end_is_where_those_come_that_are_new() -> None:
    journal = Open(EVENTS)
    queries = asked(journal)
    page = await queries.events(Scope.all(), EventFilter(), None, 100)
    assert (list(page.items), page.more) == ([], False)
    journal.append(moved(plain_call(), 77)[:2])
    page = await queries.events(Scope.all(), EventFilter(type="call.routed"), page.cursor, 100)
    assert [item["partition"] for item in page.items] == ["calls-13"]


@pytest.mark.parametrize(
    ("journal", "foreign"), [(Open(EVENTS), {"journal": 3}), (journal_of(EVENTS), {"calls-3": 3})], ids=["many", "one"]
)
async def test_a_place_in_another_journal_is_refused(journal: Open | MemoryJournal, foreign: Cursor) -> None:
    with pytest.raises(Refusal, match="another journal") as refused:
        await asked(journal).events(Scope.all(), EventFilter(), foreign, 10)
    assert (refused.value.kind, refused.value.field) == ("invalid", "after")


async def test_only_the_parts_that_are_wanted_are_asked() -> None:
    queries = asked(journal_of([]))
    assert await queries.health(["live"]) == {"live": "not loaded yet"}
    assert (await queries.health()).keys() == {"journal", "live", "clickhouse"}
