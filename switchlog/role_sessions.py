"""The role `sessions`: SIP, calls, registrations and configuration, the only writer of the journal."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import structlog

from adapters.command.local import CommandServer
from adapters.journal.recorder import JournalApplication, Term
from adapters.journal.sqlite import SqliteJournal
from adapters.keys.master import KeyStoreError
from adapters.keys.store import SecretStore
from adapters.sip.edge import EdgeError
from domain.ids import CONFIG_SHARD, SHARDS
from domain.ports import JournalError
from switchlog.certificate import CertificateError, self_signed, server_context
from switchlog.desk import handlers
from switchlog.folder import JOURNAL, SESSIONS_SOCKET
from switchlog.office import Office, Writer
from switchlog.role import RoleError, stop_event
from switchlog.session import Session
from switchlog.settings import Settings, address
from switchlog.trace import tap_of
from switchlog.wiring import SessionParts

_log = structlog.get_logger(__name__)


async def run(settings: Settings) -> None:
    """Serve until SIGTERM. Raises RoleError when it cannot."""
    stop = stop_event()
    loop = asyncio.get_running_loop()
    try:
        store = SecretStore(settings.data)
        journal = SqliteJournal(settings.data / JOURNAL, dispatch=lambda group: _dispatch(loop, group))
    except (KeyStoreError, JournalError) as error:
        raise RoleError(str(error)) from error
    try:
        await _serve(settings, store, journal, stop)
    except (CertificateError, EdgeError, JournalError) as error:
        raise RoleError(str(error)) from error
    except OSError as error:
        raise RoleError(f"the sessions cannot start: {error}; check the data folder and its disk") from error
    finally:
        await asyncio.to_thread(journal.close)
        store.close()


async def _serve(settings: Settings, store: SecretStore, journal: SqliteJournal, stop: asyncio.Event) -> None:
    node = settings.node
    epochs = await asyncio.to_thread(journal.claim, tuple(range(SHARDS)), node)
    term = Term(journal, node)
    application = JournalApplication(journal, epoch=term, lost=term.lost)
    office = await asyncio.to_thread(
        lambda: Office(application, store, Writer(node, term), _utc_now, journal.live(CONFIG_SHARD, 0.0))
    )
    tap = tap_of(settings)
    session = Session(
        SessionParts(
            node=node,
            journal=journal,
            epochs=epochs,
            credentials=store,
            sealer=store,
            directory=office.directory,
            identifier_secret=store.wire_secret("identifier"),
            nonce_secret=store.wire_secret("nonce"),
            algorithms=settings.digest_algorithms,
        ),
        asyncio.get_running_loop(),
        tap,
    )
    commands = CommandServer(settings.data / SESSIONS_SOCKET, handlers(office, session))
    calls = await session.take_over()
    await _listen(settings, session)
    session.resume(calls)
    await commands.start()
    _log.info("sessions ready", tenants=len(office.directory().tenants))
    try:
        await stop.wait()
    finally:
        await commands.close()
        await session.close()
        if tap is not None:
            await asyncio.to_thread(tap.close)


async def _listen(settings: Settings, session: Session) -> None:
    for transport, where in (("udp", settings.sip_udp), ("tcp", settings.sip_tcp), ("tls", settings.sip_tls)):
        if not where:
            continue
        host, port = address(where)
        advertise = f"{settings.sip_advertise}:{port}" if settings.sip_advertise else ""
        context = _tls(settings, host) if transport == "tls" else None
        await session.listen(transport, host, port, advertise, context)


def _tls(settings: Settings, host: str) -> ssl.SSLContext:
    if settings.tls_cert:
        return server_context(Path(settings.tls_cert), Path(settings.tls_key))
    names = tuple(dict.fromkeys(name for name in (settings.sip_advertise, host, "localhost") if name))
    return server_context(*self_signed(settings.data, _utc_now(), names))


def _dispatch(loop: asyncio.AbstractEventLoop, group: Callable[[], None]) -> None:
    """From the committer's thread to the loop's; a loop that is closed already has nobody left to tell."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(group)


def _utc_now() -> datetime:
    return datetime.now(UTC)
