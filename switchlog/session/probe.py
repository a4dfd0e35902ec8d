"""When to ask whether the parties of a call are still there: phones vanish without a word, and media flow past us.

What may live here: moments. Whom to ask what, and what an answer means, is the application's.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from operator import itemgetter
from uuid import UUID

from domain.base import Event
from domain.call.call import Call, CallState

_GOES_ON = frozenset({CallState.TALKING, CallState.RENEGOTIATING})


class Prober:
    """Every `every_s` seconds of an answered call, `ask(call)`; never if that is 0."""

    def __init__(self, every_s: float, find: Callable[[UUID], Call | None], ask: Callable[[Call], None]) -> None:
        self._every, self._find, self._ask = timedelta(seconds=every_s), find, ask
        # One interval for all: who is armed later is due later, but for the moments between an event and its commit.
        self._due: OrderedDict[UUID, datetime] = OrderedDict()

    def __len__(self) -> int:
        """How many calls are to be asked about."""
        return len(self._due)

    def told(self, events: Iterable[Event]) -> None:
        """Events of a call that are durable now."""
        for event in events:
            if isinstance(event, Call.Connected):
                self._arm(event.originator_id, event.timestamp)
            elif isinstance(event, Call.Ended):
                self._due.pop(event.originator_id, None)

    def take_up(self, calls: Iterable[Call], now: datetime) -> None:
        """Calls of a shard that is owned from now on: each is asked at the moments that it would have been asked at."""
        for call in calls:
            if call.state in _GOES_ON and call.answered_at is not None and self._every:
                self._arm(call.id, now - (now - call.answered_at) % self._every)
        self._due = OrderedDict(sorted(self._due.items(), key=itemgetter(1)))

    def next_due(self) -> datetime | None:
        """When `on_due` is to be called."""
        return next(iter(self._due.values()), None)

    def on_due(self, now: datetime) -> None:
        while (at := self.next_due()) is not None and at <= now:
            stream, _ = self._due.popitem(last=False)
            call = self._find(stream)
            if call is not None and call.state in _GOES_ON:
                self._arm(stream, now)
                self._ask(call)

    def _arm(self, stream: UUID, last: datetime) -> None:
        if self._every and stream not in self._due:  # else its shard was lost and claimed again meanwhile
            self._due[stream] = last + self._every
