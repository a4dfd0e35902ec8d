"""What the causes of a call's devices mean for the call: which of them counts, and what the record says."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from domain.call.call import Call
from domain.values import NO_ANSWER, Cause

_BUSY = frozenset({486, 600})
_REJECTED = frozenset({603, 403, 607, 608})
_UNHEARD = frozenset({408, 481, 487})
"""Statuses by which no person spoke."""
_OURS = frozenset({401, 407, 420, 421, 422, 423, 494})
"""Statuses about our own request to the device: the caller could do nothing with them."""
_MENDABLE = frozenset({415, 484})
"""Those of RFC 3261 16.7 step 6's list by which the caller can mend the call: another body, a whole number."""

_ORDER: tuple[tuple[int, Callable[[int], bool]], ...] = (
    (6, lambda status: status >= 600),  # for the person, from wherever: it ends the search
    (5, lambda status: status in _MENDABLE),
    (4, lambda status: status in _BUSY | _REJECTED),
    (2, lambda status: status in _UNHEARD | _OURS),
    (1, lambda status: status >= 500),  # the higher class says less (16.7 step 6)
    (3, lambda status: True),  # every other 4xx, and a redirect that is not followed, which is told as 480
)
"""The best response of a fork (RFC 3261 16.7 step 6) as (weight, statuses): the first row that fits counts."""


def spoken(why: Cause) -> bool:
    """Whether a person (or their phone for them) said no."""
    return why.sip_status in _BUSY | _REJECTED


def best_cause(call: Call, why: Cause) -> Cause:
    """Of all devices' causes the one that says most about the person (RFC 3261 16.7 step 6); the newest of equals."""
    causes = [why, *(leg.why for leg in reversed(call.legs.values()) if leg.why is not None)]
    return best_of(causes)


def best_of(causes: Sequence[Cause]) -> Cause:
    """The one that says most; the first of equals. ValueError if there is none."""
    return max(causes, key=_weight)


def _weight(why: Cause) -> int:
    return next(weight for weight, counts in _ORDER if counts(why.sip_status))


def outcome_of(why: Cause) -> str:
    """The disposition of a call that nobody answered."""
    if why.sip_status in _BUSY:
        return "busy"
    if why.sip_status in _REJECTED:
        return "rejected"
    return "no_answer" if why.sip_status == 480 and why.q850 == NO_ANSWER.q850 else "failed"
