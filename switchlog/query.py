"""What the API reads: the live view, the journal's file, and ClickHouse (`api.ports.Queries`)."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from adapters.analytics.client import Warehouse, WarehouseError
from adapters.command.local import CommandClient
from adapters.journal.codec import decode
from adapters.journal.reader import SqliteReader
from adapters.sip.identifier import SipIdentifiers
from api.ports import CdrFilter, EventFilter, EventPage, Item, Scope
from domain.ports import PARTITION, JournalError, Stored
from domain.refusal import Refusal
from projections.live import Live
from projections.row import RegistrationRow
from switchlog.story import tell
from switchlog.trace import wire_of

_KEPT = (datetime, UUID)
_SCAN = 1000
_SCANS = 20
"""At most so many records are looked at for one page of filtered events."""


class ApiQueries:
    """Blocking readers behind threads: one ClickHouse connection, one reader of the journal's file."""

    def __init__(
        self,
        live: Live,
        reader: SqliteReader,
        warehouse: Warehouse,
        parts: Mapping[str, CommandClient],
        identifiers: SipIdentifiers,
        trace: Path,
    ) -> None:
        self._live, self._reader, self._warehouse, self._parts = live, reader, warehouse, parts
        self._identifiers, self._trace = identifiers, trace
        self._warehouse_lock = threading.Lock()

    async def calls(self, scope: Scope) -> Sequence[Item]:
        return [msgspec.to_builtins(call, builtin_types=_KEPT) for call in self._live.calls(scope.tenant)]

    async def registrations(self, scope: Scope) -> Sequence[Item]:
        held = self._live.bindings(datetime.now(UTC), scope.tenant)
        return [_binding(row) for row in held]

    async def cdr(
        self, scope: Scope, wanted: CdrFilter, limit: int, before: tuple[datetime, UUID] | None
    ) -> Sequence[Item]:
        conditions: dict[str, object] = {
            "tenant = %(tenant)s": scope.tenant,
            "started_at >= fromUnixTimestamp64Micro(%(since)s)": wanted.since,
            "started_at < fromUnixTimestamp64Micro(%(until)s)": wanted.until,
            "(from_number = %(number)s OR to_number = %(number)s OR answered_by = %(number)s)": wanted.number,
        }
        where = [condition for condition, value in conditions.items() if value is not None]
        values: dict[str, object] = {
            "tenant": scope.tenant,
            "since": _micros(wanted.since),
            "until": _micros(wanted.until),
            "number": wanted.number,
            "limit": limit,
        }
        if before is not None:
            where.append("(started_at, call_id) < (fromUnixTimestamp64Micro(%(at)s), toUUID(%(id)s))")
            values |= {"at": _micros(before[0]), "id": str(before[1])}
        clause = f"WHERE {' AND '.join(where)} " if where else ""
        sql = f"SELECT * FROM cdr {clause}ORDER BY started_at DESC, call_id DESC LIMIT %(limit)s"
        return await asyncio.to_thread(self._rows, sql, values)

    async def events(self, scope: Scope, wanted: EventFilter, after: int, limit: int) -> EventPage:
        def fits(stored: Stored) -> bool:
            record = stored.record
            kind = record.type
            return (
                (scope.tenant is None or record.tenant == scope.tenant)
                and (wanted.stream is None or record.stream == wanted.stream)
                and (wanted.type is None or wanted.type in (kind, kind.rpartition(".")[0]))
            )

        if wanted.stream is not None:
            return await asyncio.to_thread(self._stream, wanted.stream, fits, after, limit)
        return await asyncio.to_thread(self._scan, fits, after, limit)

    async def story(self, scope: Scope, call: UUID) -> Item | None:
        return await asyncio.to_thread(self._story, scope, call)

    async def health(self) -> Mapping[str, str]:
        found = {"journal": "ok", "live": "ok" if self._live.cursor else "not loaded yet"}
        for name, client in self._parts.items():
            try:
                await client.call("ping", {}, "system", f"ping-{name}-{asyncio.get_running_loop().time()}")
                found[name] = "ok"
            except Refusal as no:
                found[name] = no.detail
        found["clickhouse"] = "ok" if await asyncio.to_thread(self._answers) else "does not answer"
        return found

    async def gauges(self) -> Mapping[str, float]:
        found = {
            "calls": float(len(self._live.calls())),
            "registrations": float(len(self._live.bindings(datetime.now(UTC)))),
            "journal_position": float(self._live.cursor.get(PARTITION, 0)),
        }
        with contextlib.suppress(Refusal, KeyError):  # the sessions are being started again: what is known is shown
            sessions = self._parts["sessions"]
            found |= await sessions.call("metrics", {}, "system", f"metrics-{asyncio.get_running_loop().time()}")
        return found

    # --- in threads

    def _rows(self, sql: str, values: Mapping[str, object]) -> list[Item]:
        try:
            with self._warehouse_lock:
                rows, columns = self._warehouse.select(sql, values)
        except WarehouseError as error:
            raise Refusal("unavailable", str(error)) from error
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def _answers(self) -> bool:
        with self._warehouse_lock:
            try:
                self._warehouse.execute("SELECT 1 FROM cdr LIMIT 1")
            except WarehouseError:
                return False
        return True

    def _stream(self, stream: UUID, fits: Callable[[Stored], bool], after: int, limit: int) -> EventPage:
        try:
            found = [one for one in self._reader.read(stream) if one.position > after and fits(one)]
        except JournalError as error:
            raise Refusal("unavailable", str(error)) from error
        page = found[:limit]
        return EventPage([_item(one) for one in page], page[-1].position if page else after, len(found) > limit)

    def _story(self, scope: Scope, call: UUID) -> Item | None:
        try:
            told = tell(self._reader.read(call), decode, self._identifiers)
        except JournalError as error:
            raise Refusal("unavailable", str(error)) from error
        if told is None or scope.tenant not in (None, told.tenant):
            return None
        item: dict[str, Any] = msgspec.to_builtins(told, builtin_types=_KEPT)
        return item | {"wire": wire_of(told, self._trace)}

    def _scan(self, fits: Callable[[Stored], bool], after: int, limit: int) -> EventPage:
        found: list[Item] = []
        position = after
        try:
            for _ in range(_SCANS):
                batch = self._reader.follow({PARTITION: position}, _SCAN)
                for stored in batch.records:
                    if len(found) == limit:
                        return EventPage(found, position, True)
                    position = stored.position
                    if fits(stored):
                        found.append(_item(stored))
                if len(batch.records) < _SCAN:
                    return EventPage(found, position, False)
        except JournalError as error:
            raise Refusal("unavailable", str(error)) from error
        return EventPage(found, position, True)


def _binding(row: RegistrationRow) -> Item:
    return {
        "tenant": row.tenant,
        "number": row.aor,
        "device": row.device,
        "contact": row.contact,
        "transport": row.transport,
        "source": row.source,
        "user_agent": row.user_agent,
        "instance": row.instance,
        "bound_at": row.bound_at,
        "expires_at": row.expires_at,
    }


def _micros(at: datetime | None) -> int | None:
    """Unix time in microseconds: the driver would cut a datetime to whole seconds."""
    return None if at is None else int(at.timestamp()) * 1_000_000 + at.microsecond


def _item(stored: Stored) -> dict[str, Any]:
    record = stored.record
    return {
        "position": stored.position,
        "stream": record.stream,
        "sequence": record.sequence,
        "type": record.type,
        "tenant": record.tenant,
        "time": record.time,
        "data": msgspec.Raw(record.data),
    }
