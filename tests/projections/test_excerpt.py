"""Excerpts: a fold comes to the same from an excerpt as from the whole event."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given

from adapters.journal.codec import Undecodable, decode, encode
from domain.base import Event
from domain.catalog import EVENTS, topic
from projections.cdr import CallFold
from projections.excerpt import EXCERPTS, Excerpt, Seen, excerpts
from projections.registrations import BindingFold
from projections.row import RegistrationRow
from tests.projections.histories import bindings, plain_call, worlds

read = excerpts(decode)


def seen(events: Sequence[Event]) -> list[Seen]:
    return [read(topic(type(event)), encode(event)) for event in events]


def bound(events: Sequence[Seen]) -> tuple[list[RegistrationRow], dict[str, RegistrationRow]]:
    fold = BindingFold()
    changed: list[RegistrationRow] = []
    for event in events:
        fold.apply(event)
        changed += fold.changed()
    return changed, fold.bound


@given(worlds)
def test_a_fold_comes_to_the_same(world: list[Sequence[Event]]) -> None:
    for events in world:
        whole, excerpt = CallFold(), CallFold()
        for event, part in zip(events, seen(events), strict=True):
            whole.apply(event)
            excerpt.apply(part)
            assert (excerpt.record(), excerpt.state, excerpt.version) == (whole.record(), whole.state, whole.version)
        assert bound(seen(events)) == bound(events)


def test_the_frequent_events_are_read_as_excerpts() -> None:
    events = [*plain_call(), *bindings("1001", [(0, "desk", 60)])]
    parts = [isinstance(part, Excerpt) for part in seen(events)]
    assert parts == [type(event) in EXCERPTS for event in events]
    assert set(EXCERPTS) <= set(EVENTS.values())


@pytest.mark.parametrize("event", list(EXCERPTS))
def test_an_excerpt_has_only_fields_of_its_event(event: type[Event]) -> None:
    fields = {name for cls in event.__mro__ for name in getattr(cls, "__annotations__", {})}
    assert set(EXCERPTS[event].__struct_fields__) <= fields | {"originator_id", "originator_version", "timestamp"}


def test_bytes_that_are_no_event_are_named_as_by_the_whole_decoder() -> None:
    with pytest.raises(Undecodable, match="not a call.offered"):
        read("call.offered.1", b'{"originator_version": 1}')


def test_a_time_is_the_same_instant() -> None:
    (part, *_) = seen(plain_call())
    assert part.timestamp == plain_call()[0].timestamp
