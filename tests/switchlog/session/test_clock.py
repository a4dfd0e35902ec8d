"""The clock of a worker: steady while the machine's is set forward and back, and calls that are timed by it."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.sip.message.message import Request
from switchlog.session.clock import BACK_S, RATE, SteadyClock
from tests.domain.world import START, seconds
from tests.switchlog.exchange import Exchange
from tests.switchlog.phone import ALICE, BOB, methods, parties

WALL_S = START.timestamp()


class Machine:
    """The two clocks of a machine; the wall's can be set."""

    def __init__(self) -> None:
        self.monotonic_s = 7.0
        self.wall_s = WALL_S
        self.jumps: list[float] = []
        self.clock = SteadyClock(lambda: self.monotonic_s, lambda: self.wall_s, self.jumps.append)

    def passes(self, count_s: float, drift: float = 0.0) -> float:
        """Time goes on, on the wall by `1 + drift` seconds a second; returns how far the steady clock went."""
        before_s = self.clock.utc().timestamp()
        self.monotonic_s += count_s
        self.wall_s += count_s * (1 + drift)
        return self.clock.utc().timestamp() - before_s

    @property
    def difference_s(self) -> float:
        return self.wall_s - self.clock.utc().timestamp()


def test_without_a_jump_it_is_the_machines_clock() -> None:
    machine = Machine()
    for step_s in (0.0, 0.001, 1.0, 3600.0):
        machine.passes(step_s, 0.0005)  # a clock that is being disciplined drifts by no more
        assert machine.difference_s == pytest.approx(0, abs=1e-5)
    assert machine.jumps == []


@pytest.mark.parametrize("set_back_s", [0.5, 3600.0, BACK_S])
def test_a_start_is_not_before_what_was_journaled_last(set_back_s: float) -> None:
    machine = Machine()
    last = START + seconds(set_back_s)
    assert machine.clock.start_from(last)
    assert machine.clock.utc() == last
    assert machine.passes(20) == pytest.approx(20, rel=RATE + 1e-6)
    assert machine.jumps == ([pytest.approx(-set_back_s, abs=1)] if set_back_s > 1 else [])
    machine.passes(set_back_s / RATE)
    assert machine.difference_s == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("by_s", [-3600.0, 2 * BACK_S])
def test_a_start_takes_the_machines_clock_if_it_is_ahead_or_behind_by_days(by_s: float) -> None:
    machine = Machine()
    assert machine.clock.start_from(START + seconds(by_s)) is (by_s < 0)
    assert machine.clock.utc() == START


@pytest.mark.parametrize("by_s", [3600.0, -3600.0, 86_400.0, -5.0])
def test_a_jump_is_told_once_and_caught_up_with_slowly(by_s: float) -> None:
    machine = Machine()
    machine.passes(10)
    machine.wall_s += by_s
    assert machine.passes(20) == pytest.approx(20, rel=RATE + 1e-6)
    assert machine.jumps == [pytest.approx(by_s)]
    for _ in range(100):
        machine.passes(abs(by_s) / RATE / 100 + 1)
    assert machine.difference_s == pytest.approx(0, abs=1e-3)
    assert len(machine.jumps) == 1
    machine.wall_s += by_s
    machine.passes(1)
    assert len(machine.jumps) == 2


@given(st.lists(st.tuples(st.floats(0, 1e5), st.floats(-1e6, 1e6)), max_size=20))
def test_it_never_goes_back_and_a_second_is_nearly_a_second(steps: list[tuple[float, float]]) -> None:
    machine = Machine()
    for passes_s, set_by_s in steps:
        machine.wall_s += set_by_s
        gone_s = machine.passes(passes_s)
        slack_s = 1e-5
        assert passes_s * (1 - RATE) - slack_s <= gone_s <= passes_s * (1 + RATE) + slack_s


class Wandering(Exchange):
    """A switchboard on a machine whose clock is set by `set_by`."""

    def __init__(self) -> None:
        self.shift_s = 0.0
        self.clock_s = 0.0
        self._steady = SteadyClock(lambda: self.clock_s, lambda: WALL_S + self.clock_s + self.shift_s, lambda by: None)
        super().__init__()

    def _utc(self) -> datetime:
        return self._steady.utc()

    def set_by(self, seconds: float) -> None:
        self.shift_s += seconds


@pytest.mark.parametrize("by_s", [7200.0, -7200.0])
def test_a_call_rings_as_long_as_it_should_when_the_clock_is_set(by_s: float) -> None:
    exchange = Wandering()
    alice, bob = parties(exchange)
    alice.invite("1002")
    (invite,) = exchange.take(BOB)
    assert isinstance(invite, Request)
    bob.reply(invite, 180)
    exchange.wait(5)
    exchange.set_by(by_s)
    exchange.wait(13)
    assert exchange.board.open_calls == 1
    exchange.wait(4)
    assert exchange.board.open_calls == 0
    assert methods(exchange.take(BOB))[-1] == "CANCEL"


def test_a_moment_is_the_same_whatever_happens_to_the_wall_clock_in_it() -> None:
    machine = Machine()
    before = machine.clock.utc()
    machine.wall_s += 7200
    assert machine.clock.utc() == before
    machine.passes(1)
    assert machine.jumps == pytest.approx([7200])


@pytest.mark.parametrize("by_s", [7200.0, -7200.0])
def test_a_binding_lasts_as_long_as_it_should_when_the_clock_is_set(by_s: float) -> None:
    exchange = Wandering()
    alice, _ = parties(exchange)
    exchange.set_by(by_s)
    exchange.wait(250)
    alice.invite("1002", call_id="first")
    assert methods(exchange.take(BOB)) == ["INVITE"]
    exchange.wait(80)
    exchange.take(ALICE), exchange.take(BOB)
    alice.invite("1002", call_id="second")
    assert "480 INVITE" in methods(exchange.take(ALICE))
