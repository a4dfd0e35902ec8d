"""The pool: what a worker is told, and told again; whatever happens, it ends up with what it shall have."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from adapters.media.pool import Pool, Terms
from media.wire import Codec, Context, Drop, Inventory, Left, Leg, Put, Retire, ToWorker

EPOCH = 7
OURS = Terms(lambda context: 0, lambda shard: EPOCH, lambda shard: True)


def rate_hz(legs: Sequence[Leg]) -> int:
    """One more for each leg: what is made of it is not known here."""
    return 8000 + len(legs)


def context(*legs: str) -> Context:
    return Context(tuple(Leg(leg, 20000, None, (Codec("PCMU", 0),)) for leg in legs))


class Workers:
    """Workers that do as they are told, and keep what they have when they are only disconnected."""

    def __init__(self, *names: str, capacity_legs: int = 100, spare: bool = False) -> None:
        self._known = names if spare else ()
        self.pool = Pool(OURS, self._told, rate_hz, self._known)
        self.has: dict[str, dict[str, Put]] = {name: {} for name in names}
        self.connected: set[str] = set()
        self.told: list[tuple[str, ToWorker]] = []
        self.retiring: set[str] = set()
        self.leaving: list[tuple[str, Left]] = []
        """what workers are about to say of contexts that move"""
        self._capacity_legs = capacity_legs

    def connect(self, name: str) -> None:
        self.connected.add(name)
        puts = self.has[name].values()
        held = tuple((put.context, put.rev, put.epoch) for put in puts)
        spans = {
            put.context: (put.desired.span.home, tuple(leg.id for leg in put.desired.legs))
            for put in puts
            if put.desired.span is not None
        }
        retires = name in self.retiring
        self.pool.arrived(name, Inventory(held, self._capacity_legs, retires=retires, spans=spans))

    def leave(self) -> None:
        """The next context that moves is to be had."""
        name, left = self.leaving.pop(0)
        self.pool.left(name, left)

    def part(self, name: str) -> None:
        self.leaving = [(worker, left) for worker, left in self.leaving if worker != name]
        self.connected.discard(name)
        self.pool.parted(name)

    def die(self, name: str) -> None:
        self.part(name)
        self.has[name].clear()
        self.retiring.discard(name)
        self.pool.died(name)

    def forget(self) -> None:
        """The sessions process was killed: another one begins with nothing."""
        self.connected.clear()
        self.leaving.clear()
        self.pool = Pool(OURS, self._told, rate_hz, self._known)

    def _told(self, name: str, message: ToWorker) -> None:
        assert name in self.connected
        self.told.append((name, message))
        held = self.has[name]
        if isinstance(message, Retire):
            self.retiring.add(name)
            self.pool.retires(name)
            return
        if isinstance(message, Drop):
            held.pop(message.context, None)
            if message.moves:
                self.leaving.append((name, Left(message.context)))
            return
        before = held.get(message.context)
        assert before is None or (message.epoch, message.rev) > (before.epoch, before.rev), "it would be refused"
        held[message.context] = message

    @property
    def desired(self) -> dict[str, Context]:
        return {put.context: put.desired for held in self.has.values() for put in held.values()}


def test_a_context_waits_for_a_worker() -> None:
    workers = Workers("one")
    assert not workers.pool.there
    workers.pool.put("room", context("a"))
    workers.connect("one")
    assert workers.desired == {"room": context("a")}
    assert workers.pool.there


def test_a_change_raises_the_rev_by_which_the_worker_answers() -> None:
    workers = Workers("one")
    workers.connect("one")
    revs = [workers.pool.put("room", context(*legs)) for legs in ("a", "ab", "b")]
    assert revs == [1, 2, 3]
    assert workers.pool.rev("room") == 3
    assert workers.desired == {"room": context("b")}


def test_a_worker_that_died_is_told_all_again() -> None:
    workers = Workers("one")
    workers.connect("one")
    workers.pool.put("room", context("a"))
    workers.die("one")
    workers.pool.put("room", context("a", "b"))
    workers.connect("one")
    assert workers.desired == {"room": context("a", "b")}


def test_a_new_pool_goes_on_from_what_the_worker_has() -> None:
    workers = Workers("one")
    workers.connect("one")
    for legs in ("a", "ab", "abc"):
        workers.pool.put("room", context(*legs))
    workers.pool.put("gone", context("x"))
    workers.pool = Pool(OURS, workers._told, rate_hz)
    workers.pool.put("room", context("a", "b"))
    workers.connect("one")
    assert workers.desired == {"room": context("a", "b")}
    assert workers.pool.rev("room") > 3


def test_contexts_go_where_there_is_most_room_and_stay_there() -> None:
    workers = Workers("one", "two")
    for name in workers.has:
        workers.connect(name)
    workers.pool.put("big", context(*"abc"))
    workers.pool.put("small", context("d"))
    workers.pool.put("next", context("e"))
    assert [set(held) for held in workers.has.values()] == [{"big"}, {"small", "next"}]
    workers.pool.put("small", context(*"dfghijk"))
    assert set(workers.has["two"]) == {"small", "next"}


def test_what_another_worker_has_meanwhile_is_dropped() -> None:
    workers = Workers("one", "two")
    workers.has["two"]["room"] = Put("room", 3, EPOCH, context("a"))
    workers.connect("one")
    workers.pool.put("room", context("a"))
    workers.connect("two")
    assert [set(held) for held in workers.has.values()] == [{"room"}, set()]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["put", "drop", "connect", "part", "die", "forget", "retire", "leave"]),
        st.sampled_from(["one", "two"]),
        st.sampled_from(["x", "y", "z"]),
        st.sampled_from(["a", "ab", "b"]),
    ),
    max_size=40,
)


def happened(workers: Workers, steps: list[tuple[str, str, str, str]]) -> dict[str, Context]:
    """What shall be after these steps."""
    wanted = dict[str, Context]()
    for step, worker, name, legs in steps:
        if step == "put":
            wanted[name] = context(*legs)
            workers.pool.put(name, wanted[name])
        elif step == "drop":
            wanted.pop(name, None)
            workers.pool.drop(name)
        elif step == "connect" and worker not in workers.connected:
            workers.connect(worker)
        elif step == "part":
            workers.part(worker)
        elif step == "die":
            workers.die(worker)
        elif step == "retire" and worker in workers.connected:
            workers.pool.retire(worker)
        elif step == "leave" and workers.leaving:
            workers.leave()
        elif step == "forget":  # the sessions process was killed: another one knows the contexts by its events
            workers.forget()
            for context_name, desired in wanted.items():
                workers.pool.put(context_name, desired)
    return wanted


@given(STEPS)
def test_whatever_happens_the_workers_end_up_with_what_shall_be(steps: list[tuple[str, str, str, str]]) -> None:
    workers = Workers("one", "two")
    wanted = happened(workers, steps)
    for worker in set(workers.has) - workers.connected:
        workers.connect(worker)
    while workers.leaving:
        workers.leave()
    assert workers.desired == wanted
    assert sum(map(len, workers.has.values())) == len(wanted), "each at one worker"


def drained() -> Workers:
    """Two workers; the first has six rooms and has been told to end."""
    workers = Workers("one")
    workers.connect("one")
    for name in "abcdef":
        workers.pool.put(name, context(name))
    workers.has["two"] = {}
    workers.connect("two")
    assert workers.pool.retire("one")
    return workers


def test_what_a_worker_has_that_ends_goes_to_another_one_a_few_at_a_time() -> None:
    workers = drained()
    assert (set(workers.has["one"]), set(workers.has["two"])) == (set("ef"), set()), "four are being closed"
    workers.pool.put("b", context("b", "x"))
    workers.pool.put("new", context("y"))
    workers.leave()
    assert (set(workers.has["one"]), set(workers.has["two"])) == (set("f"), {"a", "new", "b"}), "x at once"
    while workers.leaving:
        workers.leave()
    assert (set(workers.has["one"]), set(workers.has["two"])) == (set(), {*"abcdef", "new"})
    assert workers.has["two"]["b"].desired == context("b", "x")
    assert workers.pool.metrics()["media_moves_total"] == 6
    assert workers.pool.said_of("one") == {
        "there": True, "draining": True, "legs": 0, "pressure": 0.0, "contexts": 0
    }  # fmt: skip


def test_contexts_that_end_while_they_move_make_room_for_others() -> None:
    workers = drained()
    for name in "abcd":
        workers.pool.drop(name)
    workers.leave()
    assert set(workers.has["one"]) == set(), "those that were waiting are being closed, too"
    while workers.leaving:
        workers.leave()
    assert set(workers.has["two"]) == set("ef")


def test_a_worker_that_dies_while_it_is_left_loses_nothing() -> None:
    workers = drained()
    workers.die("one")
    assert set(workers.has["two"]) == set("abcdef")
    workers.connect("one")
    workers.pool.put("new", context("y"))
    assert set(workers.has["one"]) == {"new"}, "it is another process, which does not end"


def test_the_only_worker_is_not_told_to_end_and_keeps_what_it_has_if_it_does() -> None:
    workers = Workers("one")
    workers.connect("one")
    workers.pool.put("room", context("a"))
    assert not workers.pool.retire("one")
    workers.pool.retires("one")
    assert set(workers.has["one"]) == {"room"}
    workers.has["two"] = {}
    workers.connect("two")
    workers.leave()
    assert set(workers.has["two"]) == {"room"}
