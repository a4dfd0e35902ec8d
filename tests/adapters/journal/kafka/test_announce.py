"""What every node follows, on a real broker: all of it from the start, then what comes, and after an error the rest."""

from __future__ import annotations

import time
from collections.abc import Iterable

import msgspec

from adapters.journal.kafka.address import Address
from adapters.journal.kafka.announce import Announcements, News, Word
from adapters.journal.kafka.journal import KafkaJournal
from domain.ids import CONFIG_SHARD, shard_of
from domain.ports import Record
from tests.conformance.record import append, record, stream
from tests.projections.histories import bindings, plain_call
from tests.projections.histories import record as record_of

NOW = 1_772_355_600.0


def everything(news: Iterable[News]) -> News:
    every = tuple(news)
    return News(
        tuple(one for each in every for one in each.records), tuple(one for each in every for one in each.words)
    )


def following(announcements: Announcements, count: int) -> News:
    """What comes next, until it is so many records and words."""
    found, until = News(), time.monotonic() + 30
    while len(found.records) + len(found.words) < count:
        assert time.monotonic() < until, found
        found = everything([found, announcements.next(100)])
    return found


def nothing_behind(announcements: Announcements) -> bool:
    """Whether all is read, sooner or later."""
    until = time.monotonic() + 30
    while announcements.behind() and time.monotonic() < until:
        assert announcements.next(50) == News()
    return not announcements.behind()


def test_a_node_learns_what_all_know_and_what_comes_then(fresh: Address) -> None:
    bound = [msgspec.structs.replace(record_of(one), live_until=None) for one in bindings("1001", [(0, "desk", 60)])]
    over = [
        msgspec.structs.replace(record_of(one), live_until=NOW - 3600) for one in bindings("1002", [(0, "soft", 60)])
    ]
    call = [record_of(one) for one in plain_call()][:2]
    mine, other, calls = (shard_of(one[0].stream) for one in (bound, over, call))
    tenant = stream("tenant", CONFIG_SHARD)
    declared = [msgspec.structs.replace(record(tenant, number), category="config") for number in (1, 2)]
    journal = KafkaJournal(fresh, "one")
    announcements = Announcements(fresh, "reader")
    try:
        epochs = journal.claim(sorted({mine, other, calls, CONFIG_SHARD}), "a")

        def stored(shard: int, records: list[Record]) -> None:
            assert isinstance(append(journal, shard, epochs[shard], records), int)

        stored(mine, bound[:1])
        stored(other, over)
        stored(calls, call)
        stored(CONFIG_SHARD, declared[:1])
        journal.end()  # so that what was appended is stable
        found = everything(announcements.begin(NOW))
        assert [one.record for one in found.records] == [bound[0], declared[0]]
        claimed = {Word(shard, 1, "a", released=False) for shard in epochs}
        assert set(found.words) == claimed
        stored(mine, bound[1:])
        stored(calls, call[2:])
        stored(CONFIG_SHARD, declared[1:])
        journal.release([other])
        found = following(announcements, len(bound) + 1)
        assert {one.record.sequence for one in found.records if one.record.stream == tenant} == {2}
        assert [one.record for one in found.records if one.shard == mine] == bound[1:]
        assert found.words == (Word(other, 1, "a", released=True),)
        journal.end()
        assert nothing_behind(announcements), "the marks of transactions are no records"
        stored(mine, [msgspec.structs.replace(bound[-1], sequence=len(bound) + 1)])
        heir = announcements.another()
        announcements.close()
        announcements = heir
        assert [one.record.sequence for one in following(announcements, 1).records] == [len(bound) + 1]
    finally:
        announcements.close()
        journal.close()
