"""A shard that this process owns: by which term, what it knows of it, and the words with which it gives it up.

What may live here: pure state of one shard and what follows from it. Who may have a shard, and what is done in doubt,
is for `transactions`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from adapters.journal.kafka.claim import Book, Standing, control_place
from adapters.journal.kafka.ledger import Ledger, Plan
from adapters.journal.kafka.message import RELEASED, Message, Tenure, write_control
from adapters.journal.kafka.topic import CONFIG, place, place_of
from domain.ids import CONFIG_SHARD
from domain.ports import JournalError, Record, Stored

_MESSAGES = 2_000
"""More than these are not put into one transaction at the end."""


class Anew(JournalError):
    """The log is not the one that this process knew."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what}: somebody has made the topic anew; stop, and find out who, before anything else is written"
        )


@dataclass(slots=True)
class Owned:
    """`term` is the epoch that the owner was told, `tenure` what the log says since the last session began."""

    term: int
    tenure: Tenure
    ledger: Ledger

    def note(self, records: Sequence[Record], offsets: Sequence[int]) -> int:
        """They are durable at `offsets`: into the ledger with them. The position of the last. Raises Anew."""
        shard, epoch, ledger = self.ledger.shard, self.tenure.epoch, self.ledger
        stored = []
        for record, offset in zip(records, offsets, strict=True):
            its = place_of(record.category, shard)
            if offset < ledger.offsets[its]:
                raise Anew(f"{its.key} was known up to {ledger.offsets[its]} and is written at {offset} now")
            stored.append(Stored(offset + 1, shard, epoch, record, its.key))
            ledger.offsets[its] = offset + 1
        ledger.add(stored)
        return offsets[-1] + 1 if offsets else 0

    def plan(self, at: datetime) -> Plan:
        """The next checkpoint."""
        tenure = self.tenure
        return self.ledger.plan(at, tenure.epoch, tenure.txn_id, tenure.node)

    def book(self) -> Book:
        """Where this process knows all of the shard."""
        tenure = self.tenure
        return Book(self.ledger.shard, Standing(tenure.epoch, tenure.txn_id, tenure.node), self.ledger.offsets)


def last_words(given: Mapping[int, Owned], at: datetime) -> Iterator[list[Message]]:
    """Of each shard a checkpoint and that it is free, in portions for one transaction each."""
    messages = list[Message]()
    for shard, owned in given.items():
        messages += owned.plan(at).messages
        messages.append(write_control(RELEASED, control_place(shard), owned.tenure, at))
        if shard != CONFIG_SHARD:
            messages.append(write_control(RELEASED, place(CONFIG, 0), owned.tenure, at, shard))
        if len(messages) >= _MESSAGES:
            yield messages
            messages = []
    if messages:
        yield messages
