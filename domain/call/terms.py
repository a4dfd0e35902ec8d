"""How long a leg's session lasts unless it is refreshed, and who refreshes it. Pure arithmetic.

What may live here: the terms, how they follow from what a party asks for, and the moments that follow from them.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

LEAST_S = 90
"""The shortest time that may be asked for (RFC 4028 section 5)."""
USUAL_S = 1800
LONGEST_S = 86_400
"""No phone's wish for long sessions goes beyond a day."""
REDIALS = 8
"""So often one device is offered the same with a longer session than before."""
_MARGIN_S = 32


class Terms(msgspec.Struct, frozen=True, omit_defaults=True):
    """A session of `interval_s` seconds, refreshed by us or by the peer; 0 goes on for ever.

    `minimum_s` is the shortest interval that the peer's side takes.
    """

    interval_s: int = 0
    ours: bool = False
    minimum_s: int = 0


ENDLESS = Terms()


class Wish(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a party asks for: whether it can refresh sessions at all, how long one may be, at least and best, and
    whether it wants us to refresh it. 0 for what it does not say."""

    able: bool = False
    interval_s: int = 0
    minimum_s: int = 0
    ours: bool = False


def granted(wish: Wish, usual_s: int, before: Terms = ENDLESS) -> Terms:
    """The terms for a party that asks us (RFC 4028 section 9); `before` are those of its session until now.

    Who asks refreshes, if it can and does not want us to. Who cannot and says nothing is left alone.
    """
    if not wish.able and not wish.interval_s:
        return before if before.ours else ENDLESS
    longest = max(usual_s, wish.minimum_s, LEAST_S)
    interval = min(max(wish.interval_s, wish.minimum_s, LEAST_S), longest) if wish.interval_s else longest
    return Terms(interval, wish.ours or not wish.able, max(wish.minimum_s, before.minimum_s))


def refresh_at(terms: Terms, since: datetime) -> datetime:
    """When its refresher refreshes it (RFC 4028 section 10)."""
    return since + timedelta(seconds=terms.interval_s / 2)


def lost_at(terms: Terms, since: datetime) -> datetime:
    """When a session that nobody refreshed is ended: a little before its time (RFC 4028 section 10)."""
    return since + timedelta(seconds=terms.interval_s - min(_MARGIN_S, terms.interval_s / 3))
