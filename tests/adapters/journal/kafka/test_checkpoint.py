"""Checkpoints: what an owner writes of its shard is what the next one reads, whatever was written in between."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.journal.kafka import checkpoint
from adapters.journal.kafka.checkpoint import Snapshot, checkpoint_place
from adapters.journal.kafka.ledger import MARGIN_S, Ledger
from adapters.journal.kafka.topic import CALLS, CHECKPOINTS, REGISTRATIONS, place, places_of
from domain.ids import CONFIG_SHARD
from domain.ports import Stored
from tests.conformance.record import record, stream

SHARD = 1
A, B, C = stream("a"), stream("b"), stream("c")
PLACE = place(CALLS, SHARD)


class Owner:
    """A shard's log and checkpoint topic in memory, and the owner's ledger; time is what the test says."""

    def __init__(self) -> None:
        self.log: list[Stored] = []
        self.topic: list[tuple[bytes, bytes | None]] = []
        self.now = 1_000.0
        self.ledger = Ledger(Snapshot(SHARD), dict.fromkeys(places_of(SHARD), 0), self.now)

    def append(self, of: UUID, sequence: int, until: float | None = None) -> None:
        its = record(of, sequence, until)
        assert self.ledger.takes([its])
        self.log.append(Stored(len(self.log) + 1, SHARD, 3, its, PLACE.key))
        self.ledger.offsets[PLACE] = len(self.log)
        self.ledger.add(self.log[-1:])

    def checkpoint(self, *, durable: bool = True, noted: bool = True) -> None:
        plan = self.ledger.plan(datetime.fromtimestamp(self.now, UTC), 3, "writer", "node")
        if durable:
            self.topic += [(message.key, message.value) for message in plan.messages]
        if noted:
            plan.done()

    def compact(self) -> None:
        """As the broker does: the last value of each key, and no tombstones."""
        last = {key: place for place, (key, _) in enumerate(self.topic)}
        self.topic = [self.topic[place] for place in sorted(last.values()) if self.topic[place][1] is not None]

    def read(self) -> Snapshot:
        snapshot = Snapshot(SHARD)
        for key, value in self.topic:
            snapshot.saved(key, value)
        for stored in self.log[snapshot.offsets.get(PLACE.key, 0) :]:
            snapshot.stored(stored)
        return snapshot

    def take_over(self) -> None:
        self.ledger = Ledger(self.read(), {PLACE: len(self.log), place(REGISTRATIONS, SHARD): 0}, self.now)

    def live(self) -> dict[UUID, list[Stored]]:
        """What must be held, by the log alone."""
        found: dict[UUID, list[Stored]] = {}
        for stored in self.log:
            found.setdefault(stored.record.stream, []).append(stored)
        ends = {of: stored[-1].record.live_until for of, stored in found.items()}
        return {of: stored for of, stored in found.items() if (until := ends[of]) is None or until > self.now}


def held(snapshot: Snapshot, now: float) -> dict[UUID, list[Stored]]:
    return {records[0].record.stream: records for records in snapshot.live(now)}


@pytest.mark.parametrize("value", [b"noise", msgspec.msgpack.encode({"newer": 2}), None])
def test_a_marker_that_cannot_be_read_costs_time_and_nothing_else(value: bytes | None) -> None:
    owner = Owner()
    for sequence in (1, 2):
        owner.append(A, sequence)
    owner.checkpoint()
    owner.append(A, 3)
    owner.topic.append((b"shard-%d" % SHARD, value))
    owner.compact()
    assert held(owner.read(), owner.now) == owner.live()
    owner.take_over()
    owner.checkpoint()
    assert held(owner.read(), owner.now) == owner.live()


def test_who_comes_after_a_checkpoint_reads_it_and_the_tail_only() -> None:
    owner = Owner()
    owner.append(A, 1)
    owner.append(B, 1, until=500.0)
    owner.checkpoint()
    owner.append(A, 2)
    owner.append(C, 1, until=2_000.0)
    snapshot = owner.read()
    assert snapshot.offsets == {PLACE.key: 2, f"registrations-{SHARD}": 0}
    assert snapshot.marker is not None
    assert (snapshot.marker.epoch, snapshot.marker.txn_id, snapshot.marker.node) == (3, "writer", "node")
    assert held(snapshot, owner.now) == owner.live()
    assert list(held(snapshot, 2_000.0)) == [A]


def test_each_record_is_written_once() -> None:
    owner = Owner()
    for sequence in range(1, 4):
        owner.append(A, sequence)
        owner.checkpoint()
    assert [key for key, _ in owner.topic if key != b"shard-1"] == [f"{A}/{part}".encode() for part in range(3)]
    assert held(owner.read(), owner.now) == owner.live()


def test_a_stream_that_began_and_ended_between_two_checkpoints_is_in_none() -> None:
    owner = Owner()
    owner.append(A, 1)
    owner.append(A, 2, until=owner.now - MARGIN_S)
    owner.checkpoint()
    assert [key for key, _ in owner.topic] == [b"shard-1"]


def test_a_stream_that_is_over_gets_tombstones_and_compaction_removes_it() -> None:
    owner = Owner()
    owner.append(A, 1)
    owner.append(B, 1)
    owner.checkpoint()
    owner.append(A, 2)
    owner.checkpoint()
    owner.append(A, 3, until=owner.now)
    owner.now += MARGIN_S
    owner.checkpoint()
    assert owner.topic[-3:-1] == [(f"{A}/0".encode(), None), (f"{A}/1".encode(), None)]
    owner.compact()
    assert sorted(key for key, _ in owner.topic) == sorted([f"{B}/0".encode(), b"shard-1"])
    assert held(owner.read(), owner.now) == owner.live()


def test_parts_that_compaction_left_of_a_stream_that_is_over_are_no_stream_and_go_at_the_next_checkpoint() -> None:
    owner = Owner()
    owner.append(A, 1)
    owner.checkpoint()
    owner.append(A, 2)
    owner.checkpoint()
    owner.topic = [item for item in owner.topic if item[0] != f"{A}/0".encode()]
    assert held(owner.read(), owner.now) == {}
    owner.take_over()
    owner.checkpoint()
    assert (f"{A}/1".encode(), None) in owner.topic


def test_a_huge_stream_is_written_in_parts_that_a_broker_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "PART_BYTES", 50)
    owner = Owner()
    for sequence in range(1, 30):
        owner.append(A, sequence)
    owner.checkpoint()
    parts = [msgspec.msgpack.decode(value) for key, value in owner.topic if key != b"shard-1" and value]
    assert len(parts) > 3
    assert max(sum(len(kept[7]) for kept in part) for part in parts) <= 50
    assert held(owner.read(), owner.now) == owner.live()
    owner.append(A, 30)
    owner.checkpoint()
    assert held(owner.read(), owner.now) == owner.live()


def test_a_checkpoint_that_was_in_doubt_is_written_again_over_itself() -> None:
    owner = Owner()
    owner.append(A, 1)
    owner.checkpoint(noted=False)
    owner.append(A, 2)
    owner.checkpoint()
    assert [key for key, _ in owner.topic].count(f"{A}/0".encode()) == 2
    assert held(owner.read(), owner.now) == owner.live()


def test_a_checkpoint_that_is_read_after_its_tail_takes_its_place() -> None:
    owner = Owner()
    owner.append(A, 1)
    owner.append(B, 1)
    snapshot = owner.read()
    owner.checkpoint()
    for key, value in owner.topic:
        snapshot.saved(key, value)
    assert held(snapshot, owner.now) == owner.live()
    assert list(snapshot.tail()) == []


NOISE = [(None, b"x"), (b"", b"x"), (b"shard-2", b"x"), (b"no-stream/0", b"x"), (b"\xff/0", b""), (b"shard-1", b"x")]


@pytest.mark.parametrize(("key", "value"), [*NOISE, (f"{A}/0".encode(), b"\xff"), (f"{A}/x".encode(), b"\x90")])
def test_noise_in_the_topic_is_logged_and_counts_for_nothing(
    key: bytes | None, value: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    owner = Owner()
    owner.append(A, 1)
    owner.checkpoint()
    snapshot = owner.read()
    with caplog.at_level(logging.WARNING):
        snapshot.saved(key, value)
    assert "is left out" in caplog.text
    assert held(snapshot, owner.now) == owner.live()


def test_an_empty_part_is_no_stream() -> None:
    snapshot = Snapshot(SHARD)
    snapshot.saved(f"{A}/0".encode(), msgspec.msgpack.encode([]))
    assert list(snapshot.live(0.0)) == []


def test_the_shard_of_configuration_has_no_checkpoints() -> None:
    assert checkpoint_place(CONFIG_SHARD) is None
    assert checkpoint_place(5) == place(CHECKPOINTS, 5)
    ledger = Ledger(Snapshot(CONFIG_SHARD), {}, 0.0)
    ledger.add([Stored(1, CONFIG_SHARD, 1, record(stream("x", CONFIG_SHARD), 1), "config-0")])
    assert ledger.count == 0
    assert ledger.plan(datetime.now(UTC), 1, "writer", "node").messages == []


def test_a_sequence_is_taken_once() -> None:
    owner = Owner()
    owner.append(A, 2)
    assert not owner.ledger.takes([record(A, 2)])
    assert not owner.ledger.takes([record(A, 1)])
    assert not owner.ledger.takes([record(B, 1), record(B, 1)])
    assert not owner.ledger.takes([record(B, 1), record(A, 2)])
    assert owner.ledger.takes([record(B, 1), record(A, 3), record(B, 2)])
    assert not owner.ledger.takes([record(B, 2)])
    owner.take_over()
    assert not owner.ledger.takes([record(A, 2)])
    assert owner.ledger.takes([record(A, 3)])


STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("append"), st.sampled_from([A, B, C, stream("d")]), st.sampled_from([None, -20.0, 5.0, 100.0])
        ),
        st.tuples(st.sampled_from(["checkpoint", "in doubt", "lost", "compact", "take over"])),
        st.tuples(st.just("wait"), st.sampled_from([1.0, 20.0])),
    ),
    max_size=40,
)


@given(STEPS)
def test_whatever_happens_what_must_be_held_is_read(steps: list[tuple[Any, ...]]) -> None:
    """Streams that are over may be forgotten: nobody appends to them."""
    owner = Owner()
    last: dict[UUID, int] = {}
    over: set[UUID] = set()
    for step in steps:
        match step:
            case ("append", of, delay):
                if of not in over:
                    last[of] = last.get(of, 0) + 1
                    owner.append(of, last[of], None if delay is None else owner.now + delay)
            case ("checkpoint",):
                owner.checkpoint()
            case ("in doubt",):
                owner.checkpoint(noted=False)
            case ("lost",):
                owner.checkpoint(durable=False, noted=False)
            case ("compact",):
                owner.compact()
            case ("take over",):
                owner.take_over()
            case ("wait", duration_s):
                owner.now += duration_s
        over |= last.keys() - owner.live().keys()
    assert held(owner.read(), owner.now) == owner.live()
