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
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
import uvicorn

from adapters.analytics.client import Warehouse
from adapters.command.local import CommandClient
from adapters.journal.codec import decode
from adapters.keys.master import KeyStoreError
from adapters.keys.store import KeyRing, SecretStore
from adapters.sip.dialog.identifier import SipIdentifiers
from api.app import create_app
from domain.apikey import Principal, Role
from domain.ids import SHARDS
from domain.ports import JournalError
from domain.refusal import Refusal
from projections.live import Live
from switchlog.node.afar import Afar
from switchlog.node.sharing import Sharing
from switchlog.query.message import MessageSounds
from switchlog.query.query import ApiQueries
from switchlog.query.recording import RecordingQueries
from switchlog.role.life import RoleError, at_start, settle_memory, stop_event, utc_now
from switchlog.setting.address import address
from switchlog.setting.folder import HANDLE, PROJECTOR_SOCKET, SESSIONS_SOCKET, SPOOL, TRACE, roles_of
from switchlog.store.journal import Awaited, Pulse, is_shared, open_mailbox, open_reader
from switchlog.store.storage import storage_of
from switchlog.store.vault import open_store, sharing_of
from switchlog.store.warehouse import endpoint
from switchlog.studio.reel import ReelStore

if TYPE_CHECKING:
    from switchlog.setting.settings import Settings

_log = structlog.get_logger(__name__)

_POLL_S = 0.1
_IDLE_S = 0.5
"""How long the journal may wait for records where it can."""
_FULL = 1_000
"""Records of a batch after which more are waiting; a smaller one is followed by a pause, also under load: each looking
costs, on Kafka more than a record does."""
_WAIT_S = 1.0
_GRACE_S = 3
"""How long answers that are under way, such as `events --follow`, may hold up the end of the role."""
_ANSWER_S = 30.0


async def run(settings: Settings) -> None:
    """Serve until SIGTERM. Raises RoleError when it cannot."""
    stop = stop_event()
    try:
        store = open_store(settings)
    except KeyStoreError as error:
        raise RoleError(str(error)) from error
    pulse = Pulse()
    reader = Awaited(lambda: open_reader(settings, "api"), "API and its live view", pulse)
    try:
        await _serve(settings, store, reader, pulse, stop)
    finally:
        reader.close()
        store.close()


async def _serve(settings: Settings, store: SecretStore, reader: Awaited, pulse: Pulse, stop: asyncio.Event) -> None:
    warehouse = Warehouse(endpoint(settings), answer_s=_ANSWER_S)
    live = Live(decode)
    here = roles_of(settings.data)
    sockets = {"sessions": SESSIONS_SOCKET, "projector": PROJECTOR_SOCKET}
    clients = {part: CommandClient(settings.data / name) for part, name in sockets.items() if part in here}
    local_key = secrets.token_urlsafe(32)
    known = [(local_key, Principal("local", Role.OPERATOR, None))]
    if settings.admin_key:
        known.append((settings.admin_key, Principal("admin", Role.OPERATOR, None)))
    identifiers = SipIdentifiers(store.wire_secret("identifier"))
    queries = ApiQueries(live, reader, pulse, warehouse, clients, identifiers, settings.data / TRACE)
    afar = Afar(partial(open_mailbox, settings), store) if is_shared(settings) and "sessions" not in clients else None
    reels = ReelStore(lambda: storage_of(settings), settings.data / SPOOL, store.wire_secret)
    recorded = RecordingQueries(queries.rows, reader.read, reels)
    app = create_app(queries, Router(clients, afar), KeyRing(store, known), recorded, MessageSounds(reels))
    config = uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="off", loop="none", timeout_graceful_shutdown=_GRACE_S
    )
    server = uvicorn.Server(config)
    listener = _bind(*address(settings.http))
    with at_start():
        _write_handle(settings.data / HANDLE, f"http://{settings.http}", local_key)
    settle_memory()
    sharing = sharing_of(store, reader, utc_now)
    following = asyncio.create_task(_follow(live, reader, pulse, stop, sharing, afar))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((stopped, following, serving), return_when=asyncio.FIRST_COMPLETED)
    finally:
        server.should_exit = True
        await serving
        stopped.cancel()
        following.cancel()
        (failed,) = await asyncio.gather(following, return_exceptions=True)
        warehouse.close()
        (settings.data / HANDLE).unlink(missing_ok=True)
    if isinstance(failed, JournalError | KeyStoreError):
        raise RoleError(str(failed)) from failed
    if isinstance(failed, Exception):
        raise failed


class Router:
    """Sends each command to the process that owns what it changes (`api.ports.Commands`); what sessions own, to those
    `afar` where there are none here."""

    def __init__(self, clients: Mapping[str, CommandClient], afar: Afar | None = None) -> None:
        self._clients, self._afar = clients, afar

    async def call(self, name: str, args: Mapping[str, Any], actor: str, command_id: str) -> Any:
        owner = "projector" if name.startswith("projections.") else "sessions"
        if owner == "sessions" and self._afar is not None:
            return await self._afar.call(name, args, actor, command_id)
        if owner not in self._clients:
            raise Refusal("unavailable", f"the {owner} role is not beside this API: ask one that has it")
        return await self._clients[owner].call(name, args, actor, command_id)


async def _follow(
    live: Live, reader: Awaited, pulse: Pulse, stop: asyncio.Event, sharing: Sharing | None, afar: Afar | None
) -> None:
    """Keep the live view and the secrets of a cluster current, and the way to its nodes open. A journal that cannot be
    read for a while is waited for.

    Raises JournalError for one that cannot be used at all, KeyStoreError if its cluster has another master key.
    """
    if not await reader.opened(stop):
        return
    tasks = [asyncio.create_task(_watch(live, reader, pulse))]
    if sharing is not None:
        tasks.append(asyncio.create_task(sharing.follow(stop)))
    if afar is not None:
        tasks.append(asyncio.create_task(afar.serve(stop)))
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _watch(live: Live, reader: Awaited, pulse: Pulse) -> None:
    waiting = False
    while True:
        try:
            if not live.loaded:
                await asyncio.to_thread(_load, live, reader)
            begun = time.monotonic()
            batch = await asyncio.to_thread(reader.follow, live.cursor, _FULL, _IDLE_S)
        except JournalError as error:
            pulse.failed(str(error))
            if not waiting:
                _log.warning("the live view waits for the journal", reason=str(error))
            waiting = True
            await asyncio.sleep(_WAIT_S)
            continue
        if waiting:
            _log.info("the live view has the journal again")
        waiting = False
        pulse.answered()
        live.apply(batch)
        if len(batch.records) < _FULL:
            await asyncio.sleep(max(0.0, _POLL_S - (time.monotonic() - begun)))


def _load(live: Live, reader: Awaited) -> None:
    before = reader.end()
    live.load(reader.live_of(range(SHARDS), time.time()), before)


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
