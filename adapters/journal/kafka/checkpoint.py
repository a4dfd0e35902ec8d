"""Checkpoints: what an owner holds, kept so that a take-over reads seconds of log and not days.

A checkpoint says, for the state at some offsets of its shard's partitions: the records so far of each stream that must
be held. Each record is written into a checkpoint once, in parts that are only ever added to: `STREAM/PART` -> records;
all parts of a stream get tombstones when it is over. `shard-N` -> the marker: up to where the parts reach. What follows
those offsets is read from the log itself (the tail). A checkpoint is one transaction, so who reads the topic to its end
has a whole one.

What may live here: the records of the topic in both directions, and what they mean. No broker and no clock.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from adapters.journal.kafka.message import Message, time_text
from adapters.journal.kafka.topic import CHECKPOINTS, Place, place, place_of
from domain.ids import CONFIG_SHARD, text_of
from domain.ports import JournalError, Record, Stored

_log = logging.getLogger(__name__)

PART_BYTES = 400_000
"""A part has no more bytes of events than these, or but one event: brokers take a million."""
CHECKPOINT = "shard.checkpoint.1"


class Marker(msgspec.Struct, frozen=True):
    """Up to where a checkpoint reaches: partition (a cursor's key) -> the offset at which the tail begins."""

    offsets: dict[str, int]
    epoch: int
    txn_id: str
    node: str


class _Kept(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A record within a part; its stream is in the key."""

    position: int
    epoch: int
    sequence: int
    type: str
    category: str
    tenant: str
    time: datetime
    data: bytes
    live_until: float | None


_encoder = msgspec.msgpack.Encoder()
_parts = msgspec.msgpack.Decoder(list[_Kept])
_markers = msgspec.msgpack.Decoder(Marker)


def checkpoint_place(shard: int) -> Place | None:
    """Where the shard's checkpoints are; None for the shard of configuration, which is read from its start."""
    return None if shard == CONFIG_SHARD else place(CHECKPOINTS, shard)


class _Pieces:
    """A stream as it is read: its parts by number, and its records in the tail."""

    __slots__ = ("fresh", "kept", "parts")

    def __init__(self) -> None:
        self.parts: dict[int, list[Stored]] = {}
        self.kept = 0
        """the last position in a part: a marker that cannot be read leaves the tail longer than it is"""
        self.fresh: list[Stored] = []


class Snapshot:
    """What the checkpoint topic and the tails say of one shard, for those who read both.

    Tell it every record of the shard's checkpoint partition from its start (`saved`), then every record of the tails,
    which begin at `offsets` (`stored`). More of either may follow.
    """

    def __init__(self, shard: int) -> None:
        self.shard = shard
        self.marker: Marker | None = None
        self._streams: dict[UUID, _Pieces] = {}

    @property
    def offsets(self) -> Mapping[str, int]:
        """Partition -> the offset at which its tail begins; 0 for one that is missing."""
        return self.marker.offsets if self.marker else {}

    def saved(self, key: bytes | None, value: bytes | None) -> None:
        """A record of the checkpoint partition. One that cannot be read is logged and counts for nothing."""
        try:
            name, slash, number = (key or b"").decode().partition("/")
            if slash:
                self._save(UUID(name), int(number), value)
            elif name == f"shard-{self.shard}" and value is not None:
                self._mark(_markers.decode(value))
            else:
                raise ValueError("no part of a stream and no marker")
        except (ValueError, msgspec.MsgspecError, JournalError) as error:
            _log.warning("checkpoints of shard %d: record %r is left out: %s", self.shard, key, error)

    def stored(self, one: Stored) -> None:
        """A record of the tail."""
        if one.position > self.offsets.get(one.partition, 0):
            pieces = self._pieces(one.record.stream)
            if one.position > pieces.kept:
                pieces.fresh.append(one)

    def live(self, now: float) -> Iterator[list[Stored]]:
        """Each stream that an owner must hold at `now` (Unix seconds), whole, by id."""
        for _, records in sorted(self._whole(), key=lambda item: item[0].bytes):
            if is_live(records[-1].record.live_until, now):
                yield records

    def tail(self) -> Iterator[Stored]:
        """What was heard of the tails, stream by stream."""
        for pieces in self._streams.values():
            yield from pieces.fresh

    def streams(self) -> Iterator[tuple[UUID, int, Stored | None, list[Stored]]]:
        """(stream, parts, its last record, its records in the tail); None where parts are left of one that is over."""
        whole = {stream: records[-1] for stream, records in self._whole()}
        for stream, pieces in self._streams.items():
            yield stream, max(pieces.parts, default=-1) + 1, whole.get(stream), pieces.fresh

    def _pieces(self, stream: UUID) -> _Pieces:
        pieces = self._streams.get(stream)
        if pieces is None:
            pieces = self._streams[stream] = _Pieces()
        return pieces

    def _save(self, stream: UUID, number: int, value: bytes | None) -> None:
        if value is not None:
            records = [self._of(stream, kept) for kept in _parts.decode(value)]
            pieces = self._pieces(stream)
            pieces.parts[number] = records
            pieces.kept = max(pieces.kept, records[-1].position if records else 0)
        elif stream in self._streams:
            pieces = self._streams[stream]
            pieces.parts.pop(number, None)
            if not pieces.parts and not pieces.fresh:
                del self._streams[stream]

    def _mark(self, marker: Marker) -> None:
        """What the tail had that the parts have now is not had twice."""
        self.marker = marker
        for stream, pieces in list(self._streams.items()):
            pieces.fresh = [one for one in pieces.fresh if one.position > marker.offsets.get(one.partition, 0)]
            if not pieces.parts and not pieces.fresh:
                del self._streams[stream]

    def _of(self, stream: UUID, kept: _Kept) -> Stored:
        record = Record(
            stream, kept.sequence, kept.type, kept.category, kept.tenant, kept.time, kept.data, kept.live_until
        )
        return Stored(kept.position, self.shard, kept.epoch, record, place_of(kept.category, self.shard).key)

    def _whole(self) -> Iterator[tuple[UUID, list[Stored]]]:
        """Those of which no part is missing: compaction may take some parts of one that is over before the others."""
        for stream, pieces in self._streams.items():
            parts = pieces.parts
            if all(number in parts for number in range(len(parts))):
                records = [one for number in range(len(parts)) for one in parts[number]]
                records += pieces.fresh
                if records:
                    yield stream, records


def is_live(until: float | None, now: float) -> bool:
    """Whether an owner must hold a stream whose last record says `until`."""
    return until is None or until > now


class Writing:
    """Gathers the records of one checkpoint."""

    def __init__(self, where: Place, at: datetime, node: str) -> None:
        self._where = where
        self.messages: list[Message] = []
        self._common = [
            ("ce_specversion", b"1.0"),
            ("ce_type", CHECKPOINT.encode()),
            ("ce_source", f"/switchlog/{node}".encode()),
            ("ce_time", time_text(at)),
            ("content-type", b"application/msgpack"),
        ]

    def parts(self, stream: UUID, first: int, records: Sequence[Stored]) -> int:
        """Write `records` as parts from number `first` on; how many."""
        number, size, kept = first, 0, list[_Kept]()
        for one in records:
            if kept and size + len(one.record.data) > PART_BYTES:
                self._say(_part(stream, number), kept, kept[-1].position)
                number, size, kept = number + 1, 0, []
            kept.append(_kept(one))
            size += len(one.record.data)
        if kept:
            self._say(_part(stream, number), kept, kept[-1].position)
            number += 1
        return number - first

    def forget(self, stream: UUID, parts: int) -> None:
        self.messages += [Message(self._where, _part(stream, number), None, []) for number in range(parts)]

    def mark(self, shard: int, marker: Marker) -> None:
        self._say(b"shard-%d" % shard, marker, max(marker.offsets.values(), default=0))

    def _say(self, key: bytes, value: object, position: int) -> None:
        headers = [*self._common, ("ce_id", b"%s:%d" % (key, position)), ("ce_subject", key)]
        self.messages.append(Message(self._where, key, _encoder.encode(value), headers))


def _part(stream: UUID, number: int) -> bytes:
    return f"{text_of(stream)}/{number}".encode()


def _kept(one: Stored) -> _Kept:
    record = one.record
    return _Kept(
        one.position,
        one.epoch,
        record.sequence,
        record.type,
        record.category,
        record.tenant,
        record.time,
        record.data,
        record.live_until,
    )
