"""Records, and appends that wait for their answer, for the tests of journals."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from uuid import UUID

from domain.ids import named_stream_id
from domain.ports import Journal, OwnershipLost, Record

TIMEOUT_S = 60
START = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def stream(name: str, shard: int = 1) -> UUID:
    return named_stream_id(shard, name)


def record(of: UUID, sequence: int, live_until: float | None = None) -> Record:
    return Record(
        stream=of,
        sequence=sequence,
        type="call.tested.1",
        category="calls",
        tenant="acme",
        time=START + timedelta(microseconds=sequence),
        data=f'{{"n":{sequence}}}'.encode(),
        live_until=live_until,
    )


def records(of: UUID, first: int, last: int) -> list[Record]:
    return [record(of, sequence) for sequence in range(first, last + 1)]


def submit(journal: Journal, shard: int, epoch: int, batch: Sequence[Record]) -> Future[int | OwnershipLost]:
    answer: Future[int | OwnershipLost] = Future()
    journal.submit(shard, epoch, batch, answer.set_result)
    return answer


def append(journal: Journal, shard: int, epoch: int, batch: Sequence[Record]) -> int | OwnershipLost:
    return submit(journal, shard, epoch, batch).result(TIMEOUT_S)


def appended(journal: Journal, shard: int, epoch: int, batch: Sequence[Record]) -> int:
    """The position of what must be appended."""
    outcome = append(journal, shard, epoch, batch)
    assert isinstance(outcome, int), outcome
    return outcome


def sequences(journal: Journal, of: UUID) -> list[int]:
    return [stored.record.sequence for stored in journal.read(of)]
