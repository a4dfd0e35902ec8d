"""What claimants and owners in doubt ask of the log: partitions read to their ends, with nothing left out.

What may live here: the port alone, so that fakes can stand for brokers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from adapters.journal.kafka.message import Headers
from adapters.journal.kafka.topic import Place

Hear = Callable[[Place, int, bytes | None, bytes | None, Headers], None]
"""Is told each record: its place, offset, key, value and headers; in the order of offsets within a place."""
Mend = Callable[[Sequence[Place]], None]
"""Is told the places whose last stable offset stands still. May raise `producer.Doubt`."""


class Log(Protocol):
    """What the brokers hold, read by one thread. Every method raises JournalError."""

    def ends(self, places: Iterable[Place], *, stable: bool) -> dict[Place, int]:
        """Where each place ends now: what is committed, or also what has begun and may be yet."""

    def read(
        self, starts: Mapping[Place, int], ends: Mapping[Place, int], hear: Hear, mend: Mend | None = None
    ) -> dict[Place, int]:
        """Everything committed from `starts` to `ends`, both of the same places; where each was left, to go on there.

        Transactions that are open before an end are waited for, and `mend` is called when that takes too long.
        """

    def close(self) -> None:
        """May be used again."""
