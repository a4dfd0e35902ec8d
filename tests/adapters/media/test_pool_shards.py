"""The pool of one of several processes that have the same workers: each says what is in its own shards, and no more."""

from __future__ import annotations

from adapters.media.pool import Pool, Terms
from media.wire import Context, Drop, Inventory, Put, ToWorker

EMPTY = Context(())


class Process:
    """One of them: its contexts are named `SHARD/ROOM`. `near` are the shards of its node, as it knows them."""

    def __init__(self, near: set[int], epochs: dict[int, int]) -> None:
        self.near, self.epochs = near, epochs
        self.said: list[ToWorker] = []
        self.pool = Pool(
            Terms(lambda context: int(context.partition("/")[0]), self.epochs.get, self.near.__contains__),
            lambda worker, message: self.said.append(message),
            lambda legs: 8000,
        )

    def finds(self, *contexts: tuple[str, int, int]) -> None:
        """Its worker has these already: name, rev, epoch."""
        self.pool.arrived("worker", Inventory(contexts, 100))

    def heard(self) -> list[ToWorker]:
        said, self.said = self.said, []
        return said


def test_each_shard_is_written_in_its_own_term() -> None:
    process = Process({1, 2}, {1: 5, 2: 9})
    process.finds()
    process.pool.put("1/a", EMPTY)
    process.pool.put("2/b", EMPTY)
    process.pool.drop("2/b")
    assert process.heard() == [Put("1/a", 1, 5, EMPTY), Put("2/b", 1, 9, EMPTY), Drop("2/b", 9)]


def test_what_another_process_of_the_node_has_is_left_alone() -> None:
    process = Process({1, 2}, {1: 5})
    process.finds(("2/b", 3, 4), ("1/gone", 1, 5))
    process.pool.sweep()
    assert process.heard() == [Drop("1/gone", 5)]


def test_what_a_node_has_that_lost_the_shard_ends_when_it_comes_back() -> None:
    process = Process(set(), {})
    process.finds(("2/b", 3, 4))
    assert process.heard() == [Drop("2/b", 4)]


def test_audio_flows_on_over_a_loss_of_the_shard_and_goes_on_in_the_next_term() -> None:
    process = Process({1}, {1: 5})
    process.finds()
    process.pool.put("1/a", EMPTY)
    process.pool.put("1/b", EMPTY)
    del process.epochs[1]
    process.pool.leave(1)
    process.pool.put("1/a", EMPTY)
    process.pool.drop("1/a")
    process.pool.sweep()
    assert process.heard() == [Put("1/a", 1, 5, EMPTY), Put("1/b", 1, 5, EMPTY)], "nobody but an owner has a say"
    process.epochs[1] = 6
    process.pool.put("1/a", EMPTY)
    process.pool.sweep()
    (put, drop) = process.heard()
    assert isinstance(put, Put)
    assert (put.context, put.epoch) == ("1/a", 6)
    assert drop == Drop("1/b", 5), "nobody is in it any more"


def test_what_another_node_goes_on_with_ends_here() -> None:
    process = Process({1}, {1: 5})
    process.finds()
    process.pool.put("1/a", EMPTY)
    del process.epochs[1]
    process.pool.leave(1)
    process.pool.moved([1])
    process.near.clear()
    process.heard()
    process.pool.moved([1])
    assert process.heard() == [Drop("1/a", 5)]
    process.pool.moved([1])
    assert process.heard() == []


def test_a_worker_that_died_has_nothing_left_over() -> None:
    process = Process({1}, {1: 5})
    process.finds()
    process.pool.put("1/a", EMPTY)
    del process.epochs[1]
    process.pool.leave(1)
    process.pool.parted("worker")
    process.finds()
    process.near.clear()
    process.heard()
    process.pool.moved([1])
    assert process.heard() == []
