"""Waiting for what comes by itself, for so long that only a fault can take longer."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE_S = 60.0


def until(good: Callable[[], bool], what: str) -> None:
    """Looks again and again. Raises AssertionError with `what` did not come."""
    deadline = time.monotonic() + PATIENCE_S
    while not good():
        assert time.monotonic() < deadline, f"after {PATIENCE_S:.0f} s still not: {what}"
