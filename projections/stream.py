"""Folded streams in bounded memory: the state of each stream between two of its records.

What may live here: keeping, loading and forgetting folds. A fold that is not held is made again from the journal, up
to the record in hand and not beyond it, so that rows depend on the cursor alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
        self._folds: dict[UUID, F] = {}

    def __len__(self) -> int:
        return len(self._folds)

    def held(self, stream: UUID) -> F | None:
        """The stream's fold if it is in memory."""
        return self._folds.get(stream)

    def take(self, stored: Stored) -> F:
        """The stream's fold after `stored`. Raises Poison for a record that cannot be taken in."""
        record = stored.record
        event = self._event(stored)
        fold = self._folds.get(record.stream)
        if fold is None:
            fold = self._folds[record.stream] = self._load(record.stream, record.sequence)
        _apply(fold, event)
        return fold

    def forget(self, stream: UUID) -> None:
        self._folds.pop(stream, None)

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
                try:
                    _apply(fold, self._event(stored))
                except Poison:
                    continue
        return fold

    def _event(self, stored: Stored) -> Seen:
        try:
            return self._decode(stored.record.type, stored.record.data)
        except Exception as error:  # whatever is wrong with one record is that record's
            raise Poison(str(error)) from error


def _apply(fold: Fold, event: Seen) -> None:
    try:
        fold.apply(event)
    except Exception as error:  # one record must not stop all the others
        raise Poison(f"{type(event).__qualname__} does not fit: {error!r}") from error
