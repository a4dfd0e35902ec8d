"""The role `sessions` on a journal that several nodes share: its shards come and go while it runs.

What may live here: the order of coming (learn what all know, join, claim, then hear phones) and of going (hear nobody,
release, leave).
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from adapters.command.local import CommandServer, Handler
from adapters.journal.recorder import JournalApplication
from adapters.keys.store import SecretStore
from domain.node import Neighbour
from domain.ports import Journal, SharedJournal
from switchlog.desk import company, worker
from switchlog.desk.desk import handlers
from switchlog.node.company import Fellow, Hosted
from switchlog.node.node import Nodes
from switchlog.node.sharing import Sharing
from switchlog.node.worker import is_edge, socket_of, with_others
from switchlog.office.keeper import Keeper, SharingKeeper
from switchlog.office.office import Office, Writer
from switchlog.role.life import hang_up_event, settle_memory, utc_now
from switchlog.role.session_setting import listen, no_media, session_parts
from switchlog.session.session import Session
from switchlog.setting.address import address
from switchlog.store.journal import (
    Vigil,
    config_partition,
    open_announcements,
    open_journal,
    open_mailbox,
    open_membership,
)
from switchlog.store.trace import tap_of
from switchlog.store.vault import sharing_of
from switchlog.tls.context import read_link, read_tls, renew_whenever

if TYPE_CHECKING:
    from switchlog.setting.settings import Settings

_log = structlog.get_logger(__name__)


async def serve_in_company(settings: Settings, store: SecretStore, vigil: Vigil, stop: asyncio.Event) -> None:
    """Until `stop`.

    Raises JournalAway if the journal is away, or goes away before phones are heard; JournalError; KeyStoreError.
    """
    fellow = Fellow(settings.node, utc_now)
    async with contextlib.AsyncExitStack() as opened:
        opened.push_async_callback(fellow.leave)
        journal = await asyncio.to_thread(open_journal, settings, fellow.dispatch)
        opened.push_async_callback(asyncio.to_thread, journal.close)
        opened.push_async_callback(fellow.fall_silent)
        sharing = await _shared(settings, store, journal, stop, opened)
        office = _office(settings, store, journal, fellow, SharingKeeper(sharing))
        await fellow.learn(office, lambda: open_announcements(settings))
        tap = tap_of(settings)
        if tap is not None:
            opened.push_async_callback(asyncio.to_thread, tap.close)
        tls = await asyncio.to_thread(read_tls, settings, utc_now())
        parts = with_others(
            session_parts(settings, store, journal, office, {})._replace(
                roster=fellow.roster, elsewhere=fellow.elsewhere, company=fellow.company
            ),
            settings,
        )
        session = Session(parts, asyncio.get_running_loop(), tap, tls.client)
        opened.push_async_callback(session.close)
        await session.take_over()
        await listen(settings, session, tls)
        assert session.nodes is not None, "a session with a roster has them"
        link = await _link(settings, session.nodes)
        if parts.near is not None:
            await session.nodes.listen_near()
        me = Neighbour(settings.node, link, session.nodes.listeners, edge=is_edge(settings))
        hosted = Hosted(session.warden, session.nodes.gone, session.nodes.moved_away, session.bound)
        await fellow.join(hosted, lambda told: open_membership(settings, me, told))
        vigil.there()
        await session.open()
        settle_memory()
        await _hear_commands(settings, store, ThisNode(me, fellow, session), handlers(office, session, me.name), opened)
        _log.info("sessions ready", tenants=len(office.directory().tenants), shards=len(session.warden.held))
        renewing = renew_whenever(hang_up_event(), lambda: read_tls(settings, utc_now()), _renewal(settings, session))
        opened.callback(asyncio.create_task(renewing).cancel)
        stopped = asyncio.create_task(stop.wait())
        opened.callback(stopped.cancel)
        await asyncio.wait((stopped, fellow.ended), return_when=asyncio.FIRST_COMPLETED)
        if fellow.ended.done():
            fellow.ended.result()


async def _link(settings: Settings, nodes: Nodes) -> str:
    """Open the link between nodes; returns where the others reach this one, empty if there is to be none."""
    if not settings.link:
        return ""
    contexts = await asyncio.to_thread(read_link, settings)
    return await nodes.listen(*address(settings.link), settings.link_advertise, *contexts)


async def _hear_commands(
    settings: Settings,
    store: SecretStore,
    this: company.Node,
    inner: Mapping[str, Handler],
    opened: contextlib.AsyncExitStack,
) -> None:
    """Of other nodes, and of the processes of this one. Raises JournalError."""
    mailbox = await asyncio.to_thread(open_mailbox, settings)
    opened.push_async_callback(asyncio.to_thread, mailbox.close)
    others, asked = company.ends(this, inner, mailbox, store)
    others.start()
    opened.push_async_callback(others.close)
    if is_edge(settings):
        asked = worker.handlers(asked, worker.of_node(settings))
    commands = CommandServer(settings.data / socket_of(settings), asked)
    await commands.start()
    opened.push_async_callback(commands.close)


Renew = Callable[[ssl.SSLContext | None, ssl.SSLContext], Awaitable[None]]


def _renewal(settings: Settings, session: Session) -> Renew:
    async def renew(server: ssl.SSLContext | None, client: ssl.SSLContext) -> None:
        link = await asyncio.to_thread(read_link, settings) if settings.link else None
        await session.renew_tls(server, client)
        if link is not None and session.nodes is not None:
            session.nodes.renew_tls(*link)

    return renew


class ThisNode:
    """See `company.Node`."""

    def __init__(self, me: Neighbour, fellow: Fellow, session: Session) -> None:
        self._me, self._fellow, self._session = me, fellow, session

    @property
    def name(self) -> str:
        return self._me.name

    @property
    def trouble(self) -> str:
        return self._fellow.trouble

    @property
    def holds_configuration(self) -> bool:
        return self._fellow.given.held

    def neighbours(self) -> list[Neighbour]:
        return sorted(self._fellow.roster.neighbours(), key=lambda one: one.name)

    def shards(self) -> tuple[int, ...]:
        return self._session.warden.held

    def status(self) -> dict[str, Any]:
        calls = self._session.board.open_calls
        return {"shards": len(self.shards()), "calls": calls, "lag": self._fellow.behind()}

    async def drain(self, draining: bool, most_s: float) -> None:
        self._fellow.introduce(msgspec.structs.replace(self._me, draining=draining))
        if draining:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(most_s):
                    await self._session.warden.empty()


async def _shared(
    settings: Settings, store: SecretStore, journal: Journal, stop: asyncio.Event, opened: contextlib.AsyncExitStack
) -> Sharing:
    """How `store` learns what other nodes were told, from now on.

    It compares master keys before anything is claimed: a node with another one must not take a shard.
    """
    sharing = sharing_of(store, journal, utc_now)
    assert sharing is not None and isinstance(journal, SharedJournal), "a journal of several nodes is one"
    await asyncio.to_thread(sharing.begin, partial(journal.post, node=settings.node))
    opened.callback(asyncio.create_task(sharing.follow(stop)).cancel)
    return sharing


def _office(settings: Settings, store: SecretStore, journal: Journal, fellow: Fellow, keeper: Keeper) -> Office:
    given = fellow.given
    application = JournalApplication(journal, epoch=given, lost=given.lost, partition=config_partition(settings))
    return Office(
        application,
        store,
        Writer(settings.node, given),
        utc_now,
        keeper=keeper,
        no_rooms=no_media(settings),
    )
