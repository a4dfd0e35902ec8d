"""Media workers by their numbers: how they are, and which of them may be drained."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from adapters.media.pool import Pool, Terms
from domain.refusal import Refusal
from media.wire import Codec, Context, Inventory, Leg, Load, Retire, ToWorker
from switchlog.studio.media_link import MediaLinks
from switchlog.studio.studio import MediaSettings, Studio

ONE, TWO = "/data/media-1.sock", "/data/media-2.sock"


class Node:
    """Links to two workers that are not there, and the pool behind them."""

    def __init__(self) -> None:
        self.said: list[tuple[str, ToWorker]] = []
        terms = Terms(lambda context: 0, lambda shard: 1, lambda shard: True)
        self.pool = Pool(
            terms, lambda worker, message: self.said.append((worker, message)), lambda legs: 8000, (ONE, TWO)
        )
        self.links = MediaLinks(MediaSettings(1, 2, (Path(ONE), Path(TWO))), lambda: None)
        self.links.studio = cast(Studio, SimpleNamespace(pool=self.pool))


@pytest.fixture
def node() -> Node:
    return Node()


def test_each_is_shown_with_what_it_has(node: Node) -> None:
    node.pool.arrived(ONE, Inventory((), 10))
    node.pool.absent(TWO)
    node.pool.loaded(ONE, Load(3, 250))
    node.pool.put("room", Context((Leg("a", 20000, None, (Codec("PCMU", 0),)),)))
    assert node.links.workers() == [
        {"worker": 1, "there": True, "draining": False, "legs": 3, "pressure": 0.25, "contexts": 1},
        {"worker": 2, "there": False, "draining": False, "legs": 0, "pressure": 0.0, "contexts": 0},
    ]


def test_one_is_drained_if_another_one_is_there_that_goes_on(node: Node) -> None:
    with pytest.raises(Refusal, match="no media worker 3: there are 2") as refused:
        node.links.drain(3)
    assert refused.value.kind == "missing"
    with pytest.raises(Refusal, match="worker 1 is not there"):
        node.links.drain(1)
    node.pool.arrived(ONE, Inventory())
    with pytest.raises(Refusal, match="no other media worker"):
        node.links.drain(1)
    node.pool.arrived(TWO, Inventory())
    assert node.links.drain(1)["draining"]
    assert node.said == [(ONE, Retire())]
    node.pool.retires(ONE)
    with pytest.raises(Refusal, match="no other media worker"):
        node.links.drain(2)
    assert node.links.drain(1)["worker"] == 1, "again, to no effect"


def test_without_media_there_is_none() -> None:
    links = MediaLinks(None, lambda: None)
    assert links.workers() == []
    with pytest.raises(Refusal, match="there are 0"):
        links.drain(1)
