"""The link between nodes: SIP over TLS with certificates on both sides (RFC 5923's trust, without its reuse).

What may live here: sockets and who is at their other end. Each node opens one connection to each other one when it has
something to say there, and hears by those that others open: so nothing has to be agreed, and who is restarted is not
mistaken for who was there before. Messages are bytes here; where they go is `steer`'s.

Processes of one node do the same by Unix sockets in its data folder, which nobody else can open: a peer is who has a
socket of its name there.

What is written is delivered, or lost like a datagram if the other node dies meanwhile: SIP repeats what matters.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from adapters.sip.edge.error import EdgeError, bind_failure, connect_failure
from adapters.sip.edge.listener import StreamListener
from adapters.sip.edge.stream import EdgeLimits, StreamConnection
from adapters.sip.message.message import MessageError
from adapters.sip.message.via import split_host_port
from domain.node import home_of

_log = logging.getLogger(__name__)

LIMITS = EdgeLimits(
    max_connections=256,
    max_write_buffer_bytes=8 * 1024 * 1024,
    max_handshakes=64,
    handshake_timeout_s=3.0,
    connect_timeout_s=3.0,
)
_WAITING = 2_000
"""messages to one node while its connection is opened: some seconds of many calls"""
_PAUSE_S = 0.5
"""between two attempts to reach a node, unless the first one's connection has lived for that long"""
_SILENCE_MS = 3_000
"""after which unacknowledged data count as lost with their connection (RFC 5482)"""
_CLOSE_TIMEOUT_S = 1.0


NEAR = "unix"
"""Where a process of this very node is."""


class Near(Protocol):
    """The sockets by which processes of one node reach each other. Both raise OSError."""

    def listener(self) -> socket.socket:
        """This process's, bound."""

    def dial(self, name: str) -> socket.socket:
        """One of this process's name that is connected to the listener of the process `name`."""


@dataclass
class LinkCounters:
    """What happened since the start, for metrics."""

    sent: int = 0
    received: int = 0
    undelivered: int = 0
    strangers: int = 0
    failed_messages: int = 0


@dataclass
class _Way:
    """To one node: its connection, or what waits for it."""

    connection: StreamConnection | None = None
    opening: asyncio.Task[None] | None = None
    waiting: deque[bytes] = field(default_factory=deque)
    not_before: float = 0.0


class Link:
    """All connections between this node and others; on the loop's thread.

    `where(node)` is the `host:port` of a living node of that name, NEAR if that is a process of this node, or None.
    `on_message(data, node)` gets each message with the name that its sender has proved; `undelivered(data, node)` gets
    back what could not be sent after all. `near` are the ways to processes of this node, if it has several.
    """

    def __init__(
        self,
        me: str,
        where: Callable[[str], str | None],
        on_message: Callable[[bytes, str], None],
        undelivered: Callable[[bytes, str], None],
        limits: EdgeLimits = LIMITS,
        near: Near | None = None,
    ) -> None:
        self.limits, self.counters = limits, LinkCounters()
        self._me, self._where, self._near = me, where, near
        self._on_message, self._undelivered = on_message, undelivered
        self._client: ssl.SSLContext | None = None
        self._listener: StreamListener | None = None
        self._near_server: asyncio.Server | None = None
        self._ways: dict[str, _Way] = {}
        self._peers: dict[StreamConnection, str] = {}
        self._drained = asyncio.Event()
        self._numbered = 0
        self._closing = False

    async def listen(self, host: str, port: int, server: ssl.SSLContext, client: ssl.SSLContext) -> str:
        """Hear other nodes; returns `host:port` as bound. Raises EdgeError.

        Both contexts show this node's certificate and trust the cluster's authority alone.
        """
        self._client = _mutual(client)
        self._listener = StreamListener(self._inbound, _mutual(server), self.limits.handshake_timeout_s, self)
        try:
            await self._listener.open(host, port, True)
        except OSError as error:
            self._listener = None
            raise EdgeError(bind_failure("link", host, port, error)) from error
        return self._listener.local

    async def listen_near(self) -> None:
        """Hear the other processes of this node. Raises EdgeError."""
        assert self._near is not None, "only a node of several processes has them"
        loop = asyncio.get_running_loop()
        try:
            self._near_server = await loop.create_unix_server(
                lambda: self._connection(inbound=True, kind=NEAR), sock=self._near.listener()
            )
        except OSError as error:
            raise EdgeError(f"the socket of {self._me} cannot be opened: {error}; see to the data folder") from error

    def renew(self, server: ssl.SSLContext, client: ssl.SSLContext) -> None:
        """New connections use these contexts; those that are open live on with theirs."""
        self._client = _mutual(client)
        if self._listener is not None:
            self._listener.renew(_mutual(server))

    def send(self, node: str, data: bytes) -> bool:
        """Send to a node, or keep it until there is a connection; False if it cannot be reached now."""
        where = self._where(node)
        if self._closing or where is None or (self._client is None and where != NEAR):
            return False
        way = self._ways.setdefault(node, _Way())
        if way.connection is not None and way.connection.write(data):
            self.counters.sent += 1
            return True
        loop = asyncio.get_running_loop()
        if way.opening is None:
            if loop.time() < way.not_before:
                return False
            way.opening = loop.create_task(self._open(node, way))
        if len(way.waiting) >= _WAITING:
            return False
        way.waiting.append(data)
        return True

    def gone(self, node: str, *, shared: bool = False) -> None:
        """A node is dead: nothing is sent on its connections any more, and nothing heard that one which wakes has left
        there, for it has heirs. It may open others once it counts among the living again.

        `shared` = others show its certificate as well, and live: who of them has opened a connection is not known.
        """
        for connection in [one for one, name in self._peers.items() if name == node and not shared]:
            connection.abort()
        way = self._ways.pop(node, None)
        if way is None:
            return
        if way.opening is not None:
            way.opening.cancel()
        if way.connection is not None:
            way.connection.abort()
        self._give_back(node, way)

    async def close(self) -> None:
        """Stop hearing and speaking; what is written leaves, within a second."""
        self._closing = True
        for listener in (self._listener, self._near_server):
            if listener is not None:
                listener.close()
        openings = [way.opening for way in self._ways.values() if way.opening is not None]
        for opening in openings:
            opening.cancel()
        await asyncio.gather(*openings, return_exceptions=True)
        for connection in list(self._peers):
            connection.close()
        if self._peers:
            alarm = asyncio.get_running_loop().call_later(_CLOSE_TIMEOUT_S, self._abort)
            await self._drained.wait()
            alarm.cancel()
        for listener in (self._listener, self._near_server):
            if listener is not None:
                await listener.wait_closed()

    # --- the connections' side (StreamOwner)

    def opened(self, connection: StreamConnection) -> bool:
        """Takes in who has the certificate of a node that is known; False for everybody else."""
        if self._closing or len(self._peers) >= self.limits.max_connections:
            return False
        ours = self._me if connection.flow.transport == NEAR else home_of(self._me)
        known = [name for name in connection.named if name != ours and self._where(name) is not None]
        if not known:
            self.counters.strangers += 1
            _log.warning(
                "refused on the link: %s shows the name of no node that is known (%s)",
                connection.flow.remote,
                ", ".join(connection.named) or "none",
            )
            return False
        self._peers[connection] = known[0]
        return True

    def heard(self, connection: StreamConnection, data: bytes) -> None:
        """A whole message of a node."""
        self.counters.received += 1
        try:
            self._on_message(data, self._peers[connection])
        except Exception:  # noqa: BLE001  boundary: one message must not end the link
            self.counters.failed_messages += 1
            _log.exception("a message of another node was dropped because handling it failed; this is a fault of ours")

    def unframed(self, connection: StreamConnection, error: MessageError) -> None:
        """A connection on which no next message can be found; it is closed, and opened again by its node."""
        _log.warning("node %s sends what is no SIP: %s", self._peers[connection], error)

    def closed(self, connection: StreamConnection) -> None:
        """A connection is gone."""
        node = self._peers.pop(connection)
        way = self._ways.get(node)
        if way is not None and way.connection is connection:
            way.connection = None
            _log.info("the link to node %s is closed", node)
        if self._closing and not self._peers:
            self._drained.set()

    # --- the listener's side (Doorkeeper)

    def enters(self, remote: str, under_way: int) -> bool:
        """Handshakes are bounded: anybody can begin one."""
        return not self._closing and under_way < self.limits.max_handshakes

    def left(self, remote: str, taken_in: bool) -> None:
        """A handshake is over."""

    # --- inside

    def _inbound(self) -> StreamConnection:
        return self._connection(inbound=True)

    def _connection(self, inbound: bool, kind: str = "tls") -> StreamConnection:
        self._numbered += 1
        return StreamConnection(self, kind, self._numbered, inbound)

    async def _open(self, node: str, way: _Way) -> None:
        loop = asyncio.get_running_loop()
        where = self._where(node) or ""
        way.not_before = loop.time() + _PAUSE_S
        try:
            async with asyncio.timeout(self.limits.connect_timeout_s):
                way.connection = await self._connect(loop, node, where)
        except (OSError, ValueError) as error:  # TimeoutError and ssl.SSLError are OSErrors
            _log.warning("node %s: %s", node, connect_failure("link", where, error))
        finally:
            way.opening = None
        if way.connection is None:
            way.not_before = loop.time() + _PAUSE_S
        self._flush(node, way)

    async def _connect(self, loop: asyncio.AbstractEventLoop, node: str, where: str) -> StreamConnection | None:
        if where == NEAR:
            return await self._connect_near(loop, node)
        host, port = split_host_port(where)
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        family, kind, number, _, address = found[0]
        connecting = socket.socket(family, kind, number)
        try:
            connecting.setblocking(False)
            connecting.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connecting.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _SILENCE_MS)
            await loop.sock_connect(connecting, address)
            _, connection = await loop.create_connection(
                lambda: self._connection(inbound=False),
                sock=connecting,
                ssl=self._client,
                server_hostname=home_of(node),  # all processes of a node have its certificate
            )
        except BaseException:
            connecting.close()
            raise
        return connection if connection in self._peers else None

    async def _connect_near(self, loop: asyncio.AbstractEventLoop, node: str) -> StreamConnection | None:
        assert self._near is not None, "only a node of several processes has them"
        _, connection = await loop.create_unix_connection(
            lambda: self._connection(inbound=False, kind=NEAR), sock=self._near.dial(node)
        )
        return connection if connection in self._peers else None

    def _flush(self, node: str, way: _Way) -> None:
        while way.waiting and way.connection is not None and way.connection.write(way.waiting[0]):
            way.waiting.popleft()
            self.counters.sent += 1
        self._give_back(node, way)

    def _give_back(self, node: str, way: _Way) -> None:
        while way.waiting:
            self.counters.undelivered += 1
            self._undelivered(way.waiting.popleft(), node)

    def _abort(self) -> None:
        for connection in list(self._peers):
            connection.abort()


def _mutual(tls: ssl.SSLContext) -> ssl.SSLContext:
    """Both sides show a certificate, and both are ours: there is no old version to be spoken."""
    tls.verify_mode = ssl.CERT_REQUIRED
    tls.minimum_version = ssl.TLSVersion.TLSv1_3
    return tls
