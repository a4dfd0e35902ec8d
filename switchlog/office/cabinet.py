"""The office's shard where there are several nodes: one of them declares, all know what was declared.

What may live here: the term in which this node may declare. It comes and goes with the shard of configuration, as the
warden says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from threading import Lock

import structlog

from domain.ids import CONFIG_SHARD
from domain.ports import JournalError
from switchlog.node.warden import Holder, Streams
from switchlog.office.office import Office

_log = structlog.get_logger(__name__)


class Given:
    """The epoch in which this node holds configuration, while it does. Thread-safe.

    `told` is called when an append of it failed, on the thread that met it.
    """

    def __init__(self, told: Callable[[str], None]) -> None:
        self._told = told
        self._lock = Lock()
        self._epoch: int | None = None
        self.refusal = ""
        """why nothing may be declared in this term, if it is so"""

    @property
    def held(self) -> bool:
        return self._epoch is not None

    def begin(self, epoch: int, refusal: str = "") -> None:
        with self._lock:
            self._epoch, self.refusal = epoch, refusal

    def end(self) -> bool:
        """Whether it was held."""
        with self._lock:
            held, self._epoch, self.refusal = self._epoch is not None, None, ""
            return held

    def __call__(self) -> int:
        """The epoch. Raises JournalError while another node holds it, or none, and where it cannot be read."""
        with self._lock:
            if self._epoch is None:
                raise JournalError("another node holds the configuration")
            if self.refusal:
                raise JournalError(self.refusal)
            return self._epoch

    def lost(self) -> None:
        """An append failed."""
        if self.end():
            self._told("an append of configuration failed")


def cabinet_of(office: Callable[[], Office], given: Given) -> Holder:
    """Who holds the shard of configuration. What was submitted is in the journal's line before a release."""

    def take(epochs: Mapping[int, int], streams: Streams) -> int:
        with suppress(JournalError):  # calls go on by what can be read; who declares on top might undo the rest
            office().learn(sorted((one for stream in streams for one in stream), key=lambda one: one.position))
        reason = office().unreadable
        if reason:
            _log.error(
                "the configuration cannot be changed here: its journal cannot be read; serve it with the version that"
                " wrote it, or restore the journal from a copy, and restart",
                reason=reason,
            )
        refusal = f"its journal cannot be read: {reason}" if reason else ""
        given.begin(epochs[CONFIG_SHARD], refusal)
        return 0

    def drop(shard: int) -> None:
        given.end()

    def leave(shard: int, settled: Callable[[], None]) -> None:
        given.end()
        settled()

    return Holder(take, drop, leave)
