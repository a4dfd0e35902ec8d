"""The events of calls as rows: the journal's own JSON, and what is worth a column of its own.

Nothing needs to be taken out: passwords are never in an event, SRTP keys only sealed.
"""

from __future__ import annotations

import msgspec

from domain.ports import Stored
from projections.ports import Poison
from projections.row import EventRow


class _Writer(msgspec.Struct):
    actor: str
    node: str


class _Head(msgspec.Struct):
    context: _Writer


_heads = msgspec.json.Decoder(_Head)


def event_row(stored: Stored) -> EventRow:
    """The row of one record. Raises Poison if its data is not the JSON of an event."""
    record = stored.record
    try:
        context = _heads.decode(record.data).context
        data = record.data.decode()
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Poison(f"not the JSON of an event: {error}") from error
    return EventRow(
        tenant=record.tenant,
        call_id=record.stream,
        sequence=record.sequence,
        type=record.type,
        time=record.time,
        node=context.node,
        epoch=stored.epoch,
        actor=context.actor,
        data=data,
        position=stored.position,
    )
