"""The law of overload: more pressure never admits more, and the order in which work is refused."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from adapters.sip.overload import Controller, Measures, OverloadLimits, Work

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


@given(MEASURES, CHANCE)
def test_calls_are_refused_before_registrations_and_strangers_before_phones(measures: Measures, chance: float) -> None:
    controller = Controller()
    controller.observe(measures, 0)
    order = [controller.admits(work, chance) for work in Work]
    assert order == sorted(order)


def test_without_load_everything_is_admitted() -> None:
    controller = Controller()
    controller.observe(Measures(0.02, 10, 0.01, 0.01, 0.5), 0)
    assert all(controller.admits(work, 0.0) for work in Work)


def test_a_slow_disk_alone_is_no_overload_but_a_silent_one_is() -> None:
    controller = Controller()
    assert controller.observe(Measures(commit_age_s=0.19, commits_waiting=3), 0) == 0
    assert controller.observe(Measures(commit_age_s=0.19, commits_waiting=100), 0) > 0.9
    assert Controller().observe(Measures(commit_age_s=2, commits_waiting=1), 0) == 1


def test_under_the_worst_pressure_some_refreshes_still_come_in() -> None:
    controller = Controller()
    controller.observe(Measures(lane_age_s=9), 0)
    assert not any(controller.admits(work, 0.999) for work in Work if work is not Work.REFRESH)
    assert 0 < controller.refused_share(Work.REFRESH) < 1


def test_pressure_fades_when_its_cause_is_gone() -> None:
    controller = Controller(OverloadLimits(calm_s=0.5))
    controller.observe(Measures(lane_age_s=1), 10)
    assert controller.observe(Measures(), 10.25) == 0.5
    assert controller.observe(Measures(), 10.5) == 0
