"""The role `projector`: follows the journal into ClickHouse, rebuilds and verifies what it wrote."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from adapters.analytics.client import Warehouse, WarehouseError
from adapters.command.local import Command, CommandServer, Handler
from adapters.journal.codec import decode
from adapters.keys.master import KeyStoreError
from domain.ports import JournalError
from domain.refusal import Refusal
from projections.generation import Generations
from projections.ports import Unavailable
from projections.projector import PACE, Projector
from switchlog.rebuild.crew import Processes
from switchlog.role.life import RoleError, at_start, settle_memory, stop_event
from switchlog.setting.folder import PROJECTOR_SOCKET
from switchlog.store.journal import Awaited, open_reader
from switchlog.store.warehouse import endpoint, schema

if TYPE_CHECKING:
    from switchlog.setting.settings import Settings

_CATCH_UP_S = 5.0
"""How long the end of the role waits for the rows of what the others appended before they ended."""
_GRACE_S = 7.0
"""After that a ClickHouse that does not answer is left alone; the next start goes on from the cursor."""


async def run(settings: Settings) -> None:
    """Follow until SIGTERM. Raises RoleError when it cannot."""
    stop = stop_event()
    try:
        where = endpoint(settings)
    except (KeyStoreError, ValueError) as error:
        raise RoleError(str(error)) from error
    reader = Awaited(lambda: open_reader(settings, "projector"), "projections")
    warehouse = Warehouse(where)
    projector = Projector(
        reader,
        Generations(warehouse, schema(settings.clickhouse_cluster), WarehouseError),
        decode,
        pace=PACE,
        crew=Processes(settings),
    )
    ended, abandoned = threading.Event(), threading.Event()
    settle_memory()
    commands = CommandServer(settings.data / PROJECTOR_SOCKET, handlers(projector, reader))
    with at_start():
        await commands.start()
    following = asyncio.create_task(_follow(reader, projector, stop, ended, abandoned))
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
        try:
            following.result()
        except JournalError as error:
            raise RoleError(str(error)) from error


async def _follow(
    reader: Awaited, projector: Projector, stop: asyncio.Event, ended: threading.Event, abandoned: threading.Event
) -> None:
    """Raises JournalError for a journal that cannot be used."""
    if await reader.opened(stop):
        await asyncio.to_thread(_project, projector, ended, abandoned)


def _project(projector: Projector, ended: threading.Event, abandoned: threading.Event) -> None:
    """Until told to end, and then what is in the journal by now."""
    projector.run(ended)
    until = time.monotonic() + _CATCH_UP_S
    with contextlib.suppress(Unavailable, JournalError):
        projector.catch_up(lambda: not abandoned.is_set() and time.monotonic() < until)


@contextlib.contextmanager
def _journal_read() -> Iterator[None]:
    try:
        yield
    except JournalError as error:
        raise Refusal("unavailable", str(error)) from error


def handlers(projector: Projector, reader: Awaited) -> Mapping[str, Handler]:
    """`ping`, `metrics`, and `projections.list`, `.start` and `.progress` (`api.ports.Commands`)."""

    async def ping(command: Command) -> dict[str, Any]:
        if trouble := reader.trouble or projector.trouble:
            raise Refusal("unavailable", trouble)
        return {}

    def listed(command: Command) -> Any:
        with _journal_read():
            return projector.status()

    def metrics(command: Command) -> dict[str, float]:
        with _journal_read():
            return projector.metrics()

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
        "metrics": metrics,
        "projections.list": listed,
        "projections.start": start,
        "projections.progress": progress,
    }
