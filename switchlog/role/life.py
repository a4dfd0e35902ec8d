"""What roles have in common: how they are told to stop, and say that they cannot run."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
from collections.abc import Iterator
from datetime import UTC, datetime

from switchlog.tied import refused


class RoleError(Exception):
    """A role cannot run with these settings; one line that says why and what to do."""


@contextlib.contextmanager
def at_start() -> Iterator[None]:
    """What the system refuses while a role starts, as a RoleError."""
    try:
        yield
    except OSError as error:
        raise RoleError(refused(error)) from error


def utc_now() -> datetime:
    """The machine's clock, which may jump: for calls and registrations there is `clock.SteadyClock`."""
    return datetime.now(UTC)


def stop_event() -> asyncio.Event:
    """Set by SIGTERM or SIGINT. To be called inside the running loop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


def hang_up_event() -> asyncio.Event:
    """Set by each SIGHUP: what is read from files outside is to be read again. To be called inside the running loop."""
    asked = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, asked.set)
    return asked


def settle_memory() -> None:
    """What is there now stays; messages, events and rows leave no cycles behind, so these need not be looked for often.

    At the usual 700 objects the search for cycles took a twelfth of a REGISTER's time and a third of a rebuild's.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
