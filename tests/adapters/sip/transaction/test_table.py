"""Laws of the transaction tables and the lengths of the timers."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.sip.transaction.table import MACHINES, Machine, Signal, State
from adapters.sip.transaction.timer import Timer, TimerQueues, Timers


@pytest.mark.parametrize("machine", MACHINES, ids=lambda m: m.name)
def test_every_pair_has_a_row_or_is_ignored_on_purpose(machine: Machine) -> None:
    pairs = set(product(machine.states, machine.inputs))
    assert set(machine.rows) | machine.ignored == pairs
    assert not set(machine.rows) & machine.ignored


@pytest.mark.parametrize("machine", MACHINES, ids=lambda m: m.name)
def test_rows_lead_to_states_of_the_machine_and_all_are_reached(machine: Machine) -> None:
    reached = {row.state for row in machine.rows.values()} | {machine.initial.state}
    assert reached == machine.states | {State.TERMINATED}


@pytest.mark.parametrize("machine", MACHINES, ids=lambda m: m.name)
def test_a_started_timer_has_a_row_in_the_state_it_runs_in(machine: Machine) -> None:
    for row in (machine.initial, *machine.rows.values()):
        for timer in row.start:
            assert (row.state, timer) in machine.rows


def test_every_input_belongs_to_a_machine() -> None:
    used = frozenset().union(*(machine.inputs for machine in MACHINES))
    assert used == set(Signal) | set(Timer)


@pytest.mark.parametrize(
    ("timer", "udp_s", "tcp_s"),
    [
        (Timer.B, 32, 32),
        (Timer.D, 32, 0),
        (Timer.F, 32, 32),
        (Timer.H, 32, 32),
        (Timer.I, 5, 0),
        (Timer.J, 32, 0),
        (Timer.K, 5, 0),
        (Timer.L, 32, 32),
        (Timer.M, 32, 32),
    ],
)
def test_lengths_of_rfc_3261_table_4(timer: Timer, udp_s: float, tcp_s: float) -> None:
    timers = Timers()
    assert timers.duration_s(timer, reliable=False) == udp_s
    assert timers.duration_s(timer, reliable=True) == tcp_s


def test_intervals_double_and_only_timer_a_goes_beyond_t2() -> None:
    def series(timer: Timer) -> list[float]:
        found, last_s = [], 0.0
        for _ in range(6):
            last_s = Timers().interval_s(timer, last_s)
            found.append(last_s)
        return found

    assert series(Timer.A) == [0.5, 1, 2, 4, 8, 16]
    assert series(Timer.E) == series(Timer.G) == series(Timer.REPEAT_2XX) == [0.5, 1, 2, 4, 4, 4]


@given(st.lists(st.tuples(st.sampled_from(Timer), st.sampled_from([0.5, 1.0, 32.0]), st.floats(0, 3), st.booleans())))
def test_deadlines_come_up_in_their_order_and_only_those_that_count(
    starts: list[tuple[Timer, float, float, bool]],
) -> None:
    now, expected = 0.0, []
    queues: TimerQueues[tuple[int, bool]] = TimerQueues(lambda owner, timer: owner[1])
    for number, (timer, length_s, later_s, good) in enumerate(starts):
        now += later_s
        queues.start(now, length_s, (number, good), timer)
        if good:
            expected.append((now + length_s, number, timer))
    expected.sort(key=lambda one: one[:2])
    assert queues.first() == (expected[0][0] if expected else None)
    found = []
    for at, _, _ in expected:
        owner, timer = queues.due(at) or ((-1, False), Timer.A)
        found.append((at, owner[0], timer))
    assert found == expected
    assert queues.due(1e9) is None


def test_a_clock_that_goes_back_delays_a_deadline_but_loses_none() -> None:
    queues: TimerQueues[str] = TimerQueues(lambda owner, timer: True)
    queues.start(10, 1, "early", Timer.J)
    queues.start(5, 1, "late", Timer.J)
    assert queues.due(10.5) is None
    assert [queues.due(11), queues.due(11), queues.due(11)] == [("early", Timer.J), ("late", Timer.J), None]


def test_the_longest_running_timer_of_a_kind_is_found() -> None:
    queues: TimerQueues[str] = TimerQueues(lambda owner, timer: owner != "over")
    for owner, timer in (("other", Timer.H), ("over", Timer.J), ("old", Timer.J), ("young", Timer.J)):
        queues.start(1, 32, owner, timer)
    assert [queues.oldest(Timer.J) for _ in range(3)] == ["old", "young", None]
