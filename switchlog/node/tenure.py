"""A node's tenures: what becomes of each shard, from being given to this node to being another one's.

What may live here: the states, as a table, and pure bookkeeping over all shards. Who carries out what it says is
`warden`. The group of nodes only says who should try for a shard; a claim in the log says who may. So the two need not
agree at every moment: what was claimed for nothing is released, what was given and could not be claimed is tried again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from enum import Enum, auto
from typing import NamedTuple


class State(Enum):
    """Of one shard at this node."""

    FOREIGN = auto()
    """not this node's"""
    WANTED = auto()
    """given to this node, which has not got it yet, or has lost it"""
    HELD = auto()
    """claimed, loaded and served"""
    LEAVING = auto()
    """to be another node's: what was begun is brought to its end, then it is released"""
    RETURNING = auto()
    """leaving, and given to this node again meanwhile: to be claimed once it is released"""


class Input(Enum):
    """What happens to one shard."""

    GIVEN = auto()
    """the group gives it to this node"""
    REVOKED = auto()
    """the group takes it back, and waits until it is released"""
    EXPELLED = auto()
    """the group has given this node up: others may have claimed it already"""
    TAKEN = auto()
    """a claim was won, and what the shard holds was read"""
    LOST = auto()
    """an append failed: the board has dropped it"""
    RELEASED = auto()
    """the log says that it is free, or it could not be said"""


class Act(Enum):
    """What is to be done at once. (To claim what is wanted is done by and by, for all of it together.)"""

    NOTHING = auto()
    SERVE = auto()
    """hold what was read, and go on with it"""
    SETTLE = auto()
    """take no more work, bring to its end what was begun, then release"""
    RELEASE = auto()
    DROP = auto()
    """forget what it holds, now"""


class Row(NamedTuple):
    state: State
    act: Act = Act.NOTHING


TABLE: dict[tuple[State, Input], Row] = {
    (State.FOREIGN, Input.GIVEN): Row(State.WANTED),
    (State.FOREIGN, Input.REVOKED): Row(State.FOREIGN),
    (State.FOREIGN, Input.EXPELLED): Row(State.FOREIGN),
    # the claim was under way when the group took the shard back: nobody else can have it without a fence
    (State.FOREIGN, Input.TAKEN): Row(State.LEAVING, Act.RELEASE),
    (State.FOREIGN, Input.LOST): Row(State.FOREIGN),
    (State.FOREIGN, Input.RELEASED): Row(State.FOREIGN),
    (State.WANTED, Input.GIVEN): Row(State.WANTED),
    (State.WANTED, Input.REVOKED): Row(State.FOREIGN),
    (State.WANTED, Input.EXPELLED): Row(State.FOREIGN),
    (State.WANTED, Input.TAKEN): Row(State.HELD, Act.SERVE),
    (State.WANTED, Input.LOST): Row(State.WANTED),
    (State.WANTED, Input.RELEASED): Row(State.WANTED),
    (State.HELD, Input.GIVEN): Row(State.HELD),
    (State.HELD, Input.REVOKED): Row(State.LEAVING, Act.SETTLE),
    (State.HELD, Input.EXPELLED): Row(State.FOREIGN, Act.DROP),
    (State.HELD, Input.TAKEN): Row(State.HELD, Act.SERVE),  # by a later term
    (State.HELD, Input.LOST): Row(State.WANTED),
    (State.HELD, Input.RELEASED): Row(State.HELD),
    (State.LEAVING, Input.GIVEN): Row(State.RETURNING),
    (State.LEAVING, Input.REVOKED): Row(State.LEAVING),
    (State.LEAVING, Input.EXPELLED): Row(State.FOREIGN, Act.DROP),
    (State.LEAVING, Input.TAKEN): Row(State.LEAVING, Act.RELEASE),
    (State.LEAVING, Input.LOST): Row(State.FOREIGN),
    (State.LEAVING, Input.RELEASED): Row(State.FOREIGN),
    (State.RETURNING, Input.GIVEN): Row(State.RETURNING),
    (State.RETURNING, Input.REVOKED): Row(State.LEAVING),
    (State.RETURNING, Input.EXPELLED): Row(State.FOREIGN, Act.DROP),
    (State.RETURNING, Input.TAKEN): Row(State.RETURNING, Act.RELEASE),
    (State.RETURNING, Input.LOST): Row(State.WANTED),
    (State.RETURNING, Input.RELEASED): Row(State.WANTED),
}


class Tenures:
    """Every shard's state; what was never spoken of is foreign."""

    def __init__(self) -> None:
        self._states: dict[int, State] = {}

    def tell(self, shard: int, what: Input) -> Act:
        """What happened to a shard; what is to be done now."""
        state, act = TABLE[self.state(shard), what]
        if state is State.FOREIGN:
            self._states.pop(shard, None)
        else:
            self._states[shard] = state
        return act

    def tell_all(self, shards: Iterable[int], what: Input) -> dict[Act, list[int]]:
        """The same for many; which shards each act is for."""
        acts: dict[Act, list[int]] = {}
        for shard in shards:
            acts.setdefault(self.tell(shard, what), []).append(shard)
        return acts

    def state(self, shard: int) -> State:
        return self._states.get(shard, State.FOREIGN)

    def those(self, *states: State) -> tuple[int, ...]:
        """The shards that are in one of `states`, in order."""
        return tuple(sorted(shard for shard, state in self._states.items() if state in states))

    def is_ours(self, shard: int) -> bool:
        """Whether this node has a shard, or is to get it or to get it again."""
        return self.state(shard) in (State.WANTED, State.HELD, State.RETURNING)

    def given(self, shards: Collection[int]) -> tuple[Collection[int], Collection[int]]:
        """The group's word that exactly `shards` are this node's: those to be told GIVEN, and those REVOKED."""
        ours = {shard for shard in self._states if self.is_ours(shard)}
        return sorted(set(shards) - ours), sorted(ours - set(shards))
