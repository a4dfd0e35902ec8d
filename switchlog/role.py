"""What roles have in common: how they are told to stop, say that they cannot run, and wait for the journal's file."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
from pathlib import Path

from adapters.journal.reader import SqliteReader
from adapters.journal.schema import JournalMissing

_LOOK_EVERY_S = 0.05


class RoleError(Exception):
    """A role cannot run with these settings; one line that says why and what to do."""


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


async def opened_journal(path: Path, stop: asyncio.Event) -> SqliteReader | None:
    """The journal's reader once the sessions have made the file; None when told to stop before. Raises JournalError."""
    while not stop.is_set():
        with contextlib.suppress(JournalMissing):
            return await asyncio.to_thread(SqliteReader, path)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _LOOK_EVERY_S)
    return None
