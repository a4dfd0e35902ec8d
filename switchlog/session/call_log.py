"""The log lines of calls and conferences: one for what an operator wants to see of each, with what it is about."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from logging import INFO
from typing import Any

import structlog

from domain.base import Event
from domain.call.call import Call
from domain.conference.conference import Conference
from switchlog.log import Line, later

_log = structlog.get_logger(__name__)

_LINES: Mapping[type[Event], tuple[str, Callable[[Any], dict[str, Any]]]] = {
    Call.Offered: ("call offered", lambda event: {"caller": event.extension, "dialled": event.dialled}),
    Call.Connected: ("call connected", lambda event: {"legs_cancelled": len(event.cancelled)}),
    Call.AudioLost: (
        "call audio lost",
        lambda event: {"leg": event.leg, "direction": event.direction.value, "missing_ms": event.missing_ms},
    ),
    Call.AudioRestored: (
        "call audio restored",
        lambda event: {"leg": event.leg, "direction": event.direction.value},
    ),
    Call.Ended: (
        "call ended",
        lambda event: {
            "outcome": event.outcome,
            "by": event.by,
            "sip_status": event.why.sip_status,
            "reason": event.why.reason,
        },
    ),
    Conference.Opened: ("conference opened", lambda event: {"room": event.number}),
    Conference.Joined: ("conference joined", lambda event: {"leg": event.leg, "moderator": event.moderator}),
    Conference.Expelled: ("conference member expelled", lambda event: {"leg": event.leg, "reason": event.why.reason}),
    Conference.Left: ("conference left", lambda event: {"leg": event.leg}),
    Conference.Closed: ("conference closed", lambda event: {}),
}


def log_events(events: tuple[Event, ...]) -> None:
    """Write the lines of those events that have one."""
    for event in events:
        if type(event) in _LINES:
            later(INFO, partial(_line, event))


def tell_jump(ahead_s: float) -> None:
    """The machine's clock was set (`SteadyClock`)."""
    _log.warning("the machine's clock was set; deadlines keep their time and follow slowly", ahead_s=round(ahead_s, 1))


def _line(event: Event) -> Line:
    text, details = _LINES[type(event)]
    stream = "call" if text.startswith("call") else "conference"
    return Line(text, event.timestamp, {stream: event.originator_id, "tenant": event.context.tenant, **details(event)})
