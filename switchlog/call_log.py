"""The log lines of calls: one when a call comes, is connected, and ends, each with the call and its tenant."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from logging import INFO
from typing import Any

from domain.base import Event
from domain.call.call import Call
from switchlog.log import Line, later

_LINES: Mapping[type[Event], tuple[str, Callable[[Any], dict[str, Any]]]] = {
    Call.Offered: ("call offered", lambda event: {"caller": event.extension, "dialled": event.dialled}),
    Call.Connected: ("call connected", lambda event: {"legs_cancelled": len(event.cancelled)}),
    Call.Ended: (
        "call ended",
        lambda event: {
            "outcome": event.outcome,
            "by": event.by,
            "sip_status": event.why.sip_status,
            "reason": event.why.reason,
        },
    ),
}


def log_events(events: tuple[Event, ...]) -> None:
    """Write the lines of those events that have one."""
    for event in events:
        if type(event) in _LINES:
            later(INFO, partial(_line, event))


def _line(event: Event) -> Line:
    text, details = _LINES[type(event)]
    return Line(text, event.timestamp, {"call": event.originator_id, "tenant": event.context.tenant, **details(event)})
