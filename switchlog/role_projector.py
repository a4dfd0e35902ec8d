"""The role `projector`: follows the journal into ClickHouse, rebuilds and verifies what it wrote."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from typing import Any

from adapters.analytics.client import Warehouse, WarehouseError
from adapters.command.local import Command, CommandServer, Handler
from adapters.journal.codec import decode
from adapters.keys.master import KeyStoreError
from domain.ports import JournalError
from domain.refusal import Refusal
from projections.generation import Generations
from projections.projector import Projector
from switchlog.folder import JOURNAL, PROJECTOR_SOCKET
from switchlog.role import RoleError, opened_journal, stop_event
from switchlog.settings import Settings
from switchlog.warehouse import endpoint, schema


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
    projector = Projector(reader, Generations(warehouse, schema(), WarehouseError), decode)
    ended = threading.Event()
    following = asyncio.create_task(asyncio.to_thread(projector.run, ended))
    commands = CommandServer(settings.data / PROJECTOR_SOCKET, handlers(projector))
    await commands.start()
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((stopped, following), return_when=asyncio.FIRST_COMPLETED)
    finally:
        ended.set()
        stopped.cancel()
        await commands.close()
        await following
        warehouse.close()
        reader.close()


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
