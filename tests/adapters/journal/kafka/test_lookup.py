"""Where a stream is looked for, and when the search is over."""

from __future__ import annotations

from uuid import uuid4

from adapters.journal.kafka.lookup import MARGIN_MS, Lookup, begin_ms, homes
from adapters.journal.kafka.topic import place
from domain.ids import CONFIG_SHARD, named_stream_id, new_stream_id
from tests.adapters.journal.kafka.raw import written
from tests.conformance.record import START, record, stream

CALLS = place("calls", 5)
NOW_MS = 1_800_000_000_000
A, B = stream("a", 5), stream("b", 5)
START_S = START.timestamp()


def test_a_streams_id_says_where_it_may_be() -> None:
    assert homes(new_stream_id(NOW_MS, 5, bytes(8))) == (CALLS, place("registrations", 5))
    assert homes(named_stream_id(CONFIG_SHARD, "tenant")) == (place("config", 0),)
    assert homes(uuid4()) == (place("config", 0),)


def test_the_search_begins_a_margin_before_the_streams_birth() -> None:
    assert begin_ms(new_stream_id(NOW_MS - 1000, 5, bytes(8)), NOW_MS) == NOW_MS - 1000 - MARGIN_MS
    assert begin_ms(new_stream_id(NOW_MS + MARGIN_MS, 5, bytes(8)), NOW_MS) == NOW_MS


def test_an_id_that_says_no_time_is_looked_for_from_the_start() -> None:
    assert begin_ms(new_stream_id(NOW_MS + MARGIN_MS + 1, 5, bytes(8)), NOW_MS) is None
    assert begin_ms(new_stream_id(1_000, 5, bytes(8)), NOW_MS) is None


def test_records_of_the_stream_are_gathered_and_no_others() -> None:
    lookup = Lookup(A, 1)
    records = [written(record(one, number), 5, offset=2 * number) for number in (1, 2, 3) for one in (A, B)]
    assert not lookup.take(CALLS, records)
    assert [(one.record.stream, one.record.sequence) for one in lookup.found] == [(A, 2), (A, 3)]
    assert [one.position for one in lookup.found] == [5, 7]
    assert lookup.place == CALLS
    assert not lookup.begins_late


def test_a_stream_met_in_its_middle_is_told() -> None:
    lookup = Lookup(A, 0)
    lookup.take(CALLS, [written(record(A, 4), 5)])
    assert lookup.begins_late


def test_it_is_over_once_nobody_can_hold_the_stream_any_more() -> None:
    held_ms = 30_000
    last = written(record(A, 1, live_until=START_S + held_ms / 1000), 5, timestamp=NOW_MS)
    later = [written(record(B, 1), 5, timestamp=NOW_MS + held_ms + MARGIN_MS + extra) for extra in (0, 1)]
    lookup = Lookup(A, 0)
    assert not lookup.take(CALLS, [last, later[0]])
    assert not lookup.take(place("registrations", 5), [later[1]])
    assert lookup.take(CALLS, [later[1]])


def test_it_is_not_over_while_the_stream_is_held() -> None:
    lookup = Lookup(A, 0)
    for until in (START_S + 1, None):
        lookup.take(CALLS, [written(record(A, 1 + len(lookup.found), live_until=until), 5, timestamp=NOW_MS)])
    assert not lookup.take(CALLS, [written(record(B, 1), 5, timestamp=NOW_MS + 10**12)])


def test_a_record_of_the_stream_is_taken_whenever_it_comes() -> None:
    lookup = Lookup(A, 0)
    first = written(record(A, 1, live_until=0.0), 5, timestamp=0)
    second = written(record(A, 2, live_until=0.0), 5, timestamp=NOW_MS)
    assert not lookup.take(CALLS, [first, second])
    assert len(lookup.found) == 2


def test_noise_with_the_streams_key_is_passed_over() -> None:
    lookup = Lookup(A, 0)
    noise = written(record(A, 1), 5)._replace(headers=[])
    assert not lookup.take(CALLS, [noise])
    assert (lookup.found, lookup.place) == ([], None)
