"""Records as Kafka holds them, in both directions: CloudEvents 1.0 in binary mode, so that any client reads them.

What may live here: keys, headers and values. No broker and no client: what cannot be read is a value too, because one
bad record must not stop who follows the journal
(https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from math import isfinite
from typing import NamedTuple
from urllib.parse import quote
from uuid import UUID, SafeUUID

import msgspec

from adapters.journal.kafka.topic import CONFIG, Place, place_of
from domain.catalog import CATEGORIES
from domain.ids import CONFIG_SHARD, SHARDS, shard_of, text_of
from domain.ports import JournalError, Note, Noted, Record, Stored, Unreadable

Headers = Sequence[tuple[str, bytes]]

CONTROL = "shard."
"""What the type of every control record begins with."""
CLAIMED, RELEASED, MENDED = "shard.claimed.1", "shard.released.1", "shard.mended.1"
TENURES = (CLAIMED, RELEASED, MENDED)
"""The types of records about a tenure; those of `MENDED` are never committed (`claim.mend_messages`)."""

_SUBJECT = b"shard-"
_VERSION = ("ce_specversion", b"1.0")
_JSON = ("content-type", b"application/json")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MS = 253_402_300_799_000
"""The end of the year 9999, the last that a `datetime` knows."""
_MOST = 2**63 - 1
_SHOWN, _DIGITS = 200, 19
"""So much is shown of a type that nobody knows, and read of a number that may be none."""


class Message(NamedTuple):
    """What is sent to the partition `place`."""

    place: Place
    key: bytes
    value: bytes | None
    headers: list[tuple[str, bytes]]


class Tenure(msgspec.Struct, frozen=True):
    """What a control record holds: a node's term of ownership of a shard, and the `transactional.id` it writes with.

    `address` is where other nodes reach it by SIP, empty if they do not.
    """

    epoch: int
    txn_id: str
    node: str
    address: str = ""


class Control(msgspec.Struct, frozen=True):
    """Whose a shard is: a record about it and about no stream; `type` is one of `TENURES`."""

    position: int
    shard: int
    type: str
    time: datetime
    tenure: Tenure


Found = Stored | Control | Noted | Unreadable
"""What a record may be. Control records that are not about a tenure are notes."""


class _Foreign(ValueError):
    """Not a record of ours; the text says why."""


def write(record: Record, shard: int, epoch: int, node: str) -> Message:
    """`record` as the owner of `shard` appends it in `epoch`. Raises JournalError where it does not belong."""
    place = place_of(record.category, shard)
    stream = text_of(record.stream)
    key, sequence = stream.encode(), b"%d" % record.sequence
    headers = [
        _VERSION,
        ("ce_id", b"%s:%s" % (key, sequence)),
        ("ce_source", _source(node)),
        ("ce_type", record.type.encode()),
        ("ce_subject", key),
        ("ce_time", time_text(record.time)),
        ("ce_tenant", record.tenant.encode()),
        ("ce_sequence", sequence),
        _JSON,
        ("epoch", b"%d" % epoch),
    ]
    if record.live_until is not None:
        headers.append(("liveuntil", repr(float(record.live_until)).encode()))
    if record.category != place.topic:
        headers.append(("category", record.category.encode()))
    return Message(place, key, record.data, headers)


def write_control(kind: str, place: Place, tenure: Tenure, at: datetime, shard: int | None = None) -> Message:
    """A control record of the shard of `place`; `kind` is `CLAIMED` or `RELEASED`.

    With `shard`, in the partition of configuration, it announces to all nodes what was decided about another shard.
    """
    about = place.shard if shard is None else shard
    key = b"shard-%d" % about
    headers = [
        _VERSION,
        ("ce_id", f"shard-{about}:{place.topic}:{tenure.epoch}:{kind}".encode()),
        ("ce_source", _source(tenure.node)),
        ("ce_type", kind.encode()),
        ("ce_subject", key),
        ("ce_time", time_text(at)),
        _JSON,
    ]
    return Message(place, key, msgspec.json.encode(tenure), headers)


def write_note(note: Note, node: str) -> Message:
    """`note` as `node` tells it to the others. The same note is the same event, however often it comes."""
    key = note.subject.encode()
    digest = blake2b(note.data, digest_size=8).hexdigest()
    headers = [
        _VERSION,
        ("ce_id", f"{note.subject}:{note.time.timestamp():.6f}:{digest}".encode()),
        ("ce_source", _source(node)),
        ("ce_type", note.type.encode()),
        ("ce_subject", key),
        ("ce_time", time_text(note.time)),
        _JSON,
    ]
    return Message(place_of("config", CONFIG_SHARD), key, note.data, headers)


def note_of(place: Place, offset: int, key: bytes | None, value: bytes | None, headers: Headers) -> Noted | None:
    """Any control record as a note, those about tenures too; None for all others."""
    if key is None or not key.startswith(_SUBJECT):
        return None
    found = read(place, offset, key, value, headers)
    if isinstance(found, Control):
        return Noted(found.position, Note(found.type, f"shard-{found.shard}", found.time, value or b""))
    return found if isinstance(found, Noted) else None


def read(
    place: Place, offset: int, key: bytes | None, value: bytes | None, headers: Headers, timestamp_ms: int = 0
) -> Found:
    """What the record at `offset` of `place` is; its position is `offset` + 1, as a cursor holds what was handled.

    `timestamp_ms` is Kafka's time of the record (Unix milliseconds): all that is known of one that cannot be read.
    """
    found = dict(headers)
    try:
        if found.get("ce_specversion") != b"1.0":
            raise _Foreign("it is no CloudEvent: there is no ce_specversion 1.0")
        kind = found["ce_type"].decode()
        if key is None or value is None:
            raise _Foreign("it has no key or no value")
        if found["ce_subject"] != key:
            raise _Foreign("its key is not its ce_subject")
        if kind.startswith(CONTROL):
            return _read_control(place, offset, kind, key, value, found)
        return _read_event(place, offset, kind, key, value, found)
    except KeyError as error:
        reason = f"it has no header {error.args[0]}"
    except (ValueError, OverflowError, msgspec.MsgspecError, JournalError) as error:
        reason = str(error)
    except (AttributeError, TypeError):
        reason = "a header has no value"
    return _unreadable(place, offset, reason, timestamp_ms, found)


def _unreadable(place: Place, offset: int, reason: str, timestamp_ms: int, found: dict[str, bytes]) -> Unreadable:
    """With type, stream and sequence as far as the headers say them."""
    kind, subject, sequence = (found.get(name) or b"" for name in ("ce_type", "ce_subject", "ce_sequence"))
    stream = None
    with suppress(ValueError):
        stream = _stream(subject)
    return Unreadable(
        place.key,
        offset + 1,
        reason,
        _EPOCH + timedelta(milliseconds=min(max(0, timestamp_ms), _LAST_MS)),
        kind[:_SHOWN].decode("utf-8", "replace"),
        stream,
        int(sequence) if len(sequence) < _DIGITS and sequence.isdigit() else 0,
    )


def _read_event(place: Place, offset: int, kind: str, key: bytes, value: bytes, found: dict[str, bytes]) -> Stored:
    stream = _stream(key)
    shard = place.shard
    if place.topic != CONFIG and shard_of(stream) != shard:
        raise _Foreign(f"stream {key.decode()} belongs to shard {shard_of(stream)}, not {shard}")
    sequence, epoch = int(found["ce_sequence"]), int(found["epoch"])
    if not (0 <= sequence <= _MOST and 1 <= epoch <= _MOST):
        raise _Foreign(f"sequence {sequence} in epoch {epoch}: there is none")
    until = found.get("liveuntil")
    live_until = None if until is None else float(until)
    if live_until is not None and not isfinite(live_until):
        raise _Foreign(f"liveuntil {live_until} is no time")
    record = Record(
        stream,
        sequence,
        kind,
        _category(place, kind, found),
        found["ce_tenant"].decode(),
        time_of(found["ce_time"]),
        value,
        live_until,
    )
    return Stored(offset + 1, shard, epoch, record, place.key)


def _read_control(
    place: Place, offset: int, kind: str, key: bytes, value: bytes, found: dict[str, bytes]
) -> Control | Noted:
    shard = place.shard if key == b"shard-%d" % place.shard else _ANNOUNCED.get(key) if place.topic == CONFIG else None
    if shard is None:
        raise _Foreign(f"a control record of {key.decode()} in the partition of shard {place.shard}")
    at = time_of(found["ce_time"])
    if kind not in TENURES:
        return Noted(offset + 1, Note(kind, key.decode(), at, value))
    return Control(offset + 1, shard, kind, at, _tenures.decode(value))


_tenures = msgspec.json.Decoder(Tenure)
_ANNOUNCED = {b"shard-%d" % shard: shard for shard in range(SHARDS)}


def _category(place: Place, kind: str, found: dict[str, bytes]) -> str:
    """Said by a header where the topic's name does not say it."""
    said = found.get("category")
    if said is None:
        return place.topic
    category = said.decode()
    if place_of(category, place.shard) != place or CATEGORIES.get(kind, category) != category:
        raise _Foreign(f"a {kind} of the category {category} does not belong here")
    return category


@lru_cache(maxsize=256)
def _source(node: str) -> bytes:
    """`/switchlog/NODE`, a URI reference as `ce_source` must be."""
    return f"/switchlog/{quote(node, safe='')}".encode()


def time_text(at: datetime) -> bytes:
    """RFC 3339 in UTC with microseconds."""
    return f"{at.astimezone(UTC).isoformat(timespec='microseconds')[:-6]}Z".encode()


def time_of(text: bytes) -> datetime:
    """The time that `time_text` gave `text` for; any RFC 3339 time is taken. Raises ValueError."""
    at = datetime.fromisoformat(text.decode())
    if at.tzinfo is None:
        raise _Foreign(f"ce_time {text.decode()} has no zone")
    return at


_blank, _set = UUID.__new__, object.__setattr__
_KNOWN = 8192
"""Ids that are kept: the records of a stream come soon after each other."""


@lru_cache(_KNOWN)
def _stream(key: bytes) -> UUID:
    """`UUID(key.decode())` of the form with four dashes, without the class's looking at six ways to be called."""
    digits = key.replace(b"-", b"")
    if len(key) != 36 or len(digits) != 32 or not digits.isalnum():
        raise _Foreign(f"key {key[:60]!r} is no stream id")
    made = _blank(UUID)
    _set(made, "int", int(digits, 16))
    _set(made, "is_safe", SafeUUID.unknown)
    return made
