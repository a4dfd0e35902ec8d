"""Records as the client library would give them, for tests without a broker."""

from __future__ import annotations

from typing import NamedTuple

from adapters.journal.kafka.message import Headers, Message, write
from domain.ports import Record


class RawRecord(NamedTuple):
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers


def raw(message: Message, offset: int = 0, timestamp: int = 0) -> RawRecord:
    return RawRecord(offset, timestamp, message.key, message.value, message.headers)


def written(record: Record, shard: int, offset: int = 0, timestamp: int = 0, epoch: int = 1) -> RawRecord:
    return raw(write(record, shard, epoch, "node"), offset, timestamp)
