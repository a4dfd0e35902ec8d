"""Bytes as versions before this one stored them mean what they always meant (`golden/events`, never to be changed)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters.journal.codec import decode, encode
from domain.base import Event
from domain.call.call import CallState
from domain.call.resume import outstanding
from domain.call.turn import fold
from domain.catalog import EVENTS

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
