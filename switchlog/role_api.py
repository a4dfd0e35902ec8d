"""The role `api`: HTTP. It reads projections and sends commands to their owners; it never touches an aggregate."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import secrets
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import structlog
import uvicorn

from adapters.analytics.client import Warehouse
from adapters.command.local import CommandClient
from adapters.journal.codec import decode
from adapters.journal.reader import SqliteReader
from adapters.keys.master import KeyStoreError
from adapters.keys.store import KeyRing, SecretStore
from adapters.sip.identifier import SipIdentifiers
from api.app import create_app
from domain.apikey import Principal, Role
from domain.ids import SHARDS
from domain.ports import PARTITION, JournalError
from projections.live import Live
from switchlog.folder import HANDLE, JOURNAL, PROJECTOR_SOCKET, SESSIONS_SOCKET, TRACE
from switchlog.query import ApiQueries
from switchlog.role import RoleError, opened_journal, settle_memory, stop_event
from switchlog.settings import Settings, address
from switchlog.warehouse import endpoint

_log = structlog.get_logger(__name__)

_POLL_S = 0.05
_WAIT_S = 1.0
_GRACE_S = 3
"""How long answers that are under way, such as `events --follow`, may hold up the end of the role."""
_ANSWER_S = 30.0


async def run(settings: Settings) -> None:
    """Serve until SIGTERM. Raises RoleError when it cannot."""
    stop = stop_event()
    try:
        store = SecretStore(settings.data)
        reader = await opened_journal(settings.data / JOURNAL, stop)
    except (KeyStoreError, JournalError) as error:
        raise RoleError(str(error)) from error
    if reader is None:
        return
    try:
        await _serve(settings, store, reader, stop)
    finally:
        reader.close()
        store.close()


async def _serve(settings: Settings, store: SecretStore, reader: SqliteReader, stop: asyncio.Event) -> None:
    warehouse = Warehouse(endpoint(settings), answer_s=_ANSWER_S)
    live = Live(decode)
    clients = {
        "sessions": CommandClient(settings.data / SESSIONS_SOCKET),
        "projector": CommandClient(settings.data / PROJECTOR_SOCKET),
    }
    local_key = secrets.token_urlsafe(32)
    known = [(local_key, Principal("local", Role.OPERATOR, None))]
    if settings.admin_key:
        known.append((settings.admin_key, Principal("admin", Role.OPERATOR, None)))
    identifiers = SipIdentifiers(store.wire_secret("identifier"))
    queries = ApiQueries(live, reader, warehouse, clients, identifiers, settings.data / TRACE)
    app = create_app(queries, Router(clients), KeyRing(store, known))
    config = uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="off", loop="none", timeout_graceful_shutdown=_GRACE_S
    )
    server = uvicorn.Server(config)
    listener = _bind(*address(settings.http))
    _write_handle(settings.data / HANDLE, f"http://{settings.http}", local_key)
    settle_memory()
    following = asyncio.create_task(_follow(live, reader))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((stopped, following, serving), return_when=asyncio.FIRST_COMPLETED)
    finally:
        server.should_exit = True
        await serving
        stopped.cancel()
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        warehouse.close()
        (settings.data / HANDLE).unlink(missing_ok=True)


class Router:
    """Sends each command to the process that owns what it changes (`api.ports.Commands`)."""

    def __init__(self, clients: Mapping[str, CommandClient]) -> None:
        self._clients = clients

    async def call(self, name: str, args: Mapping[str, Any], actor: str, command_id: str) -> Any:
        owner = "projector" if name.startswith("projections.") else "sessions"
        return await self._clients[owner].call(name, args, actor, command_id)


async def _follow(live: Live, reader: SqliteReader) -> None:
    """Keep the live view current. A journal that cannot be read for a while is waited for."""
    while True:
        try:
            if not live.cursor:
                await asyncio.to_thread(_load, live, reader)
            batch = await asyncio.to_thread(reader.follow, live.cursor)
        except JournalError as error:
            _log.warning("the live view waits for the journal", reason=str(error))
            await asyncio.sleep(_WAIT_S)
            continue
        live.apply(batch)
        if not batch.records:
            await asyncio.sleep(_POLL_S)


def _load(live: Live, reader: SqliteReader) -> None:
    position = reader.last_position()
    live.load(reader, range(SHARDS), time.time(), {PARTITION: position})


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        if error.errno == errno.EADDRINUSE:
            reason = f"another program uses this port (`ss -ltnp 'sport = :{port}'` names it)"
        raise RoleError(f"HTTP cannot listen on {host}:{port}: {reason}; choose another SWITCHLOG_HTTP") from error


def _write_handle(path: Path, url: str, key: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump({"url": url, "key": key}, file)
