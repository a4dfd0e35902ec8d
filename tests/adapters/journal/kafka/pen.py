"""A hand that writes into the journal's topics: whole transactions, open and aborted ones, and noise."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from kafka import KafkaProducer, errors  # type: ignore[import-untyped]

from adapters.journal.kafka.address import Address
from adapters.journal.kafka.client import open_client
from adapters.journal.kafka.message import Headers, Message, write
from adapters.journal.kafka.partitions import partition_of
from adapters.journal.kafka.topic import Place
from domain.ports import Record

TIMEOUT_S = 30


class Pen:
    """Belongs to one thread."""

    def __init__(self, address: Address, name: str = "pen") -> None:
        self._address = address
        self._producer: Any = open_client(
            KafkaProducer, address, name, transactional_id=f"{address.prefix}.{name}", retry_backoff_ms=5
        )
        self._producer.init_transactions()
        self._open = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._open:
            self.abort()
        self._producer.close(timeout=5)

    def begin(self) -> None:
        self._producer.begin_transaction()
        self._open = True

    def put(self, messages: Sequence[Message]) -> list[int]:
        """Write into the open transaction; returns the offsets once the broker has them."""
        sent = [self._send(one.place, one.key, one.value, one.headers) for one in messages]
        return [one.get(TIMEOUT_S).offset for one in sent]

    def commit(self) -> None:
        self._producer.commit_transaction()
        self._open = False

    def abort(self) -> None:
        with suppress(errors.KafkaError):
            self._producer.abort_transaction()
        self._open = False

    def messages(self, messages: Sequence[Message]) -> list[int]:
        """One transaction."""
        self.begin()
        offsets = self.put(messages)
        self.commit()
        return offsets

    def records(self, shard: int, records: Sequence[Record], epoch: int = 1) -> list[int]:
        """One transaction of records; returns their offsets."""
        return self.messages([write(record, shard, epoch, "node") for record in records])

    def noise(
        self,
        place: Place,
        key: bytes | None = None,
        value: bytes | None = None,
        headers: Headers = (),
    ) -> int:
        """A record of a stranger."""
        self.begin()
        sent = self._send(place, key, value, list(headers))
        offset: int = sent.get(TIMEOUT_S).offset
        self.commit()
        return offset

    def _send(self, place: Place, key: bytes | None, value: bytes | None, headers: Any) -> Any:
        partition = partition_of(self._address, place)
        return self._producer.send(partition.topic, value, key, headers, partition.partition)
