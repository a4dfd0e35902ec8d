"""What the API reads: the live view, the journal, and ClickHouse (`api.ports.Queries`)."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from adapters.analytics.client import Warehouse, WarehouseError
from adapters.command.local import CommandClient
from adapters.journal.codec import decode
from adapters.sip.dialog.identifier import SipIdentifiers
from api.ports import CdrFilter, EventFilter, EventPage, Item, Scope
from domain.cursor import covers
from domain.ports import Cursor, ForeignCursor, JournalError, Stored
from domain.refusal import Refusal
from projections.live import Live
from projections.row import RegistrationRow
from switchlog.query.story import tell
from switchlog.store.journal import JournalReader, Pulse
from switchlog.store.trace import wire_of

_KEPT = (datetime, UUID)
_SCAN = 1000
_SCANS = 20
"""At most so many records are looked at for one page of filtered events."""


class ApiQueries:
    """Blocking readers behind threads: one ClickHouse connection, one reader of the journal."""

    def __init__(
        self,
        live: Live,
        reader: JournalReader,
        pulse: Pulse,
        warehouse: Warehouse,
        parts: Mapping[str, CommandClient],
        identifiers: SipIdentifiers,
        trace: Path,
    ) -> None:
        self._live, self._reader, self._pulse, self._warehouse, self._parts = live, reader, pulse, warehouse, parts
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
        return await asyncio.to_thread(self.rows, sql, values)

    async def events(self, scope: Scope, wanted: EventFilter, after: Cursor | None, limit: int) -> EventPage:
        def fits(stored: Stored) -> bool:
            record = stored.record
            kind = record.type
            return (
                (scope.tenant is None or record.tenant == scope.tenant)
                and (wanted.stream is None or record.stream == wanted.stream)
                and (wanted.type is None or wanted.type in (kind, kind.rpartition(".")[0]))
            )

        def read() -> EventPage:
            with _journal_read():
                place = self._reader.end() if after is None else after
                if wanted.stream is not None:
                    return self._stream(wanted.stream, fits, place, limit)
                return self._scan(fits, place, limit)

        return await asyncio.to_thread(read)

    async def story(self, scope: Scope, call: UUID) -> Item | None:
        return await asyncio.to_thread(self._story, scope, call)

    async def health(self, parts: Collection[str] = ()) -> Mapping[str, str]:
        asked = [name for name in ("journal", "live", *self._parts, "clickhouse") if not parts or name in parts]
        words = await asyncio.gather(*map(self._words_of, asked))  # one that does not answer holds up no other
        return dict(zip(asked, words, strict=True))

    async def _words_of(self, part: str) -> str:
        if part == "journal":
            return self._pulse.words()
        if part == "live":
            return "ok" if self._live.loaded else "not loaded yet"
        if part == "clickhouse":
            return "ok" if await asyncio.to_thread(self._answers) else "does not answer"
        try:
            await self._parts[part].call("ping", {}, "system", f"ping-{part}-{asyncio.get_running_loop().time()}")
        except Refusal as no:
            return no.detail
        return "ok"

    async def gauges(self) -> Mapping[str, float]:
        calls = self._live.calls()
        found = {
            "calls": float(len(calls)),
            "legs": float(sum(len(call.legs) for call in calls)),
            "registrations": float(len(self._live.bindings(datetime.now(UTC)))),
            "journal_position": float(sum(self._live.cursor.values())),
        }
        for name, part in self._parts.items():
            with contextlib.suppress(Refusal):  # it is being started again: what is known is shown
                found |= await part.call("metrics", {}, "system", f"{name}-{asyncio.get_running_loop().time()}")
        return found

    # --- in threads

    def rows(self, sql: str, values: Mapping[str, object]) -> list[Item]:
        """What ClickHouse answers. Raises Refusal(`unavailable`)."""
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

    def _stream(self, stream: UUID, fits: Callable[[Stored], bool], after: Cursor, limit: int) -> EventPage:
        records = self._reader.read(stream)
        found = [one for one in records if one.position > after.get(one.partition, 0) and fits(one)]
        page = found[:limit]
        cursor = {**after, **{one.partition: one.position for one in page[-1:]}}
        return EventPage([_item(one) for one in page], cursor, len(found) > limit)

    def _story(self, scope: Scope, call: UUID) -> Item | None:
        with _journal_read():
            told = tell(self._reader.read(call), decode, self._identifiers)
        if told is None or scope.tenant not in (None, told.tenant):
            return None
        item: dict[str, Any] = msgspec.to_builtins(told, builtin_types=_KEPT)
        return item | {"wire": wire_of(told, self._trace)}

    def _scan(self, fits: Callable[[Stored], bool], after: Cursor, limit: int) -> EventPage:
        found: list[Item] = []
        cursor = dict(after)
        goal = self._reader.end()
        for _ in range(_SCANS):
            batch = self._reader.follow(cursor, _SCAN)
            for stored in batch.records:
                if len(found) == limit:
                    return EventPage(found, cursor, True)
                cursor[stored.partition] = stored.position
                if fits(stored):
                    found.append(_item(stored))
            cursor = dict(batch.cursor)
            if covers(cursor, goal) or not (batch.records or batch.unreadable):
                return EventPage(found, cursor, False)
        return EventPage(found, cursor, True)


@contextlib.contextmanager
def _journal_read() -> Iterator[None]:
    try:
        yield
    except ForeignCursor as error:
        raise Refusal("invalid", str(error), field="after") from error
    except JournalError as error:
        raise Refusal("unavailable", str(error)) from error


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
        "partition": stored.partition,
        "position": stored.position,
        "stream": record.stream,
        "sequence": record.sequence,
        "type": record.type,
        "tenant": record.tenant,
        "time": record.time,
        "data": msgspec.Raw(record.data),
    }
