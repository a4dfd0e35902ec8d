"""Who waits for what becomes of a call: a recording that is to begin once the call's media go through us.

What may live here: who waits, and which events end that. Of the loop's thread.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from domain.base import Event
from domain.call.call import Call
from domain.refusal import Refusal

Outcome = Callable[[Refusal | None], None]
"""told None when the recording has begun, or why it has not"""


class Demands:
    """By call."""

    def __init__(self, before: Callable[[tuple[Event, ...]], None] = lambda events: None) -> None:
        """`before` is told first of what is told here."""
        self._before = before
        self._waiting: dict[UUID, list[Outcome]] = {}

    def __bool__(self) -> bool:
        """Whether anybody waits."""
        return bool(self._waiting)

    def wait(self, call: UUID, outcome: Outcome) -> None:
        """`outcome` is told once, when it is durable; not if `forget` is called before."""
        self._waiting.setdefault(call, []).append(outcome)

    def forget(self, call: UUID, outcome: Outcome) -> None:
        """It waits no longer."""
        waiting = [one for one in self._waiting.get(call, ()) if one != outcome]
        if waiting:
            self._waiting[call] = waiting
        else:
            self._waiting.pop(call, None)

    def told(self, events: tuple[Event, ...]) -> None:
        """Events that are durable now."""
        self._before(events)
        for event in events if self._waiting else ():
            if event.originator_id not in self._waiting:
                continue
            if isinstance(event, Call.RecordingStarted):
                self._tell(event.originator_id, None)
            elif isinstance(event, Call.WayAbandoned | Call.Ended):
                self._tell(event.originator_id, _refusal(event))

    def _tell(self, call: UUID, refusal: Refusal | None) -> None:
        for outcome in self._waiting.pop(call):
            outcome(refusal)


def _refusal(event: Call.WayAbandoned | Call.Ended) -> Refusal:
    if isinstance(event, Call.Ended):
        return Refusal("missing", "the call has ended", field="call_id")
    why = event.why
    text = "the media of this call cannot go through us, and it goes on without a recording"
    return Refusal("conflict", f"{text}: {why.sip_status} {why.reason}")
