"""The spare worker: it has nothing to do until another one dies, and then has all that that one had."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from media.wire import Load
from tests.adapters.media.test_pool import STEPS, Workers, context, happened

NAMES = ("media-1", "media-2", "media-3")


def connected(*names: str) -> Workers:
    workers = Workers(*names, spare=True)
    for name in names:
        workers.connect(name)
    return workers


def at(workers: Workers) -> list[set[str]]:
    """The contexts of each worker."""
    return [set(held) for held in workers.has.values()]


def test_the_last_idle_worker_is_left_alone() -> None:
    workers = connected(*NAMES)
    for name in "vwxyz":
        workers.pool.put(name, context(name))
    assert at(workers) == [{"v", "x", "z"}, {"w", "y"}, set()]


def test_the_spare_takes_over_all_that_a_dead_worker_had() -> None:
    workers = connected(*NAMES)
    for name in "vwxy":
        workers.pool.put(name, context(name))
    workers.die("media-1")
    assert at(workers) == [set(), {"w", "y"}, {"v", "x"}]
    workers.connect("media-1")
    workers.pool.put("z", context("z"))
    assert at(workers) == [set(), {"w", "y", "z"}, {"v", "x"}], "now that one is the spare"
    metrics = workers.pool.metrics()
    assert (metrics["media_workers"], metrics["media_takeovers_total"], metrics["media_contexts"]) == (3, 1, 5)


def test_a_worker_that_is_only_not_heard_keeps_what_it_has() -> None:
    """Its ports are open: nobody else could have them."""
    workers = connected("media-1", "media-2")
    workers.pool.put("room", context("a"))
    workers.part("media-1")
    workers.pool.put("room", context("a", "b"))
    assert at(workers) == [{"room"}, set()]
    workers.connect("media-1")
    assert workers.desired == {"room": context("a", "b")}


def test_without_a_spare_that_is_there_the_first_that_comes_takes_over() -> None:
    workers = connected("media-1")
    workers.pool.put("room", context("a"))
    workers.die("media-1")
    workers.has["media-2"] = {}
    workers.connect("media-2")
    assert at(workers) == [set(), {"room"}]
    workers.connect("media-1")
    assert at(workers) == [set(), {"room"}]


def test_a_new_pool_waits_until_it_knows_what_each_worker_has() -> None:
    """Else a room would be given to another worker than the one that mixes it, which has its ports."""
    workers = connected(*NAMES)
    for name in "xy":
        workers.pool.put(name, context(name))
    workers.forget()
    for name in "xy":
        workers.pool.put(name, context(name))
    for name in NAMES:
        workers.connect(name)
    assert at(workers) == [{"x"}, {"y"}, set()]


def test_a_worker_that_says_nothing_at_all_is_not_waited_for_for_long() -> None:
    workers = Workers(*NAMES, spare=True)
    workers.pool.put("room", context("a"))
    workers.pool.absent("media-3")
    workers.connect("media-1")
    assert workers.desired == {}
    workers.pool.loaded("media-1", Load(0, 0))
    assert workers.desired == {}, "it says so at any moment: the others may be about to come"
    workers.pool.loaded("media-1", Load(0, 0))
    assert workers.desired == {"room": context("a")}


def test_what_others_have_put_counts_for_the_choice() -> None:
    workers = connected(*NAMES)
    workers.pool.loaded("media-1", Load(50, 300))
    workers.pool.put("room", context("a"))
    assert at(workers) == [set(), {"room"}, set()]
    workers.pool.loaded("media-2", Load(1, 20, late_ticks=2))
    assert workers.pool.metrics() == {
        "media_workers": 3, "media_contexts": 1, "media_legs": 51, "media_pressure": 0.3, "media_late_ticks_total": 2,
        "media_takeovers_total": 0, "media_moves_total": 0, "media_contexts_shared": 0,
    }  # fmt: skip


@given(STEPS, st.booleans())
def test_whatever_dies_each_context_ends_up_at_one_worker(steps: list[tuple[str, str, str, str]], both: bool) -> None:
    workers = Workers("one", "two", spare=True)
    wanted = happened(workers, steps)
    for worker in ("one", "two") if both else ("one",):
        if worker not in workers.connected:
            workers.connect(worker)
    if not both and "two" not in workers.connected:
        workers.die("two")
    while workers.leaving:
        workers.leave()
    assert workers.desired == wanted
    assert sum(map(len, workers.has.values())) == len(wanted), "each at one worker"
