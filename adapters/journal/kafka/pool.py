"""Consumers that nobody uses just now, so that the next reader need not make one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Lock

from adapters.journal.kafka.partitions import Partitions
from adapters.journal.kafka.topic import Place
from domain.ports import JournalError

_IDLE = 4
"""So many are kept; each has a connection to every broker, and a thread."""


class Pool:
    """Thread-safe. `make` opens a consumer and may raise JournalError."""

    def __init__(self, make: Callable[[], Partitions]) -> None:
        self._make = make
        self._lock = Lock()
        self._idle: list[Partitions] = []
        self._closed = False

    @contextmanager
    def lease(self, offsets: Mapping[Place, int]) -> Iterator[Partitions]:
        """A consumer for one thread, if there is one the one that stands at `offsets`: it has fetched what comes next.

        One that something happened to is not used again. Raises JournalError, also when the pool is closed.
        """
        with self._lock:
            if self._closed:
                raise JournalError("the journal is closed")
            fitting = [one for one in self._idle if one.at == offsets] or self._idle
            chosen = fitting[-1] if fitting else None
            if chosen is not None:
                self._idle.remove(chosen)
        partitions = chosen if chosen is not None else self._make()
        try:
            yield partitions
        except BaseException:
            partitions.close()
            raise
        if not self._keep(partitions):
            partitions.close()

    def _keep(self, partitions: Partitions) -> bool:
        with self._lock:
            if self._closed or len(self._idle) >= _IDLE:
                return False
            self._idle.append(partitions)
            return True

    def close(self) -> None:
        """Close those that are idle; one that is leased is closed when it comes back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for partitions in idle:
            partitions.close()
