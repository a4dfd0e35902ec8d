"""Reading topics of a real broker: records in order, transactions, noise, and what is said when something is wrong."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Iterator
from uuid import UUID

import pytest
from kafka import KafkaAdminClient  # type: ignore[import-untyped]

from adapters.journal.kafka import setup
from adapters.journal.kafka.address import Address
from adapters.journal.kafka.client import open_client
from adapters.journal.kafka.message import CLAIMED, Tenure, write, write_control
from adapters.journal.kafka.reader import KafkaReader
from adapters.journal.kafka.topic import TOPICS, place
from domain.ids import CONFIG_SHARD, named_stream_id, new_stream_id
from domain.ports import Cursor, ForeignCursor, JournalAway, JournalError, Stored, Unreadable
from tests.adapters.journal.kafka.pen import Pen
from tests.conformance.record import START, record, records, stream

WAIT_S = 30.0
_names = itertools.count()


def fresh_stream(shard: int) -> UUID:
    """Of a name that nothing else has: found without knowing when it began."""
    return named_stream_id(shard, f"reader {next(_names)}")


def born_now(shard: int) -> UUID:
    return new_stream_id(round(time.time() * 1000), shard, os.urandom(8))


@pytest.fixture
def reader(shared: Address) -> Iterator[KafkaReader]:
    with KafkaReader(shared) as one:
        yield one


@pytest.fixture
def pen(shared: Address) -> Iterator[Pen]:
    with Pen(shared, f"pen-{next(_names)}") as one:
        yield one


def all_after(reader: KafkaReader, cursor: Cursor, page: int = 1000) -> tuple[list[Stored], list[Unreadable], Cursor]:
    found: list[Stored] = []
    noise: list[Unreadable] = []
    while (batch := reader.follow(cursor, page)).records or batch.unreadable:
        assert len(batch.records) + len(batch.unreadable) <= page
        found += batch.records
        noise += batch.unreadable
        cursor = batch.cursor
    return found, noise, batch.cursor


def test_records_come_in_the_order_of_their_partition_and_marks_are_passed(reader: KafkaReader, pen: Pen) -> None:
    a, b, before = fresh_stream(3), fresh_stream(4), reader.end()
    offsets = [pen.records(3, records(a, n, n + 1)) for n in (1, 3)] + [pen.records(4, records(b, 1, 2))]
    found, noise, cursor = all_after(reader, before, 3)
    of_a = [one for one in found if one.partition == "calls-3"]
    assert [(one.position, one.record.sequence) for one in of_a] == [
        (offset + 1, sequence) for sequence, offset in enumerate([*offsets[0], *offsets[1]], 1)
    ]
    assert [one.record.sequence for one in found if one.partition == "calls-4"] == [1, 2]
    assert not noise
    assert cursor == reader.end()
    assert cursor["calls-3"] == of_a[-1].position + 1, "the mark of the transaction is behind us"


def test_security_is_among_the_registrations(reader: KafkaReader, pen: Pen) -> None:
    a, before = fresh_stream(5), reader.end()
    one = record(a, 1)
    guarded = type(one)(a, 1, "guard.counted.1", "security", "acme", START, b"{}", None)
    pen.records(5, [guarded])
    (found,), _, _ = all_after(reader, before)
    assert (found.partition, found.record) == ("registrations-5", guarded)
    assert [one.record for one in reader.read(a)] == [guarded]


@pytest.mark.parametrize("make", [fresh_stream, born_now])
def test_a_stream_is_found_among_others(reader: KafkaReader, pen: Pen, make: type) -> None:
    a, b = make(6), make(6)
    for number in range(1, 6):
        pen.records(6, [record(a, number), record(b, number)])
    assert [one.record.sequence for one in reader.read(a)] == [1, 2, 3, 4, 5]
    assert [one.record.sequence for one in reader.read(b, 3)] == [4, 5]
    assert reader.read(make(6)) == []


def test_configuration_is_read_again_after_each_change(reader: KafkaReader, pen: Pen) -> None:
    a = fresh_stream(CONFIG_SHARD)
    for number in (1, 2, 3):
        change = type(record(a, 1))(a, number, "tenant.changed.1", "config", "acme", START, b"{}", None)
        pen.records(CONFIG_SHARD, [change])
        assert [one.record.sequence for one in reader.read(a)] == list(range(1, number + 1))
    assert reader.read(a, 2)[0].shard == CONFIG_SHARD


def test_an_aborted_transaction_was_never_there(reader: KafkaReader, pen: Pen) -> None:
    a, before = fresh_stream(7), reader.end()
    pen.begin()
    pen.put([write(one, 7, 1, "node") for one in records(a, 1, 3)])
    pen.abort()
    assert all_after(reader, before)[:2] == ([], [])
    pen.records(7, records(a, 1, 1))
    assert [one.record.sequence for one in reader.read(a)] == [1]


def test_what_stands_behind_an_open_transaction_waits_for_it(reader: KafkaReader, pen: Pen, shared: Address) -> None:
    a, before = fresh_stream(8), reader.end()
    with Pen(shared, "slow") as slow:
        slow.begin()
        slow.put([write(record(a, 1), 8, 1, "node")])
        pen.records(8, records(a, 2, 2))
        assert all_after(reader, before)[:2] == ([], [])
        slow.commit()
    found, _, _ = all_after(reader, before)
    assert [one.record.sequence for one in found] == [1, 2]


def test_the_end_does_not_lie_behind_what_was_acknowledged(reader: KafkaReader, pen: Pen) -> None:
    a = fresh_stream(9)
    for number in range(1, 21):
        (offset,) = pen.records(9, records(a, number, number))
        assert reader.end()["calls-9"] == offset + 2
        assert reader.read(a)[-1].record.sequence == number


def test_control_records_are_nobodys_events(reader: KafkaReader, pen: Pen) -> None:
    a, before = fresh_stream(10), reader.end()
    claims = [
        write_control(CLAIMED, place("calls", 10), Tenure(4, "txn", "node-a"), START),
        write_control(CLAIMED, place("config", 0), Tenure(4, "txn", "node-a"), START, 10),
    ]
    pen.messages(claims)
    pen.records(10, records(a, 1, 1))
    found, noise, _ = all_after(reader, before)
    assert [one.record.stream for one in found] == [a]
    assert not noise
    assert reader.claims()[10] == (4, "node-a")


def test_noise_is_handed_on_with_its_place_and_stops_nobody(reader: KafkaReader, pen: Pen) -> None:
    a, before = fresh_stream(11), reader.end()
    its = place("calls", 11)
    written = [
        pen.noise(its, b"key"),
        pen.noise(its, None, b""),
        pen.noise(its, b"key", b"\xff\xfe", [("ce_type", b""), ("x", b"\xff")]),
    ]
    pen.records(11, records(a, 1, 2))
    for topic in ("registrations", "config"):
        pen.noise(place(topic, 0), str(a).encode(), b"{}", [("ce_specversion", b"1.0")])
    found, noise, _ = all_after(reader, before, 2)
    assert [one.record.sequence for one in found] == [1, 2]
    assert [one.position for one in noise if one.partition == "calls-11"] == [offset + 1 for offset in written]
    assert {one.partition for one in noise} == {"calls-11", "registrations-0", "config-0"}
    now = time.time()
    assert all(abs(one.time.timestamp() - now) < 3600 for one in noise)
    assert len(reader.read(a)) == 2


class NoText(str):
    """The name of a header that is no UTF-8 on the wire."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        return b"\xff\xfe"


def test_a_header_whose_name_is_no_text_stops_nobody_either(reader: KafkaReader, pen: Pen) -> None:
    a, before = fresh_stream(12), reader.end()
    pen.records(12, records(a, 1, 2))
    offset = pen.noise(place("calls", 12), b"k", b"v", [(NoText("x"), b"1")])
    pen.records(12, records(a, 3, 4))
    found, noise, _ = all_after(reader, before)
    assert [one.record.sequence for one in found] == [1, 2, 3, 4]
    assert [(one.partition, one.position) for one in noise] == [("calls-12", offset + 1)]
    assert len(reader.read(a)) == 4


def test_two_followers_at_once_do_not_disturb_each_other(reader: KafkaReader, pen: Pen) -> None:
    a, before = fresh_stream(13), reader.end()
    for first in range(1, 61, 3):
        pen.records(13, records(a, first, first + 2))
    seen: list[list[int]] = [[], [], []]

    def follow(mine: list[int], page: int) -> None:
        found, _, _ = all_after(reader, before, page)
        mine += [one.record.sequence for one in found]

    threads = [threading.Thread(target=follow, args=(mine, 7 + page)) for page, mine in enumerate(seen)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert seen == [list(range(1, 61))] * 3


def test_a_batch_larger_than_a_portion_arrives(reader: KafkaReader, pen: Pen) -> None:
    a, before = fresh_stream(14), reader.end()
    one = record(a, 1)
    big = [type(one)(a, n, one.type, one.category, one.tenant, one.time, b"x" * 400_000, None) for n in (1, 2, 3)]
    for each in big:
        pen.records(14, [each])
    found, _, _ = all_after(reader, before)
    assert [stored.record for stored in found] == big


def test_a_cursor_of_another_journal_is_refused(reader: KafkaReader) -> None:
    with pytest.raises(ForeignCursor):
        reader.follow({"journal": 12})


def test_a_closed_reader_says_so(shared: Address) -> None:
    reader = KafkaReader(shared)
    reader.follow(reader.end())
    reader.close()
    reader.close()
    with pytest.raises(JournalError, match="closed"):
        reader.follow({})
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("kafka-io-switchlog-reader")]


def test_topics_that_are_not_there_yet_are_waited_for(broker: object, shared: Address) -> None:
    with pytest.raises(JournalAway, match=r"has no topic nobody\.calls yet"):
        KafkaReader(Address(shared.bootstrap, "nobody"))


def test_a_broker_that_is_not_there_is_away_and_leaves_no_thread() -> None:
    before = threading.active_count()
    with pytest.raises(JournalAway, match=r"kafka://127\.0\.0\.1:1: cannot be reached"):
        KafkaReader(Address(("127.0.0.1:1",)), wait_ms=300)
    assert threading.active_count() == before


def test_a_topic_that_was_made_anew_is_told_from_the_one_that_was_read(fresh: Address) -> None:
    with KafkaReader(fresh) as reader:
        a = stream("a", 3)
        with Pen(fresh) as pen:
            pen.records(3, records(a, 1, 5))
        _, _, cursor = all_after(reader, {})
        admin = open_client(KafkaAdminClient, fresh, "test")
        try:
            admin.delete_topics([TOPICS["calls"].full(fresh.prefix)])
        finally:
            admin.close()
        setup.prepare(fresh)
    with KafkaReader(fresh) as reader, pytest.raises(JournalError, match="was its topic deleted"):
        reader.follow(cursor)


def test_who_waits_gets_what_comes_and_stands_at_the_end_at_last(reader: KafkaReader, pen: Pen) -> None:
    a, cursor = fresh_stream(5), reader.end()
    (offset,) = pen.records(5, [record(a, 1)])
    found = list[Stored]()
    until = time.monotonic() + WAIT_S
    while (not found or cursor.get("calls-5", 0) <= offset + 1) and time.monotonic() < until:  # the mark comes after it
        batch = reader.follow(cursor, wait_s=0.2)
        found += batch.records
        cursor = batch.cursor
    assert [(one.record.stream, one.record.sequence) for one in found] == [(a, 1)]
    assert cursor == reader.end()


def test_what_many_shards_hold_is_what_each_of_them_holds(reader: KafkaReader, pen: Pen) -> None:
    of = [fresh_stream(shard) for shard in (6, 7, 7)]
    for its, shard, until in zip(of, (6, 7, 7), (None, None, 5.0), strict=True):
        pen.records(shard, [record(its, 1, live_until=until)])
    each = [list(stream) for shard in (6, 7) for stream in reader.live(shard, 5.0)]
    assert [list(stream) for stream in reader.live_of((6, 7), 5.0)] == each
    assert {of[0], of[1]} <= {stream[0].record.stream for stream in each}
    assert of[2] not in {stream[0].record.stream for stream in each}
