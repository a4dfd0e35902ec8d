"""Events of a call in words: what each says to a person, and which SIP message was heard before it.

What may live here: tables by event class. An event that they do not know is told by its type alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from domain.base import Event
from domain.call.call import Call
from domain.call.measure import Figures, Way
from domain.ids import leg_id
from domain.values import Cause

_SILENCE = frozenset({"the device did not answer at all", "the connection to the device is gone"})
"""Reasons of our own: nothing was heard."""


def _cause(why: Cause) -> str:
    return f"{why.sip_status} {why.reason}"


def _plan(event: Any) -> str:
    plan = event.plan
    return f"rule {plan.rule}: {plan.evidence} (directory {plan.version})"


_WAYS = {Way.FROM_PHONE: "comes from the phone", Way.TO_PHONE: "reaches the phone"}


def _figures(figures: Figures) -> str:
    words = [
        f"{figures.codec}, {figures.received} packets, {figures.lost} lost, jitter {figures.jitter_us / 1000:.1f} ms"
    ]
    words += [f"round trip {figures.round_trip_ms} ms"] if figures.round_trip_ms is not None else []
    words += [f"MOS {figures.mos_x100 / 100:.2f}"] if figures.mos_x100 is not None else []
    words += [] if figures.whole else ["without the last seconds: the media worker was killed"]
    return ", ".join(words)


_SUMMARY: Mapping[type[Event], Callable[[Any], str]] = {
    Call.Offered: lambda event: f"{event.extension} ({event.name}) asks for {event.dialled}",
    Call.Routed: _plan,
    Call.LegsDialed: lambda event: ", ".join(f"{leg.number} at {leg.device}" for leg in event.legs),
    Call.LegRinging: lambda event: "early media" if event.sdp else "",
    Call.ProgressConfirmed: lambda event: "with an answer" if event.sdp else "",
    Call.LegsFailed: lambda event: _cause(event.why),
    Call.Redirected: lambda event: f"to {', '.join(event.targets)}: {_cause(event.why)}",
    Call.RequestSent: lambda event: event.method if event.by else f"{event.method}, to see whether somebody is there",
    Call.Connected: lambda event: f"media {event.media}",
    Call.RenegotiationRequested: lambda event: event.direction,
    Call.CounterOffered: lambda event: event.direction,
    Call.Renegotiated: lambda event: "held" if event.held_by else "",
    Call.RenegotiationRefused: lambda event: _cause(event.why),
    Call.RenegotiationRetried: lambda event: f"for {event.terms.interval_s} s",
    Call.EarlyRefused: lambda event: _cause(event.why),
    Call.SessionRefreshed: lambda event: f"lasts {event.terms.interval_s} s" if event.terms.interval_s else "",
    Call.RefreshRequested: lambda event: "by us",
    Call.RefreshDeferred: lambda event: f"until {event.retry_at:%H:%M:%S}",
    Call.RelayRequested: lambda event: event.why,
    Call.WayOffered: lambda event: "through us" if event.to_us else "to the other phone",
    Call.WayTaken: lambda event: "otherwise than before" if event.again else "",
    Call.WayRefused: lambda event: _cause(event.why),
    Call.WayAbandoned: lambda event: _cause(event.why),
    Call.LegRedialed: lambda event: f"for {event.terms.interval_s} s",
    Call.LegHungUp: lambda event: _cause(event.why),
    Call.LegMeasured: lambda event: _figures(event.figures),
    Call.AudioLost: lambda event: f"nothing {_WAYS[event.direction]} for {event.missing_ms / 1000:.1f} s",
    Call.AudioRestored: lambda event: f"{_WAYS[event.direction]} again, or not expected",
    Call.Closed: lambda event: f"{len(event.missing)} not measured" if event.missing else "",
    Call.Ended: lambda event: f"{event.outcome} by {event.by}: {_cause(event.why)}",
}


def summary_of(event: Event) -> str:
    """A few words beside the type; empty where the type says it all."""
    words = _SUMMARY.get(type(event))
    return words(event) if words else ""


def _failure(event: Any) -> tuple[str, str] | None:
    if event.why.reason in _SILENCE:
        return None
    return event.legs[0], f"{_cause(event.why)} (INVITE)"


def _agreed(event: Any) -> tuple[str, str]:
    """The answer, which comes in the ACK of the party that had asked for an offer."""
    return (event.by, "ACK") if event.by_sdp else (event.to, "200 OK (INVITE)")


def _end(event: Any) -> tuple[str, str] | None:
    if event.transaction is not None:
        return event.leg, event.transaction.method
    if event.outcome == "cancelled":
        return event.leg, "CANCEL"
    return None


_HEARD: Mapping[type[Event], Callable[[Any], tuple[str, str] | None]] = {
    Call.Offered: lambda event: (event.leg, event.transaction.method),
    Call.LegRinging: lambda event: (event.leg, f"{183 if event.sdp else 180} (INVITE)"),
    Call.ProgressConfirmed: lambda event: (leg_id(event.originator_id, 0), event.transaction.method),
    Call.LegsFailed: _failure,
    Call.Connected: lambda event: (event.callee, "200 OK (INVITE)"),
    Call.RenegotiationRequested: lambda event: (event.by, event.transaction.method),
    Call.CounterOffered: lambda event: (event.to, "200 OK (INVITE)"),
    Call.AnswerGiven: lambda event: (event.leg, "ACK"),
    Call.EarlyOffered: lambda event: (event.by, event.transaction.method),
    Call.Renegotiated: _agreed,
    Call.RenegotiationRefused: lambda event: (event.to, f"{_cause(event.why)} (INVITE)"),
    Call.Redirected: lambda event: (event.leg, f"{_cause(event.why)} (INVITE)"),
    Call.RequestSent: lambda event: (event.by, event.method) if event.by else None,
    Call.RenegotiationWithdrawn: lambda event: None if event.why else (event.by, "CANCEL"),
    Call.RenegotiationRetried: lambda event: (event.to, "422 Session Interval Too Small (INVITE)"),
    Call.SessionRefreshed: lambda event: (
        event.leg,
        event.transaction.method if event.transaction else "200 OK (INVITE)",
    ),
    Call.WayTaken: lambda event: (event.leg, "200 OK (INVITE)"),
    Call.WayRefused: lambda event: (event.leg, f"{_cause(event.why)} (INVITE)"),
    Call.LegRedialed: lambda event: (event.leg, "422 Session Interval Too Small (INVITE)"),
    Call.LegHungUp: lambda event: (event.leg, "200 OK (INVITE)"),
    Call.ForkHungUp: lambda event: (event.leg, "200 OK (INVITE)"),
    Call.Ended: _end,
}


def heard_of(event: Event, before: Call | None = None) -> tuple[str, str] | None:
    """(leg, message in words) that the event answers to; None if no message was.

    Whether an answer is one to an UPDATE is known only to the call as it was `before`.
    """
    found = _HEARD.get(type(event))
    heard = found(event) if found else None
    if before is None:
        return heard
    if before.early is not None and isinstance(event, (Call.EarlyAgreed, Call.EarlyRefused)):
        words = "200 OK" if isinstance(event, Call.EarlyAgreed) else _cause(event.why)
        return before.early.to, f"{words} (UPDATE)"
    if heard is not None and _answers_update(event, before):
        return heard[0], heard[1].replace("(INVITE)", "(UPDATE)")
    return heard


def _answers_update(event: Event, before: Call) -> bool:
    if isinstance(event, Call.SessionRefreshed):
        return before.refresh is not None and before.refresh.prompt
    if isinstance(event, (Call.Renegotiated, Call.RenegotiationRefused)):
        return before.renegotiation is not None and before.renegotiation.prompt_to
    return False


def said_of(event: Event) -> tuple[str, str] | None:
    """(leg, method) of a request that leaves once, with the event, and owes nothing later; None if there is none."""
    return (event.to, event.method) if isinstance(event, Call.RequestSent) else None
