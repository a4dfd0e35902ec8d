"""The journal on Kafka: one transactional producer behind the committer, the fence of claims, and readers.

One process writes as `writer`, and nobody else: a second one of that name ends the session of the first.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from uuid import UUID

from adapters.journal.committer import Committer, Dispatch, at_once
from adapters.journal.kafka.address import Address
from adapters.journal.kafka.producer import Limits, Opening, Transactor, sessions
from adapters.journal.kafka.reader import KafkaReader
from adapters.journal.kafka.setup import prepare
from adapters.journal.kafka.tail import KafkaLog
from adapters.journal.kafka.transactions import KafkaTransactions
from adapters.journal.pace import Pace, PaceLimits
from adapters.journal.submission import Submission
from domain.ports import Batch, Cursor, Done, Note, Notes, Record, Stored

PACE = PaceLimits(least_s=0.005, most_s=0.010, slow=100.0, fast=1_000.0)
"""A transaction costs the client two milliseconds of CPU however few records it has, and a turn may wait 15 ms."""
PATIENCE_S = 30.0
"""So long an append waits for brokers that are away before its shards are lost. A phone has given up by then."""


class KafkaJournal:
    """`domain.ports.SharedJournal` at the brokers of `address`, whose topics are made if they are missing.

    `dispatch`, `queue_limit` and `pace` are as for `SqliteJournal`. `writer` is a name that no other process has and
    that this one has again after a restart. `clock` gives Unix seconds; `opening` opens the producers' sessions.

    Raises JournalError for topics that are not as they must be, JournalAway when no broker answers.
    """

    def __init__(
        self,
        address: Address,
        writer: str,
        *,
        dispatch: Dispatch = at_once,
        queue_limit: int = 10_000,
        pace: Pace | None = None,
        clock: Callable[[], float] = time.time,
        limits: Limits | None = None,
        opening: Opening | None = None,
        patience_s: float = PATIENCE_S,
    ) -> None:
        prepare(address)
        self._reader = KafkaReader(address)
        txn_id = f"{address.prefix}.{writer}"
        open_session = opening or sessions(address, limits)
        self._transactions = KafkaTransactions(
            Transactor(open_session, txn_id),
            open_session,
            KafkaLog(address, f"{txn_id}-claim"),
            patience_s=patience_s,
            wall=clock,
        )
        self._committer = Committer(self._transactions, dispatch, queue_limit, pace)
        self._closed = False

    def claim(self, shards: Sequence[int], node: str) -> Mapping[int, int]:
        """See `domain.ports.Journal`. Takes its place in line after what was submitted before."""
        return self._committer.claim(shards, node)

    def release(self, shards: Sequence[int]) -> None:
        """See `domain.ports.Journal`. Takes its place in line; writes checkpoints."""
        self._committer.release(shards)

    def submit(self, shard: int, epoch: int, records: Sequence[Record], done: Done, notes: Sequence[Note] = ()) -> None:
        """See `domain.ports.SharedJournal`. A position is that in the partition of the last record."""
        self._committer.submit(Submission(shard, epoch, records, done, notes))

    def post(self, notes: Sequence[Note], node: str) -> None:
        """See `domain.ports.SharedJournal`. Takes its place in line after what was submitted before."""
        self._committer.call(lambda: self._transactions.post(notes, node))

    def notes(self, after: int, limit: int = 1000, wait_s: float = 0.0) -> Notes:
        """See `domain.ports.SharedJournal`; a position is one of the partition of configuration."""
        return self._reader.notes(after, limit, wait_s)

    def read(self, stream: UUID, after: int = 0) -> Sequence[Stored]:
        """See `domain.ports.Journal`. The owner of configuration, who asks for each stream that it writes, is answered
        from memory: nobody else adds to it."""
        return self._reader.read(stream, after, self._transactions.config_end)

    def live(self, shard: int, now: float) -> Iterator[Sequence[Stored]]:
        """See `domain.ports.Journal`. What a claim has just read of the shard is not read again."""
        read = self._transactions.read_by_claim(shard)
        return read.live(now) if read is not None else self._reader.live(shard, now)

    def follow(self, cursor: Cursor, limit: int = 1000) -> Batch:
        """See `domain.ports.Journal`; a partition is a shard's calls or registrations, or the configuration."""
        return self._reader.follow(cursor, limit)

    def end(self) -> Cursor:
        """See `domain.ports.Journal`."""
        return self._reader.end()

    def close(self) -> None:
        """See `domain.ports.Journal`. Writes checkpoints and releases the shards. May be called again."""
        if not self._closed:
            self._closed = True
            self._committer.close()
            self._reader.close()
