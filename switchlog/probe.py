"""When to ask whether the parties of a call are still there: phones vanish without a word, and media flow past us.

What may live here: moments. Whom to ask what, and what an answer means, is the application's.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from uuid import UUID

from domain.base import Event
from domain.call.call import Call, CallState

_GOES_ON = frozenset({CallState.TALKING, CallState.RENEGOTIATING})


class Prober:
    """Every `every_s` seconds of an answered call, `ask(call)`; never if that is 0."""

    def __init__(self, every_s: float, find: Callable[[UUID], Call | None], ask: Callable[[Call], None]) -> None:
        self._every, self._find, self._ask = timedelta(seconds=every_s), find, ask
        self._due: list[tuple[datetime, UUID]] = []
        self._armed: set[UUID] = set()

    def __len__(self) -> int:
        return len(self._due)

    def told(self, events: Iterable[Event]) -> None:
        """Events of a call that are durable now."""
        for event in events:
            if isinstance(event, Call.Connected):
                self._arm(event.originator_id, event.timestamp)

    def take_up(self, calls: Iterable[Call], now: datetime) -> None:
        """Calls of a shard that is owned from now on: each is asked at the moments that it would have been asked at."""
        for call in calls:
            if call.state in _GOES_ON and call.answered_at is not None and self._every:
                self._arm(call.id, now - (now - call.answered_at) % self._every)

    def next_due(self) -> datetime | None:
        """When `on_due` is to be called."""
        return self._due[0][0] if self._due else None

    def on_due(self, now: datetime) -> None:
        while self._due and self._due[0][0] <= now:
            _, stream = heapq.heappop(self._due)
            self._armed.discard(stream)
            call = self._find(stream)
            if call is not None and call.state in _GOES_ON:
                self._arm(stream, now)
                self._ask(call)

    def _arm(self, stream: UUID, last: datetime) -> None:
        if self._every and stream not in self._armed:  # else its shard was lost and claimed again meanwhile
            self._armed.add(stream)
            heapq.heappush(self._due, (last + self._every, stream))
