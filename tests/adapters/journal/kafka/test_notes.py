"""Notes on brokers: whole with the records that they belong to whatever the brokers do, and how they are read."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from adapters.journal.kafka.address import Address
from adapters.journal.kafka.message import CLAIMED, MENDED, Tenure, note_of, write, write_control, write_note
from adapters.journal.kafka.producer import MESSAGE_BYTES
from adapters.journal.kafka.reader import KafkaReader
from adapters.journal.kafka.topic import CONFIG, place
from domain.ids import CONFIG_SHARD
from domain.ports import JournalAway, JournalError, OwnershipLost
from tests.adapters.journal.kafka.fakes import Brokers, Commit
from tests.adapters.journal.kafka.node import DOUBTS, SHARD, Node
from tests.adapters.journal.kafka.pen import Pen
from tests.conformance.notes import KIND, config, note
from tests.conformance.record import START

CONFIGURATION = place(CONFIG, 0)


def said(brokers: Brokers) -> list[int | str]:
    """What is in the partition of configuration: the numbers of notes, and the sequences of records as text."""
    found: list[int | str] = []
    for message in brokers.committed(CONFIGURATION):
        noted = note_of(message.place, 0, message.key, message.value, message.headers)
        if noted is None:
            found.append(dict(message.headers)["ce_sequence"].decode())
        elif noted.note.type == KIND:
            found.append(msgspec.json.decode(noted.note.data)["n"])
    return found


def test_notes_stand_before_their_records_and_positions_are_those_of_records(brokers: Brokers, one: Node) -> None:
    epoch = one.claim(CONFIG_SHARD)[CONFIG_SHARD]
    outcome = one.tell(epoch, [config(1), config(2)], note(1), note(2))
    last = max(at for at, entry in enumerate(brokers.logs[CONFIGURATION]) if entry.message)
    assert outcome == last + 1
    assert said(brokers) == [1, 2, "1", "2"]
    assert one.append(epoch, config(3), shard=CONFIG_SHARD) == last + 3
    assert said(brokers) == [1, 2, "1", "2", "3"]


@pytest.mark.parametrize("doubt", DOUBTS)
def test_in_doubt_notes_and_records_are_in_the_log_together_once(brokers: Brokers, one: Node, doubt: Commit) -> None:
    epoch = one.claim(CONFIG_SHARD)[CONFIG_SHARD]
    brokers.commits = [doubt]
    assert isinstance(one.tell(epoch, [config(1)], note(1)), int)
    assert said(brokers) == [1, "1"]
    assert isinstance(one.tell(epoch, [config(2)], note(2)), int)
    assert said(brokers) == [1, "1", 2, "2"]


@pytest.mark.parametrize("doubt", DOUBTS)
def test_in_doubt_notes_alone_are_said_once_or_twice(brokers: Brokers, one: Node, doubt: Commit) -> None:
    epoch = one.claim(CONFIG_SHARD)[CONFIG_SHARD]
    brokers.commits = [doubt]
    assert one.tell(epoch, [], note(1)) == 0
    assert said(brokers) == ([1, 1] if doubt is Commit.UNHEARD else [1])


@pytest.mark.parametrize("doubt", DOUBTS)
def test_in_doubt_a_post_is_said_once_or_twice_by_who_owns_nothing(brokers: Brokers, one: Node, doubt: Commit) -> None:
    brokers.commits = [doubt]
    one.transactions.post([note(1)], "node")
    assert said(brokers) == ([1, 1] if doubt is Commit.UNHEARD else [1])


def test_a_post_costs_no_shard_and_waits_for_brokers(brokers: Brokers, one: Node) -> None:
    epoch = one.claim(CONFIG_SHARD)[CONFIG_SHARD]
    one.transactions.post([note(1)], "node")
    brokers.away = True
    with pytest.raises(JournalAway, match="a note cannot be told"):
        one.transactions.post([note(2)], "node")
    assert 5.0 <= one.now_s < 6.0
    brokers.away = False
    assert isinstance(one.tell(epoch, [config(1)], note(3)), int)
    assert said(brokers) == [1, 3, "1"]


def test_a_configuration_that_another_node_owns_now_takes_no_notes(brokers: Brokers, one: Node) -> None:
    epoch = one.claim(CONFIG_SHARD)[CONFIG_SHARD]
    two = Node(brokers, "two")
    newer = two.claim(CONFIG_SHARD)[CONFIG_SHARD]
    for batch in ([config(1)], []):
        assert isinstance(one.tell(epoch, batch, note(1)), OwnershipLost)
    assert isinstance(two.tell(newer, [config(1)], note(2)), int)
    assert said(brokers) == [2, "1"]


@pytest.mark.parametrize(
    ("shard", "size", "why"),
    [(SHARD, 10, "notes are of the configuration's owner"), (CONFIG_SHARD, MESSAGE_BYTES + 1, "900,001 bytes")],
)
def test_notes_that_cannot_be_told_lose_the_shard(brokers: Brokers, one: Node, shard: int, size: int, why: str) -> None:
    epoch = one.claim(shard)[shard]
    outcome = one.tell(epoch, [], msgspec.structs.replace(note(1), data=b"x" * size), shard=shard)
    assert isinstance(outcome, OwnershipLost)
    assert why in outcome.reason
    assert said(brokers) == []


def test_a_post_that_is_too_large_is_refused(brokers: Brokers, one: Node) -> None:
    with pytest.raises(JournalError, match="900,001 bytes"):
        one.transactions.post([msgspec.structs.replace(note(1), data=b"x" * (MESSAGE_BYTES + 1))], "node")


# --- reading them from a real broker


@pytest.fixture
def reader(fresh: Address) -> Iterator[KafkaReader]:
    with KafkaReader(fresh) as one:
        yield one


@pytest.fixture
def pen(fresh: Address) -> Iterator[Pen]:
    with Pen(fresh) as one:
        yield one


def test_a_reader_gives_every_control_record_and_passes_all_others(reader: KafkaReader, pen: Pen) -> None:
    claim = write_control(CLAIMED, CONFIGURATION, Tenure(1, "t", "a"), START, 12)
    assert claim.value is not None
    pen.messages([claim, write_note(note(1), "a"), write(config(1), CONFIG_SHARD, 1, "a")])
    pen.begin()
    pen.put([write_note(note(2), "a"), write_control(MENDED, CONFIGURATION, Tenure(0, "t", ""), START)])
    pen.abort()
    pen.noise(CONFIGURATION, b"shard-64", b"noise")
    pen.noise(CONFIGURATION, b"shard-64", None, claim.headers)
    last = pen.messages([write(config(2), CONFIG_SHARD, 1, "a"), write_note(note(3), "a")])[-1]
    found = reader.notes(0)
    assert [(one.note.type, one.note.subject) for one in found.notes[:2]] == [(CLAIMED, "shard-12"), (KIND, "shard-64")]
    rest = reader.notes(found.position)
    (three,) = [one for one in (*found.notes, *rest.notes) if one.note == note(3)]
    assert three.position == last + 1
    assert len(found.notes) + len(rest.notes) == 3
    end = reader.notes(last + 1)
    assert end.notes == ()
    assert end.position == reader.end()["config-0"]


def test_a_reader_waits_for_the_next_note(reader: KafkaReader, pen: Pen) -> None:
    pen.messages([write_note(note(1), "a")])
    position = reader.notes(0).position
    assert reader.notes(position, wait_s=0.05).notes == ()
    pen.messages([write_note(note(2), "a")])
    assert [one.note for one in reader.notes(position, wait_s=30.0).notes] == [note(2)]
