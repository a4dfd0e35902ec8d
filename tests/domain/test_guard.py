"""Failed authentications as counted facts: at most one a minute and tenant, and nothing personal."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from adapters.journal.codec import decode, encode
from domain.catalog import topic
from domain.guard import MOST_SOURCES, WINDOW, FailureCount, Failures, Guard, GuardStreams
from domain.ids import home_of_guard, shard_of
from tests.domain.world import START, seconds

HOME = home_of_guard("acme", lambda shard: True)


@given(st.lists(st.tuples(st.floats(0, 40), st.sampled_from("ab"), st.integers(0, 500)), max_size=300))
def test_nothing_is_lost_and_no_tenant_gets_more_than_one_a_minute(steps: list[tuple[float, str, int]]) -> None:
    count, now = FailureCount(), START
    told: list[Failures] = []
    for gap, tenant, source in steps:
        now += seconds(gap)
        count.note(tenant, str(source), now)
        told += count.due(now)
    told += count.due(now, all_of_them=True)
    assert sum(one.count for one in told) == len(steps)
    assert not count.due(now + timedelta(days=1), all_of_them=True)
    for tenant in "ab":
        since = [one.since for one in told if one.tenant == tenant]
        assert all(later - earlier >= WINDOW for earlier, later in itertools.pairwise(since))
    assert all(one.sources <= min(one.count, MOST_SOURCES) for one in told)


def failures(at: datetime) -> Failures:
    return Failures("acme", at, at + WINDOW, 50, 3)


def test_a_stream_lasts_for_a_day_and_a_term() -> None:
    streams = GuardStreams("a")
    first = streams.events(failures(START), HOME, 1, START)
    assert [topic(type(event)) for event in first] == ["guard.opened.1", "guard.authentications_failed.1"]
    second = streams.events(failures(START), HOME, 1, START + WINDOW)
    assert [event.originator_version for event in (*first, *second)] == [1, 2, 3]
    next_day = streams.events(failures(START), HOME, 1, START + timedelta(days=1))
    next_term = streams.events(failures(START), HOME, 2, START + timedelta(days=1))
    set_back = streams.events(failures(START), HOME, 2, START)
    ids = [events[0].originator_id for events in (first, second, next_day, next_term, set_back)]
    assert ids[0] == ids[1]
    assert len(set(ids[1:4])) == 3
    assert ids[4] == ids[3], "a clock that goes back does not write an old stream anew"
    assert set_back[0].originator_version == 3
    assert {shard_of(one) for one in ids} == {HOME}


def test_a_process_without_the_shard_of_a_tenant_counts_in_one_of_its_own() -> None:
    other = home_of_guard("acme", {HOME + 1, HOME + 2}.__contains__)
    assert other in (HOME + 1, HOME + 2)
    assert home_of_guard("acme", lambda shard: False) == HOME
    streams = GuardStreams("a")
    made = [streams.events(failures(START), shard, 1, START) for shard in (HOME, other, HOME)]
    assert [events[-1].originator_version for events in made] == [2, 2, 3]
    assert [shard_of(events[-1].originator_id) for events in made] == [HOME, other, HOME]


def test_the_events_fold_and_are_read_again() -> None:
    aggregate = None
    streams = GuardStreams("a")
    for event in (
        *streams.events(failures(START), HOME, 1, START),
        *streams.events(failures(START), HOME, 1, START + WINDOW),
    ):
        again = decode(topic(type(event)), encode(event))
        assert again == event
        aggregate = again.mutate(aggregate)
    assert isinstance(aggregate, Guard)
    assert (aggregate.tenant, aggregate.failures, aggregate.day) == ("acme", 100, START.date().isoformat())


def test_bytes_as_they_are_stored() -> None:
    _, event = GuardStreams("a").events(failures(START), HOME, 1, START)
    data = encode(event)
    for name in (b'"since":', b'"until":', b'"count":50', b'"sources":3'):
        assert name in data
