"""The live view: what goes on now, from wherever it begins."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from adapters.journal.codec import decode
from adapters.journal.memory import MemoryJournal
from domain.base import Event
from domain.ids import SHARDS
from projections.live import Live
from tests.domain.world import START, seconds
from tests.projections.histories import bindings, interleaved, journal_of, moved, plain_call, poisoned, record, worlds


def caught_up(journal: MemoryJournal, live: Live | None = None, limit: int = 3) -> Live:
    live = live or Live(decode)
    while (batch := journal.follow(live.cursor, limit)).records:
        live.apply(batch)
    return live


def seen(live: Live) -> tuple[object, ...]:
    return live.calls(), live.bindings(START)


def test_a_call_as_it_goes_on() -> None:
    events = plain_call()
    states = []
    for length in range(1, len(events)):
        (call,) = caught_up(journal_of(events[:length])).calls()
        states.append((call.state, call.held, len(call.legs)))
    ringing, talking, held = ("ringing", False), ("talking", False), ("held", True)
    assert [state[:2] for state in states] == [*[ringing] * 4, *[talking] * 2, *[held] * 2, talking]
    assert [state[2] for state in states] == [1, 1, 3, 3, 2, 2, 2, 2, 2]
    assert caught_up(journal_of(events)).calls() == []


def test_calls_are_shown_by_tenant_oldest_first() -> None:
    live = caught_up(journal_of([*moved(plain_call(start_s=9)[:3], 1), *moved(plain_call()[:3], 2)]))
    started = [call.started_at for call in live.calls("acme")]
    assert started == sorted(started) and len(started) == 2
    assert live.calls("globex") == []


def test_bindings_hold_until_they_expire() -> None:
    live = caught_up(journal_of(bindings("1001", [(0, "desk", 60), (10, "soft", 3600)])))
    assert [row.device for row in live.bindings(START + seconds(20))] == ["desk", "soft"]
    assert [row.expires_at for row in live.bindings(START + seconds(70))] == [START + seconds(3610)]
    assert live.bindings(START, "globex") == []


def test_a_record_that_cannot_be_read_is_skipped_and_counted() -> None:
    first, *rest = plain_call()[:5]
    live = caught_up(journal_of([record(first), poisoned(rest[0]), *rest[1:]]))
    assert (live.skipped, [call.state for call in live.calls()]) == (1, ["talking"])


def test_nothing_is_kept_of_what_is_over() -> None:
    live = caught_up(journal_of([*plain_call(), *bindings("1001", [(0, "desk", 60), (99, "desk", 0)])]))
    assert (len(live._calls), len(live._bindings)) == (0, 0)


@given(worlds, st.integers(0, 60), st.integers(0, 60))
def test_loading_or_following_comes_to_the_same(world: list[Sequence[Event]], loaded: int, before: int) -> None:
    """Whatever was journaled when it loads, and however much before that its cursor was taken."""
    events = interleaved(world)
    journal = journal_of(events[:loaded])
    live = Live(decode)
    live.load(journal.live_of(range(SHARDS), 0.0), {"journal": min(before, loaded)})
    whole = journal_of(events)
    assert seen(caught_up(whole, live)) == seen(caught_up(whole))
