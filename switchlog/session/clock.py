"""UTC that never jumps: what calls and registrations are timed by, whatever somebody does to the machine's clock.

What may live here: time from two sources that are handed in. No sleeping, no timers.

Moments that must come (the end of ringing, of a binding) are UTC in the journal. If the machine's clock were read for
them directly, setting it forward would end every call that rings and every binding at once, and setting it back would
let them last for as long as it was set back. So the time of a running process goes by its monotonic clock and follows
the machine's at a bounded rate: after a jump a second lasts between 0.95 and 1.05 seconds until both agree again.
A restart begins with the machine's clock as it is then, but not before what was journaled last: else a clock that was
set back while nobody ran would make everything late that was to come.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

RATE = 0.05
"""How much faster or slower than true time passes while the machine's clock is caught up with."""
BACK_S = 86_400.0
"""The most that a start may be ahead of the machine's clock: hours are a wrong zone, years were a wrong record."""
JUMP_S = 1.0
"""From here on a difference is told: nothing but a jump makes it."""


class SteadyClock:
    """`monotonic` in seconds from anywhere, `wall` in Unix seconds; `jumped(seconds)` is told once a jump.

    Not thread-safe. `utc` never goes back.
    """

    def __init__(
        self, monotonic: Callable[[], float], wall: Callable[[], float], jumped: Callable[[float], None]
    ) -> None:
        self._monotonic, self._wall, self._jumped = monotonic, wall, jumped
        self._read_at_s = monotonic()
        self._now_s = wall()
        self._moment = datetime.fromtimestamp(self._now_s, UTC)
        self._told = False

    def utc(self) -> datetime:
        """The moment of now; as the machine's clock has it, but after a jump."""
        at_s = self._monotonic()
        passed_s = at_s - self._read_at_s
        if not passed_s:  # a loop's time stands still while it handles what it was woken for
            return self._moment
        self._read_at_s = at_s
        ahead_s = self._wall() - (self._now_s + passed_s)
        most_s = passed_s * RATE
        self._now_s += passed_s + max(-most_s, min(ahead_s, most_s))
        self._watch(ahead_s, most_s)
        self._moment = datetime.fromtimestamp(self._now_s, UTC)
        return self._moment

    def start_from(self, moment: datetime) -> bool:
        """Begin no earlier than `moment`, which was a time of now once; False if that is more than BACK_S ahead.

        Then the clock stays where it is. To be called before anybody asks for the time.
        """
        at_s = moment.timestamp()
        if at_s - self._now_s > BACK_S:
            return False
        if at_s > self._now_s:
            self._now_s, self._moment = at_s, moment
        return True

    def _watch(self, ahead_s: float, most_s: float) -> None:
        if abs(ahead_s) <= max(JUMP_S, most_s):
            self._told = False
        elif not self._told:
            self._told = True
            self._jumped(ahead_s)
