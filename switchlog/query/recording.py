"""What the API reads of recordings: ClickHouse for lists, the journal for one, the storage for its sound."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from adapters.journal.codec import decode
from api.ports import Item, RecordingFilter, Scope
from domain.call.call import Call
from domain.call.recording import Kept, call_of_recording
from domain.ports import JournalError, Stored
from domain.refusal import Refusal
from domain.storage import MissingFileError, StorageError
from media.sealed import SealedError, SealedWave
from switchlog.studio.reel import ReelStore
from switchlog.studio.sealed_wave import open_wave

Rows = Callable[[str, Mapping[str, object]], list[Item]]
Read = Callable[[UUID], Sequence[Stored]]
_STARTED, _STOPPED, _ERASED = (f"type LIKE 'call.recording_{one}.%%'" for one in ("started", "stopped", "erased"))
_LIST = f"""
WITH r AS (
    SELECT any(tenant) AS tenant, call_id, JSONExtractString(data, 'recording') AS recording,
        minIf(time, {_STARTED}) AS started_at, anyIf(data, {_STARTED}) AS began,
        maxIf(time, {_STOPPED}) AS stopped_at, anyIf(data, {_STOPPED}) AS stopped, countIf({_ERASED}) AS erased
    FROM call_events WHERE type LIKE 'call.recording_%%' {{where}}
    GROUP BY call_id, recording
    HAVING began != '' AND erased = 0 {{having}}
    ORDER BY started_at DESC, recording DESC LIMIT %(limit)s
)
SELECT r.recording AS recording, r.tenant AS tenant, r.call_id AS call_id, r.started_at AS started_at,
    r.began AS began, r.stopped_at AS stopped_at, r.stopped AS stopped, c.from_number, c.to_number
FROM r LEFT JOIN (
    SELECT call_id, from_number, to_number FROM cdr WHERE (tenant, call_id) IN (SELECT tenant, call_id FROM r)
) AS c ON c.call_id = r.call_id
ORDER BY started_at DESC, recording DESC
"""


class _Began(msgspec.Struct):
    layout: str
    by: str


class _Stopped(msgspec.Struct):
    kept: Kept


class RecordingQueries:
    """`api.ports.Recordings`."""

    def __init__(self, rows: Rows, read: Read, store: ReelStore) -> None:
        """`rows` asks ClickHouse, `read` the journal for a stream; both block."""
        self._rows, self._read, self._store = rows, read, store

    async def recordings(
        self, scope: Scope, wanted: RecordingFilter, limit: int, before: tuple[datetime, str] | None
    ) -> Sequence[Item]:
        values: dict[str, object] = {"limit": limit}
        where = having = ""
        if scope.tenant is not None:
            where, values["tenant"] = "AND tenant = %(tenant)s", scope.tenant
        if wanted.call is not None:
            where, values["call"] = f"{where} AND call_id = toUUID(%(call)s)", str(wanted.call)
        for name, comparison, at in (("since", ">=", wanted.since), ("until", "<", wanted.until)):
            if at is not None:
                having += f" AND started_at {comparison} fromUnixTimestamp64Micro(%({name})s)"
                values[name] = _micros(at)
        if before is not None:
            having += " AND (started_at, recording) < (fromUnixTimestamp64Micro(%(at)s), %(id)s)"
            values |= {"at": _micros(before[0]), "id": before[1]}
        rows = await asyncio.to_thread(self._rows, _LIST.format(where=where, having=having), values)
        return [_item(row) for row in rows]

    async def recording(self, scope: Scope, recording: str) -> Item:
        return await asyncio.to_thread(self._one, scope, recording)

    def audio(self, scope: Scope, recording: str) -> SealedWave:
        found = self._one(scope, recording)
        if "stopped_at" not in found:
            raise Refusal("conflict", f"{recording} goes on, or is on its way to the storage: ask again later")
        try:
            return open_wave(self._store.storage, found["file"], self._store.key(found["tenant"], recording))
        except MissingFileError as error:
            raise Refusal("missing", f"there is no sound of {recording}: {found['reason'] or error}") from error
        except (StorageError, SealedError) as error:
            raise Refusal("unavailable", str(error)) from error

    def _one(self, scope: Scope, recording: str) -> dict[str, Any]:
        try:
            stream = call_of_recording(recording)
            events = [decode(one.record.type, one.record.data) for one in self._read(stream)]
        except ValueError:
            events = []
        except JournalError as error:
            raise Refusal("unavailable", str(error)) from error
        found: dict[str, Any] = {}
        for event in events:
            if isinstance(event, Call.RecordingStarted) and event.recording == recording:
                found = {
                    "recording": recording,
                    "tenant": event.context.tenant,
                    "call_id": event.originator_id,
                    "layout": event.layout,
                    "by": event.by,
                    "started_at": event.timestamp,
                }
            elif isinstance(event, Call.RecordingStopped) and event.recording == recording:
                found |= {"stopped_at": event.timestamp} | _told(event.kept)
            elif isinstance(event, Call.RecordingErased) and event.recording == recording:
                raise Refusal("missing", f"{recording} was erased on {event.timestamp:%Y-%m-%d}: {event.why}")
        if not found or scope.tenant not in (None, found["tenant"]):
            raise Refusal("missing", f"there is no recording {recording}")
        return found


def _item(row: Item) -> Item:
    began = msgspec.json.decode(row["began"], type=_Began)
    found: dict[str, Any] = {name: row[name] for name in ("recording", "tenant", "call_id", "started_at")}
    found |= {"layout": began.layout, "by": began.by}
    found |= {"from_number": row["from_number"], "to_number": row["to_number"]}
    if row["stopped"]:
        kept = msgspec.json.decode(row["stopped"], type=_Stopped).kept
        found |= {"stopped_at": row["stopped_at"]} | _told(kept)
    return found


def _told(kept: Kept) -> dict[str, Any]:
    return {"file": kept.name, "sha256": kept.sha256, "duration_ms": kept.duration_ms, "reason": kept.reason}


def _micros(at: datetime) -> int:
    """Unix time in microseconds: the driver would cut a datetime to whole seconds."""
    return int(at.timestamp()) * 1_000_000 + at.microsecond
