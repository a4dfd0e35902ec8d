"""Types of events are for ever: a new version takes the old one's bytes in."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import pytest

from domain.base import Context, Event
from domain.catalog import CATEGORIES, EVENTS, collect, names_of, topic
from tests.domain.world import START, new_call


@dataclass(frozen=True)
class Sung(Event):
    """Somebody sang; since the second version it is known how loud."""

    TOPIC = "call.sung.2"
    FORMER = ("call.sung.1",)

    song: str
    loudness: int = 3


@dataclass(frozen=True)
class SungAgain(Event):
    """A thief of names."""

    TOPIC = "call.sung.1"


def test_the_bytes_of_a_former_version_are_read_with_what_held_before() -> None:
    context = Context("acme", "i", "c", "a", "node", 1)
    stored = msgspec.json.encode(Sung(new_call(), 1, START, context, "la", 5)).replace(b',"loudness":5', b"")
    events, categories = collect({"calls": ((Sung,),)})
    read = msgspec.json.decode(stored, type=events["call.sung.1"])
    assert read == Sung(new_call(), 1, START, context, "la", 3)
    assert categories == {"call.sung.2": "calls", "call.sung.1": "calls"}
    assert topic(type(read)) == "call.sung.2"


def test_no_name_stands_for_two_classes() -> None:
    with pytest.raises(TypeError, match=r"call\.sung\.1"):
        collect({"calls": ((Sung, SungAgain),)})


@pytest.mark.parametrize("event", dict.fromkeys(EVENTS.values()), ids=topic)
def test_versions_of_a_type_count_down_without_a_gap(event: type[Event]) -> None:
    names = names_of(event)
    kinds, versions = {name.rpartition(".")[0] for name in names}, [int(name.rpartition(".")[2]) for name in names]
    assert len(kinds) == 1
    assert versions == list(range(versions[0], 0, -1))
    assert all(EVENTS[name] is event and name in CATEGORIES for name in names)
