"""Bytes as versions before this one stored them mean what they always meant (`golden/events`, never to be changed)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters.journal.codec import decode, encode
from domain.base import Event
from domain.call.call import Call, CallState
from domain.call.presentation import OPEN
from domain.call.resume import outstanding
from domain.call.turn import fold
from domain.catalog import EVENTS
from domain.tenant import Tenant
from domain.values import STRIP_ALL

GOLDEN = Path(__file__).parents[2] / "golden" / "events"
LINES = [tuple(line.split(" ", 1)) for line in (GOLDEN / "first.jsonl").read_text().splitlines()]


def within(old: Any, new: Any) -> bool:
    """Whether everything that was stored is there still."""
    if isinstance(old, dict):
        return isinstance(new, dict) and all(name in new and within(value, new[name]) for name, value in old.items())
    if isinstance(old, list):
        return isinstance(new, list) and len(old) == len(new) and all(map(within, old, new))
    return bool(old == new)


@pytest.mark.parametrize(("kind", "data"), LINES, ids=[f"{n}-{kind}" for n, (kind, _) in enumerate(LINES)])
def test_nothing_that_was_stored_is_lost(kind: str, data: str) -> None:
    event = decode(kind, data.encode())
    assert type(event) is EVENTS[kind]
    assert within(msgspec.json.decode(data), msgspec.json.decode(encode(event)))


def test_calls_of_the_first_version_fold() -> None:
    streams: list[list[Event]] = []
    for kind, data in LINES:
        event = decode(kind, data.encode())
        if event.originator_version == 1:
            streams.append([])
        streams[-1].append(event)
    ended, talking = (fold(None, tuple(events)) for events in streams)
    assert (ended.state, talking.state) == (CallState.ENDED, CallState.TALKING)
    assert talking.answered_at is not None
    assert [type(effect).__name__ for effect in outstanding(talking, talking.answered_at)] == ["Accept", "Acknowledge"]


def test_what_came_later_has_the_meaning_that_held_before() -> None:
    events = [decode(kind, data.encode()) for kind, data in LINES]
    offered = [event for event in events if isinstance(event, Call.Offered)]
    dialed = [event for event in events if isinstance(event, Call.LegsDialed)]
    assert [event.shown for event in offered] == [OPEN, OPEN]
    assert {leg.diverted for event in dialed for leg in event.legs} == {""}


@pytest.mark.parametrize("kind", ["created", "changed"])
def test_a_tenant_of_the_first_version_strips_what_tells_a_calls_way(kind: str) -> None:
    head = '"originator_id":"019ca8a0-3e80-8001-8000-000000000001","originator_version":1,'
    context = '"context":{"tenant":"acme","interaction":"i","cause":"c","actor":"cli","node":"a","epoch":1},'
    first = '"originator_topic":"tenant","slug":"acme",' if kind == "created" else ""
    rest = '"name":"Acme","domains":["acme.example"],"country":"GB","timezone":"Europe/London"'
    stored = f'{{{head}"timestamp":"2026-03-01T09:00:00Z",{context}{first}{rest}}}'
    event = decode(f"tenant.{kind}.1", stored.encode())
    assert isinstance(event, Tenant.Created | Tenant.Changed)
    assert (event.name, event.identity) == ("Acme", STRIP_ALL)
