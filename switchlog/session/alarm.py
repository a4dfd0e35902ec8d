"""When calls and registrations must act by themselves: one heap for all, without alarms for what is far away.

What may live here: moments and whose they are. What happens at them is the board's.
"""

from __future__ import annotations

import heapq
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from domain.call.call import Call
from domain.call.resume import deadlines
from domain.registration import Registration, deadline

LOOK = "look"
"""The alarm that is none of the call's: it is time to arm those that were too far away."""
EXPIRES = "expires"
_HORIZON = timedelta(seconds=60)


class Alarm(NamedTuple):
    """At `at` the stream must be told `kind`, if that still means something then."""

    at: datetime
    stream: UUID
    kind: str


class Alarms:
    """Alarms are never taken back: whoever gets one asks the aggregate whether it is due."""

    def __init__(self) -> None:
        self._heap: list[Alarm] = []
        self._armed: dict[UUID, datetime] = {}
        self._looking: set[UUID] = set()

    def first(self) -> datetime | None:
        """When `due` has something."""
        return self._heap[0].at if self._heap else None

    def due(self, now: datetime) -> Alarm | None:
        """Takes out the earliest alarm, if its moment has come."""
        if not self._heap or self._heap[0].at > now:
            return None
        alarm = heapq.heappop(self._heap)
        self.forget(alarm.stream, alarm.kind)
        return alarm

    def arm_call(self, call: Call, now: datetime) -> None:
        """Alarms for what is near; for the rest one to look again, so that those of calls long gone do not pile up."""
        horizon, far = now + _HORIZON, False
        for due in deadlines(call):
            if due.at <= horizon:
                heapq.heappush(self._heap, Alarm(due.at, call.id, due.kind))
            else:
                far = True
        if far and call.id not in self._looking:
            self._looking.add(call.id)
            heapq.heappush(self._heap, Alarm(horizon, call.id, LOOK))

    def arm_registration(self, registration: Registration) -> None:
        """One alarm a registration: a refresh only moves the end, and the earlier alarm finds that out."""
        at = deadline(registration)
        armed = self._armed.get(registration.id)
        if at is not None and (armed is None or at < armed):
            self._armed[registration.id] = at
            heapq.heappush(self._heap, Alarm(at, registration.id, EXPIRES))

    def forget(self, stream: UUID, kind: str) -> None:
        """Its LOOK or EXPIRES came or means nothing any more: the next one is armed anew."""
        if kind == LOOK:
            self._looking.discard(stream)
        elif kind == EXPIRES:
            self._armed.pop(stream, None)
