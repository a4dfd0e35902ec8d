"""Letters between nodes in the topic of commands: written by anybody, read by all from the moment on when they begin.

What may live here: how a letter is a record, and the clients that write and read. What letters say is for others
(`adapters.command.kafka`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zlib import crc32

from kafka import KafkaProducer  # type: ignore[import-untyped]

from adapters.journal.kafka.address import Address
from adapters.journal.kafka.client import open_client
from adapters.journal.kafka.failure import named_errors
from adapters.journal.kafka.message import time_text
from adapters.journal.kafka.partitions import Ends, Partitions, partition_of
from adapters.journal.kafka.topic import COMMANDS, TOPICS, place
from domain.ports import JournalError, Letter

_PLACES = tuple(place(COMMANDS, number) for number in range(TOPICS[COMMANDS].partitions))
_LIMIT = 500
_SEND_S = 5.0
LETTER_BYTES = 900_000
"""Brokers take a million."""


class Mailbox:
    """`send` is thread-safe; `take` belongs to one thread. All methods block and raise JournalError, also this one."""

    def __init__(self, address: Address, node: str) -> None:
        self._address, self._node = address, node
        client_id = f"{address.prefix}-{node}-commands"
        ends = Ends(address, client_id)
        try:
            self._begin = ends.committed(_PLACES)
        finally:
            ends.close()
        self._partitions = Partitions(address, client_id)
        try:
            self._partitions.stand(self._begin)
            with named_errors(address):
                self._producer: Any = open_client(
                    KafkaProducer,
                    address,
                    client_id,
                    acks="all",
                    linger_ms=0,
                    retry_backoff_ms=20,
                    max_block_ms=round(_SEND_S * 1000),
                    delivery_timeout_ms=round(_SEND_S * 1000),
                    request_timeout_ms=round(_SEND_S * 1000),
                )
        except BaseException:
            self._partitions.close()
            raise

    def send(self, letter: Letter, at: datetime) -> None:
        """It is durable when this returns; letters of one `id` stay in order. `at` is aware."""
        if len(letter.sealed) > LETTER_BYTES:
            raise JournalError(f"a letter of {len(letter.sealed):,} bytes is more than nodes send each other")
        its = _PLACES[crc32(letter.to.encode()) % len(_PLACES)]
        key = letter.id.encode()
        headers = [
            ("ce_specversion", b"1.0"),
            ("ce_id", f"{letter.id}:{letter.type}:{self._node}".encode()),
            ("ce_source", f"/switchlog/{self._node}".encode()),
            ("ce_type", letter.type.encode()),
            ("ce_subject", key),
            ("ce_time", time_text(at)),
            ("content-type", b"text/plain"),
            ("to", letter.to.encode()),
        ]
        where = partition_of(self._address, its)
        with named_errors(self._address):
            sent = self._producer.send(where.topic, letter.sealed, key, headers, partition=where.partition)
            sent.get(_SEND_S)

    def take(self, wait_ms: int) -> Sequence[Letter]:
        """The next letters, the first of which is waited for up to `wait_ms`; what is none is left out."""
        letters = (
            _letter(record) for _, records in self._partitions.take(_LIMIT, wait_ms) for record in records
        )  # fmt: skip
        return [letter for letter in letters if letter is not None]

    def close(self) -> None:
        """Release the connections."""
        self._partitions.close()
        self._producer.close(timeout=0)


def _letter(record: Any) -> Letter | None:
    found = dict(record.headers)
    try:
        return Letter(
            record.key.decode(), found["ce_type"].decode(), found["to"].decode(), record.value or b""
        )  # fmt: skip
    except (AttributeError, KeyError, UnicodeDecodeError):
        return None
