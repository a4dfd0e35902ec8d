"""What goes on now: open calls and current bindings, in memory, by following the journal.

What may live here: two maps and their questions. It is loaded from the streams that are live and kept up by the
records that follow; calls that ended and bindings that are gone take no memory. Thread-safe.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from threading import Lock
from uuid import UUID

import msgspec

from domain.ports import Batch, Cursor, Stored
from projections.cdr import CallFold
from projections.excerpt import excerpts
from projections.ports import Decode
from projections.registrations import BindingFold
from projections.row import RegistrationRow


class LiveCall(msgspec.Struct, frozen=True):
    """An open call. `state` is `ringing`, `talking` or `held`; `held_by` and `legs` are leg ids."""

    tenant: str
    call_id: UUID
    from_number: str
    from_name: str
    to_number: str
    answered_by: str
    state: str
    started_at: datetime
    answered_at: datetime | None
    held: bool
    held_by: tuple[str, ...]
    legs: tuple[str, ...]
    version: int


class Live:
    """`load` it, then `apply` each batch from `cursor` on. What cannot be read is counted in `skipped`."""

    def __init__(self, decode: Decode) -> None:
        self._decode = excerpts(decode)
        self._lock = Lock()
        self._calls: dict[int, CallFold] = {}
        self._bindings: dict[int, BindingFold] = {}
        """both by the number of the stream's id, as in `projections.stream`"""
        self.cursor: Cursor = {}
        self.loaded = False
        self.skipped = 0

    def load(self, streams: Iterable[Sequence[Stored]], cursor: Cursor) -> None:
        """Begin with the streams that are live, whole.

        `cursor` must have been taken before: the records between it and the loading come again and change nothing.
        """
        with self._lock:
            for stream in streams:
                self._take_all(stream)
            self.cursor = dict(cursor)
            self.loaded = True

    def apply(self, batch: Batch) -> None:
        """Take the next records in."""
        with self._lock:
            self._take_all(batch.records)
            self.skipped += len(batch.unreadable)
            self.cursor = dict(batch.cursor)

    def calls(self, tenant: str | None = None) -> list[LiveCall]:
        """The open calls, oldest first; those of one tenant if it is named."""
        with self._lock:
            shown = [_shown(fold) for fold in self._calls.values() if tenant in (None, fold.tenant)]
        return sorted((call for call in shown if call), key=lambda call: (call.started_at, call.call_id))

    def bindings(self, now: datetime, tenant: str | None = None) -> list[RegistrationRow]:
        """The bindings that hold at `now`, by tenant, number and URI."""
        with self._lock:
            rows = [row for fold in self._bindings.values() for row in fold.bound.values()]
        held = [row for row in rows if row.expires_at > now and tenant in (None, row.tenant)]
        return sorted(held, key=lambda row: (row.tenant, row.aor, row.contact))

    def _take_all(self, records: Sequence[Stored]) -> None:
        for stored in records:
            try:
                self._take(stored)
            except Exception:  # noqa: BLE001 - one bad record must not blind the whole view; the projector says which
                self.skipped += 1

    def _take(self, stored: Stored) -> None:
        record, stream = stored.record, stored.record.stream.int
        if record.category == "calls":
            fold = self._calls.get(stream)
            if fold is None and record.sequence > 1:
                return  # a call that was over before we looked
            fold = fold or CallFold()
            fold.apply(self._decode(record.type, record.data))
            if fold.ended is None:
                self._calls[stream] = fold
            else:
                self._calls.pop(stream, None)
        elif record.category == "registrations":
            bindings = self._bindings.get(stream) or BindingFold()
            bindings.apply(self._decode(record.type, record.data))
            if bindings.bound:
                self._bindings[stream] = bindings
            else:
                self._bindings.pop(stream, None)


def _shown(fold: CallFold) -> LiveCall | None:
    record = fold.record()
    if record is None:
        return None
    cdr = record.cdr
    return LiveCall(
        tenant=cdr.tenant,
        call_id=cdr.call_id,
        from_number=cdr.from_number,
        from_name=cdr.from_name,
        to_number=cdr.to_number,
        answered_by=cdr.answered_by,
        state=fold.state,
        started_at=cdr.started_at,
        answered_at=cdr.answered_at,
        held=bool(fold.held_by),
        held_by=fold.held_by,
        legs=tuple(leg.leg for leg in record.legs if leg.ended_at is None),
        version=cdr.version,
    )
