"""When what was said is due to be heard: how late packets come, and how late they are expected to come.

What may live here: the reckoning of one stream's delay from its packets' transits. Nothing of what is in the packets.

A packet's *transit* is its arrival minus its timestamp, in ticks of the codec's clock; only differences of transits
mean anything. The last seconds' give the *base* (that of the quickest packet) and the *target* (how much later than the
quickest nearly all come). A sample is due `base + target` after its timestamp.
"""

from __future__ import annotations

from collections import deque
from typing import Final

LONGEST_TARGET_MS: Final = 400
WINDOW_MS: Final = 500

_FIRST_TARGET_MS: Final = 20
_STEP_DOWN_MS: Final = 10
_STEP_UP_MS: Final = 20
_WINDOWS: Final = 16
_RECURRENT_WINDOWS: Final = 3
"""In so many windows packets must have been late to be expected late: one stall is no habit."""
_FEW_PACKETS: Final = 10
"""In a window of fewer the latest counts, of more the latest but one."""


class Playout:
    """One stream's, begun with the transit of its first packet."""

    def __init__(self, transit: float, ticks_per_ms: float) -> None:
        self.base = transit
        self.due = transit + _FIRST_TARGET_MS * ticks_per_ms
        """A sample is due at its position plus this."""
        self._longest = LONGEST_TARGET_MS * ticks_per_ms
        self._step_down = _STEP_DOWN_MS * ticks_per_ms
        self._step_up = _STEP_UP_MS * ticks_per_ms
        self._windows: deque[tuple[float, float]] = deque(maxlen=_WINDOWS)

    @property
    def target(self) -> float:
        """How much later than the quickest packet everything is due."""
        return self.due - self.base

    def learn(self, transits: list[float]) -> None:
        """A window of `WINDOW_MS` is full: aim at what the last ones needed. Down slowly, up at once."""
        transits.sort()
        many = len(transits) >= _FEW_PACKETS
        low, high = transits[0], transits[-2 if many else -1]
        if many and low - self.base > self._longest:
            self._windows.clear()  # Even the quickest is later than we would ever wait: the way is another one.
        self._windows.append((low, high))
        self.base = min(low for low, _ in self._windows)
        highs = sorted(high for _, high in self._windows)
        recurrent = highs[-_RECURRENT_WINDOWS] if len(highs) >= _RECURRENT_WINDOWS else highs[-1]
        needed = min(recurrent, self.base + self._longest)
        self.due = max(needed, min(self.due - self._step_down, self.base + self._longest))

    def quicker(self, transit: float) -> None:
        """A packet came much quicker than all before, so did a stall end: no need to wait for the window to be full."""
        self.due = min(self.due, transit + self.target)
        self.base = min(self.base, transit)

    def too_late(self, transit: float) -> None:
        """A packet came when its turn was over: wait a little longer from now on."""
        needed = min(transit, self.base + self._longest)
        self.due = max(self.due, min(needed, self.due + self._step_up))
