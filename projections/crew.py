"""New generations filled by several processes: what one does with its part of the journal, and what all have done.

What may live here: the work of one, and the protocol of those who start them. A call is all in one part, and rows are
the same whoever writes them; how far a generation is says who leads, once all shares are complete.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Protocol

import msgspec

from domain.cursor import covers
from domain.ports import Cursor
from projections.follower import Follower
from projections.generation import Generations, State
from projections.ports import Decode, Source
from projections.rebuilding import BATCH, MANY, Progress, insist, pace, target


class Share(msgspec.Struct, frozen=True):
    """What one of a crew has done by now: how many records it took in and, once that is all, its states."""

    records: int = 0
    states: tuple[State, ...] = ()


class Crew(Protocol):
    """Processes that fill new generations side by side, each with its part of the journal."""

    def is_worth(self, records: int) -> bool:
        """Whether so many are taken in sooner by a crew."""

    def fill(self, states: Sequence[State]) -> Generator[Sequence[Share], None, None]:
        """Fill the generations of `states` with what the journal has by now; every moment the shares so far.

        Ends when all shares are complete. Raises CrewLost. Closed before its end it leaves nobody behind.
        """


class CrewLost(Exception):
    """One of a crew ended before it had done its share."""


class Unsaid(Generations):
    """Generations of which another process says how far they are."""

    def save(self, states: Sequence[State]) -> None:
        """Nothing is saved."""


def fill_part(
    source: Source, generations: Generations, decode: Decode, states: Sequence[State]
) -> Generator[Progress, None, tuple[State, ...]]:
    """Fill the generations of `states` with what `source`, a part of the journal, has by now; their states then."""
    builder = Follower(source, generations, [target(source, decode, state) for state in states], pace(MANY * BATCH))
    records = 0
    goal = yield from insist(source.end)
    while not covers(builder.cursor, goal):
        records += yield from insist(lambda: builder.step(BATCH))
        yield Progress("reading", records)
    yield from insist(builder.flush)
    return tuple(one.state for one in builder.targets)


def together(states: Sequence[State], shares: Sequence[Share], cursor: Cursor) -> list[State]:
    """The states of generations that a crew has filled up to `cursor`, from those of its shares."""
    filled = {
        state.name: [its for share in shares for its in share.states if its.name == state.name] for state in states
    }
    return [
        msgspec.structs.replace(
            state,
            cursor=dict(cursor),
            rows=sum(its.rows for its in filled[state.name]),
            updated_at=max(its.updated_at for its in filled[state.name]),
            detail=next((its.detail for its in filled[state.name] if its.detail), ""),
            revision=state.revision + 1,
        )
        for state in states
    ]
