"""The role `sessions`: SIP, calls, registrations and configuration, the only role that writes the journal."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog

from adapters.command.local import CommandServer
from adapters.journal.recorder import JournalApplication, Term
from adapters.keys.master import KeyStoreError
from adapters.keys.store import SecretStore
from adapters.sip.edge.edge import EdgeError
from domain.ids import CONFIG_SHARD, SHARDS
from domain.ports import Journal, JournalAway, JournalError
from switchlog.desk.desk import handlers
from switchlog.office.office import Office, Writer
from switchlog.role.life import RoleError, hang_up_event, settle_memory, stop_event, utc_now
from switchlog.role.session_setting import listen, no_media, session_parts
from switchlog.session.session import Session
from switchlog.setting.folder import SESSIONS_SOCKET
from switchlog.store.journal import Vigil, is_shared, open_journal
from switchlog.store.trace import tap_of
from switchlog.store.vault import open_store
from switchlog.tls.certificate import CertificateError
from switchlog.tls.context import read_tls, renew_whenever

if TYPE_CHECKING:
    from switchlog.setting.settings import Settings

_log = structlog.get_logger(__name__)


async def run(settings: Settings) -> None:
    """Serve until SIGTERM. Raises RoleError when it cannot."""
    stop = stop_event()
    try:
        store = open_store(settings)
    except KeyStoreError as error:
        raise RoleError(str(error)) from error
    vigil = Vigil("sessions")
    try:
        while not stop.is_set():
            try:
                if is_shared(settings):
                    from switchlog.role.sessions_company import serve_in_company

                    await serve_in_company(settings, store, vigil, stop)
                else:
                    await _serve_with_journal(settings, store, vigil, stop)
            except JournalAway as error:
                await vigil.away(error, stop)
    except (CertificateError, EdgeError, JournalError, KeyStoreError) as error:
        raise RoleError(str(error)) from error
    except OSError as error:
        raise RoleError(f"{error}; see to the data folder and its disk") from error
    finally:
        store.close()


async def _serve_with_journal(settings: Settings, store: SecretStore, vigil: Vigil, stop: asyncio.Event) -> None:
    """Raises JournalAway if it is away, or goes away before phones are heard: then all begins again."""
    loop = asyncio.get_running_loop()
    journal = await asyncio.to_thread(open_journal, settings, lambda group: _dispatch(loop, group))
    try:
        await _serve(settings, store, journal, vigil, stop)
    finally:
        await asyncio.to_thread(journal.close)


async def _serve(settings: Settings, store: SecretStore, journal: Journal, vigil: Vigil, stop: asyncio.Event) -> None:
    node = settings.node
    epochs = await asyncio.to_thread(journal.claim, tuple(range(SHARDS)), node)
    term = Term(journal, node)
    application = JournalApplication(journal, epoch=term, lost=term.lost)
    office = await asyncio.to_thread(
        lambda: Office(
            application,
            store,
            Writer(node, term),
            utc_now,
            journal.live(CONFIG_SHARD, 0.0),
            no_rooms=no_media(settings),
        )
    )
    tap = tap_of(settings)
    tls = await asyncio.to_thread(read_tls, settings, utc_now())
    parts = session_parts(settings, store, journal, office, epochs)
    session = Session(parts, asyncio.get_running_loop(), tap, tls.client)
    renew = hang_up_event()
    commands = CommandServer(settings.data / SESSIONS_SOCKET, handlers(office, session, settings.node))
    async with contextlib.AsyncExitStack() as opened:
        if tap is not None:
            opened.push_async_callback(asyncio.to_thread, tap.close)
        opened.push_async_callback(session.close)
        calls = await session.take_over()
        vigil.there()
        await listen(settings, session, tls)
        session.resume(calls)
        await session.open()
        settle_memory()
        await commands.start()
        opened.push_async_callback(commands.close)
        _log.info("sessions ready", tenants=len(office.directory().tenants))
        reloading = asyncio.create_task(renew_whenever(renew, lambda: read_tls(settings, utc_now()), session.renew_tls))
        opened.callback(reloading.cancel)
        await stop.wait()


def _dispatch(loop: asyncio.AbstractEventLoop, group: Callable[[], None]) -> None:
    """From the committer's thread to the loop's; a loop that is closed already has nobody left to tell."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(group)
