"""Everybody's bindings: the same as their owners have them, from wherever it begins to read."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from adapters.journal.codec import decode
from adapters.journal.memory import MemoryJournal
from domain.base import Event
from domain.ids import SHARDS
from domain.ports import Stored
from domain.registration import Registration
from domain.values import Contact
from switchlog.node.gazette import Bound, Gazette
from tests.domain.world import START, seconds
from tests.projections.histories import bindings, fold, interleaved, journal_of, plain_call, poisoned

steps = st.lists(
    st.tuples(st.integers(0, 400), st.sampled_from(["desk", "old", "soft"]), st.sampled_from([0, 60, 300])), max_size=8
)


def everything(journal: MemoryJournal) -> tuple[Stored, ...]:
    return journal.follow({}, 10_000).records


def to_its_end(events: Sequence[Event]) -> Sequence[Event]:
    """A stream of bindings ends with the last of them; what comes then is another one."""
    lengths = (length for length in range(2, len(events)) if not held(events[:length]))
    return events[: next(lengths, len(events))]


def held(events: Sequence[Event]) -> bool:
    registration = fold(None, events)
    return registration is not None and bool(registration.contacts)


def known(gazette: Gazette, later_s: float) -> list[tuple[Contact, ...]]:
    return [gazette.contacts("acme", number, START + seconds(later_s)) for number in ("1001", "1002")]


@given(steps, steps, st.integers(0, 40), st.integers(0, 5), st.integers(0, 1000))
def test_it_has_what_the_owners_have(
    one: list[tuple[int, str, int]], two: list[tuple[int, str, int]], begin: int, again: int, later_s: int
) -> None:
    histories = [to_its_end(bindings("1001", one)), to_its_end(bindings("1002", two)), plain_call()]
    journal = journal_of(interleaved(histories))
    owned: list[Registration | None] = [fold(None, history) for history in histories[:2]]
    expected = [one.at(START + seconds(later_s)) if one else () for one in owned]
    whole = Gazette(decode)
    whole.take(everything(journal))
    assert known(whole, later_s) == expected
    before = journal_of(interleaved(histories)[:begin])
    joined = Gazette(decode)
    for shard in range(SHARDS):
        joined.load(before.live(shard, START.timestamp()))
    joined.take(everything(journal)[max(0, begin - again) :])
    assert known(joined, later_s) == expected


def test_extensions_without_bindings_cost_nothing() -> None:
    gazette = Gazette(decode)
    gazette.take(everything(journal_of(bindings("1001", [(0, "desk", 60), (10, "desk", 0)]))))
    assert len(gazette) == 0 and gazette.contacts("acme", "1001", START) == ()
    gazette.take(everything(journal_of(bindings("1002", [(0, "desk", 60)]))))
    assert len(gazette) == 1


def test_a_record_that_cannot_be_read_hides_no_other() -> None:
    events = bindings("1001", [(0, "desk", 60)])
    gazette = Gazette(decode)
    with capture_logs() as lines:
        gazette.take(everything(journal_of([poisoned(bindings("1002", [(0, "soft", 60)])[0]), *events])))
    assert gazette.skipped == 1 and lines[0]["log_level"] == "warning"
    assert [contact.device for contact in gazette.contacts("acme", "1001", START)] == ["desk"]


def test_what_others_have_bound_is_told_at_once() -> None:
    told: list[Sequence[Bound]] = []
    records = everything(journal_of([*bindings("1001", [(0, "desk", 60), (10, "desk", 60)])]))
    Gazette(decode, told.append, node="b").take(records)
    assert [[(one.number, one.before is None) for one in bound] for bound in told] == [
        [("1001", True), ("1001", False)]
    ]
    Gazette(decode, told.append, node="a").take(records)
    assert len(told) == 1, "a node is told what it did itself"
