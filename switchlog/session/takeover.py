"""What shards hold when they are taken over: their live streams, folded.

What may live here: streams into aggregates, and what is said of those that cannot be. A shard with a record that
cannot be read is refused: what it means is known to nobody, perhaps to a newer version. A stream that can be read but
does not fold is parked: it is wrong for ever, and its shard is served without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, cast

import structlog

from domain.base import Event
from domain.call.call import Call
from domain.conference.conference import Conference
from domain.ids import shard_of
from domain.mailbox.mailbox import Mailbox
from domain.ports import JournalError, Stored
from domain.registration import Registration
from domain.subscription.subscription import Subscription
from switchlog.session.shard import Shard

_log = structlog.get_logger(__name__)

Decode = Callable[[str, bytes], Event]
_Live = Call | Conference | Mailbox | Registration | Subscription


class Taken(NamedTuple):
    """`shards` are whole; `refused` are the numbers of the others, `parked` is how many streams were left out."""

    shards: tuple[Shard, ...]
    refused: frozenset[int]
    parked: int


def take(epochs: Mapping[int, int], streams: Iterable[Sequence[Stored]], decode: Decode) -> Taken:
    """Fold the live streams of shards that were claimed with these epochs."""
    shards = {number: Shard(number, epoch) for number, epoch in epochs.items()}
    refused: set[int] = set()
    parked = 0
    for stream in streams:
        number = shard_of(stream[0].record.stream)
        try:
            events = [decode(stored.record.type, stored.record.data) for stored in stream]
        except JournalError as error:
            refused.add(number)
            _log.error(
                "a shard is not served: its journal cannot be read; serve it with the version that wrote it, or restore"
                " the journal from a copy, and restart",
                shard=number,
                reason=str(error),
            )
            continue
        parked += not _hold(shards[number], events)
    whole = tuple(shard for number, shard in shards.items() if number not in refused)
    return Taken(whole, frozenset(refused), parked)


def _hold(shard: Shard, events: Sequence[Event]) -> bool:
    """Fold one stream into its shard; False if it does not fold."""
    aggregate: _Live | None = None
    try:
        for event in events:
            aggregate = cast("_Live | None", event.mutate(aggregate))
        if isinstance(aggregate, Call):
            shard.calls[aggregate.id] = aggregate
        elif isinstance(aggregate, Conference):
            shard.hold_conference(aggregate)
        elif isinstance(aggregate, Mailbox):
            shard.hold_mailbox(aggregate)
        elif isinstance(aggregate, Registration):
            shard.hold(aggregate)
        elif isinstance(aggregate, Subscription):
            shard.hold_subscription(aggregate)
    except Exception:  # noqa: BLE001  boundary: one stream's fault is not the others'
        _log.exception(
            "a stream of the journal does not fold and is left out: its call or bindings are lost to the phones;"
            " this is a fault of ours: report these lines",
            stream=str(events[0].originator_id),
            tenant=events[0].context.tenant,
        )
        return False
    return True
