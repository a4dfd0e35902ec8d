"""The role `projector`: follows the journal into ClickHouse, rebuilds and verifies what it wrote."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Mapping
from typing import Any

from adapters.analytics.client import Warehouse, WarehouseError
from adapters.command.local import Command, CommandServer, Handler
from adapters.journal.codec import decode
from adapters.keys.master import KeyStoreError
from domain.ports import JournalError
from domain.refusal import Refusal
from projections.generation import Generations
from projections.ports import Unavailable
from projections.projector import PACE, Projector
from switchlog.folder import JOURNAL, PROJECTOR_SOCKET
from switchlog.role import RoleError, opened_journal, settle_memory, stop_event
from switchlog.settings import Settings
from switchlog.warehouse import endpoint, schema

_CATCH_UP_S = 5.0
"""How long the end of the role waits for the rows of what the others appended before they ended."""
_GRACE_S = 7.0
"""After that a ClickHouse that does not answer is left alone; the next start goes on from the cursor."""


async def run(settings: Settings) -> None:
    """Follow until SIGTERM. Raises RoleError when it cannot."""
    stop = stop_event()
    try:
        reader = await opened_journal(settings.data / JOURNAL, stop)
        where = endpoint(settings)
    except (JournalError, KeyStoreError, ValueError) as error:
        raise RoleError(str(error)) from error
    if reader is None:
        return
    warehouse = Warehouse(where)
    projector = Projector(reader, Generations(warehouse, schema(), WarehouseError), decode, pace=PACE)
    ended, abandoned = threading.Event(), threading.Event()
    settle_memory()
    following = asyncio.create_task(asyncio.to_thread(_follow, projector, ended, abandoned))
    commands = CommandServer(settings.data / PROJECTOR_SOCKET, handlers(projector))
    await commands.start()
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((stopped, following), return_when=asyncio.FIRST_COMPLETED)
    finally:
        ended.set()
        stopped.cancel()
        await commands.close()
        await asyncio.wait((following,), timeout=_GRACE_S)
        abandoned.set()
        warehouse.close()  # from here on even a thread that waits for ClickHouse ends
        await asyncio.wait((following,))
        reader.close()
    if not stop.is_set():
        following.result()


def _follow(projector: Projector, ended: threading.Event, abandoned: threading.Event) -> None:
    """Project until told to end, and then what is in the journal by now."""
    projector.run(ended)
    until = time.monotonic() + _CATCH_UP_S
    with contextlib.suppress(Unavailable, JournalError):
        while not abandoned.is_set() and time.monotonic() < until and projector.advance():
            pass
        projector.flush()


def handlers(projector: Projector) -> Mapping[str, Handler]:
    """`ping`, and `projections.list`, `.start` and `.progress` (`api.ports.Commands`)."""

    async def ping(command: Command) -> dict[str, Any]:
        trouble = projector.status()["trouble"]
        if trouble:
            raise Refusal("unavailable", trouble)
        return {}

    async def listed(command: Command) -> Any:
        return projector.status()["projections"]

    async def start(command: Command) -> dict[str, str]:
        try:
            return {"job": projector.request(command.args["kind"], command.args["name"])}
        except ValueError as error:
            raise Refusal("invalid", str(error), field="name") from error

    async def progress(command: Command) -> dict[str, Any]:
        try:
            return projector.progress(str(command.args["job"]))
        except KeyError:
            raise Refusal("missing", f"there is no job {command.args['job']}") from None

    return {
        "ping": ping,
        "projections.list": listed,
        "projections.start": start,
        "projections.progress": progress,
    }
