"""The law of overload: more pressure never admits more, and the order in which work is refused."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from adapters.sip.gate.overload import Controller, Measures, Work

LOOK_S = 0.025
AMOUNT = st.floats(0, 5)
MEASURES = st.builds(Measures, AMOUNT, st.integers(0, 10_000), AMOUNT, AMOUNT, st.floats(0, 1))
CHANCE = st.floats(0, 1, exclude_max=True)


def worse(one: Measures, other: Measures) -> Measures:
    return Measures(
        max(one.commit_age_s, other.commit_age_s),
        max(one.commits_waiting, other.commits_waiting),
        max(one.lane_age_s, other.lane_age_s),
        max(one.loop_lag_s, other.loop_lag_s),
        max(one.transactions, other.transactions),
    )


@given(st.lists(st.tuples(MEASURES, MEASURES, st.floats(0, 1)), min_size=1), st.sampled_from(Work), CHANCE)
def test_more_pressure_never_admits_more(
    looks: list[tuple[Measures, Measures, float]], work: Work, chance: float
) -> None:
    calm, loaded, now = Controller(), Controller(), 0.0
    for one, other, later in looks:
        now += later
        calm.observe(one, now)
        loaded.observe(worse(one, other), now)
        assert loaded.pressure >= calm.pressure
        assert not loaded.admits(work, chance) or calm.admits(work, chance)


def after(measures: Measures, looks: int = 100) -> Controller:
    """A controller that has seen nothing else."""
    controller = Controller()
    for look in range(looks):
        controller.observe(measures, look * LOOK_S)
    return controller


@given(MEASURES, CHANCE)
def test_calls_are_refused_before_registrations_and_strangers_before_phones(measures: Measures, chance: float) -> None:
    controller = after(measures)
    order = [controller.admits(work, chance) for work in Work]
    assert order == sorted(order)


def test_without_load_everything_is_admitted() -> None:
    controller = after(Measures(0.02, 10, 0.01, 0.01, 0.5))
    assert all(controller.admits(work, 0.0) for work in Work)


def test_a_slow_disk_alone_is_no_overload_but_a_silent_one_is() -> None:
    assert after(Measures(commit_age_s=0.19, commits_waiting=3)).pressure == 0
    assert after(Measures(commit_age_s=0.19, commits_waiting=100)).pressure > 0.89
    assert after(Measures(commit_age_s=2, commits_waiting=1)).pressure > 0.89


def test_many_transactions_are_a_pressure_too() -> None:
    assert after(Measures(transactions=0.7)).pressure == 0
    assert after(Measures(transactions=0.9)).pressure > 0.89


def test_under_the_worst_pressure_some_refreshes_still_come_in() -> None:
    controller = after(Measures(lane_age_s=9))
    assert not any(controller.admits(work, 0.999) for work in Work if work is not Work.REFRESH)
    assert 0 < controller.refused_share(Work.REFRESH) < 1


def test_a_stutter_is_no_overload() -> None:
    controller = Controller()
    for look in range(100):
        assert controller.observe(Measures(loop_lag_s=0.3 * (look % 4 == 0)), look * LOOK_S) == 0


def test_a_pause_of_the_disk_or_the_machine_refuses_nobody_but_a_queue_that_stands_does() -> None:
    controller = Controller()
    for look in range(400):
        left_s = max(0.2 - (look % 40) * LOOK_S, 0.0)  # once a second, worked off in 0.2 s
        assert controller.observe(Measures(commit_age_s=left_s, commits_waiting=400), look * LOOK_S) == 0
    for look in range(400, 410):
        controller.observe(Measures(commit_age_s=0.2, commits_waiting=400), look * LOOK_S)
    assert controller.pressure > 0


def test_under_pressure_the_next_delay_need_not_stand_first() -> None:
    controller = after(Measures(lane_age_s=1), 20)
    for look in range(20):
        controller.observe(Measures(), 0.5 + look * LOOK_S)
    before = controller.pressure
    for look in range(2):
        controller.observe(Measures(lane_age_s=0.2), 1 + look * LOOK_S)
    assert 0 < before < controller.pressure


def test_the_share_settles_where_the_queue_is_short() -> None:
    """A server that does 200 calls a second is asked for 500: it goes on doing about 200, and nobody waits long."""
    controller, queue, waits, done = Controller(), 0.0, [], 0.0
    for look in range(4000):
        controller.observe(Measures(lane_age_s=queue / 200), look * LOOK_S)
        queue += 500 * LOOK_S * (1 - controller.refused_share(Work.CALL))
        served = min(queue, 200 * LOOK_S)
        queue, done = queue - served, done + served
        waits.append(queue / 200)
    assert done > 0.9 * 200 * 4000 * LOOK_S
    assert sorted(waits)[len(waits) * 95 // 100] < 0.2


def test_pressure_fades_when_its_cause_is_gone() -> None:
    controller = after(Measures(lane_age_s=1), 20)
    assert controller.pressure > 0.5
    for look in range(200):
        controller.observe(Measures(), 1 + look * LOOK_S)
    assert controller.pressure == 0


def test_after_an_outage_of_the_journal_phones_are_soon_heard_again() -> None:
    controller = after(Measures(commit_age_s=9, commits_waiting=1))
    assert controller.refused_share(Work.CALL) == 1
    for look in range(80):  # 2 s
        controller.observe(Measures(), 2.5 + look * LOOK_S)
    assert controller.refused_share(Work.CALL) == 0
