"""The rows of the analysts' tables. Field names are column names; what each means is said at the tables.

Whole numbers and times from events only: nothing here depends on when it was computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import msgspec


class CdrRow(msgspec.Struct, frozen=True, gc=False):
    """One call."""

    tenant: str
    call_id: UUID
    direction: str
    from_number: str
    from_name: str
    to_number: str
    answered_by: str
    started_at: datetime
    rung_at: datetime | None
    answered_at: datetime | None
    ended_at: datetime | None
    pdd_ms: int | None
    ring_ms: int
    talk_ms: int
    hold_ms: int
    disposition: str
    hangup_by: str
    sip_status: int | None
    q850_cause: int | None
    reason: str
    route_rule: str
    route_version: int
    trunk: str
    legs: int
    takeovers: int
    merged_into: UUID | None
    mos_x100: int | None
    audio_losses: int
    version: int
    final: bool
    deleted: int = 0


class LegRow(msgspec.Struct, frozen=True, gc=False):
    """One phone that called or was rung."""

    tenant: str
    call_id: UUID
    leg: str
    sip_call_id: str
    side: str
    number: str
    device: str
    user_agent: str
    started_at: datetime
    rung_at: datetime | None
    answered_at: datetime | None
    ended_at: datetime | None
    sip_status: int | None
    q850_cause: int | None
    reason: str
    codec: str
    packets_received: int | None
    packets_sent: int | None
    packets_lost: int | None
    packets_discarded: int | None
    packets_lost_by_phone: int | None
    jitter_ms: int | None
    round_trip_ms: int | None
    mos_x100: int | None
    silent_ms: int | None
    audio_losses: int
    version: int
    deleted: int = 0


class SegmentRow(msgspec.Struct, frozen=True, gc=False):
    """Two parties that heard each other."""

    tenant: str
    call_id: UUID
    segment: int
    leg_a: str
    leg_b: str
    party_a: str
    party_b: str
    started_at: datetime
    ended_at: datetime | None
    version: int
    deleted: int = 0


class EventRow(msgspec.Struct, frozen=True, gc=False):
    """One event of a call, as the journal has it."""

    tenant: str
    call_id: UUID
    sequence: int
    type: str
    time: datetime
    node: str
    epoch: int
    actor: str
    data: str
    position: int


class RegistrationRow(msgspec.Struct, frozen=True, gc=False):
    """One binding of a device, from its beginning to its end."""

    tenant: str
    aor: str
    contact: str
    device: str
    user_agent: str
    transport: str
    source: str
    instance: str
    bound_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    cause: str
    version: int
    deleted: int = 0


Row = CdrRow | LegRow | SegmentRow | EventRow | RegistrationRow


class Rows(NamedTuple):
    """Rows of one kind for the table `table`."""

    table: str
    kind: type[Row]
    rows: Sequence[Row]

    def values(self) -> list[tuple[object, ...]]:
        """The rows as tuples in the order of `columns`."""
        return [msgspec.structs.astuple(row) for row in self.rows]

    def columns(self) -> tuple[str, ...]:
        return self.kind.__struct_fields__
