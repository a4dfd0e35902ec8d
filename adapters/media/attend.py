"""Who is told what happens in media contexts, by their kind.

What may live here: that choice. What is made of what happened is theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from adapters.media.context import ContextName, context_name
from domain.call.call import Call
from domain.values import Cause
from media.wire import Dtmf, PlayDone, RecordClosed

Happening = PlayDone | RecordClosed


class Attendance(Protocol):
    """Who is told what happens in contexts of a kind. It says by the performer's `arrange` what they are to be."""

    def refuses(self, call: Call) -> Cause | None:
        """Why the call may not come in now, before it is answered; None if it may."""

    def came(self, call: Call, leg: str) -> None:
        """A leg's stream has begun; told again after a restart."""

    def gone(self, name: ContextName, leg: str) -> None:
        """A leg's call is over; told again after a restart."""

    def pressed(self, name: ContextName, leg: str, digit: str) -> None:
        """The party pressed a key."""

    def heard(self, name: ContextName, message: Happening) -> None:
        """Something came to its end there, perhaps after all legs had gone."""


class Attendances:
    """One of each kind of venue."""

    def __init__(self, by_kind: Mapping[str, Attendance]) -> None:
        self._by_kind = by_kind

    def refusal(self, call: Call, leg: str) -> Cause | None:
        return self._by_kind[context_name(call, leg).kind].refuses(call)

    def came(self, call: Call, leg: str) -> None:
        self._by_kind[context_name(call, leg).kind].came(call, leg)

    def gone(self, call: Call, leg: str) -> None:
        name = context_name(call, leg)
        self._by_kind[name.kind].gone(name, leg)

    def pressed(self, call: Call, leg: str, digit: str) -> None:
        """By SIP."""
        name = context_name(call, leg)
        self._by_kind[name.kind].pressed(name, leg, digit)

    def told(self, message: Dtmf | Happening) -> None:
        """By a worker, perhaps of a context of a former version, which named them otherwise: nobody attends to that."""
        name = ContextName.of(message.context)
        attendance = self._by_kind.get(name.kind)
        if attendance is None:
            return
        if isinstance(message, Dtmf):
            attendance.pressed(name, message.leg, message.digit)
        else:
            attendance.heard(name, message)
