"""The partition of configuration, folded."""

from __future__ import annotations

from adapters.journal.kafka.configuration import Configuration
from adapters.journal.kafka.message import CLAIMED, RELEASED, Control, Tenure
from domain.ids import CONFIG_SHARD
from domain.ports import Stored, Unreadable
from tests.conformance.record import START, record, stream

A = stream("a", CONFIG_SHARD)


def claim(shard: int, epoch: int, node: str, kind: str = CLAIMED) -> Control:
    return Control(1, shard, kind, START, Tenure(epoch, f"txn-{node}", node))


def test_streams_are_read_after_a_sequence() -> None:
    configuration = Configuration()
    wanted = [Stored(number, CONFIG_SHARD, 1, record(A, number), "config-0") for number in (1, 2, 3)]
    configuration.take(wanted[:2])
    configuration.take([Unreadable("config-0", 9, "noise", START), wanted[2]])
    assert configuration.read(A, 0) == wanted
    assert configuration.read(A, 2) == wanted[2:]
    assert configuration.read(stream("b", CONFIG_SHARD), 0) == []


def test_the_first_claim_of_the_last_epoch_counts() -> None:
    configuration = Configuration()
    configuration.take([claim(2, 1, "a"), claim(1, 1, "a"), claim(1, 2, "b"), claim(1, 2, "c")])
    configuration.take([claim(2, 1, "a", RELEASED)])
    assert configuration.claims() == {1: (2, "b"), 2: (1, "a")}
