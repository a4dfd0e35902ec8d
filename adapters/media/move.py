"""Parties that have to be told where our media are now, and are told again until they know.

What may live here: who, and when. What they are told is the performer's.
"""

from __future__ import annotations

from datetime import datetime, timedelta

_FIRST_S, _LONGEST_S = 2.0, 32.0
"""It may cross an offer of the party's own (RFC 3261 14.1), or be refused for something that passes."""


class Moves:
    """Legs by when they are due, each time later than the time before."""

    def __init__(self) -> None:
        self._due: dict[str, tuple[datetime, float]] = {}

    def told(self, leg: str, now: datetime) -> None:
        """It is due again in a while."""
        before = self._due.get(leg)
        wait_s = min(before[1] * 2, _LONGEST_S) if before is not None else _FIRST_S
        self._due[leg] = now + timedelta(seconds=wait_s), wait_s

    def over(self, leg: str) -> None:
        """It knows, or is gone."""
        self._due.pop(leg, None)

    def next_due(self) -> datetime | None:
        return min((at for at, _ in self._due.values()), default=None)

    def due(self, now: datetime) -> list[str]:
        """Whoever is to be told now."""
        return [leg for leg, (at, _) in self._due.items() if at <= now]
