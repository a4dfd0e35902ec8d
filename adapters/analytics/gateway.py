"""The TCP server before the embedded engine: any ClickHouse client's native protocol, two accounts, bounds on all."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import logging
import os
import socket
from concurrent.futures import ThreadPoolExecutor

import msgspec

from adapters.analytics import protocol
from adapters.analytics.connection import Account, Connection, ConnectionLimits, Desk
from adapters.analytics.engine import Engine, Limits

log = logging.getLogger(__name__)

WRITER = "switchlog"
READER = "analyst"
LISTEN_BACKLOG = 128


class Accounts(msgspec.Struct, frozen=True):
    """Passwords of the two accounts. The writer's may never be empty, the reader's on loopback only."""

    writer_password: str
    reader_password: str = ""


class GatewayRefused(Exception):
    """The gateway will not open like this; the text says why and what to do."""


class Gateway:
    """Serves `engine` on one port. The caller opens and closes the engine."""

    def __init__(
        self,
        engine: Engine,
        accounts: Accounts,
        limits: ConnectionLimits | None = None,
        engine_limits: Limits | None = None,
    ) -> None:
        self._accounts = {
            WRITER: Account(WRITER, accounts.writer_password, reader=False),
            READER: Account(READER, accounts.reader_password, reader=True),
        }
        self._limits = limits or ConnectionLimits()
        sizes = engine_limits or Limits()
        self._threads = ThreadPoolExecutor(sizes.writers + sizes.readers, thread_name_prefix="clickhouse")
        self._desk = Desk(engine, self._threads, self._limits)
        self._engine = engine
        self._given = accounts
        self._serving: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port bound (`port` 0 = any free one). Raises GatewayRefused."""
        check(self._given, host)
        return await self.serve(bind(host, port))

    async def serve(self, listening: socket.socket) -> int:
        """Serve a socket from `bind`; returns its port."""
        self._server = await asyncio.start_server(self._accept, sock=listening, backlog=LISTEN_BACKLOG)
        bound: int = listening.getsockname()[1]
        return bound

    async def close(self) -> None:
        """Stop listening, drop the clients, wait for the engine's threads."""
        if self._server is not None:
            self._server.close()
        for task in tuple(self._serving):
            task.cancel()
        if self._serving:
            await asyncio.wait(self._serving)
            await asyncio.to_thread(self._engine.kill)
        await asyncio.to_thread(self._threads.shutdown)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a connection is served in a task")
        self._serving.add(task)
        # An answer is a few small writes; without this each waits for the client's delayed ACK (40 ms).
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if len(self._serving) > self._limits.connections:
                text = f"Too many connections: at most {self._limits.connections}"
                writer.write(protocol.exception(203, "DB::Exception", text))
            else:
                await Connection(self._desk, self._accounts, reader, writer).serve()
        except asyncio.CancelledError:
            log.debug("a client's connection was closed by us")
        except Exception:  # the boundary of a connection: the others go on
            log.exception("a client's connection failed by our fault")
        finally:
            self._serving.discard(task)
            writer.close()


def check(accounts: Accounts, host: str) -> None:
    """Raise GatewayRefused if these accounts may not be offered on `host`."""
    if not accounts.writer_password:
        raise GatewayRefused(f"the ClickHouse account {WRITER} needs a password")
    if not accounts.reader_password and not is_loopback(host):
        raise GatewayRefused(
            f"the ClickHouse account {READER} has no password: set one, or listen on loopback instead of {host}"
        )


def bind(host: str, port: int) -> socket.socket:
    """A listening socket. Raises GatewayRefused."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=LISTEN_BACKLOG)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        if error.errno == errno.EADDRINUSE:
            reason = f"another program uses this port (`ss -ltnp 'sport = :{port}'` names it); stop it"
        raise GatewayRefused(
            f"ClickHouse clients cannot be served on {host}:{port}: {reason} or choose another address"
        ) from error


def is_loopback(host: str) -> bool:
    """`localhost` or an address of loopback."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
