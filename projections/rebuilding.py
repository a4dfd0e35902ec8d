"""What filling a new generation has in common, whoever does it: portions, progress, and waiting for what is away."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from typing import TypeVar

import msgspec

from domain.ports import JournalError
from projections.follower import Pace, Target
from projections.generation import State
from projections.ports import Decode, Source, Unavailable
from projections.projection import PROJECTIONS

BATCH = 4_000
"""Records of one step: live rows wait for about as long as these take."""
BATCHES, MANY = 5, 15
"""Steps until the rows are written, by one process among others and by one for which nobody waits: the larger the
inserts, the fewer, and the less there is to merge."""

T = TypeVar("T")


class Progress(msgspec.Struct, frozen=True):
    """`done` and `total` are records of the journal; `phase` says what goes on, also why nothing does."""

    phase: str
    done: int = 0
    total: int = 0

    @property
    def waits(self) -> bool:
        """For what is away: there is nothing to do at once."""
        return self.phase.startswith("waiting")


def pace(records: int) -> Pace:
    """Rows are written once so many records are taken in: nobody waits for any."""
    return Pace(urgent_s=math.inf, busy_s=math.inf, patient_s=math.inf, records=records)


def target(source: Source, decode: Decode, state: State) -> Target:
    """A fresh projection for the generation that `state` names."""
    return Target(PROJECTIONS[state.name](decode, source.read), state)


def insist(action: Callable[[], T]) -> Generator[Progress, None, T]:
    """Do it; while the warehouse or the journal is away, wait for it between steps."""
    while True:
        try:
            return action()
        except (Unavailable, JournalError) as error:
            if isinstance(error, Unavailable) and not error.retryable:
                raise
            yield Progress(f"waiting: {error}")
