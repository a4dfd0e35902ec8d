"""The second lane of the edge: new requests wait here while what is under way goes first.

What may live here: a bounded queue that is worked off a few at a time between two looks at the sockets. A message whose
Call-ID waits here goes behind it, so that a CANCEL never overtakes its INVITE.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from math import inf
from typing import NamedTuple

from domain.values import Flow

LIMIT = 2_000
_ROOM = LIMIT // 2
"""beyond it, for what belongs to something under way"""
_SLICE = 8
"""handled between two looks at the sockets: some milliseconds"""
_LOOKED_AT = 64
"""of which most may be too late, which costs little"""


class Waiting(NamedTuple):
    """A message and what to do if it turns out to be malformed; after `until` it is too late for it."""

    data: bytes
    flow: Flow
    call_id: bytes
    since: float
    until: float
    malformed: Callable[[], None]


class Lane:
    """`work(waiting)` is called for each message in turn, on the loop; `late(waiting)` for what waited too long."""

    def __init__(
        self, work: Callable[[Waiting], None], late: Callable[[Waiting], None], loop: asyncio.AbstractEventLoop
    ) -> None:
        self._work, self._late, self._loop = work, late, loop
        self._queue: deque[Waiting] = deque()
        self._call_ids: dict[bytes, int] = {}
        self._scheduled = False

    def __len__(self) -> int:
        return len(self._queue)

    def __contains__(self, call_id: bytes) -> bool:
        return call_id in self._call_ids

    @property
    def age_s(self) -> float:
        """How long the first one has waited."""
        return self._loop.time() - self._queue[0].since if self._queue else 0.0

    def put(self, waiting: Waiting) -> bool:
        """False if there is no room."""
        if len(self._queue) >= (LIMIT if waiting.until < inf else LIMIT + _ROOM):
            return False
        self._queue.append(waiting)
        self._call_ids[waiting.call_id] = self._call_ids.get(waiting.call_id, 0) + 1
        self._soon()
        return True

    def clear(self) -> None:
        self._queue.clear()
        self._call_ids.clear()

    def _soon(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._scheduled = False
        worked = looked = 0
        while self._queue and worked < _SLICE and looked < _LOOKED_AT:
            waiting = self._queue.popleft()
            left = self._call_ids[waiting.call_id] - 1
            if left:
                self._call_ids[waiting.call_id] = left
            else:
                del self._call_ids[waiting.call_id]
            looked += 1
            if waiting.until < self._loop.time():
                self._late(waiting)
            else:
                worked += 1
                self._work(waiting)
        if self._queue:
            self._soon()
