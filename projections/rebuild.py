"""Rebuilding and verifying projections beside the live ones, in steps between which the live ones go on.

A job is a generator: each `next` does a bounded piece of work and yields how far it is; its last value is the
outcome. It runs in the live follower's thread, so while a step runs the live tables stand still: that is what makes
"at the same cursor" exact.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Sequence
from contextlib import closing
from functools import partial
from typing import NamedTuple

import msgspec

from domain.cursor import covers, lag
from domain.ports import Cursor
from projections.crew import Crew, CrewLost, together
from projections.follower import Follower, Target
from projections.generation import BUILDING, LIVE, RETIRED, Generations, State
from projections.ports import Decode, Source
from projections.projection import PROJECTIONS, named
from projections.rebuilding import BATCH, BATCHES, Progress, insist, pace, target

log = logging.getLogger(__name__)


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
    records of one step; `crew` fills what is much."""

    source: Source
    generations: Generations
    decode: Decode
    live: Follower
    batch: int = BATCH
    crew: Crew | None = None


def rebuild(shop: Workshop, name: str) -> Job:
    """Fill a new generation from the start of the journal, show it instead of the live one, drop the old one."""
    builder, records = yield from _fill(shop, named(name))
    for new in builder.targets:
        old = next(one for one in shop.live.targets if one.state.name == new.state.name)
        yield from insist(partial(_replace, shop, builder, old, new))
        tables = new.projection.tables
        yield from insist(partial(shop.generations.publish, tables, new.state.generation))
        yield from insist(partial(shop.generations.drop, tables, old.state.generation))
    return Outcome(records)


def verify(shop: Workshop, name: str) -> Job:
    """Fill a scratch generation and compare it with the live one when both have seen the same; drop the scratch."""
    names = named(name)
    builder, records = yield from _fill(shop, names)
    scratch, live = builder.targets, shop.live
    goal = builder.cursor
    live.targets.extend(scratch)
    try:
        # The follower now fills both: what it reads again of what the scratch has seen changes nothing. The scratch has
        # seen all that the journal had when this began: whatever a crash left in the live tables ahead of their cursor.
        while not covers(live.cursor, goal):
            yield from insist(live.step)
            yield Progress("catching up", _position(live), _position(builder))
        yield from insist(live.flush)
        differences = yield from insist(lambda: _compare(shop, scratch))
    finally:
        live.targets = [one for one in live.targets if one not in scratch]
    yield from insist(lambda: _discard(shop, scratch))
    return Outcome(records, differences)


def _fill(shop: Workshop, names: Sequence[str]) -> Generator[Progress, None, tuple[Follower, int]]:
    """New generations that have seen the whole journal as it was when this began, and all that the live ones have."""
    states = yield from insist(lambda: _begin(shop, names))
    goal = yield from insist(shop.source.end)
    states, records = yield from _side_by_side(shop, states, goal)
    targets = [target(shop.source, shop.decode, state) for state in states]
    for one in targets:
        one.set_aside = yield from insist(partial(shop.generations.parked, one.state.name, one.state.generation))
    builder = Follower(shop.source, shop.generations, targets, pace(BATCHES * shop.batch))
    while True:
        count = yield from insist(lambda: builder.step(shop.batch))
        records += count
        if not count or covers(builder.cursor, goal):
            yield from insist(builder.flush)  # meanwhile the live one may have gone on
            if covers(builder.cursor, shop.live.cursor):
                return builder, records
        yield Progress("reading", _position(builder), max(_position(builder), _position(shop.live)))


def _side_by_side(
    shop: Workshop, states: list[State], goal: Cursor
) -> Generator[Progress, None, tuple[list[State], int]]:
    """What a crew has filled up to `goal`, and from how many records; as it was where a crew is no use, or is lost."""
    total = lag({}, goal)
    if shop.crew is None or not shop.crew.is_worth(total):
        return states, 0
    done = 0
    try:
        with closing(shop.crew.fill(states)) as filling:
            for shares in filling:
                done = sum(share.records for share in shares)
                yield Progress("reading", done, max(done, total))
    except CrewLost as error:
        log.warning("a rebuild goes on alone: %s", error)
        return states, 0
    return together(states, shares, goal), done


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


def _position(follower: Follower) -> int:
    return sum(follower.cursor.values())
