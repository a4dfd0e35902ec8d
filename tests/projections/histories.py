"""Histories of several calls and registrations, as the journal would hold them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import zip_longest
from typing import cast
from uuid import UUID

import msgspec
from hypothesis import strategies as st

from adapters.journal.codec import encode
from adapters.journal.memory import MemoryJournal
from domain.base import Context, Event, Step
from domain.call.call import Call
from domain.call.input import Answered, HungUp, Input, Progressed, ReofferAccepted, Reoffered
from domain.call.turn import take_turn
from domain.catalog import CATEGORIES, topic
from domain.ids import SHARDS, new_stream_id, registration_id, shard_of
from domain.ports import OwnershipLost, Record, Stored
from domain.registering import ContactWish, Register, RegisterRefused, register
from domain.registration import Registration, expire
from tests.domain import history
from tests.domain.world import START, UDP, new_call, offer, remote, request, seconds, world


def plain_call(*, takeover: bool = False, start_s: float = 0, call: UUID | None = None) -> tuple[Event, ...]:
    """1001 calls 1002, who has two devices: rings after 0.5 s, answered after 3 s; held from 5 to 7 s; 1002 hangs up
    at 10 s, after another process took the call over if `takeover`."""
    stream = call or new_call()
    folded: Call | None = None
    events: list[Event] = []

    def turn(at_s: float, inp: Input, epoch: int = 1) -> None:
        nonlocal folded
        done = take_turn(folded, inp, world(2, epoch), START + seconds(start_s + at_s))
        assert done.events, inp
        folded = done.call
        events.extend(done.events)

    turn(0, offer(stream))
    assert folded is not None
    caller, callee, _ = folded.legs
    dialog = remote(folded.legs[callee].dialog)
    turn(0.5, Progressed("c", "x", callee, dialog, "", "Phone/1"))
    turn(3, Answered("c", "x", callee, dialog, "v=0 bob", "Phone/1"))
    for number, at_s, direction in ((2, 5.0, "sendonly"), (3, 7.0, "sendrecv")):
        turn(at_s - 0.1, Reoffered("c", "x", caller, request("INVITE", f"re{at_s}", 9), "sip:t@h", "v=0", direction))
        turn(at_s, ReofferAccepted("c", "x", callee, number, "sip:t@h", "v=0 ok"))
    turn(10, HungUp("c", "x", callee, request("BYE", "bye", 20)), 2 if takeover else 1)
    return tuple(events)


def bindings(number: str, steps: Sequence[tuple[int, str, int]]) -> tuple[Event, ...]:
    """The events of REGISTERs of `number`: (seconds later, device, expires_s) each; refused ones cause none."""
    stream, now, folded = (
        registration_id("acme", number, 0, number.encode() * 8),
        START,
        cast("Registration | None", None),
    )
    events: list[Event] = []
    for cseq, (later_s, device, expires_s) in enumerate(steps, 1):
        now += seconds(later_s)
        context = Context("acme", str(stream), "c", f"sip:{number}", "a", 1)
        version = folded.version if folded else 0
        wish = ContactWish(f"sip:{device}@h:{later_s}", UDP, f"<urn:{device}>" if device != "old" else "", expires_s)
        ask = Register("acme", number, device, True, False, (wish,), None, f"id-{device}", cseq, (), "Phone/1")
        caused: list[Event] = []
        if folded is not None:
            caused.extend(expire(folded, Step(stream, version, now, context)))
        folded = fold(folded, caused)
        try:
            step = Step(stream, version + len(caused), now, context)
            more = register(folded, ask, step)
        except RegisterRefused:
            more = ()
        folded = fold(folded, more)
        events.extend((*caused, *more))
    return tuple(events)


def fold(registration: Registration | None, events: Iterable[Event]) -> Registration | None:
    for event in events:
        registration = cast("Registration | None", event.mutate(registration))
    return registration


def moved(events: Sequence[Event], number: int) -> tuple[Event, ...]:
    """The same history as another call's."""
    stream = new_stream_id(1_700_000_000_000 + number, number % SHARDS, number.to_bytes(8, "big"))
    return tuple(dataclasses.replace(event, originator_id=stream) for event in events)


def interleaved(histories: Iterable[Sequence[Event]]) -> list[Event]:
    """Their events in turn."""
    return [event for rank in zip_longest(*histories) for event in rank if event is not None]


def record(event: Event) -> Record:
    kind = topic(type(event))
    stream = event.originator_id
    return Record(
        stream, event.originator_version, kind, CATEGORIES[kind], event.context.tenant, event.timestamp, encode(event)
    )


def append(journal: MemoryJournal, records: Iterable[Record | Event]) -> None:
    """Each in an append of its own."""
    epochs = journal.claim(range(SHARDS), "a")
    for one in records:
        done = one if isinstance(one, Record) else record(one)
        journal.submit(shard_of(done.stream), epochs[shard_of(done.stream)], [done], _appended)


def _appended(result: int | OwnershipLost) -> None:
    assert isinstance(result, int), result


def journal_of(records: Iterable[Record | Event]) -> MemoryJournal:
    journal = MemoryJournal()
    append(journal, records)
    return journal


def stored(records: Iterable[Record | Event]) -> tuple[Stored, ...]:
    return journal_of(records).follow({}, 1_000_000).records


def poisoned(event: Event, data: bytes = b'{"broken": ') -> Record:
    """The event's record with other bytes."""
    return msgspec.structs.replace(record(event), data=data)


def times(values: Iterable[datetime | None]) -> list[float | None]:
    """Seconds since the start."""
    return [None if value is None else (value - START).total_seconds() for value in values]


_register_steps = st.lists(
    st.tuples(st.integers(0, 100), st.sampled_from(("desk", "old", "soft")), st.sampled_from((0, 60, 90, 3600))),
    max_size=6,
)
streams = st.lists(history.histories, max_size=4).map(
    lambda found: [moved(one.events, number) for number, one in enumerate(found)]
)
registrations = st.lists(_register_steps, max_size=2).map(
    lambda found: [bindings(f"100{number}", steps) for number, steps in enumerate(found)]
)
worlds = st.tuples(streams, registrations).map(lambda both: [events for group in both for events in group if events])
"""Histories of some calls and registrations, apart."""
