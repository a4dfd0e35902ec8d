"""What the causes of a call's devices mean for the call: which of them counts, and what the record says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum

from domain.call.call import Call
from domain.values import NO_ANSWER, Cause


class Meaning(Enum):
    """What a device means by a status, beyond its class."""

    BUSY = "busy"
    REJECTED = "rejected"
    UNHEARD = "no person spoke"
    OURS = "it is about our own request to the device: the caller could do nothing with it"
    MENDABLE = "the caller can mend the call: another body, a whole number (of RFC 3261 16.7 step 6's list)"
    OVERLOADED = "the device takes nothing at the moment: its caller is not to leave us alone for that (16.7 step 6)"


MEANINGS: Mapping[int, Meaning] = {
    **dict.fromkeys((486, 600), Meaning.BUSY),
    **dict.fromkeys((403, 603, 607, 608), Meaning.REJECTED),
    **dict.fromkeys((408, 481, 487), Meaning.UNHEARD),
    **dict.fromkeys((401, 407, 420, 421, 422, 423, 494), Meaning.OURS),
    **dict.fromkeys((415, 484), Meaning.MENDABLE),
    503: Meaning.OVERLOADED,
}
_SPOKEN = frozenset({Meaning.BUSY, Meaning.REJECTED})
_NOT_FOR_CALLERS = frozenset({Meaning.OURS, Meaning.OVERLOADED})

_ORDER: tuple[tuple[int, Callable[[int, Meaning | None], bool]], ...] = (
    (6, lambda status, meaning: status >= 600),  # for the person, from wherever: it ends the search
    (5, lambda status, meaning: meaning is Meaning.MENDABLE),
    (4, lambda status, meaning: meaning in _SPOKEN),
    (2, lambda status, meaning: meaning in (Meaning.UNHEARD, Meaning.OURS)),
    (1, lambda status, meaning: status >= 500),  # the higher class says less (16.7 step 6)
    (3, lambda status, meaning: True),  # every other 4xx, and a redirect that is not followed, which is told as 480
)
"""The best response of a fork (RFC 3261 16.7 step 6) as (weight, statuses): the first row that fits counts."""


def for_callers(status: int) -> bool:
    """Whether a caller is told this status of a device as it is."""
    return status >= 400 and MEANINGS.get(status) not in _NOT_FOR_CALLERS


def spoken(why: Cause) -> bool:
    """Whether a person (or their phone for them) said no."""
    return MEANINGS.get(why.sip_status) in _SPOKEN


def mendable(why: Cause) -> bool:
    """Whether the caller can do something about it: call otherwise, or offer other media."""
    return MEANINGS.get(why.sip_status) is Meaning.MENDABLE or why.sip_status in (488, 606)


def best_cause(call: Call, why: Cause) -> Cause:
    """Of all devices' causes the one that says most about the person (RFC 3261 16.7 step 6); the newest of equals."""
    causes = [why, *(leg.why for leg in reversed(call.legs.values()) if leg.why is not None)]
    return best_of(causes)


def best_of(causes: Sequence[Cause]) -> Cause:
    """The one that says most; the first of equals. ValueError if there is none."""
    return max(causes, key=_weight)


def _weight(why: Cause) -> int:
    meaning = MEANINGS.get(why.sip_status)
    return next(weight for weight, counts in _ORDER if counts(why.sip_status, meaning))


def outcome_of(why: Cause) -> str:
    """The disposition of a call that nobody answered."""
    if spoken(why):
        return MEANINGS[why.sip_status].value
    return "no_answer" if why.sip_status == 480 and why.q850 == NO_ANSWER.q850 else "failed"
