"""The worker's loop on a clock in the test's hand: deadlines, ticks that come late or fail, and what it is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import cast

import pytest

from media.control import Control
from media.cycle import TICK_S
from media.engine import Engine
from media.wire import (
    Alive,
    Context,
    Drop,
    FromWorker,
    Inventory,
    Leaving,
    Load,
    Put,
    Ready,
    Refused,
    Retire,
    Retiring,
    ToWorker,
)
from media.worker import ALIVE_EVERY_S, MOST_BEHIND_TICKS, MOST_FAILED_STEPS, PULSE_S, RETIRE_S, Worker

PUT = Put("room", 3, 1, Context(()))


class Fake:
    """A clock, an engine and a control socket in one: waiting is what moves the clock."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.said: list[FromWorker] = []
        self.legs = self.contexts = 7
        self.relays = False
        self.ticks: list[float] = []
        self.pulses: list[float] = []
        self.told: list[FromWorker] = []
        self.alive_s: list[float] = []
        """when it said that it is"""
        self.waiting: list[ToWorker] = []
        self.takes_s: Callable[[int], float] = lambda tick: 0.001
        self.fails: Callable[[int], bool] = lambda tick: False
        self.put_takes_s = 0.0
        self.inventories: list[Inventory] = []
        self.closed = 0
        self.worker = Worker(cast(Engine, self), cast(Control, self), lambda: self.now_s)

    # --- as an engine

    def tick(self, now_s: float) -> None:
        self.ticks.append(now_s)
        self.now_s += self.takes_s(len(self.ticks))
        if self.fails(len(self.ticks)):
            raise ZeroDivisionError

    def pulse(self, now_s: float) -> None:
        self.pulses.append(now_s)

    def idle(self, now_s: float) -> bool:
        return False

    def inventory(self) -> Inventory:
        return Inventory()

    def put(self, put: Put, now_s: float) -> None:
        self.now_s += self.put_takes_s
        if put.rev > 3:
            raise ZeroDivisionError
        self.said.append(Ready(put.context, put.rev))

    def drop(self, drop: Drop, now_s: float) -> None:
        raise ZeroDivisionError

    def close(self, now_s: float = 0.0) -> None:
        self.closed += 1

    # --- as a control socket

    connected = 1

    def poll(self, timeout_s: float, inventory: Callable[[], Inventory]) -> list[ToWorker]:
        heard, self.waiting = self.waiting, []
        self.inventories.append(inventory())
        if not heard:
            self.now_s += timeout_s
        return heard

    def tell(self, messages: Iterable[FromWorker]) -> None:
        for message in messages:
            if isinstance(message, Alive):
                self.alive_s.append(self.now_s)
            else:
                self.told.append(message)

    def run(self, ticks: int) -> None:
        for _ in range(ticks):
            self.worker.wait()
            self.worker.tick()


@pytest.fixture
def fake() -> Fake:
    return Fake()


def test_ticks_are_on_absolute_deadlines_however_long_they_take(fake: Fake) -> None:
    fake.takes_s = lambda tick: 0.001 * (tick % 15)
    fake.run(40)
    assert fake.ticks == pytest.approx([100.0 + TICK_S * (n + 1) for n in range(40)])


def test_after_a_halt_the_ticks_are_made_up_for(fake: Fake) -> None:
    fake.takes_s = lambda tick: 0.1 if tick == 10 else 0.001
    fake.run(50)
    assert fake.ticks[-1] == pytest.approx(100.0 + TICK_S * 50)
    (load,) = fake.told
    assert isinstance(load, Load)
    assert load.late_ticks == 4


def test_of_a_long_halt_the_rest_is_left_out(fake: Fake) -> None:
    fake.takes_s = lambda tick: 5.0 if tick == 10 else 0.001
    fake.run(60)
    behind = fake.ticks[10] - (100.0 + TICK_S * 11)
    assert behind == pytest.approx(5.0 - TICK_S, abs=0.01)
    assert fake.ticks[-1] == pytest.approx(105.2 + TICK_S * (60 - 10 - MOST_BEHIND_TICKS), abs=2 * TICK_S)


def test_the_load_is_told_once_a_second(fake: Fake) -> None:
    fake.takes_s = lambda tick: 0.005
    fake.run(100)
    loads = [word for word in fake.told if isinstance(word, Load)]
    assert [(load.legs, round(load.busy, -1), load.late_ticks) for load in loads] == [(7, 250, 0), (7, 250, 0)]


def test_relayed_packets_are_taken_between_ticks_and_only_they_are(fake: Fake) -> None:
    fake.run(2)
    assert fake.pulses == []
    fake.relays = True
    fake.run(2)
    assert len(fake.pulses) == 6
    assert all(later - one >= PULSE_S - 1e-9 for one, later in zip(fake.pulses, fake.pulses[1:], strict=False))


def test_what_it_is_told_is_answered_before_the_next_tick(fake: Fake) -> None:
    fake.waiting = [PUT]
    fake.worker.wait()
    assert fake.told == [Ready("room", 3)]
    assert fake.ticks == []


def test_a_worker_that_is_always_late_still_hears_what_it_is_told(fake: Fake) -> None:
    fake.takes_s = lambda tick: 2 * TICK_S
    fake.run(5)
    fake.waiting.append(PUT)
    fake.run(1)
    assert Ready("room", 3) in fake.told


def test_a_context_that_makes_it_stumble_is_refused_and_the_others_go_on(fake: Fake) -> None:
    fake.waiting = [Put("room", 4, 1, Context(())), Drop("room", 1), PUT]
    fake.run(1)
    assert [type(word) for word in fake.told] == [Refused, Refused, Ready]
    assert "ZeroDivisionError" in str(fake.told[0])
    assert len(fake.ticks) == 1


def test_a_tick_that_fails_is_left_out_and_too_many_on_end_are_the_end(fake: Fake) -> None:
    fake.fails = lambda tick: tick % MOST_FAILED_STEPS != 0
    fake.run(MOST_FAILED_STEPS * 2)
    fake.fails = lambda tick: True
    with pytest.raises(ZeroDivisionError):
        fake.run(MOST_FAILED_STEPS)


def test_it_says_that_it_is_alive_as_long_as_its_ticks_come_however_late(fake: Fake) -> None:
    fake.run(100)
    assert len(fake.alive_s) == 10
    fake.alive_s.clear()
    fake.takes_s = lambda tick: 2 * ALIVE_EVERY_S
    fake.run(10)
    assert len(fake.alive_s) == 10


def test_much_that_it_is_told_at_once_does_not_keep_it_from_saying_that_it_is_alive(fake: Fake) -> None:
    fake.run(1)
    fake.waiting, fake.put_takes_s = [PUT] * 10, ALIVE_EVERY_S
    before = len(fake.alive_s)
    fake.worker.wait()
    assert len(fake.alive_s) - before >= 10


def test_before_it_ends_it_waits_for_others_to_take_what_it_has(fake: Fake) -> None:
    def pass_on(tick: int) -> float:
        fake.contexts -= tick % 10 == 0
        return 0.001

    fake.takes_s = pass_on
    fake.worker.run(lambda: False)
    assert (fake.contexts, len(fake.ticks)) == (0, 70)
    assert fake.told[0] == Retiring()
    assert fake.told[-1] == Leaving()


def test_it_does_not_wait_for_ever(fake: Fake) -> None:
    fake.worker.run(lambda: False)
    assert fake.now_s == pytest.approx(100.0 + RETIRE_S, abs=2 * TICK_S)


def test_it_ends_when_it_is_told_so_and_newcomers_learn_it(fake: Fake) -> None:
    fake.waiting = [Retire()]
    fake.run(1)
    assert fake.told == [Retiring()]
    assert [one.retires for one in fake.inventories] == [False, True]
    fake.contexts = 0
    fake.worker.run(lambda: True)
    assert len(fake.ticks) == 1


def test_it_closes_what_it_was_given_at_the_end(fake: Fake) -> None:
    answers = iter([True, False])
    fake.connected = 0
    fake.worker.run(lambda: next(answers))
    assert fake.told[-1] == Leaving(), "what is written then takes its time"
    assert len(fake.ticks) == 50
    assert fake.closed == 2
