"""The journal on a real broker: the suite of every journal, and what only several processes can show."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import count
from threading import Thread
from typing import Any
from uuid import UUID

import msgspec
import pytest

from adapters.journal.kafka import transactions
from adapters.journal.kafka.address import Address
from adapters.journal.kafka.journal import KafkaJournal
from adapters.journal.kafka.message import write
from adapters.journal.kafka.tail import KafkaLog
from adapters.journal.kafka.topic import CALLS, CHECKPOINTS, CONFIG, place
from domain.ids import CONFIG_SHARD, SHARDS
from domain.ports import Journal, OwnershipLost, Record
from tests.conformance.journal import JournalConformance, Own, own_of
from tests.conformance.notes import NotesConformance, Sharing
from tests.conformance.record import TIMEOUT_S, append, appended, record, records, sequences, stream, submit

Opening = Callable[..., KafkaJournal]
_numbers = count()


@pytest.fixture
def own() -> Own:
    """Shards that no other test uses at the same time, and streams that none uses ever: all share the topics."""
    number = next(_numbers)
    first = 3 * number % (SHARDS - 2)
    return own_of((first, first + 1, first + 2), f"-journal-{number}")


@pytest.fixture
def opening(shared: Address, own: Own) -> Iterator[Opening]:
    opened: list[KafkaJournal] = []

    def open_journal(writer: str = "one", address: Address = shared, **options: Any) -> KafkaJournal:
        opened.append(KafkaJournal(address, f"{own.a}-{writer}", **options))
        return opened[-1]

    yield open_journal
    for journal in opened:
        journal.close()


class TestConformance(JournalConformance):
    @pytest.fixture
    def own(self, own: Own) -> Own:
        return own


class TestNotes(NotesConformance):
    @pytest.fixture
    def sharing(self, fresh: Address, opening: Opening) -> Sharing:
        return lambda: opening(f"writer-{next(_numbers)}", fresh)


def held(journal: Journal, shard: int) -> dict[UUID, list[int]]:
    return {its[0].record.stream: [stored.record.sequence for stored in its] for its in journal.live(shard, 0.0)}


def test_a_restart_goes_on(own: Own, opening: Opening) -> None:
    one = opening()
    epoch = one.claim((own.one,), "a")[own.one]
    appended(one, own.one, epoch, records(own.a, 1, 3))
    one.close()
    again = opening()
    assert again.claim((own.one,), "a") == {own.one: epoch + 1}
    appended(again, own.one, epoch + 1, records(own.a, 4, 5))
    assert sequences(again, own.a) == [1, 2, 3, 4, 5]
    assert held(again, own.one)[own.a] == [1, 2, 3, 4, 5]


def test_who_was_taken_over_from_can_append_no_more(own: Own, opening: Opening, fresh: Address) -> None:
    one, two = opening("one", fresh), opening("two", fresh)
    assert one.claim(range(SHARDS), "a") == dict.fromkeys(range(SHARDS), 1)
    appended(one, own.one, 1, [record(own.a, 1)])
    assert two.claim(range(SHARDS), "b") == dict.fromkeys(range(SHARDS), 2)
    zombie = [submit(one, own.one, 1, [record(own.a, 2)]), submit(one, own.one, 1, [])]
    assert all(isinstance(answer.result(TIMEOUT_S), OwnershipLost) for answer in zombie)
    appended(two, own.one, 2, [record(own.a, 2)])
    assert sequences(two, own.a) == [1, 2]


def test_a_shard_that_is_taken_from_a_live_node_leaves_it_the_others(own: Own, opening: Opening) -> None:
    """The node's session ends with it; it begins another, and its epochs go on being good."""
    one, two = opening("one"), opening("two")
    epochs = one.claim((own.one, own.two), "a")
    appended(one, own.one, epochs[own.one], [record(own.a, 1)])
    newer = two.claim((own.one,), "b")[own.one]
    lost = submit(one, own.one, epochs[own.one], [record(own.a, 2)])
    kept = submit(one, own.two, epochs[own.two], [record(own.c, 1)])
    assert isinstance(lost.result(TIMEOUT_S), OwnershipLost)
    assert isinstance(kept.result(TIMEOUT_S), int)
    appended(two, own.one, newer, [record(own.a, 2)])
    appended(one, own.two, epochs[own.two], [record(own.c, 2)])
    assert (sequences(one, own.a), sequences(two, own.c)) == ([1, 2], [1, 2])


def test_of_claimants_at_once_one_gets_each_shard(own: Own, opening: Opening) -> None:
    journals = [opening(f"writer-{number}") for number in range(3)]
    won: list[dict[int, int]] = [{}, {}, {}]

    def claim(number: int) -> None:
        won[number] = dict(journals[number].claim(own[:3], f"node-{number}"))

    claimants = [Thread(target=claim, args=(number,)) for number in range(3)]
    for claimant in claimants:
        claimant.start()
    for claimant in claimants:
        claimant.join(TIMEOUT_S)
    for shard in own[:3]:
        of = stream(f"contended-{own.a}", shard)
        answers = [
            append(journal, shard, epochs.get(shard, 0), [record(of, 1)])
            for journal, epochs in zip(journals, won, strict=True)
        ]
        written = sum(isinstance(answer, int) for answer in answers)
        assert written <= 1
        assert sequences(journals[0], of) == [1] * written


def test_a_take_over_reads_the_checkpoint_and_the_tail(
    own: Own, opening: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transactions, "CHECKPOINT_RECORDS", 100)
    heard: list[int] = []
    read = KafkaLog.read

    def counting(self: KafkaLog, starts: Any, ends: Any, hear: Any, mend: Any = None) -> Any:
        def count_one(at: Any, offset: int, *rest: Any) -> None:
            heard.append(offset)
            hear(at, offset, *rest)

        return read(self, starts, ends, count_one, mend)

    one = opening("one")
    epoch = one.claim((own.one,), "a")[own.one]
    appended(one, own.one, epoch, [record(own.a, 1)])
    for number in range(40):
        over = stream(f"over-{number}-{own.a}", own.one)
        appended(one, own.one, epoch, [*records(over, 1, 24), record(over, 25, live_until=1.0)])
    appended(one, own.one, epoch, [record(own.a, 2)])
    monkeypatch.setattr(KafkaLog, "read", counting)
    two = opening("two")
    assert two.claim((own.one,), "b") == {own.one: epoch + 1}
    assert len(heard) < 300
    assert held(two, own.one) == {own.a: [1, 2]} | {of: its for of, its in held(one, own.one).items() if of != own.a}
    assert isinstance(append(two, own.one, epoch + 1, [record(own.a, 2)]), OwnershipLost)


def test_a_transaction_that_its_writer_left_open_is_ended_by_who_takes_over(own: Own, opening: Opening) -> None:
    """As after `kill -9` in mid-transaction: nobody waits until the brokers notice."""
    one, two = opening("one"), opening("two")
    epoch = one.claim((own.one,), "a")[own.one]
    appended(one, own.one, epoch, [record(own.a, 1)])
    session = one._committer._transactions._transactor._session  # type: ignore[attr-defined]
    session.begin([place(CALLS, own.one)])
    session.send(write(record(own.b, 1), own.one, epoch, "a"))
    session.flush()
    assert two.claim((own.one,), "b") == {own.one: epoch + 1}
    appended(two, own.one, epoch + 1, [record(own.b, 1)])
    assert sequences(two, own.b) == [1]


def test_configuration_is_a_shard_of_its_own(own: Own, opening: Opening, fresh: Address) -> None:
    one = opening("one", fresh)
    epoch = one.claim((CONFIG_SHARD,), "a")[CONFIG_SHARD]
    of = stream("tenant", CONFIG_SHARD)
    event = Record(of, 1, "tenant.created.1", "config", "acme", datetime(2026, 1, 1, tzinfo=UTC), b"{}")
    position = append(one, CONFIG_SHARD, epoch, [event])
    (its,) = one.live(CONFIG_SHARD, 0.0)
    assert [(stored.position, stored.record) for stored in its] == [(position, event)]
    assert list(one.read(of)) == its
    for number in (2, 3):
        append(one, CONFIG_SHARD, epoch, [msgspec.structs.replace(event, sequence=number)])
        assert sequences(one, of) == list(range(1, number + 1)), "the owner reads its own writes"


def test_claims_are_in_the_log_of_each_shard_and_announced_to_all(own: Own, opening: Opening, fresh: Address) -> None:
    one = opening("one", fresh)
    one.claim(own[:3], "node a")
    log = KafkaLog(fresh, "test")
    starts = dict.fromkeys([place(CONFIG, 0), *(place(CALLS, shard) for shard in range(SHARDS))], 0)
    found: list[tuple[str, bytes | None]] = []
    log.read(starts, log.ends(starts, stable=False), lambda at, _, key, value, headers: found.append((at.key, key)))
    log.close()
    keys = {shard: b"shard-%d" % shard for shard in own[:3]}
    assert sorted(found) == sorted(
        [(f"calls-{shard}", key) for shard, key in keys.items()] + [("config-0", key) for key in keys.values()]
    )


def test_closing_leaves_nothing_to_be_read_but_checkpoints(own: Own, opening: Opening, fresh: Address) -> None:
    one = opening("one", fresh)
    epoch = one.claim((own.one,), "a")[own.one]
    appended(one, own.one, epoch, records(own.a, 1, 50))
    one.close()
    log = KafkaLog(fresh, "test")
    its = place(CHECKPOINTS, own.one)
    keys: list[bytes | None] = []
    log.read({its: 0}, log.ends([its], stable=True), lambda at, _, key, value, headers: keys.append(key))
    log.close()
    assert keys == [f"{own.a}/0".encode(), b"shard-%d" % own.one]
