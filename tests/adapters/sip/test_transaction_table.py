"""Laws of the transaction tables and the lengths of the timers."""

from __future__ import annotations

from itertools import product

import pytest

from adapters.sip.timer import Timer, Timers
from adapters.sip.transaction_table import MACHINES, Machine, Signal, State


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
