"""Datagrams that are lost, doubled and overtaken, deaths among them, timers due while nobody was there, clocks set
back: every call ends, its record is made once, and nobody is left waiting."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.call.call import Call
from projections.cdr import CallRecord, fold_cdr
from tests.faults.laboratory import LATENCY_S, Fate, Laboratory
from tests.faults.scene import CALL_AT_S, END_S, HANG_UP_AT_S, SCENES
from tests.faults.ua import State
from tests.switchlog.exchange import HeldJournal

EXAMPLES = int(os.environ.get("CROSSINGS", "60"))
COPIES = st.sampled_from(
    [(), (), (0.005,), (0.005,), (0.005,), (0.005, 0.02), (0.3,), (0.7,), (0.001, 2.5), (1.2, 1.3)]
)
"""What may become of a datagram: lost, as it should, doubled, late, overtaken."""
loss_patterns = st.lists(COPIES, max_size=90)


def by(pattern: list[tuple[float, ...]]) -> Fate:
    """The fates of the first datagrams; the later ones arrive."""
    return lambda number: pattern[number - 1] if number <= len(pattern) else (LATENCY_S,)


def laboratory(fate: Fate = lambda number: (LATENCY_S,)) -> Laboratory:
    journal = HeldJournal()
    return Laboratory(lambda generation: (journal, generation + 1), fate)


def record(lab: Laboratory) -> CallRecord | None:
    """The one record of the one call, if there was one."""
    events = lab.events()
    if not events:
        return None
    assert len({event.originator_id for event in events}) == 1, "one INVITE made two calls"
    assert sum(isinstance(event, Call.Ended) for event in events) == 1
    made = fold_cdr(events)
    assert made is not None and made.cdr.final
    return made


@pytest.mark.parametrize("name", SCENES)
@settings(max_examples=EXAMPLES, deadline=None)
@given(pattern=loss_patterns)
def test_whatever_the_network_does_every_call_ends(name: str, pattern: list[tuple[float, ...]]) -> None:
    lab = laboratory(by(pattern))
    SCENES[name].play(lab)
    lab.run(2 * END_S)
    lab.at_rest()
    made = record(lab)
    assert lab.alice.final != 200 or (made is not None and made.cdr.answered_at is not None)


@pytest.mark.parametrize("name", SCENES)
@settings(max_examples=EXAMPLES // 2, deadline=None)
@given(
    pattern=loss_patterns,
    deaths=st.lists(st.floats(CALL_AT_S - 1, HANG_UP_AT_S + 3), min_size=1, max_size=4),
)
def test_whatever_the_network_does_deaths_change_nothing(
    name: str, pattern: list[tuple[float, ...]], deaths: list[float]
) -> None:
    lab = laboratory(by(pattern))
    SCENES[name].play(lab)
    for at_s in deaths:
        lab.later(at_s, lab.kill)
    lab.run(2 * END_S)
    lab.at_rest()
    record(lab)


@pytest.mark.parametrize("down_s", [0.2, 15.0, 40.0, 100.0])
def test_a_phone_that_rings_while_nobody_is_there_is_given_up_at_the_start(down_s: float) -> None:
    """The time to ring ran out while the server was down: it is due at once, and learned then."""
    journal = HeldJournal()
    lab = Laboratory(lambda generation: (journal, generation + 1), down_s=down_s)
    SCENES["unanswered"].play(lab)
    lab.later(CALL_AT_S + 5, lab.kill)
    lab.run(CALL_AT_S + 5 + down_s + 60)
    made = record(lab)
    assert made is not None
    assert made.cdr.disposition == "no_answer"
    assert made.cdr.ended_at is not None
    rung_s = (made.cdr.ended_at - made.cdr.started_at).total_seconds()
    assert rung_s == pytest.approx(max(20.0, 5 + down_s), abs=0.1)
    assert lab.bob.state is State.OVER, "the phone that rang was told"


@pytest.mark.parametrize("step_s", [-3600.0, -5.0, 5.0, 3600.0])
@pytest.mark.parametrize("at_s", [CALL_AT_S + 0.5, CALL_AT_S + 5, HANG_UP_AT_S + 0.003])
@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize("name", SCENES)
def test_a_wall_clock_that_is_moved_ends_no_call_and_leaves_none(
    name: str, step_s: float, at_s: float, killed: bool
) -> None:
    """A phone that rings does so longer by as much as the clock was set back: its end is a moment of the wall clock."""
    lab = laboratory()
    SCENES[name].play(lab)

    def move() -> None:
        lab.wall_s += step_s
        if killed:
            lab.kill()

    lab.later(at_s, move)
    lab.run(END_S + 8_000)
    lab.at_rest()
    made = record(lab)
    assert made is not None
    for milliseconds in (made.cdr.pdd_ms or 0, made.cdr.ring_ms, made.cdr.talk_ms, made.cdr.hold_ms):
        assert milliseconds >= 0


def test_what_is_repeated_while_a_commit_takes_long_is_said_once() -> None:
    """The journal is slow: the INVITE comes four times, the 200 three times, before anything is durable."""
    journal = HeldJournal()
    lab = Laboratory(lambda generation: (journal, generation + 1))
    lab.bob.answer_after_s = 0.3
    SCENES["talk"].play(lab)
    lab.run(CALL_AT_S - 0.5)
    journal.held = True

    def commit() -> None:
        assert lab.exchange is not None
        lab.exchange.clock_s = lab.clock_s
        journal.commit()
        lab.exchange.deliver()

    for n in range(1, 60):
        lab.later(n * 2.5, commit)
    lab.run(END_S + 200)
    journal.held = False
    commit()
    lab.run(END_S + 300)
    lab.at_rest()
    made = record(lab)
    assert made is not None and made.cdr.disposition == "answered"
    assert len(lab.bob.invited) == 1
