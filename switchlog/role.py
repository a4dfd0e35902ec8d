"""What every role has in common: how it is told to stop, and how it says that it cannot run."""

from __future__ import annotations

import asyncio
import signal


class RoleError(Exception):
    """A role cannot run with these settings; one line that says why and what to do."""


def stop_event() -> asyncio.Event:
    """Set by SIGTERM or SIGINT. To be called inside the running loop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop
