"""Rebuilding and verifying projections beside the live ones, in steps between which the live ones go on.

A job is a generator: each `next` does a bounded piece of work and yields how far it is; its last value is the
outcome. It runs in the live follower's thread, so while a step runs the live tables stand still: that is what makes
"at the same cursor" exact.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from functools import partial
from typing import NamedTuple, TypeVar

import msgspec

from domain.ports import JournalError
from projections.follower import Follower, Pace, Target, covers
from projections.generation import BUILDING, LIVE, RETIRED, Generations, State
from projections.ports import Decode, Source, Unavailable
from projections.projection import PROJECTIONS, named

BATCH = 4_000
"""Records of one step: live rows wait for about as long as these take."""
BATCHES = 5
"""Steps until the rows are written: the larger the inserts, the fewer."""

T = TypeVar("T")


class Progress(msgspec.Struct, frozen=True):
    """`done` and `total` are records of the journal; `phase` says what goes on, also why nothing does."""

    phase: str
    done: int = 0
    total: int = 0


class Difference(msgspec.Struct, frozen=True):
    """A month of a tenant in which the live rows are not what the journal says; counts of rows of both."""

    table: str
    tenant: str
    month: int
    live_rows: int
    rebuilt_rows: int


class Outcome(msgspec.Struct, frozen=True):
    """What a job came to: the records it read, and the months that differ (always none after a rebuild)."""

    records: int
    differences: tuple[Difference, ...] = ()


Job = Generator[Progress, None, Outcome]


class Workshop(NamedTuple):
    """What a job works with. `live` is the follower of the live generations, run by the same thread; `batch` the
    records of one step."""

    source: Source
    generations: Generations
    decode: Decode
    live: Follower
    batch: int = BATCH


def target(source: Source, decode: Decode, state: State) -> Target:
    """A fresh projection for the generation that `state` names."""
    return Target(PROJECTIONS[state.name](decode, source.read), state)


def rebuild(shop: Workshop, name: str) -> Job:
    """Fill a new generation from the start of the journal, show it instead of the live one, drop the old one."""
    builder, records = yield from _fill(shop, named(name))
    for new in builder.targets:
        old = next(one for one in shop.live.targets if one.state.name == new.state.name)
        yield from _insist(partial(_replace, shop, builder, old, new))
        tables = new.projection.tables
        yield from _insist(partial(shop.generations.publish, tables, new.state.generation))
        yield from _insist(partial(shop.generations.drop, tables, old.state.generation))
    return Outcome(records)


def verify(shop: Workshop, name: str) -> Job:
    """Fill a scratch generation and compare it with the live one when both have seen the same; drop the scratch."""
    names = named(name)
    builder, records = yield from _fill(shop, names)
    scratch, live = builder.targets, shop.live
    goal = builder.cursor
    live.targets.extend(scratch)
    try:
        # The follower now fills both: what it reads again of what the scratch has seen changes nothing. The goal was
        # the journal's end, so the live tables hold nothing beyond it either that a crash left ahead of their cursor.
        while not covers(live.cursor, goal):
            yield from _insist(live.step)
            yield Progress("catching up", _position(live), _position(builder))
        yield from _insist(live.flush)
        differences = yield from _insist(lambda: _compare(shop, scratch))
    finally:
        live.targets = [one for one in live.targets if one not in scratch]
    yield from _insist(lambda: _discard(shop, scratch))
    return Outcome(records, differences)


def _fill(shop: Workshop, names: Sequence[str]) -> Generator[Progress, None, tuple[Follower, int]]:
    """New generations that have seen the whole journal as it is at the moment of return."""
    states = yield from _insist(lambda: _begin(shop, names))
    targets = [target(shop.source, shop.decode, state) for state in states]
    builder = Follower(
        shop.source,
        shop.generations,
        targets,
        Pace(urgent_s=math.inf, busy_s=math.inf, patient_s=math.inf, records=BATCHES * shop.batch),
    )
    records = 0
    while True:
        count = yield from _insist(lambda: builder.step(shop.batch))
        records += count
        if count < shop.batch:
            yield from _insist(builder.flush)
            return builder, records
        yield Progress("reading", _position(builder), max(_position(builder), _position(shop.live)))


def _begin(shop: Workshop, names: Sequence[str]) -> list[State]:
    known = shop.generations.states()
    states = []
    for name in names:
        number = 1 + max((state.generation for state in known if state.name == name), default=0)
        state = State(name, number, {}, BUILDING, revision=1)
        shop.generations.create(PROJECTIONS[name](shop.decode, shop.source.read).tables, number)
        states.append(state)
    shop.generations.save(states)
    return states


def _replace(shop: Workshop, builder: Follower, old: Target, new: Target) -> None:
    """From now on `new` is the live one: one insert says so, the views follow. It has seen what the old one has."""
    while not covers(builder.cursor, shop.live.cursor):
        builder.step(shop.batch)
    builder.flush()
    retired = _next(old.state, RETIRED)
    live = _next(new.state, LIVE)
    shop.generations.save([live, retired])
    old.state, new.state = retired, live
    shop.live.targets = [new if one is old else one for one in shop.live.targets]


def _discard(shop: Workshop, scratch: Sequence[Target]) -> None:
    for one in scratch:
        shop.generations.drop(one.projection.tables, one.state.generation)
    shop.generations.save([_next(one.state, RETIRED) for one in scratch])


def _next(state: State, word: str) -> State:
    return msgspec.structs.replace(state, state=word, revision=state.revision + 1)


def _compare(shop: Workshop, scratch: Sequence[Target]) -> tuple[Difference, ...]:
    found: list[Difference] = []
    for one in scratch:
        tables = one.projection.tables
        live = next(other for other in shop.live.targets if other.state.name == one.state.name and other is not one)
        ours = shop.generations.hashes(tables, live.state.generation)
        theirs = shop.generations.hashes(tables, one.state.generation)
        for table, tenant, month in sorted({*ours, *theirs}):
            mine, rebuilt = ours.get((table, tenant, month), (0, "")), theirs.get((table, tenant, month), (0, ""))
            if mine != rebuilt:
                found.append(Difference(table, tenant, month, mine[0], rebuilt[0]))
    return tuple(found)


def _insist(action: Callable[[], T]) -> Generator[Progress, None, T]:
    """Do it; while the warehouse or the journal is away, wait for it between steps."""
    while True:
        try:
            return action()
        except (Unavailable, JournalError) as error:
            if isinstance(error, Unavailable) and not error.retryable:
                raise
            yield Progress(f"waiting: {error}")


def _position(follower: Follower) -> int:
    return sum(follower.cursor.values())
