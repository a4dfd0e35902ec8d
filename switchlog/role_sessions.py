"""The role `sessions`: SIP, calls, registrations and configuration, the only writer of the journal."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import structlog

from adapters.command.local import CommandServer
from adapters.journal.recorder import JournalApplication, Term
from adapters.journal.sqlite import SqliteJournal
from adapters.keys.master import KeyStoreError
from adapters.keys.store import SecretStore
from adapters.sip.edge import EdgeError
from adapters.sip.gate import GateSettings, Policy
from adapters.sip.rport import join_host_port
from adapters.sip.source import SourceLimits
from domain.ids import CONFIG_SHARD, SHARDS
from domain.ports import JournalError
from switchlog.certificate import CertificateError, client_context, self_signed, server_context
from switchlog.desk import handlers
from switchlog.folder import JOURNAL, SESSIONS_SOCKET
from switchlog.office import Office, Writer
from switchlog.role import RoleError, hang_up_event, settle_memory, stop_event
from switchlog.session import Session
from switchlog.settings import Settings, addresses, is_wildcard, networks
from switchlog.trace import tap_of
from switchlog.wiring import SessionParts

_log = structlog.get_logger(__name__)
_COMMIT_PACE_S = 0.002
"""Three commits lie between an INVITE and its 200: what an fsync saved may cost them in waiting."""


async def run(settings: Settings) -> None:
    """Serve until SIGTERM. Raises RoleError when it cannot."""
    stop = stop_event()
    loop = asyncio.get_running_loop()
    try:
        store = SecretStore(settings.data)
        journal = SqliteJournal(
            settings.data / JOURNAL,
            dispatch=lambda group: _dispatch(loop, group),
            pace_s=_COMMIT_PACE_S,
        )
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
    tls = await asyncio.to_thread(_tls, settings)
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
            probe_s=settings.probe_s,
            session_s=settings.session_expires,
            gate=_gate(settings),
        ),
        asyncio.get_running_loop(),
        tap,
        tls.client,
    )
    renew = hang_up_event()
    commands = CommandServer(settings.data / SESSIONS_SOCKET, handlers(office, session))
    calls = await session.take_over()
    await _listen(settings, session, tls)
    session.resume(calls)
    await session.open()
    settle_memory()
    await commands.start()
    _log.info("sessions ready", tenants=len(office.directory().tenants))
    reloading = asyncio.create_task(_reload(settings, session, renew))
    try:
        await stop.wait()
    finally:
        reloading.cancel()
        await commands.close()
        await session.close()
        if tap is not None:
            await asyncio.to_thread(tap.close)


async def _listen(settings: Settings, session: Session, tls: Tls) -> None:
    for transport, where in (("udp", settings.sip_udp), ("tcp", settings.sip_tcp), ("tls", settings.sip_tls)):
        for host, port in addresses(where):
            advertised = settings.advertised(host)
            advertise = join_host_port(advertised, port) if advertised else ""
            await session.listen(transport, host, port, advertise, tls.server if transport == "tls" else None)


def _gate(settings: Settings) -> GateSettings:
    allow, deny, exempt = (networks(one) for one in (settings.sip_allow, settings.sip_deny, settings.sip_exempt))
    return GateSettings(Policy(allow, deny, exempt), SourceLimits(rate=settings.sip_rate, burst=4 * settings.sip_rate))


class Tls(NamedTuple):
    """The contexts of connections in and out; `server` is None if nobody is to come by TLS."""

    server: ssl.SSLContext | None
    client: ssl.SSLContext


def _tls(settings: Settings) -> Tls:
    """From the files as they are now. Raises CertificateError."""
    ca = Path(settings.tls_ca) if settings.tls_ca else None
    if settings.tls_cert:
        cert, key = Path(settings.tls_cert), Path(settings.tls_key)
        return Tls(server_context(cert, key, ca, settings.tls_client), client_context(cert, key, ca))
    if not settings.sip_tls:
        return Tls(None, client_context(None, None, ca))
    hosts = [one.host for one in addresses(settings.sip_tls)]
    names = dict.fromkeys([*(settings.advertised(host) for host in hosts), *hosts, "localhost"])
    made = self_signed(settings.data, _utc_now(), tuple(name for name in names if name and not is_wildcard(name)))
    return Tls(server_context(*made, ca, settings.tls_client), client_context(None, None, ca))


async def _reload(settings: Settings, session: Session, asked: asyncio.Event) -> None:
    """Read the certificates again whenever that is asked for; those that cannot be used leave the old ones."""
    while True:
        await asked.wait()
        asked.clear()
        try:
            tls = await asyncio.to_thread(_tls, settings)
        except CertificateError as error:
            _log.error("certificates not read again, the old ones stay", reason=str(error))
            continue
        await session.renew_tls(*tls)
        _log.info("certificates read again")


def _dispatch(loop: asyncio.AbstractEventLoop, group: Callable[[], None]) -> None:
    """From the committer's thread to the loop's; a loop that is closed already has nobody left to tell."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(group)


def _utc_now() -> datetime:
    return datetime.now(UTC)
