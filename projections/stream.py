"""Folded streams in bounded memory: the state of each stream between two of its records.

What may live here: keeping, loading and forgetting folds. A fold that is not held is made again from the journal, up
to the record in hand and not beyond it, so that rows depend on the cursor alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from domain.ports import Stored
from projections.excerpt import Seen, excerpts
from projections.ports import Decode, Poison

Read = Callable[[UUID], Sequence[Stored]]


class Fold(Protocol):
    """What is known of one stream; takes in events in order and skips those that it has seen."""

    version: int

    def apply(self, event: Seen) -> None: ...


F = TypeVar("F", bound=Fold)


class Streams(Generic[F]):
    """At most about `limit` folds, the longest held are forgotten first (in `trim` only)."""

    def __init__(self, make: Callable[[], F], decode: Decode, read: Read, limit: int) -> None:
        self._make, self._decode, self._read, self._limit = make, excerpts(decode), read, limit
        self._folds: dict[int, F] = {}
        """by the number of the stream's id: the id itself would be hashed in Python"""

    def __len__(self) -> int:
        return len(self._folds)

    def held(self, stream: UUID) -> F | None:
        """The stream's fold if it is in memory."""
        return self._folds.get(stream.int)

    def take(self, stored: Stored) -> F:
        """The stream's fold after `stored`. Raises Poison for a record that cannot be taken in."""
        record = stored.record
        try:
            event = self._decode(record.type, record.data)
        except Exception as error:  # whatever is wrong with one record is that record's
            raise Poison(str(error)) from error
        key = record.stream.int
        fold = self._folds.get(key)
        if fold is None:
            fold = self._folds[key] = self._load(record.stream, record.sequence)
        try:
            fold.apply(event)
        except Exception as error:  # one record must not stop all the others
            raise Poison(f"{type(event).__qualname__} does not fit: {error!r}") from error
        return fold

    def forget(self, number: int) -> None:
        """Hold the stream of this number no more."""
        self._folds.pop(number, None)

    def trim(self) -> None:
        """Back to the limit."""
        for stream in list(self._folds)[: max(len(self._folds) - self._limit, 0)]:
            del self._folds[stream]

    def _load(self, stream: UUID, before: int) -> F:
        """The fold of the records before sequence `before`; the unreadable were set aside when they were met."""
        fold = self._make()
        if before > 1:
            for stored in self._read(stream):
                if stored.record.sequence >= before:
                    break
                with suppress(Exception):
                    fold.apply(self._decode(stored.record.type, stored.record.data))
        return fold
