"""The other nodes, as a session sees them: the link's sockets, and what crosses them.

What may live here: how `link` and `crossing` are put together, on the loop's thread. No decision of its own.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Collection
from dataclasses import asdict

import structlog

from adapters.sip.edge.link import NEAR, Link, Near
from adapters.sip.message.message import Request, Response
from domain.node import Listener, Roster, home_of
from domain.values import Flow
from switchlog.node.crossing import Outward
from switchlog.node.warden import numbers
from switchlog.session.wiring import Switch

_log = structlog.get_logger(__name__)
_RETRY_S = 0.1
"""How soon it is looked again after requests whose shard has no owner."""


class Nodes:
    """One node's way to the others. `connect` it to the switch that is wired with its `outward`."""

    def __init__(
        self,
        roster: Roster,
        send: Callable[[Flow, bytes], bool],
        failed: Callable[[Flow], None],
        closed: Callable[[Flow], None],
        settled: Callable[[], None],
        near: Near | None = None,
    ) -> None:
        """`send` is the edge's; `failed` and `closed` are told of flows of other nodes; `settled` sends what waits.

        `near` leads to the other processes of this node, if there are any.
        """
        self._roster, self._settled, self._near = roster, settled, near
        self._link = Link(roster.me, self._where, self._crossed, self._undelivered, near=near)
        self.outward = Outward(send, self._link.send, failed, closed, self._later)
        self._retrying: asyncio.TimerHandle | None = None

    def connect(self, switch: Switch) -> Callable[[Flow, bytes], bool]:
        """Whose messages cross. Returns what sends by the flow of any node."""
        crossing = switch.crossing
        assert crossing is not None, "the switch is wired with a roster and our outward"
        self._crossing, self._addresses, self._studio = crossing, switch.addresses, switch.studio
        self.is_ours = crossing.is_ours
        return crossing.send

    async def listen(self, host: str, port: int, advertise: str, server: ssl.SSLContext, client: ssl.SSLContext) -> str:
        """Hear the other nodes; returns the `host:port` that they are to be told. Raises EdgeError."""
        local = await self._link.listen(host, port, server, client)
        _log.info("listening", transport="link", address=local)
        return advertise or local

    async def listen_near(self) -> None:
        """Hear the other processes of this node. Raises EdgeError."""
        await self._link.listen_near()

    def renew_tls(self, server: ssl.SSLContext, client: ssl.SSLContext) -> None:
        """New connections use these certificates; open ones live on."""
        self._link.renew(server, client)

    async def close(self) -> None:
        if self._retrying is not None:
            self._retrying.cancel()
        await self._link.close()

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """Where phones reach this node, as the others are to be told."""
        return self._addresses.listeners

    def heard(self, message: Request | Response, flow: Flow) -> None:
        """A message of a phone, by a flow of this node. Raises MessageError for what the edge is to answer 4xx."""
        self._crossing.heard(message, flow)

    def gone(self, name: str) -> None:
        """A node is dead, and so are its connections: what waits on them has failed."""
        workers = any(home_of(one.name) == name for one in self._roster.neighbours())
        self._link.gone(name, shared=workers)
        self._crossing.node_gone(name)

    def moved_away(self, shards: Collection[int]) -> None:
        """Other nodes have claimed shards that were this one's: only they repeat what the calls there have said, and
        make their rooms."""
        dropped = self._crossing.moved_away(shards)
        if self._studio is not None:
            self._studio.moved_away(shards)
            self._settled()
        _log.info("shards are other nodes'", shards=numbers(shards), transactions=dropped)

    def metrics(self) -> dict[str, float]:
        """Numbers for `/metrics`."""
        link = {f"link_{name}_total": float(count) for name, count in asdict(self._link.counters).items()}
        return link | {f"crossing_{name}_total": float(count) for name, count in self._crossing.counts.items()}

    def _later(self) -> None:
        if self._retrying is None:
            self._retrying = asyncio.get_running_loop().call_later(_RETRY_S, self._retry)

    def _retry(self) -> None:
        self._retrying = None
        try:
            self._crossing.retry()
        finally:
            self._settled()

    def _where(self, name: str) -> str | None:
        node = self._roster.neighbour(name)
        if node is None:
            return None
        return NEAR if self._near is not None and home_of(name) == home_of(self._roster.me) else node.link or None

    def _crossed(self, data: bytes, node: str) -> None:
        try:
            self._crossing.crossed(data, node)
        finally:
            self._settled()

    def _undelivered(self, data: bytes, node: str) -> None:
        try:
            self._crossing.undelivered(data, node)
        finally:
            self._settled()
