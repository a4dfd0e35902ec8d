"""Contexts of more legs than a worker takes: each leg is at one worker, one of them the home; all know the others."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from media.wire import Context, Inventory, Left, Play, Put, Record, Span
from tests.adapters.media.test_pool import Workers, context, rate_hz

NAMES = ("media-1", "media-2", "media-3", "media-4")


def connected(*names: str, most: int = 2) -> Workers:
    workers = Workers(*names, capacity_legs=most, spare=True)
    for name in names:
        workers.connect(name)
    return workers


def legs_at(workers: Workers, name: str = "room") -> list[str]:
    """Of each worker, in one word."""
    puts = [held.get(name) for held in workers.has.values()]
    return ["".join(leg.id for leg in put.desired.legs) if put else "" for put in puts]


def spans_at(workers: Workers, name: str = "room") -> list[Span | None]:
    return [held[name].desired.span for held in workers.has.values() if name in held]


def is_right(workers: Workers, name: str, wanted: Context) -> bool:
    """Whether the parts that workers have of a context are the whole, and fit together."""
    parts = {worker: held[name].desired for worker, held in workers.has.items() if name in held}
    legs = [leg for part in parts.values() for leg in part.legs]
    assert sorted(leg.id for leg in legs) == sorted(leg.id for leg in wanted.legs), "each leg at one worker"
    if len(parts) == 1:
        assert [*parts.values()] == [wanted]
        return True
    for worker, part in parts.items():
        assert part.span is not None
        assert part.legs
        assert {*part.span.peers, worker} == {*parts}
        assert part.clock_rate_hz == rate_hz(wanted.legs)
        assert (part.plays, part.records) == ((wanted.plays, wanted.records) if part.span.home else ((), ()))
    return sum(part.span is not None and part.span.home for part in parts.values()) == 1


def test_legs_for_which_a_worker_has_no_room_go_to_another_one() -> None:
    workers = connected(*NAMES[:3])
    for legs in ("a", "ab", "abc"):
        workers.pool.put("room", context(*legs))
    assert legs_at(workers) == ["ab", "c", ""], "and the last one is the spare"
    assert spans_at(workers) == [Span(True, ("media-2",)), Span(False, ("media-1",))]
    assert [workers.pool.carrier("room", leg) for leg in "abcd"] == ["media-1", "media-1", "media-2", ""]
    assert workers.pool.metrics()["media_contexts_shared"] == 1
    assert is_right(workers, "room", context(*"abc"))


def test_a_leg_stays_where_it_is_whatever_comes_and_goes() -> None:
    workers = connected(*NAMES[:3])
    workers.pool.put("room", context(*"abcd"))
    workers.pool.put("room", context(*"bcd"))
    assert legs_at(workers) == ["b", "cd", ""]
    workers.pool.put("room", context(*"bcde"))
    assert legs_at(workers) == ["be", "cd", ""]


def test_when_nobody_has_room_its_home_says_so() -> None:
    workers = connected(*NAMES[:2], most=2)
    workers.pool.put("room", context(*"abc"))
    assert legs_at(workers) == ["abc", ""], "it refuses the third: the spare is for who dies"


def test_what_is_relayed_is_never_shared() -> None:
    workers = connected(*NAMES[:3], most=1)
    call = Context(context("a", "b").legs, relayed=True)
    workers.pool.put("room", call)
    assert workers.desired == {"room": call}


def test_only_its_home_has_what_belongs_to_all() -> None:
    workers = connected(*NAMES[:3])
    room = Context(context(*"abc").legs, plays=(Play("p", "tone:x"),), records=(Record("r", "/r"),))
    workers.pool.put("room", room)
    assert is_right(workers, "room", room)


def test_when_its_home_has_no_leg_any_more_another_worker_is_it_once_files_are_free() -> None:
    workers = connected(*NAMES[:3])
    workers.pool.put("room", context(*"abc"))
    workers.pool.put("room", context("c"))
    assert legs_at(workers) == ["", "c", ""]
    assert workers.leaving == [("media-1", Left("room"))]
    workers.leave()
    assert workers.desired == {"room": context("c")}


def test_a_worker_that_dies_is_replaced_by_the_spare_and_the_others_are_told() -> None:
    workers = connected(*NAMES[:3])
    workers.pool.put("room", context(*"abc"))
    workers.die("media-1")
    assert legs_at(workers) == ["", "c", "ab"]
    assert spans_at(workers) == [Span(False, ("media-3",)), Span(True, ("media-2",))]
    workers.connect("media-1")
    workers.die("media-2")
    assert legs_at(workers) == ["c", "", "ab"]
    assert is_right(workers, "room", context(*"abc"))


def test_without_a_spare_the_legs_go_where_there_is_room() -> None:
    workers = connected(*NAMES[:3], most=4)
    workers.pool.put("room", context(*"abcde"))
    assert legs_at(workers) == ["abcd", "e", ""]
    workers.pool.put("room", context(*"abce"))
    workers.die("media-3")
    workers.die("media-1")
    assert legs_at(workers) == ["", "abce", ""]
    assert workers.desired == {"room": context(*"abce")}


def test_a_drained_worker_s_part_goes_where_there_is_room() -> None:
    workers = connected(*NAMES[:3])
    workers.pool.put("room", context(*"abc"))
    assert workers.pool.retire("media-1")
    assert legs_at(workers) == ["", "c", ""]
    workers.leave()
    assert is_right(workers, "room", context(*"abc"))
    assert legs_at(workers)[0] == ""


def test_nothing_leaves_a_worker_before_there_is_room_for_it() -> None:
    workers = connected(*NAMES[:2])
    workers.pool.put("room", context("a", "b"))
    workers.die("media-2")
    workers.pool.retires("media-1")
    assert legs_at(workers) == ["ab", ""]
    workers.connect("media-2")
    workers.leave()
    assert legs_at(workers) == ["", "ab"]


def test_the_spare_is_better_than_none_while_another_one_is_away() -> None:
    workers = connected(*NAMES[:3])
    workers.pool.put("room", context("a", "b"))
    workers.die("media-2")
    workers.pool.put("room", context(*"abc"))
    assert legs_at(workers) == ["ab", "", "c"]


def test_a_new_pool_finds_each_leg_where_it_is() -> None:
    workers = connected(*NAMES[:3])
    workers.pool.put("room", context(*"abcd"))
    workers.pool.put("room", context(*"bcd"))
    before = legs_at(workers)
    workers.forget()
    workers.pool.put("room", context(*"bcd"))
    for name in ("media-2", "media-3", "media-1"):
        workers.connect(name)
    assert legs_at(workers) == before
    assert [span and span.home for span in spans_at(workers)] == [True, False]
    assert is_right(workers, "room", context(*"bcd"))


def test_legs_whose_worker_died_with_the_pool_go_to_another_one() -> None:
    workers = connected(*NAMES[:3])
    workers.pool.put("room", context(*"abcd"))
    workers.has["media-1"].clear()
    workers.forget()
    workers.pool.put("room", context(*"abcd"))
    workers.connect("media-2")
    assert legs_at(workers) == ["", "cd", ""], "the rest may be at a worker that is not known yet"
    workers.connect("media-3")
    workers.connect("media-1")
    assert is_right(workers, "room", context(*"abcd"))
    assert workers.has["media-2"]["room"].desired.legs == context("c", "d").legs


def test_what_goes_on_in_a_shard_that_was_away_is_found_at_all_its_workers() -> None:
    epochs = {0: 7}
    workers = connected(*NAMES[:3])
    workers.pool._terms = workers.pool._terms._replace(epoch=epochs.get)
    workers.pool.put("room", context(*"abc"))
    epochs.clear()
    workers.pool.leave(0)
    assert legs_at(workers) == ["ab", "c", ""]
    epochs[0] = 8
    workers.pool.put("room", context(*"abcd"))
    assert legs_at(workers) == ["ab", "cd", ""]
    epochs.clear()
    workers.pool.leave(0)
    epochs[0] = 9
    workers.pool.sweep()
    assert workers.desired == {}


def test_a_part_that_nobody_wants_any_more_is_dropped_when_its_worker_comes() -> None:
    workers = connected(*NAMES[:3])
    workers.has["media-1"]["room"] = Put("room", 1, 7, Context((), span=Span(True, ())))
    workers.pool.arrived("media-1", Inventory((("room", 1, 7),), 2, spans={"room": (True, ())}))
    assert workers.desired == {}


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["put", "drop", "connect", "part", "die", "forget", "retire", "leave"]),
        st.sampled_from(NAMES),
        st.sampled_from(["x", "y"]),
        st.sets(st.sampled_from("abcde"), min_size=1),
    ),
    max_size=40,
)


def happens(workers: Workers, step: str, worker: str) -> None:
    """What happens to a worker, if it can."""
    there = worker in workers.connected
    match step:
        case "connect" if not there:
            workers.connect(worker)
        case "part" if there:
            workers.part(worker)
        case "die":
            workers.die(worker)
        case "retire" if there:
            workers.pool.retire(worker)
        case "leave" if workers.leaving:
            workers.leave()


@given(STEPS)
def test_whatever_happens_each_leg_ends_up_at_one_worker(steps: list[tuple[str, str, str, set[str]]]) -> None:
    workers = connected(*NAMES)
    wanted = dict[str, Context]()
    for step, worker, name, chosen in steps:
        if step == "put":
            wanted[name] = context(*(name + leg for leg in sorted(chosen)))
            workers.pool.put(name, wanted[name])
        elif step == "drop":
            wanted.pop(name, None)
            workers.pool.drop(name)
        elif step == "forget":
            workers.forget()
            for known, desired in wanted.items():
                workers.pool.put(known, desired)
        else:
            happens(workers, step, worker)
    for worker in set(workers.has) - workers.connected:
        workers.connect(worker)
    while workers.leaving:
        workers.leave()
    assert {name for held in workers.has.values() for name in held} == {*wanted}
    for name, desired in wanted.items():
        assert is_right(workers, name, desired)
