"""What the causes of a call's devices mean for the call: which of them counts, and what the record says."""

from __future__ import annotations

from domain.call.call import Call
from domain.values import NO_ANSWER, Cause

_BUSY = frozenset({486, 600})
_REJECTED = frozenset({603, 403, 607, 608})
_UNHEARD = frozenset({401, 407, 408, 481, 487})
"""Statuses by which no person spoke."""


def spoken(why: Cause) -> bool:
    """Whether a person (or their phone for them) said no."""
    return why.sip_status in _BUSY | _REJECTED


def best_cause(call: Call, why: Cause) -> Cause:
    """Of all devices' causes the one that says most about the person (RFC 3261 16.7 step 6); the newest of equals."""
    causes = [why, *(leg.why for leg in reversed(call.legs.values()) if leg.why is not None)]
    return max(causes, key=_weight)


def _weight(why: Cause) -> int:
    status = why.sip_status
    if status >= 600:
        return 4
    if spoken(why):
        return 3
    return 1 if status in _UNHEARD or status >= 500 else 2


def outcome_of(why: Cause) -> str:
    """The disposition of a call that nobody answered."""
    if why.sip_status in _BUSY:
        return "busy"
    if why.sip_status in _REJECTED:
        return "rejected"
    return "no_answer" if why.sip_status == 480 and why.q850 == NO_ANSWER.q850 else "failed"
